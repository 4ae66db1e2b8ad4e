from __future__ import annotations

import pytest
import torch

from seiko import config
from seiko.rewards import LastLayer, Windows
from seiko.rewards.rescaling import coverage_factor, honest, rescaling


def data(a: float, b: float, n: int = 4000) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    epistemic = torch.rand(n, generator=generator, dtype=torch.float64) ** 2 * 4
    label = torch.full_like(epistemic, 0.25)
    std = (a**2 * epistemic + b**2 * label).sqrt()
    return torch.randn(n, generator=generator, dtype=torch.float64) * std, epistemic, label


def test_factors_are_found() -> None:
    factor = rescaling(*data(2.83, 0.5))
    assert factor.epistemic == pytest.approx(2.83, rel=0.1)
    assert factor.label == pytest.approx(0.5, rel=0.25)


def test_a_spread_is_never_narrowed() -> None:
    assert rescaling(*data(0.2, 1.0)).epistemic == 1.0


def test_one_residual_does_not_move_them_far() -> None:
    one = torch.ones(1, dtype=torch.float64)
    factor = rescaling(8 * one, one, one)  # its own likelihood asks for a^2 + b^2 = 64
    assert 2 < factor.epistemic**2 + factor.label**2 < 45


def test_coverage_is_the_conformal_quantile() -> None:
    residual = torch.linspace(-1, 1, 39, dtype=torch.float64) * 7.84
    one = torch.ones_like(residual)
    # The 38th of 39 is the ceil(.95 * 40)-th; 7.84 is four times 1.96.
    expected = float(residual.abs().sort().values[37]) / 1.96
    assert coverage_factor(residual, one) == pytest.approx(expected)
    assert coverage_factor(0.01 * residual, one) == 1.0
    assert coverage_factor(residual[:3], one[:3]) == pytest.approx(4.0)  # too few: the largest


def test_coverage_counts_noise_as_uncertainty() -> None:
    residual, epistemic, label = data(1.0, 1.0)
    likely, covering = (honest(rescale, residual, epistemic, label) for rescale in (True, "coverage"))
    assert covering.epistemic > 1.5 * likely.epistemic
    inside = residual.abs() <= 1.96 * covering.epistemic * epistemic.sqrt()
    assert float(inside.double().mean()) == pytest.approx(0.95, abs=0.005)
    assert honest(False, residual, epistemic, label).epistemic == 1.0


def test_a_belief_that_covers(landscape) -> None:
    x, y = landscape.some(150)
    y = y + 0.1 * torch.randn(len(y), generator=torch.Generator().manual_seed(0), dtype=y.dtype)
    features = Windows(vocabulary=4, widths=(2, 4), sharpness=(1.0,))
    shares = []
    for rescale in (True, "coverage"):
        model = LastLayer(features=features, rescale=rescale)
        assert config.from_json(config.to_json(model)) == model
        posterior = model.fit(x, y, None, 0).posterior(landscape.x)
        shares.append(float(((posterior.mean - landscape.y).abs() <= 1.96 * posterior.std).double().mean()))
    assert shares[1] >= 0.9
    assert shares[1] > shares[0]
