"""Several measurements of one design: they are kept as they came, and seen as one label.

    noises given     inverse-variance mean,    noise = (sum_j 1/s_j²)^(-1/2)
    not all given    plain mean,               noise = s / sqrt(n),    s² = sum_i sum_j (y_ij - y_i)² / sum_i (n_i - 1)

s is the *pooled* standard deviation over all designs i that were measured more than once: from two replicates of one
design alone it would be known to a factor of two at best, and two that agree by chance would claim to be exact. One
that nobody repeated keeps the noise that came with it, or none. A value and an infeasible together are a value: it
could be measured.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

from seiko.oracles import Label

__all__ = ["combine", "combine_all", "pooled_noise"]


def combine(labels: Sequence[Label], pooled: float | None = None) -> Label:
    """Return what several labels of one design say together.

    Args:
        labels: At least one, values or infeasible.
        pooled: Standard deviation of one measurement, for replicates that came without noise; None if not known.

    Raises:
        ValueError: If there is no label.
    """
    if not labels:
        raise ValueError("no labels to combine")
    measured = [label for label in labels if label.value is not None]
    if len(measured) < 2:
        return (measured or list(labels))[0]
    values = [label.value for label in measured if label.value is not None]
    several = _means([dict(label.values) for label in measured])
    given = [label.noise for label in measured if label.noise]
    if len(given) == len(values):
        least = min(given)
        weights = [(least / noise) ** 2 for noise in given]  # relative ones, which no unit can make overflow
        total = math.fsum(weights)
        return Label(value=_mean(values, weights), noise=least / math.sqrt(total), values=several)
    noise = pooled / math.sqrt(len(values)) if pooled else None
    return Label(value=_mean(values), noise=noise, values=several)


def _mean(values: Sequence[float], weights: Sequence[float] | None = None) -> float:
    """Return the weighted mean, also of numbers whose sum is none; of equal ones it is exactly theirs."""
    weights = [1.0] * len(values) if weights is None else weights
    try:
        mean = math.fsum(w * y for w, y in zip(weights, values, strict=True)) / math.fsum(weights)
    except OverflowError:
        exact = sum(Fraction(w) * Fraction(y) for w, y in zip(weights, values, strict=True))
        mean = float(exact / sum(map(Fraction, weights)))
    return min(max(mean, min(values)), max(values))


def _means(measured: Sequence[Mapping[str, float]]) -> tuple[tuple[str, float], ...]:
    """Return the plain mean of each property that every replicate has."""
    names = [name for name in measured[0] if all(name in values for values in measured)]
    return tuple((name, _mean([values[name] for values in measured])) for name in names)


def pooled_noise(groups: Iterable[Sequence[Label]]) -> float | None:
    """Return the standard deviation of one measurement, pooled over replicated designs; None without any.

    Designs all of whose labels came with a noise have no part in it. Replicates that all agree exactly say that they
    are rounded, not that they are exact: None.
    """
    residuals: list[float] = []
    freedom = 0
    for labels in groups:
        values = [label.value for label in labels if label.value is not None]
        if len(values) < 2 or all(label.noise for label in labels if label.value is not None):
            continue
        mean = _mean(values)
        residuals += [y - mean for y in values]
        freedom += len(values) - 1
    norm = math.hypot(*residuals)  # scaled inside: squares of large residuals would overflow
    return norm / math.sqrt(freedom) if 0 < norm < math.inf else None


def combine_all(groups: Sequence[Sequence[Label]]) -> list[Label]:
    """Return one label for each design."""
    pooled = pooled_noise(groups)
    return [combine(labels, pooled) for labels in groups]
