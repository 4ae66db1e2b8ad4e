"""Do the raters mean the same thing? Krippendorff's alpha for interval data.

    alpha = 1 - D_o / D_e
    D_o   = 1/n  sum over designs u of  1/(m_u - 1) * sum over ordered pairs in u of (x - y)²
    D_e   = 1/(n (n - 1)) * sum over all ordered pairs of (x - y)²

over the n scores of designs with m_u >= 2 of them. 1 is perfect agreement, 0 what raters would reach who gave the same
scores to designs at random, below 0 they contradict each other. Raters may leave out any designs. Stars are read as
equally spaced, which is what their mean assumes, too.

References:
    Krippendorff, "Computing Krippendorff's Alpha-Reliability", 2011, https://repository.upenn.edu/asc_papers/43
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from seiko.campaign.ratings import RatingBook

__all__ = ["RaterSummary", "krippendorff_alpha", "rater_summaries"]


def krippendorff_alpha(designs: Sequence[Sequence[float]]) -> float | None:
    """Return Krippendorff's alpha of the scores of each design, interval metric.

    Args:
        designs: Scores by design, of any number of raters; a design with fewer than two says nothing of agreement.

    Returns:
        Alpha, at most 1; None if no design has two scores, or all scores are the same so that nothing could disagree.
    """
    paired = [scores for scores in designs if len(scores) > 1]
    values = [score for scores in paired for score in scores]
    expected = _pairs(values)
    if expected == 0:
        return None
    observed = math.fsum(_pairs(scores) / (len(scores) - 1) for scores in paired)
    return 1 - observed * (len(values) - 1) / expected


def _pairs(values: Sequence[float]) -> float:
    """Return the sum of (x - y)² over ordered pairs, which is 2 n sum (x - mean)²."""
    if len(values) < 2:
        return 0.0
    mean = math.fsum(values) / len(values)
    return 2 * len(values) * math.fsum((value - mean) ** 2 for value in values)


@dataclass(frozen=True, slots=True, kw_only=True)
class RaterSummary:
    """One rater beside the others.

    Args:
        rater: Their name.
        scored: Designs that they scored.
        skipped: Designs that they skipped.
        mean: Mean of their scores; None without any.
        spread: Standard deviation of their scores; None with fewer than two.
        shared: Scores of theirs on designs that somebody else scored, too.
        offset: Mean of (their score - mean of the others' on the same design), positive for a generous rater; None
            without shared designs.
    """

    rater: str
    scored: int
    skipped: int
    mean: float | None
    spread: float | None
    shared: int
    offset: float | None


def rater_summaries(book: RatingBook) -> list[RaterSummary]:
    """Return one line a rater, in the order of their names."""
    rows = []
    for rater in book.raters():
        words = book.by(rater)
        scores = [word.score for word in words if word.score is not None]
        offsets = []
        for word in words:
            others = [o.score for name, o in book.of(word.query).items() if name != rater and o.score is not None]
            if word.score is not None and others:
                offsets.append(word.score - math.fsum(others) / len(others))
        rows.append(
            RaterSummary(
                rater=rater,
                scored=len(scores),
                skipped=len(words) - len(scores),
                mean=math.fsum(scores) / len(scores) if scores else None,
                spread=statistics.stdev(scores) if len(scores) > 1 else None,
                shared=len(offsets),
                offset=math.fsum(offsets) / len(offsets) if offsets else None,
            )
        )
    return rows
