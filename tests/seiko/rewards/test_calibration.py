from __future__ import annotations

import math

import pytest
import torch

from seiko.rewards import Calibration, FitReport, Posterior, calibration, predictive, prequential


class Known:
    """A belief with mean x and a fixed spread."""

    report = FitReport(labels=1, held_out=None, residual_std=4.0, std_scale=1.0, seconds=0.0)
    scale = 1.0

    def posterior(self, x: torch.Tensor) -> Posterior:
        return Posterior(mean=x[:, 0], std=torch.full_like(x[:, 0], 3.0))

    def draw(self, generator: torch.Generator) -> Known:
        return self


def test_numbers_by_hand() -> None:
    y = torch.tensor([0.0, 2.0, 4.0])
    found = calibration(torch.tensor([0.0, 2.0, 1.0]), torch.ones(3), y)
    assert (found.n, found.coverage) == (3, pytest.approx(2 / 3))
    assert found.rmse == pytest.approx(math.sqrt(3.0))
    assert found.r2 == pytest.approx(1 - 9 / 8)
    assert found.spearman == pytest.approx(0.5)
    assert found.nll == pytest.approx(0.5 * math.log(2 * math.pi) + 1.5)


def test_without_spread_correlations_are_not_numbers() -> None:
    one = calibration(torch.zeros(1), torch.ones(1), torch.ones(1))
    same = calibration(torch.tensor([0.0, 1.0]), torch.ones(2), torch.ones(2))
    for found in (one, same):
        assert math.isnan(found.r2)
        assert math.isnan(found.spearman)
        assert math.isfinite(found.nll)


def test_the_predictive_spread_adds_noise() -> None:
    x = torch.tensor([[1.0], [2.0], [3.0]])
    mean, std = predictive(Known(), x, torch.tensor([torch.nan, 40.0, 0.0]))
    assert mean.tolist() == [1.0, 2.0, 3.0]
    # unknown: 3-4-5; noisier than the residuals: its own; quieter: the misfit is still there
    torch.testing.assert_close(std, torch.tensor([5.0, math.sqrt(1609.0), 5.0]))
    assert torch.equal(predictive(Known(), x)[1], torch.full((3,), 5.0))


def test_prequential_is_the_calibration_of_the_prediction() -> None:
    x = torch.tensor([[0.0], [2.0], [1.0]])
    y = torch.tensor([0.0, 2.0, 20.0])
    found = prequential(Known(), x, y)
    assert isinstance(found, Calibration)
    assert found == calibration(x[:, 0], torch.full((3,), 5.0), y)
    assert found.coverage == pytest.approx(2 / 3)


def test_wrong_shapes_are_named() -> None:
    with pytest.raises(ValueError, match="n of at least 1"):
        calibration(torch.zeros(0), torch.zeros(0), torch.zeros(0))
