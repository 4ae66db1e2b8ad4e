"""An ensemble under Bradley-Terry: a ranking from comparisons alone, scores beside, and a spread that is honest."""

from __future__ import annotations

import pytest
import torch

from seiko.acquisition import BootstrapMax
from seiko.rewards import MLP, Choices, Identity, PreferenceEnsemble, PreferenceRewardModel, Schedule, spearman

MODEL = PreferenceEnsemble(network=MLP(feature=Identity(), hidden=(16,)), members=6, schedule=Schedule(steps=120))


def pairs(reward: torch.Tensor, count: int, seed: int = 0) -> Choices:
    generator = torch.Generator().manual_seed(seed)
    found = []
    for _ in range(count):
        a, b = (int(row) for row in torch.randperm(len(reward), generator=generator)[:2])
        won = float(torch.rand((), generator=generator)) < float((reward[a] - reward[b]).sigmoid())
        found.append((a, [b], False) if won else (b, [a], False))
    return Choices.of(found)


def test_a_ranking_is_found_from_comparisons_alone() -> None:
    x = torch.randn(40, 2, generator=torch.Generator().manual_seed(1))
    reward = 3.0 * x[:, 0].double()
    belief = MODEL.fit_with(x, torch.full((40,), torch.nan), None, pairs(reward, 200), 0)
    fresh = torch.randn(100, 2, generator=torch.Generator().manual_seed(2))
    posterior = belief.posterior(fresh)
    assert spearman(posterior.mean.double(), fresh[:, 0].double()) > 0.85
    at = belief.posterior(x)
    assert at.members is not None
    assert float(at.mean.mean()) == pytest.approx(0.0, abs=1e-4)  # no origin but its own
    assert float(at.mean.std(correction=0)) == pytest.approx(belief.scale, rel=1e-3)
    slope = torch.linalg.lstsq(x[:, :1].double(), at.mean[:, None].double()).solution
    assert 1.0 < float(slope) < 9.0  # odds of the raters; three a unit


def test_members_that_differ_by_a_constant_agree() -> None:
    x = torch.randn(30, 1, generator=torch.Generator().manual_seed(3))
    belief = MODEL.fit_with(x, torch.full((30,), torch.nan), None, pairs(2.0 * x[:, 0].double(), 300), 0)
    posterior = belief.posterior(x)
    assert float(posterior.std.mean()) < 0.7 * float(posterior.mean.std())


def test_scores_give_unit_and_origin() -> None:
    x = torch.randn(40, 1, generator=torch.Generator().manual_seed(4))
    reward = 50.0 + 10.0 * x[:, 0].double()
    y = torch.full((40,), torch.nan, dtype=torch.float64)
    y[:10] = reward[:10]
    belief = MODEL.fit_with(x, y, None, pairs((reward - 50.0) / 5.0, 200), 0)
    error = belief.posterior(x).mean.double() - reward
    assert float(error.square().mean().sqrt()) < 6.0
    assert belief.report.residual_std > 0


def test_the_contract() -> None:
    assert isinstance(MODEL, PreferenceRewardModel)
    x = torch.randn(10, 2, generator=torch.Generator().manual_seed(0))
    choices = pairs(x[:, 0].double(), 15)
    a, b = (MODEL.fit_with(x, torch.full((10,), torch.nan), None, choices, 3) for _ in range(2))
    assert torch.equal(a.posterior(x).mean, b.posterior(x).mean)
    fresh = x.clone().requires_grad_()
    BootstrapMax()(a, torch.Generator())(fresh).sum().backward()
    assert fresh.grad is not None
    with pytest.raises(ValueError, match="at least 2"):
        PreferenceEnsemble(network=MODEL.network, members=1)
    with pytest.raises(ValueError, match="neither scores nor comparisons"):
        MODEL.fit_with(x, torch.full((10,), torch.nan), None, Choices.of([]), 0)
