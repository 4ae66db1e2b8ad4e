from __future__ import annotations

import pytest
import torch

from seiko.rewards.rescaling import rescaling


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
