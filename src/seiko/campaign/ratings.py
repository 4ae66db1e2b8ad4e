"""What people said of designs, and when it becomes a label.

    rated     ratings: query, rater, score or skipped; a rater's later word on a design replaces the earlier one;
              labels: the queries whose label these ratings complete, told in the next event of the same append
    unrated   ratings taken back: query, rater

With n raters asked for, a design is labelled as soon as n of them have scored it:

    value = mean of the scores,     noise = max(s / sqrt(n), step / sqrt(12 n)),     no noise for n = 1

s is the sample standard deviation, step the grid of the scale: raters who agree to the star have still rounded, so the
standard error is never below that of the rounding. A rating can be taken back, and the label that had come of it with
it, until a round has been fitted to that label.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from seiko.campaign.sense import sound
from seiko.oracles import Label

__all__ = ["Rating", "RatingBook", "complete", "label_of_scores"]


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
    _sources: dict[str, frozenset[str]] = field(default_factory=dict)  # by query: whose scores made its label

    def take(self, rows: Iterable[Mapping[str, Any]], labels: Iterable[str], known: Mapping[str, Any]) -> None:
        """Keep the ratings of an event, and which queries' labels they complete.

        Raises:
            KeyError: If one is of a query that was never asked.
            ValueError: If one cannot be a rating.
        """
        for row in rows:
            rating = sound(Rating(query=row["query"], rater=row["rater"], score=row["score"], skipped=row["skipped"]))
            if rating.query not in known:
                raise KeyError(rating.query)
            self._forget(rating.query, rating.rater)
            self.by_query.setdefault(rating.query, {})[rating.rater] = rating
            self.order.setdefault(rating.rater, []).append(rating.query)
        for id in labels:
            self._sources[id] = frozenset(name for name, rating in self.by_query[id].items() if not rating.skipped)

    def take_back(self, rows: Iterable[Mapping[str, Any]]) -> list[str]:
        """Forget the ratings that an event takes back, and return the queries whose labels had come of them.

        Raises:
            KeyError: If one was not there.
        """
        unlabelled = []
        for row in rows:
            if row["rater"] not in self.by_query.get(row["query"], {}):
                raise KeyError(row["query"])
            self._forget(row["query"], row["rater"])
            if row["rater"] in self._sources.get(row["query"], ()):
                del self._sources[row["query"]]
                unlabelled.append(row["query"])
        return unlabelled

    def of(self, query: str) -> Mapping[str, Rating]:
        """Return the ratings of a design by rater."""
        return self.by_query.get(query, {})

    def sources(self, query: str) -> frozenset[str]:
        """Return whose scores made the label of a design; nobody's, where it came otherwise."""
        return self._sources.get(query, frozenset())

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


def complete(book: RatingBook, ratings: Sequence[Rating], raters: int, step: float) -> dict[str, Label]:
    """Return the labels of designs that have enough scores once some ratings are taken; the book stays as it is.

    Args:
        book: The ratings that stand.
        ratings: New ones; a later word of the same rater on the same design replaces the earlier one.
        raters: Scores that make a label.
        step: Distance between neighbouring scores of the scale.
    """
    labels = {}
    for query in dict.fromkeys(rating.query for rating in ratings):
        words = {**book.of(query), **{rating.rater: rating for rating in ratings if rating.query == query}}
        scores = [score for name in sorted(words) if (score := words[name].score) is not None]
        if len(scores) >= raters:
            labels[query] = label_of_scores(scores, step)
    return labels
