"""A model beyond its KL budget is brought back under it; one within goes on only if that buys something."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from seiko.campaign import landing
from seiko.campaign.landing import FARTHEST, land
from seiko.diffusion import Noise, path_kl, rollout
from seiko.models import FullFineTuning, LoRA, MaskedLM, MaskedLMSource, ModelPolicy, Tuning

SAMPLES, SEED = 500, 3


def flat(x: Tensor) -> Tensor:
    return torch.zeros(len(x))


def push(model: MaskedLM, by: float) -> dict[str, Tensor]:
    """Move the current version away and return its weights."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.versions.parameters():
            parameter.add_(by * torch.randn(parameter.shape, generator=generator))
    return model.versions.state_dict()


@torch.no_grad()
def kl(model: MaskedLM, seed: int = SEED) -> float:
    trajectory = rollout(ModelPolicy(model), None, Noise.seeded(seed, SAMPLES))
    return float(path_kl(trajectory, ModelPolicy(model, "pretrained")).mean())


@torch.no_grad()
def favourite(model: MaskedLM) -> int:
    """Return the letter that the current version draws more often than the pretrained one."""
    now = rollout(ModelPolicy(model), None, Noise.seeded(9, 2000)).x_0
    before = rollout(ModelPolicy(model, "pretrained"), None, Noise.seeded(9, 2000)).x_0
    return int((now.flatten().bincount(minlength=4) - before.flatten().bincount(minlength=4)).argmax())


@pytest.mark.parametrize(("tuning", "by"), [(FullFineTuning(), 0.6), (LoRA(rank=2), 0.03)], ids=["full", "lora"])
def test_beyond_the_budget_it_lands_under_it_and_near(models: Path, tuning: Tuning, by: float) -> None:
    model = MaskedLMSource(name=str(models / "six"), tuning=tuning).load()
    push(model, by)
    before = kl(model)
    budget = before / 3
    share = land(model, flat, budget, SAMPLES, SEED)
    assert 0 < share < 1
    assert budget * 0.7 < kl(model) <= budget
    assert kl(model, seed=SEED + 1) == pytest.approx(kl(model), rel=0.2)  # a promise about the model, not the seed


def test_it_goes_back_even_where_the_objective_falls(model: MaskedLM) -> None:
    push(model, 0.6)
    letter, budget = favourite(model), kl(model) / 3
    assert land(model, lambda x: (x == letter).sum(-1).float(), budget, SAMPLES, SEED) < 1
    assert kl(model) <= budget


def test_it_stays_on_the_straight_line_from_the_pretrained_weights(model: MaskedLM) -> None:
    pretrained = model.versions.state_dict()
    far = push(model, 0.6)
    share = land(model, flat, kl(model) / 3, SAMPLES, SEED)
    for name, value in model.versions.state_dict().items():
        torch.testing.assert_close(value, torch.lerp(pretrained[name], far[name], share))


def test_under_the_budget_it_is_left_alone_where_more_buys_nothing(model: MaskedLM) -> None:
    moved = push(model, 0.3)
    assert land(model, flat, kl(model) * 3, SAMPLES, SEED) == 1.0
    after = model.versions.state_dict()
    assert all(torch.equal(after[name], moved[name]) for name in moved)


def test_under_the_budget_it_goes_on_where_more_pays_but_never_beyond(model: MaskedLM) -> None:
    push(model, 0.3)
    letter, before = favourite(model), kl(model)
    budget = before * 1.3
    share = land(model, lambda x: (x == letter).sum(-1).float(), budget, SAMPLES, SEED)
    assert 1 < share < FARTHEST
    assert before < kl(model) <= budget


def test_it_never_goes_on_farther_than_half_of_the_way_again(model: MaskedLM) -> None:
    push(model, 0.3)
    rising = itertools.count()  # an objective that is always pleased
    share = land(model, lambda x: torch.full((len(x),), float(next(rising))), 1e6, SAMPLES, SEED)
    assert 1.4 < share <= FARTHEST


def test_a_model_that_did_not_move_stays(model: MaskedLM) -> None:
    before = model.versions.state_dict()
    land(model, flat, 1.0, SAMPLES, SEED)
    assert all(torch.equal(value, before[name]) for name, value in model.versions.state_dict().items())


def test_anchors_are_not_touched(model: MaskedLM) -> None:
    pretrained = model.versions.state_dict()
    push(model, 0.3)
    model.versions.remember()
    x = torch.full((1, 6), model.process.mask_token)
    with torch.no_grad(), model.versions.use("previous"):
        previous = model.versions(x)
    push(model, 0.6)
    land(model, flat, 0.05, SAMPLES, SEED)
    with torch.no_grad(), model.versions.use("previous"):
        assert torch.equal(model.versions(x), previous)
    model.versions.reset()
    assert all(torch.equal(value, pretrained[name]) for name, value in model.versions.state_dict().items())


def test_a_steep_rise_does_not_undo_the_round(model: MaskedLM, monkeypatch: pytest.MonkeyPatch) -> None:
    before, far = model.versions.state_dict(), push(model, 0.3)
    name = max(far, key=lambda key: float((far[key] - before[key]).abs().max()))

    def steep(trajectory: Any, reference: Any) -> Tensor:
        moved = (model.versions.state_dict()[name] - before[name]).norm() / (far[name] - before[name]).norm()
        return (100 * moved**0.5).expand(4)

    monkeypatch.setattr(landing, "path_kl", steep)
    share = land(model, flat, 1.0, 4, SEED)
    assert 0.7e-4 < share <= 1e-4
    assert float(steep(None, None).mean()) <= 1.0
