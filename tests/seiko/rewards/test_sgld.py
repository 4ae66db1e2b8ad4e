from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from seiko.rewards import MLP, SGLD, Identity, Schedule
from seiko.rewards.network import Parameters
from seiko.rewards.sgld import langevin, largest_curvature

CHAINS = 400


@dataclass(frozen=True)
class Line:
    """Bayesian linear regression, whose posterior is known."""

    x: Tensor
    t: Tensor
    sigma: float
    prior_std: float

    @classmethod
    def draw(cls) -> Line:
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(30, 3, generator=generator, dtype=torch.float64)
        x[:, 2] += 0.7 * x[:, 1]  # coordinates that are correlated in the posterior
        t = x @ torch.tensor([1.0, -0.5, 0.3]).double() + 0.5 * torch.randn(30, generator=generator).double()
        return cls(x, t, 0.5, 0.8)

    def potential(self, theta: Parameters) -> Tensor:
        off = theta["w"] @ self.x.T - self.t
        return (off.square() / (2 * self.sigma**2)).sum() + (theta["w"] / self.prior_std).square().sum() / 2

    def posterior(self) -> tuple[Tensor, Tensor]:
        covariance = torch.linalg.inv(self.x.T @ self.x / self.sigma**2 + torch.eye(3) / self.prior_std**2)
        return covariance @ self.x.T @ self.t / self.sigma**2, covariance


def run(line: Line, temperature: float) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    start, scales = {"w": torch.zeros(CHAINS, 3, dtype=torch.float64)}, {"w": line.prior_std}
    curvature = largest_curvature(line.potential, start, scales, generator)
    step = 0.1 * 4 / curvature
    chain = langevin(
        line.potential, start, scales, step_size=step, steps=600, generator=generator, temperature=temperature
    )
    return torch.cat([theta["w"] for index, theta in enumerate(chain) if index >= 400 and index % 20 == 0])


def test_the_curvature_is_the_largest_eigenvalue() -> None:
    line = Line.draw()
    exact = torch.linalg.eigvalsh(torch.linalg.inv(line.posterior()[1]))[-1] * line.prior_std**2
    start = {"w": torch.zeros(2, 3, dtype=torch.float64)}
    found = largest_curvature(line.potential, start, {"w": line.prior_std}, torch.Generator().manual_seed(0))
    assert found == pytest.approx(float(exact), rel=0.02)


def test_at_temperature_one_it_samples_the_posterior() -> None:
    line = Line.draw()
    mean, covariance = line.posterior()
    draws = run(line, 1.0)
    std = covariance.diagonal().sqrt()
    assert float(((draws.mean(0) - mean).abs() / std).max()) < 0.1
    found = torch.cov(draws.T)
    # The step inflates the stiffest direction by 1 / (1 - step) and the others less.
    torch.testing.assert_close(found / std / std[:, None], covariance / std / std[:, None], atol=0.15, rtol=0)


def test_noise_of_a_tiny_scale_is_greedy() -> None:
    line = Line.draw()
    mean, covariance = line.posterior()
    draws = run(line, 1e-16)
    torch.testing.assert_close(draws, mean.expand_as(draws), atol=1e-5, rtol=0)
    assert float((draws.std(0) / covariance.diagonal().sqrt()).max()) < 1e-6


def test_members_spread_where_there_are_no_labels() -> None:
    x = torch.linspace(-1, 1, 60)[:, None]
    model = SGLD(network=MLP(feature=Identity(), hidden=(16,)), schedule=Schedule(steps=100), steps=100)
    belief = model.fit(x, torch.sin(3 * x[:, 0]), None, 0)
    posterior = belief.posterior(torch.tensor([[0.0], [3.0]]))
    assert posterior.members is not None
    assert posterior.members.shape == (16, 2)
    assert float(posterior.std[1]) > 3 * float(posterior.std[0])


def test_temperature_sets_the_spread() -> None:
    x = torch.linspace(-1, 1, 60)[:, None]
    y = x[:, 0] + 0.5 * torch.randn(60, generator=torch.Generator().manual_seed(0))
    network = MLP(feature=Identity(), hidden=(16,))
    settings = {"network": network, "chains": 1, "kept": 8, "steps": 200, "rescale": False}
    fits = [
        SGLD(**settings, schedule=Schedule(steps=100), temperature=t).fit(x, y, None, 0)  # type: ignore[arg-type]
        for t in (0.0, 1.0)
    ]
    cold, warm = (float(fit.posterior(torch.tensor([[0.2]])).std) for fit in fits)
    assert cold < 0.25 * warm


def test_wrong_settings_are_named() -> None:
    network = MLP(feature=Identity())
    with pytest.raises(ValueError, match="at least 2 draws, got 1 and 1"):
        SGLD(network=network, chains=1, kept=1)
    with pytest.raises(ValueError, match="largest stable step in"):
        SGLD(network=network, step=1.0)
    with pytest.raises(ValueError, match="temperature must be at least 0, got -1"):
        SGLD(network=network, temperature=-1.0)
    with pytest.raises(ValueError, match="steps must be at least twice"):
        SGLD(network=network, steps=3)
