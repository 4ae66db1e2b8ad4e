"""Summaries over seeds: median, mean, interquartile mean and paired differences with bootstrap intervals.

A result file holds one number a seed. Intervals are percentile bootstraps over seeds (runs are the unit, never labels),
with a fixed seed, so that the same numbers always give the same interval. With fewer than about ten seeds a percentile
interval is too narrow; the number of seeds therefore travels with every summary.

References:
    Agarwal, Schwarzer, Castro, Courville, Bellemare, "Deep Reinforcement Learning at the Edge of the Statistical
    Precipice", NeurIPS 2021, https://arxiv.org/abs/2108.13264 (interquartile mean, bootstrap over runs).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

__all__ = ["Estimate", "Summary", "interquartile_mean", "paired_difference", "summarise"]

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], Floats]


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A statistic over seeds and its bootstrap interval, in the units of the numbers."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What a set of runs gave.

    Args:
        n: Number of seeds.
        mean: Mean over seeds.
        median: Median over seeds.
        iqm: Interquartile mean, the mean of the middle half.
    """

    n: int
    mean: Estimate
    median: Estimate
    iqm: Estimate


def summarise(values: ArrayLike, *, confidence: float = 0.95, resamples: int = 10_000, seed: int = 0) -> Summary:
    """Summarise one number a seed.

    Args:
        values: `[n]` finite numbers, one a seed.
        confidence: Nominal coverage of the intervals.
        resamples: Number of bootstrap resamples.
        seed: Seed of the resamples.

    Returns:
        Mean, median and interquartile mean with percentile intervals; with one seed the interval is the value.

    Raises:
        ValueError: If there are no numbers or one is not finite, or the confidence is not between 0 and 1.
    """
    x = _checked(values)
    resampled = x[np.random.default_rng(seed).integers(len(x), size=(resamples, len(x)))]
    return Summary(
        n=len(x),
        mean=_estimate(_mean, x, resampled, confidence),
        median=_estimate(_median, x, resampled, confidence),
        iqm=_estimate(interquartile_mean, x, resampled, confidence),
    )


def paired_difference(
    first: ArrayLike, second: ArrayLike, *, confidence: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> Summary:
    """Summarise first - second over seeds that both methods ran; an interval above 0 favours the first.

    Args:
        first: `[n]` one number a seed.
        second: `[n]` the same seeds in the same order.
        confidence: Nominal coverage of the intervals.
        resamples: Number of bootstrap resamples.
        seed: Seed of the resamples.

    Raises:
        ValueError: If the lengths differ, there are no numbers or one is not finite.
    """
    a, b = _checked(first), _checked(second)
    if len(a) != len(b):
        raise ValueError(f"paired numbers must come from the same seeds, got {len(a)} and {len(b)} of them")
    return summarise(a - b, confidence=confidence, resamples=resamples, seed=seed)


def interquartile_mean(values: Floats) -> Floats:
    """Return the mean of the middle half along the last axis: a quarter, rounded down, is cut on either side."""
    return np.asarray(stats.trim_mean(values, 0.25, axis=-1), dtype=np.float64)


def _mean(values: Floats) -> Floats:
    return np.asarray(values.mean(axis=-1))


def _median(values: Floats) -> Floats:
    return np.asarray(np.median(values, axis=-1))


def _estimate(statistic: Statistic, x: Floats, resampled: Floats, confidence: float) -> Estimate:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence}")
    tail = (1 - confidence) / 2
    low, high = np.quantile(statistic(resampled), [tail, 1 - tail])
    return Estimate(value=float(statistic(x)), low=float(low), high=float(high))


def _checked(values: ArrayLike | Sequence[float]) -> Floats:
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 1 or len(x) == 0 or not np.isfinite(x).all():
        raise ValueError(f"one finite number a seed is needed, got {x.tolist()}")
    return x
