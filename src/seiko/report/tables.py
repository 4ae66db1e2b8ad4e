"""The report's numbers in words: tiles, the best designs, and one line a quantity for every round.

A number that is not known is "—"; a column shares its decimals.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from seiko.report.data import CalibrationRow, DesignRow, ReportData, RoundRow
from seiko.report.summary import Headline, answered, finite, ranked, round_labels

__all__ = ["MISSING", "TOP_DESIGNS", "Tile", "TopRow", "number", "percent", "round_table", "tiles", "top_rows"]

MISSING = "—"
TOP_DESIGNS = 20


def number(value: float | None, decimals: int | None = None) -> str:
    """Return a number for people: three significant digits or the given decimals, "—" where there is none."""
    known = finite(value)
    if known is None:
        return MISSING
    text = f"{known:.3g}" if decimals is None else f"{known:.{decimals}f}"
    if "e" in text:
        mantissa, exponent = text.split("e")
        raised = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
        text = f"{mantissa} × 10{raised}"
    if text.startswith("-") and not text.strip("-0."):
        text = text[1:]  # no number is less than nothing by nothing
    return text.replace("-", "−")


def percent(value: float | None) -> str:
    """Return a share as whole per cent, "—" where there is none."""
    known = finite(value)
    return MISSING if known is None else f"{100 * known:.0f} %"


def decimals_for(values: Iterable[float]) -> int | None:
    """Return decimals that show four digits of the largest number; None (significant digits) for extreme scales."""
    largest = max((abs(value) for value in values), default=0.0)
    if largest == 0:
        return None
    order = math.floor(math.log10(largest))
    return min(3, max(0, 3 - order)) if -2 <= order <= 5 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One headline number: what it is, the number, and its unit or its reference."""

    name: str
    value: str
    note: str


def tiles(data: ReportData, top: Headline) -> list[Tile]:
    """Return the eight numbers that open the page."""
    decimals = decimals_for(row.value for row in answered(data) if row.value is not None)
    last, batch = top.last_round, top.batch
    budget = finite(data.kl_budget)
    share = top.infeasible / top.answered if top.answered else None
    return [
        Tile(name="Labels used", value=f"{data.labels_used:,}", note=f"of {data.budget:,}"),
        Tile(name="Best design", value=number(top.best, decimals), note=data.reward_name),
        Tile(name="Top-10 mean", value=number(top.top10, decimals),
              note="distinct designs" if top.top10_count in (0, 10) else f"distinct designs, {top.top10_count} so far"),
        Tile(name="Last batch mean", value=number(batch.mean if batch else None, decimals),
              note=f"round {batch.round}" if batch else "no labels yet"),
        Tile(name="KL from pretrained", value=number(last.kl_pretrained if last else None),
              note="nats" if budget is None else f"nats, budget {number(budget)}"),
        Tile(name="Diversity", value=number(last.diversity if last else None),
              note=data.diversity_unit if data.diversity_max is None
              else f"of {number(data.diversity_max)} {data.diversity_unit}"),
        Tile(name="Coverage", value=percent(top.coverage),
              note=f"nominal 95 %, {top.coverage_labels:,} labels" if top.coverage_labels else "nominal 95 %"),
        Tile(name="Infeasible", value=percent(share), note=f"{top.infeasible:,} of {top.answered:,} labels"),
    ]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class TopRow:
    """A line of the best designs.

    Args:
        rank: From 1.
        row: The design's first query.
        value: Its measured value, in words.
        replicates: Labels in that value.
        predicted: Prediction when it was chosen, in words.
        at: Place of the measured dot on the strip, per cent of its width.
        bar: Left end and width of the predicted bar and place of its tick, per cent; None without a prediction.
    """

    rank: int
    row: DesignRow
    value: str
    replicates: int
    predicted: str
    at: str
    bar: tuple[str, str, str] | None


def top_rows(data: ReportData) -> list[TopRow]:
    """Return the best distinct designs, all on one scale from the lowest to the highest number shown."""
    best = ranked(data, TOP_DESIGNS)
    decimals = decimals_for(design.value for design in best)
    ends = [design.value for design in best]
    for design in best:
        mean, std = finite(design.row.predicted_mean), finite(design.row.predicted_std)
        ends += [] if mean is None else [mean - (std or 0), mean + (std or 0)]
    low, width = min(ends, default=0.0), (max(ends, default=0.0) - min(ends, default=0.0)) or 1.0

    def place(value: float) -> str:
        return f"{2 + 96 * (value - low) / width:.1f}"

    rows = []
    for rank, design in enumerate(best, start=1):
        row = design.row
        predicted = number(row.predicted_mean, decimals)
        mean, std = finite(row.predicted_mean), finite(row.predicted_std)
        if mean is not None and std is not None:
            predicted += f" ± {number(std, decimals)}"
        bar = None
        if mean is not None:
            bar = (place(mean - (std or 0)), f"{2 * 96 * (std or 0) / width:.1f}", place(mean))
        rows.append(
            TopRow(
                rank=rank,
                row=row,
                value=number(design.value, decimals),
                replicates=design.replicates,
                predicted=predicted,
                at=place(design.value),
                bar=bar,
            )
        )
    return rows


def round_table(data: ReportData) -> list[tuple[str, list[tuple[str, list[str]]]]]:
    """Return groups of lines, one line a quantity, one cell a round."""
    batches = {group.round: group for group in round_labels(data)}
    values = decimals_for(row.value for row in answered(data) if row.value is not None)
    known = [finite(weight) or 1.0 for row in data.rounds for weight in (row.alpha, row.beta)]
    weights = 4 if all(weight >= 1e-3 for weight in known) else None

    def line(name: str, read: Callable[[RoundRow], str]) -> tuple[str, list[str]]:
        return name, [read(row) for row in data.rounds]

    def batch(read: Callable[[int], str]) -> Callable[[RoundRow], str]:
        return lambda row: read(row.round) if row.round in batches else MISSING

    def calibration(which: str) -> list[tuple[str, list[str]]]:
        def cell(read: Callable[[CalibrationRow], str]) -> Callable[[RoundRow], str]:
            def text(row: RoundRow) -> str:
                found: CalibrationRow | None = getattr(row, which)
                return MISSING if found is None else read(found)

            return text

        return [
            line("labels", cell(lambda c: f"{c.n:,}")),
            line("R²", cell(lambda c: number(c.r2, 2))),
            line("Spearman", cell(lambda c: number(c.spearman, 2))),
            line("negative log-likelihood, nats a label", cell(lambda c: number(c.nll, 2))),
            line("coverage at 95 %", cell(lambda c: percent(c.coverage))),
            line("root mean squared error", cell(lambda c: number(c.rmse, values))),
        ]

    return [
        ("Batch", [
            line("labels used", lambda row: f"{row.labels_used:,}"),
            line("mean", batch(lambda i: number(batches[i].mean, values))),
            line("best", batch(lambda i: number(batches[i].best, values))),
            line("infeasible", batch(lambda i: str(batches[i].infeasible))),
        ]),
        ("Model", [
            line("KL from pretrained, nats", lambda row: number(row.kl_pretrained, 2)),
            line("KL from previous, nats", lambda row: number(row.kl_previous, 2)),
            line("believed mean", lambda row: number(row.believed_mean, values)),
            line(f"diversity, {data.diversity_unit}", lambda row: number(row.diversity, 2)),
            line("alpha, std a nat", lambda row: number(row.alpha, weights)),
            line("beta, std a nat", lambda row: number(row.beta, weights)),
            line("seconds", lambda row: number(row.seconds, 1)),
        ]),
        ("Predictions before the labels", calibration("prequential")),
        ("Held-out labels of the fit", calibration("held_out")),
    ]  # fmt: skip
