from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from seiko.config import from_json, to_json
from seiko.updates import (
    PPO,
    SQDF,
    AdjointMatching,
    Cosine,
    DirectBackprop,
    Distill,
    FixedStrength,
    RateSchedule,
    StepReport,
    Trapezoid,
    improve,
)

UPDATES = [PPO(), SQDF(), AdjointMatching(), DirectBackprop(), Distill()]


def factors(schedule: RateSchedule, steps: int) -> list[float]:
    return [schedule.factor(step, steps) for step in range(steps)]


def test_the_rate_rises_stays_and_falls() -> None:
    assert factors(Trapezoid(warmup=0.25, decay=0.5), 8) == pytest.approx([0.5, 1, 1, 1, 1, 0.75, 0.5, 0.25])


def test_the_first_and_the_last_step_still_move_something() -> None:
    assert factors(Trapezoid(warmup=1, decay=1), 3) == pytest.approx([1 / 3, 4 / 9, 1 / 3])
    assert factors(Trapezoid(warmup=0.25, decay=0.5), 1) == [1.0]
    assert min(factors(Cosine(), 50)) >= 1e-3


def test_without_shares_it_is_constant() -> None:
    assert factors(Trapezoid(), 5) == [1.0] * 5


def test_the_cosine_is_that_of_its_source() -> None:
    assert factors(Cosine(), 4) == pytest.approx([1, (1 + 2**-0.5) / 2, 0.5, (1 - 2**-0.5) / 2])


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan")])
def test_a_share_beyond_a_round_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="decay must be a share"):
        Trapezoid(decay=share)


@pytest.mark.parametrize("update", UPDATES, ids=lambda update: type(update).__name__)
def test_every_update_takes_its_steps_by_it(gaussian: Any, update: Any) -> None:
    """Adam's first step moves a weight by the rate, whatever its gradient."""
    once = {"epochs": 1} if hasattr(update, "epochs") else {}
    update = replace(update, learning_rate=0.01, schedule=Trapezoid(warmup=1), **once)
    before, moved = gaussian.weights(), []

    def follow(step: int, seen: StepReport, alpha: float) -> None:
        pairs = zip(gaussian.weights(), before, strict=True)
        moved.append(max(float((now - then).abs().max()) for now, then in pairs))

    anchors = {"pretrained": gaussian.pretrained, "previous": gaussian.previous}
    told = {"strength": FixedStrength(), "steps": 4, "samples": 16, "seed": 0, "report": follow}
    improve(gaussian.policy, update, gaussian.objective, **anchors, **told)
    assert moved[0] == pytest.approx(0.01 / 4, rel=1e-3)


def test_a_round_begins_at_the_start_again(gaussian: Any) -> None:
    state = PPO(learning_rate=0.2, schedule=Trapezoid(decay=1)).init(gaussian.policy)
    rates = []
    for step in (0, 1, 0):
        state.anneal(step, 2)
        rates.append(state.optimiser.param_groups[0]["lr"])
    assert rates == pytest.approx([0.2, 0.1, 0.2])


def test_it_is_part_of_a_recipe() -> None:
    update = SQDF(schedule=Trapezoid(warmup=0.25, decay=0.5))
    assert from_json(to_json(update)) == update
    told = to_json(SQDF())
    told.pop("schedule")  # written before there was one
    assert from_json(told) == SQDF()
