"""Keyed noise: a function of seed and design, standard normal over designs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from seiko.designs import Design
from seiko.oracles.noise import Noisy, keyed_normal, noisy_label


def test_draw_depends_on_seed_and_key_alone() -> None:
    key = Design("ACGTACGT").key
    assert keyed_normal(3, key) == keyed_normal(3, key)
    assert keyed_normal(3, key) != keyed_normal(4, key)
    assert keyed_normal(3, key) != keyed_normal(3, Design("ACGTACGA").key)


def test_draws_are_pinned() -> None:
    # Labels in ledgers depend on this number; it must never change.
    assert keyed_normal(0, "0123456789abcdef") == pytest.approx(1.2199937603346476, abs=1e-12)


def test_draws_are_standard_normal_over_designs() -> None:
    draws = [keyed_normal(0, Design(str(i), "tokens").key) for i in range(4000)]
    assert stats.kstest(draws, "norm").pvalue > 1e-3
    assert abs(np.corrcoef(draws, [keyed_normal(1, Design(str(i), "tokens").key) for i in range(4000)])[0, 1]) < 0.05


def test_label_carries_noise_only_where_there_is_some() -> None:
    assert noisy_label(0.5, noise=0.0, seed=0, key="k").noise is None
    assert noisy_label(0.5, noise=0.0, seed=0, key="k").value == 0.5
    label = noisy_label(0.5, noise=0.1, seed=0, key="k")
    assert label.noise == 0.1
    assert label.value == pytest.approx(0.5 + 0.1 * keyed_normal(0, "k"))


@pytest.mark.parametrize("noise", [-0.1, float("nan"), float("inf")])
def test_refuses_what_is_no_standard_deviation(noise: float) -> None:
    with pytest.raises(ValueError, match="noise must be a finite standard deviation"):
        Noisy(noise=noise)
