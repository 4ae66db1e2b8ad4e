"""Replicates are kept, and seen as one label whose noise is the one they show."""

from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seiko.campaign.replicates import combine, combine_all, pooled_noise
from seiko.oracles import Label


def labels(*values: float, noise: float | None = None) -> list[Label]:
    return [Label(value=value, noise=noise, replicate=i) for i, value in enumerate(values, start=1)]


def test_one_label_is_itself() -> None:
    assert combine(labels(0.5)) == Label(value=0.5)
    assert combine([Label.infeasible("no")]) == Label.infeasible("no")
    with pytest.raises(ValueError, match="no labels"):
        combine([])


def test_known_noise_weighs() -> None:
    together = combine([Label(value=0.0, noise=1.0), Label(value=3.0, noise=0.5, replicate=2)])
    assert together.value == pytest.approx(3.0 * 4 / 5)
    assert together.noise == pytest.approx(1 / math.sqrt(5))


def test_a_value_proves_that_it_can_be_measured() -> None:
    assert combine([Label.infeasible("no"), Label(value=0.5, replicate=2)]).value == 0.5


def test_unknown_noise_is_pooled_over_all_that_were_repeated() -> None:
    groups = [labels(1.0, 3.0), labels(10.0, 10.0, 10.0), labels(5.0), labels(0.0, 1.0, noise=0.1)]
    pooled = math.sqrt(2.0 / 3)
    assert pooled_noise(groups) == pytest.approx(pooled)
    a, b, c, d = combine_all(groups)
    assert (a.value, a.noise) == (2.0, pytest.approx(pooled / math.sqrt(2)))
    assert (b.value, b.noise) == (10.0, pytest.approx(pooled / math.sqrt(3)))
    assert c == Label(value=5.0)
    assert d.noise == pytest.approx(0.1 / math.sqrt(2))


def test_replicates_that_agree_exactly_are_not_exact() -> None:
    assert pooled_noise([labels(1.0, 1.0)]) is None
    assert combine_all([labels(1.0, 1.0)]) == [Label(value=1.0)]


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=6))
def test_of_one_design_it_is_the_standard_error(values: list[float]) -> None:
    [together] = combine_all([labels(*values)])
    assert together.value == pytest.approx(statistics.fmean(values), abs=1e-6)
    if together.noise is not None:
        error = statistics.stdev(values) / math.sqrt(len(values))
        assert together.noise == pytest.approx(error, rel=1e-6, abs=1e-9)


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=6),
    st.floats(5e-324, 1.7e308) | st.none(),
)
def test_no_finite_numbers_are_too_large_or_too_small(values: list[float], noise: float | None) -> None:
    [together] = combine_all([labels(*values, noise=noise)])
    assert together.value is not None
    if noise is None:
        assert min(values) <= together.value <= max(values)
    assert math.isfinite(together.value)
    assert together.noise is None or 0 <= together.noise < math.inf


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(2, 7))
def test_equal_numbers_have_no_noise_whatever_their_size(value: float, n: int) -> None:
    assert combine_all([labels(*[value] * n)]) == [Label(value=value)]


def test_large_numbers_have_a_mean_and_a_noise() -> None:
    [together] = combine_all([labels(1e200, 3e200)])
    assert together.value == pytest.approx(2e200)
    assert together.noise == pytest.approx(1e200)
    [weighed] = combine_all([[Label(value=0.0, noise=1e-200), Label(value=3.0, noise=5e-201, replicate=2)]])
    assert weighed.value == pytest.approx(2.4)
    assert weighed.noise == pytest.approx(1e-200 / math.sqrt(5))
