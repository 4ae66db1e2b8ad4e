"""Summaries over seeds: values by hand, coverage of the intervals, determinism."""

from __future__ import annotations

import numpy as np
import pytest

from seiko_bench.statistics import interquartile_mean, paired_difference, summarise


def test_values_by_hand() -> None:
    summary = summarise([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 100.0])
    assert summary.n == 8
    assert summary.mean.value == 16.0
    assert summary.median.value == 4.5
    assert summary.iqm.value == 4.5  # mean of 3, 4, 5, 6
    assert interquartile_mean(np.array([0.0, 1.0, 5.0])) == 2.0  # too few to cut any


def test_interval_contains_the_value_and_shrinks_with_seeds() -> None:
    draws = np.random.default_rng(0).normal(size=400)
    few, many = summarise(draws[:10]), summarise(draws)
    for summary in (few, many):
        for estimate in (summary.mean, summary.median, summary.iqm):
            assert estimate.low <= estimate.value <= estimate.high
    assert many.mean.high - many.mean.low < 0.3 * (few.mean.high - few.mean.low)


def test_mean_interval_covers_nominally() -> None:
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(300):
        mean = summarise(rng.normal(3.0, 1.0, size=40), resamples=500).mean
        hits += mean.low <= 3.0 <= mean.high
    assert 0.89 <= hits / 300 <= 0.98


def test_same_numbers_same_interval() -> None:
    assert summarise([0.1, 0.5, 0.9]) == summarise([0.1, 0.5, 0.9])
    draws = np.random.default_rng(0).normal(size=20)
    assert summarise(draws, seed=1) != summarise(draws, seed=2)


def test_one_seed_has_an_interval_of_width_zero() -> None:
    estimate = summarise([0.7]).median
    assert (estimate.value, estimate.low, estimate.high) == (0.7, 0.7, 0.7)


def test_pairing_removes_what_seeds_share() -> None:
    rng = np.random.default_rng(2)
    shared = rng.normal(0, 10, size=20)
    better, worse = shared + 1.0, shared + rng.normal(0, 0.1, size=20)
    difference = paired_difference(better, worse)
    assert difference.mean.low > 0.9
    assert difference.mean.high < 1.1
    assert paired_difference(worse, better).mean.value == pytest.approx(-difference.mean.value)


@pytest.mark.parametrize("values", [[], [1.0, float("nan")], [[1.0, 2.0]]])
def test_refuses_what_is_not_one_finite_number_a_seed(values: list[float]) -> None:
    with pytest.raises(ValueError, match="one finite number a seed"):
        summarise(values)


def test_refuses_unequal_pairs_and_bad_confidence() -> None:
    with pytest.raises(ValueError, match="got 2 and 1"):
        paired_difference([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="confidence must lie between 0 and 1"):
        summarise([1.0, 2.0], confidence=95)
