from __future__ import annotations

import pytest
import torch

from seiko.rewards import Identity, LastLayer, Learned, Windows
from seiko.rewards.network import MLP
from seiko.rewards.training import Schedule


def test_the_marginal_likelihood_chooses_the_candidate(landscape) -> None:
    x, y = landscape.some(250)
    grid = (0.05, 1.0, 8.0)
    both = LastLayer(features=Windows(vocabulary=4, widths=(4,), sharpness=grid)).fit(x, y, None, 0)
    alone = {s: LastLayer(features=Windows(vocabulary=4, widths=(4,), sharpness=(s,))).fit(x, y, None, 0) for s in grid}
    states = landscape.x[::29]
    chosen = [s for s in grid if torch.equal(alone[s].posterior(states).mean, both.posterior(states).mean)]
    assert len(chosen) == 1
    errors = {s: float((alone[s].posterior(landscape.x).mean - landscape.y).square().mean()) for s in grid}
    assert errors[chosen[0]] == min(errors.values())


def test_learned_features_are_judged_on_labels_they_did_not_see() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(300, 3, generator=generator)
    y = torch.sin(2 * x[:, 0]) + x[:, 1] ** 2 + 0.1 * torch.randn(300, generator=generator)
    source = Learned(network=MLP(feature=Identity()), members=2, held_out=0.2, schedule=Schedule(steps=150))
    belief = LastLayer(features=source).fit(x[:200], y[:200], None, 0)
    held_out = belief.report.held_out
    assert held_out is not None
    assert 20 <= held_out.n <= 60
    new = belief.posterior(x[200:])
    std = (new.std.square() + belief.report.residual_std**2).sqrt()
    assert float(((new.mean - y[200:]).abs() <= 1.96 * std).float().mean()) > 0.85


def test_a_point_of_no_features_has_the_prior_mean() -> None:
    x = torch.randn(30, 3, generator=torch.Generator().manual_seed(0))
    belief = LastLayer(features=Identity()).fit(x, x[:, 0] + 5.0, None, 0)
    posterior = belief.posterior(torch.zeros(1, 3))
    assert float(posterior.mean) == pytest.approx(float((x[:, 0] + 5.0).mean()))
    assert float(posterior.std) < 1e-6


def test_wrong_settings_are_named() -> None:
    with pytest.raises(ValueError, match="ridge must be positive"):
        LastLayer(features=Identity(), ridge=0.0)
    with pytest.raises(ValueError, match="members must be positive, got 0"):
        Learned(network=MLP(feature=Identity()), members=0)
