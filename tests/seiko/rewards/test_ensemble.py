from __future__ import annotations

import pytest
import torch

from seiko.rewards import MLP, Ensemble, Identity, OneHot, Schedule

QUICK = Schedule(steps=80)


def test_mean_and_spread_are_those_of_the_members(landscape) -> None:
    model = Ensemble(network=MLP(feature=OneHot(vocabulary=4), hidden=(16,)), members=5, schedule=QUICK)
    belief = model.fit(*landscape.some(100), None, 0)
    posterior = belief.posterior(landscape.x[:64])
    assert posterior.members is not None
    assert posterior.members.shape == (5, 64)
    torch.testing.assert_close(posterior.members.mean(0), posterior.mean)
    torch.testing.assert_close(posterior.members.std(0), posterior.std)
    drawn = belief.draw(torch.Generator().manual_seed(0)).posterior(landscape.x[:64])
    assert drawn.members is None
    assert any(torch.allclose(drawn.mean, row) for row in posterior.members)


def test_blocks_do_not_change_the_answer(landscape) -> None:
    model = Ensemble(network=MLP(feature=OneHot(vocabulary=4), hidden=(16,)), members=3, schedule=QUICK)
    belief = model.fit(*landscape.some(50), None, 0)
    states = torch.cat([landscape.x, landscape.x[:10]])  # more than one block
    torch.testing.assert_close(belief.posterior(states).mean[-10:], belief.posterior(landscape.x[:10]).mean)


def test_the_spread_is_wider_where_there_are_no_labels() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(150, 1, generator=generator) * 2 - 1
    y = torch.sin(3 * x[:, 0]) + 0.05 * torch.randn(150, generator=generator)
    model = Ensemble(network=MLP(feature=Identity(), hidden=(32,)), members=10, schedule=Schedule(steps=200))
    belief = model.fit(x, y, None, 0)
    inside = belief.posterior(torch.linspace(-0.9, 0.9, 20)[:, None]).std.mean()
    outside = belief.posterior(torch.tensor([[-4.0], [4.0]])).std.mean()
    assert float(outside) > 3 * float(inside)


def test_coverage_on_new_labels_is_honest() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(600, 4, generator=generator)
    y = torch.sin(x[:, 0]) * x[:, 1] + 0.3 * torch.randn(600, generator=generator)
    model = Ensemble(network=MLP(feature=Identity()), members=8, schedule=QUICK)
    belief = model.fit(x[:300], y[:300], None, 0)
    posterior = belief.posterior(x[300:])
    std = (posterior.std.square() + belief.report.residual_std**2).sqrt()
    coverage = float(((posterior.mean - y[300:]).abs() <= 1.96 * std).float().mean())
    assert 0.88 < coverage < 0.99
    assert belief.report.held_out is not None
    assert belief.report.held_out.coverage == pytest.approx(coverage, abs=0.07)


def test_wrong_settings_are_named() -> None:
    network = MLP(feature=Identity())
    with pytest.raises(ValueError, match="members must be at least 2, one has no spread, got 1"):
        Ensemble(network=network, members=1)
    with pytest.raises(ValueError, match=r"held_out must be a share in \[0, 1\), got 1"):
        Ensemble(network=network, held_out=1.0)
