"""Preference optimisation against the optimum that is known, and against the published loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import pytest
import torch

from seiko.diffusion import DenoisingTransition, Noise
from seiko.models import GaussianToy, ModelPolicy
from seiko.models.versions import Version
from seiko.updates import DPO, FixedStrength, PreferenceDPO, improve
from seiko.updates.forward import eps_score, forward_path, noised


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


def follow(case: Any, update: Any, steps: int) -> None:
    improve(
        ModelPolicy(case.toy),
        update,
        case.objective,
        pretrained=ModelPolicy(case.toy, "pretrained"),
        previous=ModelPolicy(case.toy, "previous"),
        strength=FixedStrength(alpha=case.alpha, beta=0.0),
        steps=steps,
        samples=512,
        seed=0,
    )


def test_comparisons_alone_lead_to_the_tilted_law(enumerable_case: Callable[..., Any]) -> None:
    reached = {}
    for share in (1.0, 0.3):
        case = enumerable_case()
        start = case.total_variation()
        update = PreferenceDPO(learning_rate=0.1, share=share, smoothing=0.0)
        follow(case, update.with_pairs(case.toy.process, *compared(case, 40_000)), 200)
        reached[share] = case.total_variation()
    print(f"total variation {start:.3f} -> {reached[1.0]:.4f} with all steps, {reached[0.3]:.4f} with one of three")
    assert reached[1.0] < 0.08 < start / 5
    assert reached[1.0] < reached[0.3] < 0.85 * start  # the bound leads there, and not as far


def test_the_published_loss_moves_a_gaussian_the_right_way(gaussian_case: Callable[..., Any]) -> None:
    case = gaussian_case()
    generator = torch.Generator().manual_seed(0)
    a, b = 0.5 * torch.randn(2, 40_000, 1, generator=generator)
    won = torch.rand(40_000, generator=generator) < (case.objective(a) - case.objective(b)).sigmoid()
    pairs = torch.where(won[:, None], a, b), torch.where(won[:, None], b, a)
    before = case.reached()[0]
    follow(case, PreferenceDPO(learning_rate=0.02, share=0.25, smoothing=0.0).with_pairs(case.toy.process, *pairs), 150)
    mean, best = case.reached()[0], case.optimum()[0]
    print(f"mean {before:.3f} -> {mean:.3f}, of the tilted law {best:.3f}")
    assert before + 0.2 * (best - before) < mean < before + 3 * (best - before)


def test_a_step_is_the_published_difference_of_squared_errors() -> None:
    toy = GaussianToy.exact(std=0.5, num_steps=4)
    with torch.no_grad():
        toy.versions.parameters()[0].add_(0.1)
    x_0, noise = torch.tensor([[0.3], [-1.2], [0.8]]), Noise.seeded(0, 3)
    for k in (4, 2, 1):
        x_t = noised(toy.process, x_0, k, noise)
        t = toy.process.times[k]
        alpha, sigma = toy.process.schedule.alpha(t), toy.process.schedule.sigma(t)
        eps = (x_t - alpha * x_0) / sigma
        for version in ("current", "pretrained"):
            law = ModelPolicy(toy, version).transition(x_t, k)
            assert isinstance(law, DenoisingTransition)
            eps_hat = (x_t - alpha * law.x_0) / sigma
            expected = -0.5 * (eps - eps_hat).square().sum(1)
            assert torch.allclose(eps_score(toy.process, law, x_0, k), expected.float(), atol=1e-5)


def test_a_forward_path_has_the_law_of_the_forward_process() -> None:
    toy = GaussianToy.exact(std=0.5, num_steps=4)
    x_0 = torch.full((4000, 1), 0.7)
    path = forward_path(toy.process, x_0, Noise.seeded(0, 4000))
    assert torch.equal(path[0], x_0)
    for k in (4, 3, 1):
        t = toy.process.times[k]
        alpha, sigma = float(toy.process.schedule.alpha(t)), float(toy.process.schedule.sigma(t))
        assert float(path[k].mean()) == pytest.approx(0.7 * alpha, abs=0.05)
        assert float(path[k].std()) == pytest.approx(sigma, rel=0.05)


def test_masking_a_design_leaves_as_many_positions_as_the_chain_has(enumerable_case: Callable[..., Any]) -> None:
    toy = enumerable_case(num_steps=2).toy
    x_0 = toy.designs
    for k, masked in ((2, 3), (1, 1)):
        x_t = noised(toy.process, x_0, k, Noise.seeded(0, len(x_0)))
        hidden = x_t == toy.process.mask_token
        assert bool((hidden.sum(1) == masked).all())
        assert torch.equal(x_t[~hidden], x_0[~hidden])
    path = forward_path(toy.process, x_0, Noise.seeded(0, len(x_0)))
    assert all(bool(((a == toy.process.mask_token) <= (b == toy.process.mask_token)).all()) for a, b in pairwise(path))


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


@dataclass(frozen=True)
class Conditional:
    """A policy of two toys: a row of conditioning names one."""

    parts: tuple[ModelPolicy[Any], ModelPolicy[Any]]
    num_steps: int
    memoryless: bool = True

    @classmethod
    def of(cls, cases: Sequence[Any], version: Version = "current") -> Conditional:
        first, second = (ModelPolicy(case.toy, version) for case in cases)
        return cls((first, second), first.num_steps)

    def prior(self, noise: Noise) -> torch.Tensor:
        return self.parts[0].prior(noise)

    def transition(self, x_t: torch.Tensor, k: Any, conditioning: torch.Tensor | None = None) -> DenoisingTransition:
        assert conditioning is not None
        a, b = (part.transition(x_t, k) for part in self.parts)
        own = conditioning == 0
        return replace(a, mean=torch.where(own, a.mean, b.mean), x_0=torch.where(own, a.x_0, b.x_0))

    def parameters(self) -> list[torch.nn.Parameter]:
        return [parameter for part in self.parts for parameter in part.parameters()]


@dataclass(frozen=True)
class Worth:
    """A(x, c) = 2 x + 20 c: all that was drawn for one condition is worth more than all that was for the other."""

    conditioning: torch.Tensor | None = None

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        assert self.conditioning is not None
        return 2 * x[:, 0] + 20 * self.conditioning[:, 0]

    def given(self, conditioning: torch.Tensor | None) -> Worth:
        return Worth(conditioning)


def in_pairs(noise: Noise) -> torch.Tensor:
    return (torch.arange(len(noise)) // 2 % 2)[:, None].float()


def move_both(cases: Sequence[Any], update: Any, steps: int, seed: int = 0) -> None:
    improve(
        Conditional.of(cases),
        update,
        Worth(),
        pretrained=Conditional.of(cases, "pretrained"),
        previous=Conditional.of(cases, "previous"),
        strength=FixedStrength(alpha=cases[0].alpha, beta=0.0),
        steps=steps,
        samples=128,
        seed=seed,
        conditioning=in_pairs,
    )


def test_what_was_drawn_for_different_conditions_is_not_compared(gaussian_case: Callable[..., Any]) -> None:
    cases = gaussian_case(), gaussian_case()
    before = cases[0].reached()[2]
    for stage, steps in enumerate((50, 25, 25)):
        move_both(cases, DPO(learning_rate=0.05 / 5**stage), steps, stage)
    for case in cases:
        gain = (case.reached()[2] - before) / (case.optimal_value() - before)
        print(f"{gain:.3f} of the attainable gain in J, mean {case.reached()[0]:.3f} of {case.optimum()[0]:.3f}")
        assert gain > 0.98


def test_a_pair_teaches_what_it_was_drawn_for(gaussian_case: Callable[..., Any]) -> None:
    cases = gaussian_case(), gaussian_case()
    a, b = 0.5 * torch.randn(2, 1000, 1, generator=torch.Generator().manual_seed(0))
    large, small = torch.maximum(a, b), torch.minimum(a, b)
    given = (torch.arange(1000) % 2)[:, None].float()  # larger is better for 0, smaller for 1
    update = PreferenceDPO(learning_rate=0.02, share=0.25)
    process = cases[0].toy.process
    first = given == 0
    pairs = torch.where(first, large, small), torch.where(first, small, large)
    move_both(cases, update.with_pairs(process, *pairs, given), 60)
    means = [case.reached()[0] for case in cases]
    print(f"means {means[0]:.3f} and {means[1]:.3f}")
    assert means[0] > 0.1
    assert means[1] < -0.1
    with pytest.raises(ValueError, match="need as many rows of conditioning, got 3"):
        update.with_pairs(process, *pairs, given[:3])


def test_paths_that_are_alone_in_their_condition_are_no_pair(gaussian_case: Callable[..., Any]) -> None:
    cases = gaussian_case(), gaussian_case()
    policy, update = Conditional.of(cases), DPO()
    with pytest.raises(ValueError, match="two paths for the same condition"):
        update.step(update.init(policy), policy, cases[0].problem(), torch.tensor([[0.0], [1.0]]), Noise.seeded(0, 2))


def test_one_path_is_no_pair(gaussian_case: Callable[..., Any]) -> None:
    case = gaussian_case()
    policy = ModelPolicy(case.toy)
    with pytest.raises(ValueError, match="two paths"):
        DPO().step(DPO().init(policy), policy, case.problem(), None, Noise.seeded(0, 1))
