"""Preference optimisation against the optimum that is known, and against the published loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from seiko.diffusion import Noise
from seiko.models import GaussianToy, ModelPolicy
from seiko.updates import DPO, FixedStrength, PreferenceDPO, improve
from seiko.updates.dpo import noised


@pytest.mark.parametrize("beta", [0.0, 0.3])
def test_gaussian_optimum(gaussian_case: Callable[..., Any], beta: float) -> None:
    case = gaussian_case(beta=beta)
    before = case.reached()[2]
    case.solve(DPO(learning_rate=0.05), steps=100, samples=128)
    mean, variance, value = case.reached()
    best_mean, best_variance = case.optimum()
    gain = (value - before) / (case.optimal_value() - before)
    print(f"DPO beta {beta}: {gain:.3f} of the attainable gain in J, mean {mean:.4f} of {best_mean:.4f}")
    assert gain > 0.98
    assert mean == pytest.approx(best_mean, rel=0.02)
    assert variance == pytest.approx(best_variance, rel=0.05)


@pytest.mark.parametrize("beta", [0.0, 0.3])
def test_enumerated_optimum(enumerable_case: Callable[..., Any], beta: float) -> None:
    case = enumerable_case(beta=beta)
    start = case.total_variation()
    case.solve(DPO(learning_rate=0.1), steps=140)
    print(f"DPO beta {beta}: total variation {start:.3f} -> {case.total_variation():.4f}")
    assert case.total_variation() < 0.05 < start / 4


def compared(case: Any, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return winners and losers among designs drawn uniformly, by Bradley-Terry on the rewards."""
    designs, generator = case.toy.designs, torch.Generator().manual_seed(1)
    a, b = torch.randint(len(designs), (2, count), generator=generator)
    won = torch.rand(count, generator=generator) < (case.rewards[a] - case.rewards[b]).sigmoid()
    return designs[torch.where(won, a, b)], designs[torch.where(won, b, a)]


def test_comparisons_alone_lead_to_the_tilted_law(enumerable_case: Callable[..., Any]) -> None:
    reached = {}
    for share in (1.0, 0.3):
        case = enumerable_case()
        start = case.total_variation()
        update = PreferenceDPO(learning_rate=0.1, share=share, smoothing=0.0)
        bound = update.with_pairs(case.toy.process, *compared(case, 40_000))
        case.solve(bound, steps=200, samples=512)
        reached[share] = case.total_variation()
    print(f"total variation {start:.3f} -> {reached[1.0]:.4f} with all steps, {reached[0.3]:.4f} with one of three")
    assert reached[1.0] < 0.08 < start / 3
    assert reached[0.3] < start / 2  # Jensen's bound leads there, and not quite
    assert case.beta == 0.0


def test_comparisons_of_numbers_lead_to_the_tilted_gaussian(gaussian_case: Callable[..., Any]) -> None:
    case = gaussian_case()
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 40_000, 1, generator=generator)
    won = torch.rand(40_000, generator=generator) < (case.objective(a) - case.objective(b)).sigmoid()
    pairs = torch.where(won[:, None], a, b), torch.where(won[:, None], b, a)
    update = PreferenceDPO(learning_rate=0.05, smoothing=0.0).with_pairs(case.toy.process, *pairs)
    before = case.reached()[0]
    case.solve(update, steps=120, samples=512)
    (mean, variance, _), (best_mean, best_variance) = case.reached(), case.optimum()
    print(f"mean {before:.3f} -> {mean:.3f} of {best_mean:.3f}, variance {variance:.3f} of {best_variance:.3f}")
    assert mean == pytest.approx(best_mean, rel=0.08)
    assert variance == pytest.approx(best_variance, rel=0.15)


def test_a_gaussian_step_is_the_difference_of_two_kls_as_published() -> None:
    toy = GaussianToy.exact(std=0.5, num_steps=4)
    with torch.no_grad():
        toy.versions.parameters()[0].add_(0.1)
    x_0, noise = torch.tensor([[0.3], [-1.2], [0.8]]), Noise.seeded(0, 3)
    for k in (4, 2, 1):
        x_t, x_s = noised(toy.process, x_0, k, noise)
        current, pretrained = (ModelPolicy(toy, version).transition(x_t, k) for version in ("current", "pretrained"))
        ratio = current.log_likelihood(x_s, x_0) - pretrained.log_likelihood(x_s, x_0)
        exact = type(current)(x_s, current.std, x_0)  # q(x_s | x_t, x_0)
        assert torch.allclose(ratio, exact.kl(pretrained) - exact.kl(current), atol=1e-5)
        # Eq. 14: the difference of the squared errors of the noise, up to the weight of the step
        t = toy.process.times[k]
        alpha, sigma = toy.process.schedule.alpha(t), toy.process.schedule.sigma(t)
        true = (x_t - alpha * x_0) / sigma
        errors = [((x_t - alpha * law.x_0) / sigma - true).square().sum(1) for law in (current, pretrained)]
        weight = (ratio / (errors[1] - errors[0])).detach()
        assert torch.allclose(weight, weight[:1].expand(3), rtol=1e-3)
        assert float(weight[0]) > 0


def test_masking_a_design_leaves_as_many_positions_as_the_chain_has(enumerable_case: Callable[..., Any]) -> None:
    toy = enumerable_case(num_steps=2).toy
    x_0 = toy.designs
    for k, masked in ((2, 3), (1, 1)):
        x_t, x_s = noised(toy.process, x_0, k, Noise.seeded(0, len(x_0)))
        assert torch.equal(x_s, x_0)
        hidden = x_t == toy.process.mask_token
        assert bool((hidden.sum(1) == masked).all())
        assert torch.equal(x_t[~hidden], x_0[~hidden])


def test_without_pairs_it_refuses() -> None:
    toy = GaussianToy.exact(std=0.5, num_steps=4)
    with pytest.raises(ValueError, match="learns from pairs"):
        improve(
            ModelPolicy(toy),
            PreferenceDPO(),
            lambda x: x[:, 0],
            pretrained=ModelPolicy(toy, "pretrained"),
            previous=ModelPolicy(toy, "previous"),
            strength=FixedStrength(alpha=1.0, beta=0.0),
            steps=1,
            samples=2,
            seed=0,
        )
    with pytest.raises(ValueError, match="as many winners as losers"):
        PreferenceDPO().with_pairs(toy.process, torch.zeros(2, 1), torch.zeros(3, 1))
    with pytest.raises(ValueError, match="share must lie"):
        PreferenceDPO(share=0.0)


def test_one_path_is_no_pair(gaussian_case: Callable[..., Any]) -> None:
    case = gaussian_case()
    policy = ModelPolicy(case.toy)
    with pytest.raises(ValueError, match="two paths"):
        DPO().step(DPO().init(policy), policy, case.problem(), None, Noise.seeded(0, 1))
