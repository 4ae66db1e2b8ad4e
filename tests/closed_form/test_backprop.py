"""DirectBackprop: exact on a memoryless Gaussian, off by a known amount on another, biased on a masked model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from seiko.diffusion import Noise
from seiko.models import ModelPolicy
from seiko.updates import BiasedGradientWarning, DirectBackprop, NotMemorylessWarning, UpdateState


@pytest.mark.parametrize("beta", [0.0, 0.3])
def test_gaussian_optimum(gaussian_case: Callable[..., Any], beta: float) -> None:
    case = gaussian_case(beta=beta)
    before = case.reached()[2]
    case.solve(DirectBackprop(learning_rate=0.05), steps=100, samples=64)
    (mean, variance, value), (best_mean, best_variance) = case.reached(), case.optimum()
    best_value = case.optimal_value()
    print(
        f"mean {mean:.4f} of {best_mean:.4f}, variance {variance:.4f} of {best_variance:.4f}, "
        f"J {before:.4f} -> {value:.4f} of {best_value:.4f}"
    )
    assert mean == pytest.approx(best_mean, rel=0.005)
    assert variance == pytest.approx(best_variance, rel=0.01)
    assert best_value - value < 0.005 * (best_value - before)


def exact_gradient(case: Any) -> torch.Tensor:
    """Return the gradient of J in the offsets, `[K]`, step 1 first."""
    kls = [case.toy.path_kl("current", anchor) for anchor in ("pretrained", "previous")]
    value = case.weight * case.toy.law()[0].sum() - case.alpha * kls[0] - case.beta * kls[1]
    return torch.autograd.grad(value, case.toy.versions.parameters())[1].flatten()


@pytest.mark.parametrize("window", [1, 3, None])
def test_a_window_has_the_exact_gradient_of_its_own_steps(
    gaussian_case: Callable[..., Any], window: int | None
) -> None:
    # here each step has weights of its own: what a window drops is the earlier steps' part, and nothing else
    case = gaussian_case(beta=0.3)
    with torch.no_grad():
        for p in case.toy.versions.parameters():
            p.mul_(1.1).add_(0.05)
    policy = ModelPolicy(case.toy)
    state = UpdateState(torch.optim.SGD(policy.parameters(), lr=0.0))
    update = DirectBackprop(window=window, max_grad_norm=1e9)
    update.step(state, policy, case.problem(), None, Noise.seeded(0, 40_000))
    found, exact = -policy.parameters()[1].grad.flatten(), exact_gradient(case)
    print(f"window {window}: {found.tolist()} of {exact.tolist()}")
    last = window or 4
    torch.testing.assert_close(found[:last], exact[:last], rtol=0.02, atol=0.01)
    assert bool((found[last:] == 0).all())


def test_a_short_window_stops_short_and_a_drawn_one_does_not(gaussian_case: Callable[..., Any]) -> None:
    gains = {}
    for window in (1, (1, 4)):
        case = gaussian_case()
        before = case.reached()[2]
        case.solve(DirectBackprop(learning_rate=0.05, window=window), steps=80, samples=64)
        gains[window] = (case.reached()[2] - before) / (case.optimal_value() - before)
    # the last step's own part of the optimum: its share of the variance of x_0 that all steps' noise makes up
    with torch.no_grad():
        share = float(list(case.toy.steps("pretrained"))[-1][2] ** 2 / case.toy.law("pretrained")[1])
    print(f"gain by window {gains}, predicted for 1: {share:.4f}")
    assert gains[1] == pytest.approx(share, rel=0.03)
    assert gains[(1, 4)] > 0.98


def test_a_process_with_a_memory_misses_the_tilt_by_the_share_of_its_start(gaussian_case: Callable[..., Any]) -> None:
    # The offsets can only use the noise of the steps: the mean moves by weight / alpha * (Var(x_0) - gain² Var(x_K)),
    # gain = prod_k A_k being what the start x_K contributes; the tilt would be weight / alpha * Var(x_0).
    case = gaussian_case(eta=0.5)
    with torch.no_grad():
        gain = float(torch.stack([slope for slope, _, _ in case.toy.steps("pretrained")]).prod())
        variance = float(case.toy.law("pretrained")[1])
    with pytest.warns(NotMemorylessWarning, match="Use eta = 1"):
        case.solve(DirectBackprop(learning_rate=0.05), steps=100, samples=64)
    mean, tilt = case.reached()[0], case.optimum()[0]
    predicted = case.weight / case.alpha * (variance - gain**2)
    print(f"tilt {tilt:.4f}, predicted {predicted:.4f}, reached {mean:.4f}: {1 - mean / tilt:.1%} short")
    assert tilt == pytest.approx(case.weight / case.alpha * variance, rel=1e-5)
    assert mean == pytest.approx(predicted, rel=0.01)
    assert predicted < 0.95 * tilt
    assert mean < 0.96 * tilt


def test_a_memoryless_start_contributes_nothing(gaussian_case: Callable[..., Any]) -> None:
    toy = gaussian_case(eta=1.0).toy
    gain = torch.stack([slope for slope, _, _ in toy.steps("pretrained")]).prod()
    assert float(gain.detach().abs()) < 1e-6


@pytest.mark.filterwarnings("ignore::seiko.updates.BiasedGradientWarning")
def test_the_straight_through_gradient_points_upwards(enumerable_case: Callable[..., Any]) -> None:
    case = enumerable_case(beta=0.3)
    exact = case.exact_gradient()
    mean = case.sampled_gradients(DirectBackprop(max_grad_norm=1e9), batches=10, samples=1000).mean(0)
    cosine = float(torch.nn.functional.cosine_similarity(mean, exact, dim=0))
    print(f"cosine of the straight-through gradient with the exact one: {cosine:.3f}")
    assert 0.2 < cosine < 0.999


def test_a_masked_model_is_warned_of_and_still_improves(enumerable_case: Callable[..., Any]) -> None:
    case = enumerable_case()
    before, best = float(case.value().detach()), case.optimum()[1]
    with pytest.warns(BiasedGradientWarning, match="straight-through"):
        case.solve(DirectBackprop(learning_rate=0.05), steps=100, samples=128)
    after = float(case.value().detach())
    print(f"J {before:.4f} -> {after:.4f} of {best:.4f}")
    assert before + 0.3 * (best - before) < after < best
