"""Calibration against scipy: rank correlation with ties, Gaussian log-likelihood, coverage of a true model."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from seiko.rewards import calibration, spearman


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("ties", [False, True])
def test_spearman(seed: int, ties: bool) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=200), rng.normal(size=200)
    b = a + b
    if ties:
        a, b = np.round(a), np.round(b)
    assert spearman(torch.tensor(a), torch.tensor(b)) == pytest.approx(stats.spearmanr(a, b).statistic, abs=1e-12)


def test_likelihood_and_r2() -> None:
    rng = np.random.default_rng(0)
    mean, std = rng.normal(size=500), rng.uniform(0.2, 3.0, size=500)
    y = rng.normal(mean, std)
    found = calibration(torch.tensor(mean), torch.tensor(std), torch.tensor(y))
    assert found.nll == pytest.approx(-stats.norm.logpdf(y, mean, std).mean(), abs=1e-12)
    assert found.r2 == pytest.approx(1 - np.mean((y - mean) ** 2) / np.var(y), abs=1e-12)


def test_a_true_model_covers_what_it_says() -> None:
    rng = np.random.default_rng(1)
    mean, std = rng.normal(size=50_000), rng.uniform(0.2, 3.0, size=50_000)
    found = calibration(torch.tensor(mean), torch.tensor(std), torch.tensor(rng.normal(mean, std)))
    assert found.coverage == pytest.approx(stats.norm.cdf(1.96) - stats.norm.cdf(-1.96), abs=0.004)
