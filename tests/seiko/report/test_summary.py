from __future__ import annotations

from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest

from seiko.report.data import DesignRow, ReportData
from seiko.report.summary import Predictions, answered, coverage_at, headline, predictions, ranked, round_labels


def row(content: str, value: float | None, index: int = 1, status: str | None = None, **more: float) -> DesignRow:
    return DesignRow(
        round=index,
        query_id=content,
        content=content,
        kind="dna",
        source="fresh",
        status=status or ("value" if value is not None else "infeasible"),  # type: ignore[arg-type]
        value=value,
        **more,  # type: ignore[arg-type]
    )


def test_pending_and_failed_rows_cost_no_label_and_late_ones_stay_with_their_round(run: ReportData) -> None:
    rows = (row("A", 1.0, 2), row("C", None, 1), row("G", None, 1, "pending"), row("T", None, 1, "failed"))
    data = replace(run, designs=(*rows, row("AA", 3.0, 1)))
    assert [r.content for r in answered(data)] == ["C", "AA", "A"]
    first, second = round_labels(data)
    assert (first.round, first.first, first.last, first.infeasible, first.mean) == (1, 1, 2, 1, 3.0)
    assert (second.round, second.first, second.last, second.best) == (2, 3, 3, 1.0)


def test_replicates_are_averaged_not_maximised(run: ReportData) -> None:
    data = replace(run, designs=(row("A", 1.0), row("C", 0.8), row("A", 0.2), row("G", 0.8)))
    assert [(d.row.content, d.value, d.replicates) for d in ranked(data)] == [
        ("C", 0.8, 1),
        ("G", 0.8, 1),
        ("A", 0.6, 2),
    ]
    top = headline(data)
    assert top.best == 0.8
    assert top.top10 == pytest.approx((0.8 + 0.8 + 0.6) / 3)


def test_a_round_without_values_has_no_mean(run: ReportData) -> None:
    (group,) = round_labels(replace(run, designs=(row("A", None),)))
    assert group.mean is group.best is group.quantile(0.5) is None


def test_predictions_without_spread_or_label_are_left_out(run: ReportData) -> None:
    rows = (
        row("A", 1.0, predicted_mean=0.5, predicted_std=0.2),
        row("C", 1.0, predicted_mean=0.5, predicted_std=0.0),
        row("G", 1.0, predicted_mean=float("nan"), predicted_std=0.2),
        row("T", None, predicted_mean=0.5, predicted_std=0.2),
    )
    pairs = predictions(replace(run, designs=rows))
    assert (len(pairs), pairs.label.tolist(), pairs.std.tolist()) == (1, [1.0], [0.2])


def test_coverage_of_normal_labels_is_the_nominal_level() -> None:
    n, levels = 4000, (0.1, 0.5, 0.95)
    # Exact quantiles in place of draws: coverage is then known to 1/n.
    label = np.array([NormalDist().inv_cdf((i + 0.5) / n) for i in range(n)])
    zero = np.zeros(n)
    honest = Predictions(mean=zero, std=zero + 1, label=label, round=zero.astype(np.int64))
    assert coverage_at(honest, levels) == pytest.approx(levels, abs=1e-3)
    narrow = replace(honest, std=zero + 0.5)
    assert coverage_at(narrow, [0.95])[0] == pytest.approx(2 * NormalDist().cdf(0.98) - 1, abs=2e-3)


def test_an_empty_run_has_an_empty_headline(run: ReportData) -> None:
    top = headline(replace(run, designs=(), rounds=()))
    assert (top.best, top.top10, top.batch, top.last_round, top.coverage, top.answered) == (None,) * 5 + (0,)
