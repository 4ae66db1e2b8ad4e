"""Each alarm rings where it must, stays silent just before, and names its number."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from seiko.campaign import CalibrationReport, Query, RoundReport, RunState
from seiko.campaign.alarms import alarms
from seiko.designs import Design
from seiko.oracles import Label


def a_report(round: int, **more: object) -> RoundReport:
    values: dict[str, object] = {
        "round": round, "labels_used": 40 * round, "feasible": 1.0, "batch_mean": 0.5, "best": 0.9, "alpha": 0.1,
        "beta": 0.02, "kl_pretrained": 4.0, "kl_previous": 1.0, "believed_mean": 0.5, "diversity": 5.0,
        "distinct": 0.9, "prequential": calibration(0.95), "held_out": None, "samples": ("A",), "seconds": 1.0,
    }  # fmt: skip
    return RoundReport(**{**values, **more})  # type: ignore[arg-type]


def calibration(coverage: float | None, n: int = 40) -> CalibrationReport:
    return CalibrationReport(n=n, r2=0.1, spearman=0.4, nll=0.0, coverage=coverage, rmse=0.1)


BATCH = [0.5 + 0.1 * math.sin(i) for i in range(40)]


def a_state(
    *reports: RoundReport, batches: Sequence[Sequence[float | None]] | None = None, kind: str = "dna"
) -> RunState:
    """Return a run with 40 labels a round, mean .5 and standard deviation .07; None is infeasible."""
    state = RunState(recipe={}, reports=list(reports))
    for report in reports:
        batch = BATCH if batches is None else batches[report.round - 1]
        for i, value in enumerate(batch):
            id = f"{report.round}-{i}"
            state.queries[id] = Query(id=id, design=Design("A" * (i + 1), kind), round=report.round, source="fresh")
            state.labels[id] = Label.infeasible("") if value is None else Label(value=value)
            state.labelled_at[id] = 1
    return state


def names(state: RunState, kl_budget: float | None = 4.0, space: float | None = None) -> list[str]:
    return [alarm.name for alarm in alarms(state, kl_budget, space)]


def test_a_sound_run_rings_nothing() -> None:
    assert names(a_state()) == []
    assert names(a_state(a_report(1), a_report(2))) == []
    assert names(a_state(a_report(1, kl_pretrained=50.0)), None) == []
    nothing = a_report(1, prequential=None, feasible=None, batch_mean=None, best=None, believed_mean=None)
    assert names(a_state(nothing, batches=[[]]), None) == []


@pytest.mark.parametrize(
    ("name", "sound", "wrong", "words"),
    [
        ("kl", {"kl_pretrained": 4.7}, {"kl_pretrained": 4.9}, "4.9 nats from the pretrained one, its budget is 4"),
        (
            "calibration",
            {"prequential": calibration(0.875)},
            {"prequential": calibration(0.75)},
            "Only 75% of the last",
        ),
        ("calibration", {"prequential": calibration(0.5, 2)}, {"prequential": calibration(0.0, 2)}, "Only 0%"),
        ("calibration", {"prequential": calibration(None)}, {"prequential": calibration(0.0)}, "Only 0%"),
        ("diversity", {"diversity": 1.51}, {"diversity": 1.49}, "1.49 positions on average, less than 1.5"),
        ("repeats", {"distinct": 0.5}, {"distinct": 0.4}, "Only 40% of fresh samples are distinct"),
        (
            "over-optimisation",
            {"believed_mean": 0.9},
            {"believed_mean": 0.91},
            "more than the best label so far (0.900)",
        ),
    ],
)
def test_each_alarm_has_its_threshold(
    name: str, sound: dict[str, object], wrong: dict[str, object], words: str
) -> None:
    assert names(a_state(a_report(1), a_report(2, **sound))) == []
    [alarm] = alarms(a_state(a_report(1), a_report(2, **wrong)), 4.0)
    assert alarm.name == name
    assert words in alarm.sentence


def test_few_labels_outside_are_no_news_and_many_are() -> None:
    def covered(inside: int, n: int, made_from: int) -> list[str]:
        before = a_report(1, labels_used=made_from)
        return names(a_state(before, a_report(2, prequential=calibration(inside / n, n))))

    assert covered(8, 10, 1000) == []  # .8 of ten: happens to one in twelve that are calibrated
    assert covered(80, 100, 1000) == ["calibration"]  # .8 of a hundred does not
    assert covered(15, 20, 10) == []  # intervals that ten labels made are uncertain themselves
    assert covered(15, 20, 100_000) == ["calibration"]


def test_a_belief_is_compared_with_the_interval_of_the_batch_that_followed() -> None:
    half = 2.0227 * 0.0718 / math.sqrt(40)  # of the mean of the batch, about .023; WORTH adds half of .072
    assert names(a_state(a_report(1, believed_mean=0.5 + half + 0.03), a_report(2))) == []
    wrong = a_state(a_report(1, believed_mean=0.5 + half + 0.045), a_report(2))
    [alarm] = alarms(wrong, 4.0)
    assert alarm.name == "over-optimisation"
    assert "its labels have mean 0.50" in alarm.sentence
    assert "± 0.02" in alarm.sentence
    # three labels say little: their interval reaches the belief
    assert names(a_state(a_report(1, believed_mean=0.6), a_report(2), batches=[BATCH, [0.45, 0.5, 0.55]])) == []
    # a belief in the batch of its own round was never promised
    assert names(a_state(a_report(1, believed_mean=0.5), a_report(2, believed_mean=0.8))) == []


def test_feasibility_that_falls() -> None:
    def shares(before: int, now: int) -> list[str]:
        batches = [[0.5] * before + [None] * (40 - before), [0.5] * now + [None] * (40 - now)]
        found = alarms(a_state(a_report(1, prequential=None), a_report(2, prequential=None), batches=batches), 4.0)
        return [f"{alarm.name}: {alarm.sentence}" for alarm in found]

    assert shares(40, 36) == []  # a tenth less, of forty
    [fell] = shares(40, 31)
    assert "feasibility: 22% of the last round's designs were infeasible, 0% of those before" in fell
    assert shares(30, 28) == []  # 30 % from the start is bad, but just within
    [many] = shares(28, 26)
    assert "35% of the last round's designs were infeasible; each of them cost a label" in many


def test_images_have_no_positions_but_may_collapse() -> None:
    def image(first: float, last: float) -> list[str]:
        return names(a_state(a_report(1, diversity=first), a_report(2, diversity=last), kind="image"))

    assert image(0.4, 0.2) == []
    assert image(0.4, 0.1) == ["diversity"]


def test_in_a_small_space_any_model_repeats_itself() -> None:
    crowded = a_state(a_report(1, distinct=0.25))
    assert names(crowded) == ["repeats"]
    assert names(crowded, None, 256.0) == []
    assert names(a_state(a_report(1, distinct=0.1)), None, 256.0) == ["repeats"]
    assert names(crowded, None, 4.0**8) == ["repeats"]
