from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seiko.report import figures
from seiko.report.data import ReportData
from seiko.report.summary import answered, round_labels


@pytest.fixture
def axes() -> Axes:
    return Figure().subplots()


def _legend(axes: Axes) -> list[str]:
    legend = axes.get_legend()
    assert legend is not None
    return [text.get_text() for text in legend.get_texts()]


def test_the_reward_figure_shows_every_label_once_and_ends_at_the_best(axes: Axes, run: ReportData) -> None:
    figures.draw_reward(axes, run)
    rows = answered(run)
    dots = sorted(float(y) for line in axes.lines if line.get_marker() == "o" for y in np.asarray(line.get_ydata()))
    assert dots == sorted(row.value for row in rows if row.value is not None)
    ticks = next(line for line in axes.lines if line.get_marker() == "|")
    assert list(np.asarray(ticks.get_xdata())) == [n for n, row in enumerate(rows, 1) if row.status == "infeasible"]
    best = next(line for line in axes.lines if line.get_drawstyle() == "steps-post")
    assert np.asarray(best.get_ydata())[-1] == max(dots)
    means = [line for line in axes.lines if line.get_linewidth() == 2.6]
    assert [float(np.asarray(line.get_ydata())[0]) for line in means] == [g.mean for g in round_labels(run)]
    assert {"fresh", "remask", "best so far", "model mean, believed", "infeasible"} <= set(_legend(axes))


def test_many_labels_are_thinned(axes: Axes, run: ReportData, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "DOTS", 10)
    figures.draw_reward(axes, run)
    assert 5 <= sum(len(np.asarray(line.get_ydata())) for line in axes.lines if line.get_marker() == "o") <= 12


def test_the_kl_figure_shows_its_budget_only_where_there_is_one(axes: Axes, run: ReportData) -> None:
    figures.draw_kl(axes, run)
    assert _legend(axes) == ["from pretrained", "from previous", "budget 4"]
    assert list(np.asarray(axes.lines[0].get_ydata())) == [1.5, 3.0, 4.5]
    without = Figure().subplots()
    figures.draw_kl(without, replace(run, kl_budget=None))
    assert _legend(without) == ["from pretrained", "from previous"]


def test_a_missing_round_is_skipped_not_drawn_as_zero(axes: Axes, run: ReportData) -> None:
    gap = replace(run.rounds[1], kl_pretrained=float("nan"), diversity=None)
    data = replace(run, rounds=(run.rounds[0], gap, run.rounds[2]))
    figures.draw_kl(axes, data)
    assert list(np.asarray(axes.lines[0].get_xdata())) == [1, 3]
    figures.draw_diversity(axes, data)


def test_no_dot_is_cut_off_at_the_top(axes: Axes, run: ReportData) -> None:
    flat = tuple(replace(row, diversity=8.5 + 0.01 * row.round) for row in run.rounds)
    figures.draw_diversity(axes, replace(run, rounds=flat, diversity_max=None))
    assert axes.get_ylim()[1] > 1.04 * 8.5


def test_predictions_and_labels_share_one_scale(axes: Axes, run: ReportData) -> None:
    figures.draw_predictions(axes, run)
    assert axes.get_xlim() == axes.get_ylim()
    assert _legend(axes) == ["earlier rounds", "round 3"]


def test_the_overview_has_its_size_and_the_same_bytes_twice(tmp_path: Path, run: ReportData) -> None:
    one = figures.overview_png(run, tmp_path / "one.png").read_bytes()
    assert struct.unpack(">II", one[16:24]) == (1600, 900)
    assert figures.overview_png(run, tmp_path / "two.png").read_bytes() == one
    assert figures.overview_png(replace(run, logos=None), tmp_path / "three.png").exists()


def test_an_overview_of_nothing_is_refused(tmp_path: Path, run: ReportData) -> None:
    with pytest.raises(ValueError, match="at least one label"):
        figures.overview_png(replace(run, designs=()), tmp_path / "none.png")
