"""One belief made of several: exact for what is linear, the probability of a constraint, and draws."""

from __future__ import annotations

import pytest
import torch

from seiko.rewards import FitReport, Posterior
from seiko.rewards.several import Several

REPORT = FitReport(labels=3, held_out=None, residual_std=0.1, std_scale=1.0, seconds=0.0)


class Fixed:
    """Believes in mean m x and a std."""

    report, scale = REPORT, 1.0

    def __init__(self, slope: float, std: float, members: int = 0) -> None:
        self.slope, self.std, self.members = slope, std, members

    def posterior(self, x: torch.Tensor) -> Posterior:
        mean = self.slope * x[:, 0]
        members = torch.stack([mean + i for i in range(self.members)]) if self.members else None
        return Posterior(mean=mean, std=torch.full_like(mean, self.std), members=members)

    def draw(self, generator: torch.Generator) -> Fixed:
        return Fixed(self.slope + self.std * float(torch.randn((), generator=generator)), 0.0)


X = torch.tensor([[1.0], [2.0]], dtype=torch.float64)


def several(*beliefs: Fixed, combine: object = None) -> Several:
    linear = lambda f: 2.0 * f[..., 0] - f[..., 1]  # noqa: E731
    return Several(report=REPORT, scale=1.0, beliefs=beliefs, combine=combine or linear)  # type: ignore[arg-type]


def test_a_linear_function_has_the_mean_and_std_of_the_formula() -> None:
    posterior = several(Fixed(1.0, 0.3), Fixed(3.0, 0.4)).posterior(X)
    assert posterior.mean.tolist() == pytest.approx([-1.0, -2.0], abs=1e-6)
    assert posterior.std.tolist() == pytest.approx([0.7211, 0.7211], rel=0.05)  # sqrt(.6^2 + .4^2)
    assert posterior.members is None


def test_the_mean_of_an_indicator_is_its_probability() -> None:
    holds = several(Fixed(1.0, 0.5), Fixed(0.0, 0.1), combine=lambda f: (f[..., 0] > 1.5).to(f))
    found = holds.posterior(X).mean
    assert found.tolist() == pytest.approx([0.1587, 0.8413], abs=0.03)


def test_the_same_function_at_every_call_and_a_gradient_at_no_spread() -> None:
    belief = several(Fixed(1.0, 0.3), Fixed(3.0, 0.4))
    assert torch.equal(belief.posterior(X).mean, belief.posterior(X).mean)
    drawn = belief.draw(torch.Generator().manual_seed(0))
    x = X.clone().requires_grad_()
    posterior = drawn.posterior(x)
    assert float(posterior.std.detach().max()) < 1e-6
    (posterior.mean + posterior.std).sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    assert bool(torch.isfinite(x.grad).all())


def test_members_go_together_where_there_are_equally_many() -> None:
    both = several(Fixed(1.0, 0.3, members=3), Fixed(3.0, 0.4, members=3)).posterior(X)
    assert both.members is not None
    assert both.members[:, 0].tolist() == pytest.approx([-1.0, 0.0, 1.0])
    assert several(Fixed(1.0, 0.3, members=3), Fixed(3.0, 0.4, members=2)).posterior(X).members is None
