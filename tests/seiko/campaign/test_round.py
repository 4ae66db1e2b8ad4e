"""What a round's look at the model says, and how a calibration is kept."""

from __future__ import annotations

import math

import pytest
import torch

from seiko.campaign.round import calibration_report, look
from seiko.campaign.sampler import ModelSampler
from seiko.campaign.state import CalibrationReport
from seiko.diffusion import Noise, rollout
from seiko.metrics import distinct_fraction, mean_pairwise_hamming
from seiko.models import MaskedLM, ModelPolicy
from seiko.rewards import Calibration


def test_a_look_at_a_model_that_did_not_move(model: MaskedLM) -> None:
    found = look(ModelSampler(model), None, 300, 4)
    x = rollout(ModelPolicy(model), None, Noise.seeded(4, 300)).x_0
    assert (found["kl_pretrained"], found["kl_previous"], found["believed_mean"]) == (0.0, 0.0, None)
    assert found["diversity"] == pytest.approx(mean_pairwise_hamming(x), rel=1e-5)
    assert found["distinct"] == pytest.approx(distinct_fraction(x))
    assert list(found["samples"]) == [design.content for design in model.export(x)][:200]
    assert not any(torch.is_tensor(value) for value in found.values())


def test_what_is_not_defined_is_kept_as_none() -> None:
    calibration = Calibration(n=1, r2=math.nan, spearman=math.nan, nll=0.5, coverage=1.0, rmse=math.inf)
    assert calibration_report(calibration) == CalibrationReport(
        n=1, r2=None, spearman=None, nll=0.5, coverage=1.0, rmse=None
    )
    assert calibration_report(None) is None
