"""What people said of designs, and when it becomes a label.

    rated     ratings: query, rater, score or skipped; a rater's later word on a design replaces the earlier one
    unrated   ratings taken back: query, rater

With n raters asked for, a design is labelled as soon as n of them have scored it:

    value = mean of the scores,     noise = max(s / sqrt(n), step / sqrt(12 n)),     no noise for n = 1

s is the sample standard deviation, step the grid of the scale: raters who agree to the star have still rounded, so the
standard error is never below that of the rounding. The label is told in the same append as the rating that completes
it. A rating can be taken back, and its label with it, until a round has been fitted to that label.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from seiko.oracles import Label

__all__ = ["Rating", "RatingBook", "label_of_scores"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """One person's word on one design.

    Args:
        query: The query that asked for the design.
        rater: Who says it.
        score: Larger is better, in the units of the scale; None exactly when it is skipped.
        skipped: They could not or would not say.

    Raises:
        ValueError: If the rater is nobody, or the score is missing, superfluous or not finite.
    """

    query: str
    rater: str
    score: float | None = None
    skipped: bool = False

    def __post_init__(self) -> None:
        if not self.rater:
            raise ValueError("a rating needs the name of its rater, got an empty one")
        if self.skipped:
            if self.score is not None:
                raise ValueError(f"a skipped design has no score, got {self.score!r}")
        elif self.score is None or not math.isfinite(self.score):
            raise ValueError(f"a rating needs a finite score, got {self.score!r}; or skip the design")


@dataclass
class RatingBook:
    """All ratings that stand, after some events; changed by `take` and `take_back` only."""

    by_query: dict[str, dict[str, Rating]] = field(default_factory=dict)
    order: dict[str, list[str]] = field(default_factory=dict)  # by rater: queries, the latest word last

    def take(self, rows: Iterable[Mapping[str, Any]], known: Mapping[str, Any]) -> None:
        """Keep the ratings of an event.

        Raises:
            KeyError: If one is of a query that was never asked.
            ValueError: If one cannot be a rating.
        """
        for row in rows:
            rating = Rating(query=row["query"], rater=row["rater"], score=row["score"], skipped=row["skipped"])
            if rating.query not in known:
                raise KeyError(rating.query)
            self._forget(rating.query, rating.rater)
            self.by_query.setdefault(rating.query, {})[rating.rater] = rating
            self.order.setdefault(rating.rater, []).append(rating.query)

    def take_back(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Forget the ratings that an event takes back.

        Raises:
            KeyError: If one was not there.
        """
        for row in rows:
            if row["rater"] not in self.by_query.get(row["query"], {}):
                raise KeyError(row["query"])
            self._forget(row["query"], row["rater"])

    def of(self, query: str) -> Mapping[str, Rating]:
        """Return the ratings of a design by rater."""
        return self.by_query.get(query, {})

    def scores(self, query: str) -> list[float]:
        """Return the scores of a design in the order of its raters' names, those who skipped it left out."""
        ratings = self.of(query)
        return [score for name in sorted(ratings) if (score := ratings[name].score) is not None]

    def by(self, rater: str) -> list[Rating]:
        """Return what a rater has said, the latest word last."""
        return [self.by_query[query][rater] for query in self.order.get(rater, [])]

    def raters(self) -> list[str]:
        """Return who has said anything that stands."""
        return sorted(rater for rater, queries in self.order.items() if queries)

    def _forget(self, query: str, rater: str) -> None:
        if self.by_query.get(query, {}).pop(rater, None) is not None:
            self.order[rater].remove(query)
            if not self.by_query[query]:
                del self.by_query[query]


def label_of_scores(scores: Sequence[float], step: float) -> Label:
    """Return the label that several scores of one design make.

    Args:
        scores: At least one, in the units of the scale.
        step: Distance between neighbouring scores of the scale; 0 for one without a grid.

    Raises:
        ValueError: If there is no score, or the step is negative.
    """
    if not scores:
        raise ValueError("a label needs at least one score, got none")
    if not (math.isfinite(step) and step >= 0):
        raise ValueError(f"step must be a finite distance of at least 0, got {step}")
    n = len(scores)
    mean = math.fsum(scores) / n
    if n == 1:
        return Label(value=mean)
    return Label(value=mean, noise=max(statistics.stdev(scores) / math.sqrt(n), step / math.sqrt(12 * n)))


def rows_of(ratings: Iterable[Rating]) -> list[dict[str, Any]]:
    """Return ratings as the ledger keeps them."""
    return [asdict(rating) for rating in ratings]
