from __future__ import annotations

import math

import pytest
import torch

from seiko.rewards.standardise import standardise

X = torch.zeros(4, 2)


def test_mean_zero_and_spread_one() -> None:
    y = torch.tensor([1.0, 2.0, 3.0, 6.0])
    labels = standardise(X, y, torch.tensor([0.5, torch.nan, 1.0, 0.0]))
    assert labels.mean == 3.0
    assert labels.scale == pytest.approx(math.sqrt(3.5))
    torch.testing.assert_close(labels.y * labels.scale + labels.mean, y.double())
    torch.testing.assert_close(
        labels.noise * labels.scale, torch.tensor([0.5, math.nan, 1.0, 0.0]).double(), equal_nan=True
    )


@pytest.mark.parametrize("value", [0.1, 0.0, 1e6, -3.3])
def test_constant_labels_have_scale_one(value: float) -> None:
    labels = standardise(torch.zeros(999, 2), torch.full((999,), value, dtype=torch.float64), None)
    assert labels.scale == 1.0  # though the mean of many equal numbers is off by rounding
    assert float(labels.y.abs().max()) < 1e-9


def test_small_units_are_units() -> None:
    labels = standardise(X, 1e-12 * torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64), None)
    assert labels.scale == pytest.approx(1e-12 * math.sqrt(1.25))


@pytest.mark.parametrize(
    ("y", "noise", "match"),
    [
        (torch.zeros(3), None, "one label for each of the 4 states"),
        (torch.tensor([0.0, 1.0, torch.nan, 2.0]), None, "labels must be finite"),
        (torch.zeros(4), torch.tensor([0.0, -1.0, 0.0, 0.0]), "at least 0, NaN where unknown"),
    ],
)
def test_wrong_labels_are_named(y: torch.Tensor, noise: torch.Tensor | None, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        standardise(X, y, noise)
