"""Distill against the optimum that is known: Gaussian and enumerated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from seiko.updates import Distill


@pytest.mark.parametrize("beta", [0.0, 0.3])
def test_gaussian_optimum(gaussian_case: Callable[..., Any], beta: float) -> None:
    case = gaussian_case(beta=beta)
    before = case.reached()[2]
    case.solve(Distill(learning_rate=0.05), steps=100)
    (mean, variance, value), (best_mean, best_variance) = case.reached(), case.optimum()
    best_value = case.optimal_value()
    print(
        f"mean {mean:.4f} of {best_mean:.4f}, variance {variance:.4f} of {best_variance:.4f}, "
        f"J {before:.4f} -> {value:.4f} of {best_value:.4f}"
    )
    assert mean == pytest.approx(best_mean, rel=0.02)
    assert variance == pytest.approx(best_variance, rel=0.05)
    assert best_value - value < 0.02 * (best_value - before)


@pytest.mark.parametrize("beta", [0.0, 0.3])
def test_enumerated_optimum(enumerable_case: Callable[..., Any], beta: float) -> None:
    case = enumerable_case(beta=beta)
    start, value_before = case.total_variation(), float(case.value().detach())
    case.solve(Distill(learning_rate=0.1), steps=140)
    reached, best = float(case.value().detach()), case.optimum()[1]
    print(
        f"total variation {start:.3f} -> {case.total_variation():.4f}, "
        f"J {value_before:.4f} -> {reached:.4f} of {best:.4f}"
    )
    assert case.total_variation() < 0.04 < start / 5
    assert best - reached < 0.02 * (best - value_before)
    assert reached < best


def test_the_optimum_is_a_fixed_point(enumerable_case: Callable[..., Any]) -> None:
    # there all weights are equal, so that the effective sample size is the batch and the table stays
    case = enumerable_case()
    best = case.optimum()[0].reshape(3, 3, 3)
    case.toy.versions.load_state_dict({"logits": case.toy.conditionals(best.double()).float()})
    assert case.total_variation() < 1e-6
    case.solve(Distill(learning_rate=0.01), steps=40, samples=1024)
    assert case.total_variation() < 0.03
