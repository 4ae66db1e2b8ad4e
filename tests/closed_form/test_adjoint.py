"""AdjointMatching against the optimum that is known, with one anchor, with two, and with two that disagree in slope."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from seiko.diffusion import Noise
from seiko.models import ModelPolicy
from seiko.updates import AdjointMatching, UpdateState


@pytest.mark.parametrize("beta", [0.0, 0.3])
def test_gaussian_optimum(gaussian_case: Callable[..., Any], beta: float) -> None:
    case = gaussian_case(beta=beta)
    before = case.reached()[2]
    case.solve(AdjointMatching(learning_rate=0.05), steps=60, samples=64)
    (mean, variance, value), (best_mean, best_variance) = case.reached(), case.optimum()
    best_value = case.optimal_value()
    print(
        f"mean {mean:.4f} of {best_mean:.4f}, variance {variance:.4f} of {best_variance:.4f}, "
        f"J {before:.4f} -> {value:.4f} of {best_value:.4f}"
    )
    assert mean == pytest.approx(best_mean, rel=0.02)
    assert variance == pytest.approx(best_variance, rel=0.02)
    assert best_value - value < 0.02 * (best_value - before)


def anchors_of_two_slopes(case: Any) -> None:
    """Give `previous` other slopes: the anchors' disagreement then depends on x_t."""
    state = case.toy.versions.state_dict()
    state["slope"] = state["slope"] * torch.tensor([0.9, 1.4, 0.6, 1.3])
    case.toy.versions.load_state_dict(state)
    case.toy.versions.remember()
    case.toy.versions.reset()


def exact_value(case: Any) -> torch.Tensor:
    """Return J exactly and differentiably."""
    kls = [case.toy.path_kl("current", anchor) for anchor in ("pretrained", "previous")]
    value: torch.Tensor = case.weight * case.toy.law()[0].sum() - case.alpha * kls[0] - case.beta * kls[1]
    return value


def climb(case: Any, steps: int = 150) -> float:
    """Go to the optimum by the exact gradient; return its value."""
    optimiser = torch.optim.Adam(case.toy.versions.parameters(), lr=0.05)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.0, total_iters=steps)
    for _ in range(steps):
        optimiser.zero_grad()
        (-exact_value(case)).backward()
        optimiser.step()
        schedule.step()
    return float(exact_value(case).detach())


def test_the_optimum_is_a_fixed_point_because_the_disagreement_is_in_the_adjoint(
    gaussian_case: Callable[..., Any],
) -> None:
    case = gaussian_case(beta=0.3)
    anchors_of_two_slopes(case)
    before = float(exact_value(case).detach())
    best = climb(case)
    policy, update = ModelPolicy(case.toy), AdjointMatching(max_grad_norm=1e9)
    state = UpdateState(torch.optim.SGD(policy.parameters(), lr=0.0))

    def gradient() -> float:
        update.step(state, policy, case.problem(), None, Noise.seeded(0, 20_000))
        return max(float(p.grad.abs().max()) for p in policy.parameters())

    at_optimum = gradient()
    case.toy.versions.reset()
    at_start = gradient()
    print(f"largest gradient {at_start:.3f} at the start, {at_optimum:.4f} at the optimum")
    assert at_optimum < 0.02 * at_start
    case.solve(AdjointMatching(learning_rate=0.05), steps=60)
    reached = float(exact_value(case).detach())
    print(f"J {before:.4f} -> {reached:.4f} of {best:.4f}")
    assert best - reached < 0.02 * (best - before)
