"""Each alarm rings at its threshold and not before, and names its number."""

from __future__ import annotations

from seiko.campaign import CalibrationReport, NoImprovement, Query, RoundReport, RunState
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


def test_an_alarm_is_a_sentence_and_changes_the_advice() -> None:
    state = a_state(a_report(1), a_report(2, kl_pretrained=4.9, distinct=0.4))
    first, second = alarms(state, 4.0)
    assert "4.9 nats from the pretrained one, its budget is 4" in first
    assert "Only 40% of fresh samples are distinct" in second
    assert any(
        "Keep it spread out" in sentence for sentence in recommendations(state, rounds=5, budget=20, kl_budget=4.0)
    )
    high = a_state(a_report(1), a_report(2, believed_mean=0.91))
    assert any("Move less" in sentence for sentence in recommendations(high, rounds=5, budget=20, kl_budget=4.0))


def test_a_run_that_stopped_early_says_why() -> None:
    state = a_state(a_report(1), a_report(2))
    rule = NoImprovement(rounds=1)
    [why, *_] = recommendations(state, rounds=5, budget=20, kl_budget=4.0, stop=(rule,))
    assert why == "The run is over: the best label has not improved for 1 rounds: 0.9 after 0.9."


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
