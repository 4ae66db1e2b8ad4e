from __future__ import annotations

import math
from dataclasses import replace

import pytest

from seiko.report.data import ReportData
from seiko.report.summary import headline
from seiko.report.tables import decimals_for, number, percent, round_table, tiles, top_rows


@pytest.mark.parametrize(("value", "decimals", "text"), [
    (None, None, "—"), (math.nan, 2, "—"), (math.inf, None, "—"), (0.0, None, "0"), (0.98765, 3, "0.988"),
    (-1.5, 2, "−1.50"), (123456.0, None, "1.23 × 10⁵"), (-0.0000123, None, "−1.23 × 10⁻⁵"),
    (-0.04, 1, "0.0"), (-0.0, None, "0"), (-0.05001, 1, "−0.1"),
])  # fmt: skip
def test_numbers_are_written_for_people(value: float | None, decimals: int | None, text: str) -> None:
    assert number(value, decimals) == text


def test_shares_are_whole_per_cent() -> None:
    assert (percent(0.948), percent(None), percent(math.nan)) == ("95 %", "—", "—")


@pytest.mark.parametrize(
    ("values", "decimals"), [([0.2, 1.0], 3), ([12.0], 2), ([4500.0], 0), ([1e9], None), ([], None)]
)
def test_a_column_shares_its_decimals(values: list[float], decimals: int | None) -> None:
    assert decimals_for(values) == decimals


def test_the_tiles_carry_the_headline(run: ReportData) -> None:
    shown = {tile.name: (tile.value, tile.note) for tile in tiles(run, headline(run))}
    assert shown["Labels used"] == ("60", "of 100")
    assert shown["KL from pretrained"] == ("4.5", "nats, budget 4")
    assert shown["Diversity"] == ("4.5", "of 8 positions")
    assert shown["Infeasible"] == ("10 %", "6 of 60 labels")
    best = max(row.value for row in run.designs if row.value is not None)
    assert shown["Best design"] == (f"{best:.3f}", "binding")


def test_the_best_designs_are_in_order_and_stay_on_the_strip(run: ReportData) -> None:
    rows = top_rows(run)
    assert [row.rank for row in rows] == list(range(1, 21))
    assert [row.value for row in rows] == sorted((row.value for row in rows), reverse=True)
    for row in rows:
        left, width, tick = (float(part) for part in row.bar) if row.bar else (0.0, 0.0, 0.0)
        assert 0 <= left <= left + width <= 100
        assert 0 <= tick <= 100
        assert 0 <= float(row.at) <= 100


def test_one_design_without_a_prediction_is_a_row_too(run: ReportData) -> None:
    (row,) = top_rows(replace(run, designs=run.designs[:1]))
    assert (row.predicted, row.bar) == ("—", None)


def test_the_round_table_has_a_cell_for_every_round(run: ReportData) -> None:
    table = {name: dict(lines) for name, lines in round_table(run)}
    assert table["Batch"]["labels used"] == ["20", "40", "60"]
    assert table["Model"]["KL from pretrained, nats"] == ["1.50", "3.00", "4.50"]
    assert table["Predictions before the labels"]["Spearman"] == ["—", "0.61", "0.61"]
    assert all(len(cells) == 3 for lines in table.values() for cells in lines.values())
