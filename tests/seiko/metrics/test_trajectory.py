"""PMO's area under the top-k curve, by hand and against the trapezoid written out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seiko.metrics import top_k_auc


def test_a_case_by_hand() -> None:
    # Points at 2 and 4 calls, best 3 and 5:  2 (0 + 3) / 2 + 2 (3 + 5) / 2, then 2 unused calls at 5; over 6 calls.
    values = torch.tensor([1.0, 3.0, 2.0, 5.0])
    assert top_k_auc(values, 1, calls=6, every=2) == pytest.approx((3 + 8 + 10) / 6)
    # Means of the two best: 2 and 4.
    assert top_k_auc(values, 2, calls=6, every=2) == pytest.approx((2 + 6 + 8) / 6)
    # Fewer than k: the mean of what there is; at 2 calls 2, at 4 calls 2.75.
    assert top_k_auc(values, 10, calls=4, every=2) == pytest.approx((2 + 4.75) / 4)


def test_less_than_one_interval_is_one_trapezoid() -> None:
    assert top_k_auc(torch.full((40,), 0.8), 10, calls=1000) == pytest.approx((40 * 0.4 + 960 * 0.8) / 1000)


def test_a_constant_loses_half_of_the_first_interval() -> None:
    assert top_k_auc(torch.ones(1000), 10, calls=1000) == pytest.approx(0.95)


def test_calls_beyond_the_budget_do_not_count() -> None:
    values = torch.cat([torch.full((500,), 0.5), torch.full((500,), 1.0)])
    assert top_k_auc(values, 1, calls=500) == top_k_auc(values[:500], 1, calls=500)


@given(st.integers(1, 450), st.integers(1, 120), st.integers(1, 500), st.integers(0, 2**16))
def test_it_is_the_trapezoid_over_the_curve(n: int, k: int, calls: int, seed: int) -> None:
    values = torch.rand(n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    made = min(n, calls)
    points = sorted({0, made, *range(100, made, 100)})
    curve = [0.0, *(np.sort(values[:point].numpy())[::-1][:k].mean() for point in points[1:])]
    wanted = (np.trapezoid(curve, points) + (calls - made) * curve[-1]) / calls
    assert top_k_auc(values, k, calls=calls) == pytest.approx(wanted)


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="got 0 and 100"):
        top_k_auc(torch.ones(3), 1, calls=0)
    with pytest.raises(ValueError, match="k=0"):
        top_k_auc(torch.ones(3), 0, calls=10)
    with pytest.raises(ValueError, match="n=0"):
        top_k_auc(torch.ones(0), 1, calls=10)
