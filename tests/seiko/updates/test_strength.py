from __future__ import annotations

import math
from typing import Any

import pytest

from seiko.updates import FixedStrength, KLBudget


def test_fixed_coefficients_stay() -> None:
    strength = FixedStrength(alpha=0.2, beta=0.1)
    assert strength.start() == (0.2, 0.1)
    assert strength.follow(0.2, 100.0, 0.0) == 0.2


def test_a_budget_follows_its_constraint() -> None:
    strength = KLBudget(nats=2.0, alpha=0.5, beta=0.1, rate=0.1, damping=0.0)
    assert strength.start() == (0.5, 0.1)
    assert strength.follow(0.5, 2.0, 3.0) == pytest.approx(0.5)
    assert strength.follow(0.5, 3.0, 0.0) == pytest.approx(0.5 * math.exp(0.05))
    assert strength.follow(0.5, 1.0, 0.0) == pytest.approx(0.5 * math.exp(-0.05))
    # far beyond the budget it moves by one rate, no more
    assert strength.follow(0.5, 1e9, 0.0) == pytest.approx(0.5 * math.exp(0.1))


def test_damping_answers_to_where_the_kl_is_going() -> None:
    strength = KLBudget(nats=2.0, alpha=0.5, rate=0.1, damping=2.0)
    assert strength.follow(0.5, 2.0, 2.0) == pytest.approx(0.5)
    # on the budget and rising: hold it harder; falling: let go
    assert strength.follow(0.5, 2.0, 1.0) == pytest.approx(0.5 * math.exp(2.0 * 0.5))
    assert strength.follow(0.5, 2.0, 3.0) == pytest.approx(0.5 * math.exp(-2.0 * 0.5))


def test_alpha_stays_within_its_bounds() -> None:
    strength = KLBudget(nats=1.0, alpha=0.5, least=0.4, most=0.6, rate=1.0, damping=1.0)
    assert strength.follow(0.5, 0.0, 0.0) == pytest.approx(0.4)
    assert strength.follow(0.5, 5.0, 5.0) == pytest.approx(0.6)


@pytest.mark.parametrize(("alpha", "beta"), [(-0.1, 0.1), (0.1, -0.1), (0.0, 0.0), (math.nan, 0.1)])
def test_wrong_coefficients_are_refused(alpha: float, beta: float) -> None:
    with pytest.raises(ValueError, match="alpha and beta must be at least 0 and not both 0"):
        FixedStrength(alpha=alpha, beta=beta)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"nats": 0.0}, "the KL budget must be a positive number of nats, got 0"),
        ({"nats": math.nan}, "the KL budget must be a positive number of nats, got nan"),
        ({"alpha": 20.0}, r"alpha must lie between 0.01 and 10.0, got 20.0"),
        ({"least": 0.0}, "alpha must lie between"),
        ({"beta": -1.0}, "beta must be at least 0, got -1.0"),
    ],
)
def test_wrong_budgets_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        KLBudget(**wrong)
