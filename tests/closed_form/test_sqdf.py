"""SQDF: exact for a linear objective, biased by a known sign for a curved one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from seiko.models import GaussianToy
from seiko.updates import SQDF


@pytest.mark.parametrize("beta", [0.0, 0.3])
def test_gaussian_optimum(gaussian_case: Callable[..., Any], beta: float) -> None:
    case = gaussian_case(beta=beta)
    before = case.reached()[2]
    case.solve(SQDF(learning_rate=0.05), steps=60, samples=64)
    (mean, variance, value), (best_mean, best_variance) = case.reached(), case.optimum()
    best_value = case.optimal_value()
    print(f"mean {mean:.4f} of {best_mean:.4f}, J {before:.4f} -> {value:.4f} of {best_value:.4f}")
    assert mean == pytest.approx(best_mean, rel=0.02)
    assert variance == pytest.approx(best_variance, rel=0.02)
    assert best_value - value < 0.02 * (best_value - before)


def test_a_curved_objective_is_overshot_and_a_discount_makes_up_for_it(gaussian_case: Callable[..., Any]) -> None:
    # A = -(x - 1)²: the objective at the prediction knows nothing of the spread that the later steps add
    alpha, gains, means = 0.5, {}, {}
    for discount in (1.0, 0.9):
        toy = GaussianToy.exact(std=0.5, num_steps=8)
        case = replace(gaussian_case(), toy=toy, objective=lambda x: -((x[:, 0] - 1) ** 2), alpha=alpha)
        with torch.no_grad():
            mean, variance = (float(value) for value in toy.law())
        tilt = (mean / variance + 2 / alpha) / (1 / variance + 2 / alpha)
        spread = 1 + 2 * variance / alpha
        best = -alpha / 2 * math.log(spread) - (1 - mean) ** 2 / spread
        before = _value(toy, alpha)
        case.solve(SQDF(learning_rate=0.05, discount=discount), steps=60, samples=64)
        means[discount] = float(toy.law()[0].detach()) / tilt
        gains[discount] = (_value(toy, alpha) - before) / (best - before)
    print(f"mean {means} of the tilted one, gain {gains} of the attainable one")
    assert means[1.0] > 1.08
    assert means[0.9] < 1.0
    assert 0.85 < gains[1.0] < 0.97 < gains[0.9] + 0.02


def _value(toy: GaussianToy, alpha: float) -> float:
    """Return J exactly."""
    with torch.no_grad():
        mean, variance = toy.law()
        return float(-(variance + (mean - 1) ** 2) - alpha * toy.path_kl("current", "pretrained"))
