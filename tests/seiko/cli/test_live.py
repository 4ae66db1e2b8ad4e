"""What one sees of a run: a live table in a terminal, a line a round elsewhere."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from seiko.campaign import CalibrationReport, RoundReport
from seiko.cli import live, progress


def a_report(round: int, **more: object) -> RoundReport:
    values: dict[str, object] = {
        "round": round,
        "labels_used": 20 * round,
        "feasible": 1.0,
        "batch_mean": 0.5 + 0.1 * round,
        "best": 0.9,
        "alpha": 0.1,
        "beta": 0.02,
        "kl_pretrained": 4.25,
        "kl_previous": 1.0,
        "believed_mean": 0.7,
        "diversity": 5.5,
        "distinct": 0.9,
        "prequential": CalibrationReport(n=20, r2=0.1, spearman=0.42, nll=0.0, coverage=0.95, rmse=0.1),
        "held_out": None,
        "samples": (),
        "seconds": 10.0,
    }
    return RoundReport(**{**values, **more})  # type: ignore[arg-type]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def a_view(clock: Clock, **more: object) -> live.RunView:
    console = Console(file=io.StringIO(), force_terminal=True, width=120, color_system=None)
    values: dict[str, object] = {
        "name": "tfbind8", "rounds": 5, "budget": 100, "kl_budget": 4.5, "labels": 0, "reports": [],
        "console": console, "clock": clock,
    }  # fmt: skip
    return live.RunView(**{**values, **more})  # type: ignore[arg-type]


def seen(view: live.RunView) -> str:
    console = Console(file=io.StringIO(), width=120, color_system=None)
    console.print(view.render())
    text = console.file.getvalue()  # type: ignore[attr-defined]
    return " ".join(text.split())


def test_the_view_follows_a_run() -> None:
    clock = Clock()
    view = a_view(clock)
    assert "tfbind8 round 1 of 5" in seen(view)
    assert "time left not known yet" in seen(view)
    assert "0 of 100" in seen(view)
    view.progress("label", 10, 20, {})
    assert "10 of 100" in seen(view)
    assert "asking the oracle" in seen(view)
    view.progress("update", 30, 200, {"objective": 0.513, "kl": 3.2, "alpha": 0.125})
    assert "moving the diffusion model" in seen(view)
    assert "30/200" in seen(view)
    assert "objective 0.513 kl 3.2 alpha 0.125" in seen(view)
    clock.now = 60.0
    view.finished(a_report(1))
    text = seen(view)
    assert "round 2 of 5" in text
    assert "20 of 100" in text
    assert "best 0.900" in text
    assert "last batch 0.600, KL 4.25 of 4.5 nats" in text
    assert "coverage 0.95" in text
    assert "Spearman 0.42" in text
    assert "1 min 00 s elapsed, about 4 min 00 s left" in text
    clock.now = 90.0
    assert view.time_left() == pytest.approx(210.0)
    clock.now = 1000.0  # this round takes longer than all that is expected
    assert view.time_left() == 0.0


def test_a_resumed_run_starts_where_it_stands() -> None:
    view = a_view(Clock(), labels=40, reports=[a_report(1), a_report(2)])
    assert "round 3 of 5" in seen(view)
    view.progress("label", 5, 20, {})
    assert "45 of 100" in seen(view)


def test_a_finished_run_shows_no_stage() -> None:
    clock = Clock()
    view = a_view(clock, rounds=1)
    clock.now = 7.0
    view.finished(a_report(1, prequential=None))
    assert "finished 7 s elapsed" in seen(view)
    assert "choosing" not in seen(view)


def test_a_run_that_a_rule_stopped_is_finished_too() -> None:
    view = a_view(Clock())
    view.finished(a_report(1))
    assert "finished" not in seen(view)
    view.progress("over", 1, 1, {})
    assert "finished" in seen(view)
    assert "choosing the batch" not in seen(view)


def test_what_is_not_known_is_a_dash() -> None:
    nothing = CalibrationReport(n=1, r2=None, spearman=None, nll=None, coverage=None, rmse=None)
    view = a_view(Clock(), reports=[a_report(1, best=None, batch_mean=None, believed_mean=None, prequential=nothing)])
    assert "best –" in seen(view)
    assert "nan" not in seen(view).lower()


def test_the_view_draws_itself_in_a_terminal() -> None:
    view = a_view(Clock())
    with view as shown:
        shown.finished(a_report(1))
    text = view._live.console.file.getvalue()  # type: ignore[attr-defined]
    assert "round 2 of 5" in text


def test_elsewhere_a_round_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.view(name="x", rounds=5, budget=100, kl_budget=None, labels=0, reports=[]) as shown:
        assert isinstance(shown, progress.RunLines)
        shown.progress("update", 1, 2, {})
        shown.finished(a_report(2))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        "round 2 of 5: 40 of 100 labels, batch mean 0.700, best 0.900, believed mean 0.700, KL 4.25 nats, "
        "diversity 5.50, coverage 0.95, Spearman 0.42, 10 s\n"
    )


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (59.6, "1 min 00 s"), (185, "3 min 05 s"), (7620, "2 h 07 min")]
)
def test_duration(seconds: float, words: str) -> None:
    assert live.duration(seconds) == words
