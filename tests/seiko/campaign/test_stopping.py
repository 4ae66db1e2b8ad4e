"""Rules that end a run: each holds where it must, not before, and says why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from seiko.campaign import (
    BudgetSpent,
    Campaign,
    NoImprovement,
    Query,
    Recipe,
    RoundReport,
    RunState,
    TargetReached,
    run,
    stopped_because,
)
from seiko.designs import Design
from seiko.oracles import Label

Tiny = Callable[..., Recipe]


def a_report(round: int, best: float | None, **more: float) -> RoundReport:
    values: dict[str, object] = {
        "round": round, "labels_used": 2 * round, "feasible": 1.0, "batch_mean": None, "best": best, "alpha": None,
        "beta": None, "kl_pretrained": 0.0, "kl_previous": None, "believed_mean": None, "diversity": 5.0,
        "distinct": 1.0, "prequential": None, "held_out": None, "samples": (), "seconds": 1.0,
    }  # fmt: skip
    return RoundReport(**{**values, **more})  # type: ignore[arg-type]


def a_state(*best: float | None, labels: dict[str, float] | None = None, **more: float) -> RunState:
    reports = [a_report(i, value, **more) for i, value in enumerate(best, start=1)]
    state = RunState(recipe={}, reports=reports, fits=[10] * len(reports))
    for i, (content, value) in enumerate((labels or {}).items()):
        id = f"1-{i}"
        state.queries[id] = Query(id=id, design=Design(content.strip("'")), round=1, source="fresh")
        state.labels[id], state.labelled_at[id] = Label(value=value), 5
    return state


def test_a_target_of_labels_counts_distinct_designs() -> None:
    state = a_state(0.9, labels={"A": 0.9, "A'": 0.7, "C": 0.9, "G": 0.1})  # A twice, mean .8
    assert TargetReached(value=0.9).reason(state) == "the target is reached: 1 design has a label of 0.9 or more"
    assert TargetReached(value=0.9, count=2).reason(state) is None
    assert TargetReached(value=0.8, count=2).reason(state) is not None
    assert TargetReached(value=0.91).reason(state) is None


def test_a_label_that_came_after_the_fit_stops_nothing() -> None:
    state = a_state(0.9, labels={"A": 0.9})
    state.labelled_at["1-0"] = 11
    assert TargetReached(value=0.5).reason(state) is None


def test_a_target_of_belief() -> None:
    rule = TargetReached(value=0.6, of="belief")
    assert rule.reason(a_state(0.1, believed_mean=0.59)) is None
    assert "believed to have mean 0.6 (of 0.6)" in (rule.reason(a_state(0.1, believed_mean=0.6)) or "")
    assert rule.reason(a_state(0.1)) is None


def test_no_improvement() -> None:
    assert NoImprovement(rounds=2).reason(a_state(0.5, 0.6, 0.6)) is None  # nothing to compare two rounds with but .5
    assert NoImprovement(rounds=2).reason(a_state(0.5, 0.6, 0.6, 0.6)) is not None
    assert NoImprovement(rounds=2).reason(a_state(0.5, 0.5)) is None
    why = NoImprovement(rounds=1, by=0.2).reason(a_state(0.5, 0.6))
    assert why == "the best label has not improved by more than 0.2 for 1 rounds: 0.6 after 0.5"
    assert NoImprovement(rounds=1, by=0.05).reason(a_state(0.5, 0.6)) is None
    assert NoImprovement(rounds=1).reason(a_state(None, None)) is None
    assert "believed mean" in (
        NoImprovement(rounds=1, of="believed_mean").reason(a_state(1, 2, believed_mean=0.3)) or ""
    )


def test_rounds_and_labels_come_first_and_last() -> None:
    rule = NoImprovement(rounds=1)
    assert stopped_because(a_state(0.5, 0.5), rounds=2, budget=9, stop=(rule,)) == "all 2 rounds are finished"
    assert stopped_because(a_state(), rounds=2, budget=9, stop=(rule,)) is None
    spent = a_state(0.5, labels={"A": 0.1, "C": 0.2})
    assert stopped_because(spent, rounds=2, budget=2) == "all 2 labels are spent"
    assert stopped_because(spent, rounds=2, budget=3) is None


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: TargetReached(value=float("nan")), "finite target"),
        (lambda: TargetReached(value=1.0, count=0), "count must be a positive"),
        (lambda: NoImprovement(rounds=0), "rounds must be at least 1"),
        (lambda: NoImprovement(rounds=1, by=-1.0), "by must be an improvement"),
    ],
)
def test_numbers_out_of_range_are_named(make: Callable[[], object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()


def test_a_campaign_stops_says_why_and_stays_stopped(tmp_path: Path, tiny: Tiny, oracle: object) -> None:
    recipe = tiny(stop=(TargetReached(value=0.2),))
    with Campaign.open(tmp_path / "run", recipe) as campaign:
        assert campaign.stopped_because is None
        reports = run(campaign, oracle)  # type: ignore[arg-type]
        assert len(reports) < recipe.rounds
        assert campaign.done
        assert str(campaign.stopped_because).startswith("the target is reached")
        assert campaign.ask() == []
        with pytest.raises(BudgetSpent, match=r"the target is reached.*start another run"):
            campaign.advance()
    with Campaign.open(tmp_path / "run") as again:
        assert again.done
        assert again.recipe.stop == recipe.stop
