from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seiko.metrics import best_so_far, distinct_fraction, mean_pairwise_hamming, quantiles, top_k_mean


@given(st.integers(2, 12), st.integers(0, 6), st.integers(1, 5), st.integers(0, 2**16))
def test_hamming_is_the_mean_over_pairs(n: int, length: int, letters: int, seed: int) -> None:
    x = torch.randint(0, letters, (n, length), generator=torch.Generator().manual_seed(seed))
    pairs = [float((x[i] != x[j]).sum()) for i in range(n) for j in range(i)]
    assert mean_pairwise_hamming(x) == pytest.approx(sum(pairs) / len(pairs), abs=1e-9)


def test_hamming_of_many() -> None:
    x = torch.randint(0, 4, (200_000, 8), generator=torch.Generator().manual_seed(0))
    assert mean_pairwise_hamming(x) == pytest.approx(6.0, abs=0.01)


def test_distinct() -> None:
    assert distinct_fraction(torch.tensor([[0, 1], [0, 1], [1, 0], [1, 1]])) == 0.75
    assert distinct_fraction(["a", "b", "a", "a"]) == 0.5


def test_top_and_best() -> None:
    values = torch.tensor([0.1, 0.5, 0.3, 0.9, 0.2])
    assert top_k_mean(values, 2) == pytest.approx(0.7)
    assert top_k_mean(values, 50) == pytest.approx(0.4)
    assert best_so_far(values).tolist() == pytest.approx([0.1, 0.5, 0.5, 0.9, 0.9])
    assert best_so_far(values[:0]).shape == (0,)


def test_quantiles_are_numpys() -> None:
    values = torch.randn(101, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    levels = (0.0, 0.013, 0.5, 0.99, 1.0)
    np.testing.assert_allclose(quantiles(values, levels), np.quantile(values.numpy(), levels))
    assert quantiles(torch.tensor([3.0])) == [3.0] * 5


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="at least two sequences"):
        mean_pairwise_hamming(torch.zeros(1, 4, dtype=torch.long))
    with pytest.raises(ValueError, match="letters must be at least 0, got -1"):
        mean_pairwise_hamming(torch.full((2, 2), -1))
    with pytest.raises(ValueError, match="at least one design"):
        distinct_fraction([])
    with pytest.raises(ValueError, match="k=0"):
        top_k_mean(torch.ones(3), 0)
    with pytest.raises(ValueError, match=r"levels must lie in \[0, 1\]"):
        quantiles(torch.ones(3), (2.0,))
    with pytest.raises(ValueError, match="at least one value"):
        quantiles(torch.ones(0))
