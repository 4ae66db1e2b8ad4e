"""Numbers derived from the record: headline, ranking, what each round's batch gave, and calibration.

    coverage(p) = share of labels with |y - mean| <= z_p * std,      z_p = Phi^-1((1 + p) / 2)

Labels are ordered by round and, within a round, as they were asked: late labels of an earlier round stay with it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from seiko.report.data import DesignRow, ReportData, RoundRow

__all__ = [
    "Headline",
    "Predictions",
    "RankedDesign",
    "RoundLabels",
    "answered",
    "coverage_at",
    "finite",
    "headline",
    "predictions",
    "ranked",
    "round_labels",
]

Floats = NDArray[np.float64]


def finite(value: float | None) -> float | None:
    """Return the number, or None where it is missing or not finite."""
    return value if value is not None and math.isfinite(value) else None


def answered(data: ReportData) -> list[DesignRow]:
    """Return the rows that cost a label (value or infeasible), ordered by round."""
    return sorted((row for row in data.designs if row.status in ("value", "infeasible")), key=lambda row: row.round)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundLabels:
    """What one round's batch gave.

    Args:
        round: From 1.
        first: Number of its first label, from 1, in the order of `answered`.
        last: Number of its last label.
        values: `[n]` feasible labels.
        infeasible: Number of infeasible ones.
    """

    round: int
    first: int
    last: int
    values: Floats
    infeasible: int

    @property
    def mean(self) -> float | None:
        """Mean of the feasible labels; None without any."""
        return float(self.values.mean()) if len(self.values) else None

    @property
    def best(self) -> float | None:
        """Largest label; None without any."""
        return float(self.values.max()) if len(self.values) else None

    def quantile(self, share: float) -> float | None:
        """Return a quantile of the feasible labels; None without any."""
        return float(np.quantile(self.values, share)) if len(self.values) else None


def round_labels(data: ReportData) -> list[RoundLabels]:
    """Group the answered rows by round; rounds without an answer are left out."""
    rows = answered(data)
    groups = []
    for index in sorted({row.round for row in rows}):
        numbers = [number for number, row in enumerate(rows, start=1) if row.round == index]
        batch = rows[numbers[0] - 1 : numbers[-1]]
        values = np.array([row.value for row in batch if row.value is not None], dtype=np.float64)
        groups.append(
            RoundLabels(
                round=index, first=numbers[0], last=numbers[-1], values=values, infeasible=len(batch) - len(values)
            )
        )
    return groups


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedDesign:
    """A design with the mean of its labels.

    Args:
        value: Mean over its replicates, oracle's units.
        replicates: Number of labels in that mean.
        row: The first query of the design.
    """

    value: float
    replicates: int
    row: DesignRow


def ranked(data: ReportData, count: int | None = None) -> list[RankedDesign]:
    """Return distinct designs, best first; ties in the order of asking. Replicates are averaged, not maximised."""
    groups: dict[tuple[str, str, str | None], list[DesignRow]] = {}
    for row in answered(data):
        if row.status == "value":
            groups.setdefault((row.kind, row.content, row.prompt), []).append(row)
    means = [
        RankedDesign(
            value=math.fsum(row.value for row in rows if row.value is not None) / len(rows),
            replicates=len(rows),
            row=rows[0],
        )
        for rows in groups.values()
    ]
    return sorted(means, key=lambda design: -design.value)[:count]


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """Predictions made before their labels came (prequential), with the labels; all arrays `[n]`."""

    mean: Floats
    std: Floats
    label: Floats
    round: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.label)

    def of_round(self, index: int) -> Predictions:
        """Return the predictions of one round's batch."""
        kept = self.round == index
        return Predictions(mean=self.mean[kept], std=self.std[kept], label=self.label[kept], round=self.round[kept])


def predictions(data: ReportData) -> Predictions:
    """Collect the labelled rows that carried a finite prediction with a positive standard deviation."""
    found = [
        (row.predicted_mean, row.predicted_std, row.value, row.round)
        for row in answered(data)
        if row.value is not None and finite(row.predicted_mean) is not None and (finite(row.predicted_std) or 0) > 0
    ]
    table = np.array(found, dtype=np.float64).reshape(-1, 4)
    return Predictions(mean=table[:, 0], std=table[:, 1], label=table[:, 2], round=table[:, 3].astype(np.int64))


def coverage_at(pairs: Predictions, levels: Sequence[float]) -> Floats:
    """Return the share of labels inside the central predictive interval of each nominal level in (0, 1)."""
    distance = np.abs(pairs.label - pairs.mean) / pairs.std
    return np.array([np.mean(distance <= NormalDist().inv_cdf((1 + level) / 2)) for level in levels])


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """The tiles' numbers; None where the run has not got that far."""

    best: float | None
    top10: float | None
    top10_count: int
    batch: RoundLabels | None
    last_round: RoundRow | None
    coverage: float | None
    coverage_labels: int
    infeasible: int
    answered: int


def headline(data: ReportData) -> Headline:
    """Summarise the run in the numbers that open the page."""
    top = ranked(data, 10)
    groups = round_labels(data)
    pairs = predictions(data)
    return Headline(
        best=top[0].value if top else None,
        top10=math.fsum(design.value for design in top) / len(top) if top else None,
        top10_count=len(top),
        batch=groups[-1] if groups else None,
        last_round=data.rounds[-1] if data.rounds else None,
        coverage=float(coverage_at(pairs, [0.95])[0]) if len(pairs) else None,
        coverage_labels=len(pairs),
        infeasible=sum(group.infeasible for group in groups),
        answered=sum(len(group.values) + group.infeasible for group in groups),
    )
