"""Each alarm rings at its threshold and not before, and names its number."""

from __future__ import annotations

import pytest

from seiko.campaign import CalibrationReport, Query, RoundReport, RunState
from seiko.designs import Design
from seiko.oracles import Label
from seiko.report.advice import alarms, recommendations


def a_report(round: int, **more: object) -> RoundReport:
    values: dict[str, object] = {
        "round": round, "labels_used": 2 * round, "feasible": 1.0, "batch_mean": 0.5, "best": 0.9, "alpha": 0.1,
        "beta": 0.02, "kl_pretrained": 4.0, "kl_previous": 1.0, "believed_mean": 0.6, "diversity": 5.0,
        "distinct": 0.9, "prequential": calibration(0.95), "held_out": None, "samples": ("A",), "seconds": 1.0,
    }  # fmt: skip
    return RoundReport(**{**values, **more})  # type: ignore[arg-type]


def calibration(coverage: float | None) -> CalibrationReport:
    return CalibrationReport(n=2, r2=0.1, spearman=0.4, nll=0.0, coverage=coverage, rmse=0.1)


def a_state(*reports: RoundReport) -> RunState:
    """Labels 0.4 and 0.6 in each round: a standard deviation of about .1."""
    state = RunState(recipe={}, reports=list(reports))
    for report in reports:
        for i, value in enumerate((0.4, 0.6)):
            id = f"{report.round}-{i}"
            state.queries[id] = Query(
                id=id, design=Design("A" * (i + report.round)), round=report.round, source="fresh"
            )
            state.labels[id] = Label(value=value)
            state.labelled_at[id] = 1
    return state


def test_a_sound_run_rings_nothing() -> None:
    assert alarms(a_state(), 4.0) == ()
    assert alarms(a_state(a_report(1), a_report(2)), 4.0) == ()
    assert alarms(a_state(a_report(1, kl_pretrained=50.0)), None) == ()
    nothing = a_report(1, prequential=None, feasible=None, batch_mean=None, best=None, believed_mean=None)
    assert alarms(a_state(nothing), None) == ()


@pytest.mark.parametrize(
    ("sound", "wrong", "words"),
    [
        ({"kl_pretrained": 4.7}, {"kl_pretrained": 4.9}, "4.9 nats from the pretrained one, its budget is 4"),
        ({"prequential": calibration(0.8)}, {"prequential": calibration(0.7)}, "Only 70%"),
        ({"prequential": calibration(None)}, {"prequential": calibration(0.0)}, "Only 0%"),
        ({"feasible": 0.7}, {"feasible": 0.6}, "40% of the last round's designs were infeasible"),
        ({"diversity": 1.0}, {"diversity": 0.9}, "0.90"),
        ({"distinct": 0.5}, {"distinct": 0.4}, "Only 40% of fresh samples are distinct"),
        ({"believed_mean": 0.9}, {"believed_mean": 0.91}, "more than the best label so far (0.900)"),
    ],
)
def test_each_alarm_has_its_threshold(sound: dict[str, object], wrong: dict[str, object], words: str) -> None:
    assert alarms(a_state(a_report(1), a_report(2, **sound)), 4.0) == ()
    [alarm] = alarms(a_state(a_report(1), a_report(2, **wrong)), 4.0)
    assert words in alarm
    if "believed_mean" not in wrong:  # that of the round before counts too, see below
        assert alarms(a_state(a_report(1, **wrong), a_report(2)), 4.0) == ()


def test_a_belief_is_compared_with_the_labels_of_the_batch_that_followed() -> None:
    rising = a_state(a_report(1, believed_mean=0.55), a_report(2, believed_mean=0.8))
    assert alarms(rising, 4.0) == ()
    wrong = a_state(a_report(1, believed_mean=0.8), a_report(2, believed_mean=0.6))
    [alarm] = alarms(wrong, 4.0)
    assert "believed mean of 0.800; its labels have mean 0.500" in alarm
    assert any("Move less" in sentence for sentence in recommendations(wrong, rounds=5, budget=20, kl_budget=4.0))


def test_in_a_small_space_any_model_repeats_itself() -> None:
    crowded = a_state(a_report(1, distinct=0.25))
    assert len(alarms(crowded, None)) == 1
    assert alarms(crowded, None, 256.0) == ()
    assert len(alarms(a_state(a_report(1, distinct=0.1)), None, 256.0)) == 1
    assert len(alarms(crowded, None, 4.0**8)) == 1


def test_recommendations_say_what_is_next() -> None:
    assert recommendations(a_state(), rounds=2, budget=4, kl_budget=None) == (
        "No round is finished yet: label the first batch and advance.",
    )
    state = a_state(a_report(1))
    assert recommendations(state, rounds=2, budget=4, kl_budget=None) == ("Go on with round 2 of 2.",)
    state.queries["2-0"] = Query(id="2-0", design=Design("C"), round=2, source="fresh")
    assert recommendations(state, rounds=2, budget=4, kl_budget=None) == (
        "1 labels of round 2 are missing: tell them, then advance.",
    )
    done = a_state(a_report(1, batch_mean=0.4), a_report(2))
    found = recommendations(done, rounds=2, budget=6, kl_budget=None)
    assert found[0].startswith("Measure the best designs again")
    assert "2 labels of the budget were not used." in found
    assert found[-1].startswith("The batches were still getting better")
