"""PPO against the optimum that is known: Gaussian, enumerated, and the gradient itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from seiko.updates import PPO


@pytest.mark.parametrize("beta", [0.0, 0.3])
def test_gaussian_optimum(gaussian_case: Callable[..., Any], beta: float) -> None:
    case = gaussian_case(beta=beta)
    before = case.reached()[2]
    case.solve(PPO(learning_rate=0.05), steps=100)
    (mean, variance, value), (best_mean, best_variance) = case.reached(), case.optimum()
    best_value = case.optimal_value()
    print(
        f"mean {mean:.4f} of {best_mean:.4f}, variance {variance:.4f} of {best_variance:.4f}, "
        f"J {before:.4f} -> {value:.4f} of {best_value:.4f}"
    )
    assert mean == pytest.approx(best_mean, rel=0.02)
    assert variance == pytest.approx(best_variance, rel=0.05)
    assert best_value - value < 0.02 * (best_value - before)
    assert value <= best_value + 1e-4


@pytest.mark.parametrize("beta", [0.0, 0.3])
def test_enumerated_optimum(enumerable_case: Callable[..., Any], beta: float) -> None:
    case = enumerable_case(beta=beta)
    start, value_before = case.total_variation(), float(case.value().detach())
    case.solve(PPO(learning_rate=0.1), steps=140)
    reached, best = float(case.value().detach()), case.optimum()[1]
    print(
        f"total variation {start:.3f} -> {case.total_variation():.4f}, "
        f"J {value_before:.4f} -> {reached:.4f} of {best:.4f}"
    )
    assert case.total_variation() < 0.04 < start / 5
    assert best - reached < 0.02 * (best - value_before)
    assert reached < best


def test_several_positions_a_step_reach_the_best_of_the_class_not_the_closed_form(
    enumerable_case: Callable[..., Any],
) -> None:
    exact, sampled = enumerable_case(num_steps=2), enumerable_case(num_steps=2)
    start = float(exact.value().detach())
    optimiser = torch.optim.Adam(exact.toy.versions.parameters(), lr=0.1)
    for _ in range(400):
        optimiser.zero_grad()
        (-exact.value()).backward()
        optimiser.step()
    best_of_class, closed_form = float(exact.value().detach()), exact.optimum()[1]
    sampled.solve(PPO(learning_rate=0.1), steps=140)
    reached = float(sampled.value().detach())
    print(f"closed form {closed_form:.4f}, best of the class {best_of_class:.4f}, PPO {reached:.4f}")
    assert best_of_class < closed_form - 0.01
    assert best_of_class - reached < 0.02 * (best_of_class - start)
    assert reached <= best_of_class + 1e-3


@pytest.mark.parametrize(
    ("num_steps", "share", "anchored", "batches", "samples"),
    [(1, 1.0, 1.0, 60, 4000), (2, 1.0, 1.0, 60, 4000), (2, 0.5, 1.0, 240, 500), (2, 0.5, 0.5, 240, 500)],
)
def test_the_gradient_at_ratio_one_is_exact(
    enumerable_case: Callable[..., Any], num_steps: int, share: float, anchored: float, batches: int, samples: int
) -> None:
    case = enumerable_case(length=2, vocabulary=2, num_steps=num_steps, beta=0.3)
    with torch.no_grad():
        logits = case.toy.versions.parameters()[0]
        logits.add_(torch.randn(logits.shape, generator=torch.Generator().manual_seed(1)))
    gradients = case.sampled_gradients(PPO(max_grad_norm=1e9, share=share, anchored=anchored), batches, samples)
    exact, mean = case.exact_gradient(), gradients.mean(0)
    error = gradients.std(0) / batches**0.5
    moved = exact.abs() > 1e-6
    assert float(exact.abs().max()) > 10 * float(error.max())
    assert float(((mean - exact)[moved] / error[moved]).abs().max()) < 4
    torch.testing.assert_close(mean[~moved], exact[~moved], atol=1e-6, rtol=0)
