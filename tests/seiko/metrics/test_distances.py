from __future__ import annotations

import pytest
import torch

from seiko.metrics import frechet_distance, wasserstein_distances


def gaussian(n: int, k: int, seed: int) -> torch.Tensor:
    return torch.randn(n, k, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_a_shift_is_as_far_as_it_is_long() -> None:
    x = gaussian(50, 2, 0)
    found = wasserstein_distances(x + torch.tensor([0.0, -3.0]), x, ("qed", "logp"))
    assert found == pytest.approx({"qed": 0.0, "logp": 3.0})


def test_frechet_of_one_property_is_known_in_closed_form() -> None:
    x, y = gaussian(300, 1, 0) * 2 + 1, gaussian(200, 1, 1) * 0.5
    scale = y.std()
    wanted = ((x.mean() - y.mean()) / scale).square() + (x.std() / scale - 1).square()
    assert frechet_distance(x, y) == pytest.approx(float(wanted))


def test_frechet_of_covariances_that_do_not_commute() -> None:
    import numpy as np
    from scipy.linalg import sqrtm

    mix = torch.tensor([[1.0, 0.8, 0.0], [0.0, 0.5, -0.3], [0.0, 0.0, 2.0]], dtype=torch.float64)
    x, y = gaussian(400, 3, 0) @ mix, gaussian(400, 3, 1) @ mix.T + 0.5
    a, b = ((x - y.mean(0)) / y.std(0)).numpy(), ((y - y.mean(0)) / y.std(0)).numpy()
    cov_a, cov_b = np.cov(a.T), np.cov(b.T)
    wanted = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(cov_a + cov_b - 2 * sqrtm(cov_a @ cov_b).real)
    assert frechet_distance(x, y) == pytest.approx(wanted)
    assert frechet_distance(y, y) == pytest.approx(0.0, abs=1e-9)


def test_units_do_not_matter_and_a_constant_does_not_divide_by_zero() -> None:
    x, y = gaussian(100, 2, 0), gaussian(100, 2, 1)
    scale = torch.tensor([1.0, 1000.0], dtype=torch.float64)
    assert frechet_distance(x * scale, y * scale) == pytest.approx(frechet_distance(x, y))
    y[:, 1] = 2.0
    assert frechet_distance(y + 1, y) == pytest.approx(1 / float(y[:, 0].std()) ** 2 + 1)


def test_what_is_no_molecule_is_left_out() -> None:
    x = gaussian(20, 2, 0)
    holes = torch.cat([x, torch.full((3, 2), torch.nan, dtype=torch.float64)])
    assert frechet_distance(holes, x) == pytest.approx(0.0, abs=1e-9)
    assert wasserstein_distances(holes, x, ("a", "b")) == {"a": 0.0, "b": 0.0}


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="2 properties need as many names, got 1"):
        wasserstein_distances(torch.ones(3, 2), torch.ones(3, 2), ("a",))
    with pytest.raises(ValueError, match="at least 2 rows"):
        frechet_distance(torch.ones(1, 2), torch.ones(3, 2))
