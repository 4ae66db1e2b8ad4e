"""The labels' power transform against scipy, its inverse, its slope and its quadrature; a process that chooses one."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

pytest.importorskip("gpytorch")

from seiko.rewards import RBF, GaussianProcess
from seiko.rewards.joint import Conditioned
from seiko.rewards.marginal_likelihood import tune
from seiko.rewards.standardise import standardise
from seiko.rewards.warping import Warp, warped

POWERS = (0.0, 0.3, 0.5, 1.0, 1.4, 2.0)


def labels(n: int = 41) -> Tensor:
    return torch.linspace(-3.0, 5.0, n, dtype=torch.float64)


@pytest.mark.parametrize("power", POWERS)
def test_it_is_scipy_s_and_its_inverse_undoes_it(power: float) -> None:
    t, warp = labels(), Warp(power=power, centre=0.3, spread=1.7)
    expected = torch.tensor(stats.yeojohnson(t.numpy(), lmbda=power))
    torch.testing.assert_close(warp(t), (expected - 0.3) / 1.7)
    torch.testing.assert_close(warp.inverse(warp(t)), t)
    torch.testing.assert_close(warp.moved(0.4).inverse(warp(t) - 0.4), t)


@pytest.mark.parametrize("power", POWERS)
def test_the_slope_is_the_derivative(power: float) -> None:
    t, warp = labels().requires_grad_(), Warp(power=power, centre=-0.2, spread=0.6)
    (slope,) = torch.autograd.grad(warp(t).sum(), t)
    torch.testing.assert_close(warp.log_slope(t.detach()), slope.log())
    assert warp.width(t.detach()) == pytest.approx(float(slope.pow(-2).mean().sqrt()))


def test_moments_of_a_log_normal_are_known() -> None:
    # far above 0, t + 1 is exp(psi) and psi is normal
    warp, mean, std = Warp(power=0.0, centre=3.0, spread=0.5), torch.tensor([0.0, 1.0]), torch.tensor([0.4, 0.8])
    mean, std = mean.double(), std.double()
    m, s = 3.0 + 0.5 * mean, 0.5 * std
    expected = (m + s.square() / 2).exp()
    found = warp.moments(mean, std)
    torch.testing.assert_close(found[0], expected - 1)
    torch.testing.assert_close(found[1], expected * torch.expm1(s.square()).sqrt())


def test_moments_follow_their_arguments() -> None:
    warp = Warp(power=0.5, centre=0.1, spread=0.9)
    assert torch.autograd.gradcheck(
        warp.moments,
        (
            torch.tensor([-1.0, 0.5], dtype=torch.float64, requires_grad=True),
            torch.tensor([0.3, 0.7], dtype=torch.float64, requires_grad=True),
        ),
    )


def test_labels_as_told_are_not_touched_by_a_power_of_one() -> None:
    told = standardise(torch.zeros(4, 1), torch.tensor([1.0, 2.0, 4.0, 9.0]), None)
    assert warped(told, 1.0) == (told, None)


def test_labels_without_spread_have_a_transform() -> None:
    told = standardise(torch.zeros(3, 1), torch.full((3,), 2.0), None)
    found, warp = warped(told, 0.0)
    assert warp is not None
    assert warp.spread == 1.0
    assert found.y.tolist() == [0.0, 0.0, 0.0]


def test_known_noise_goes_along() -> None:
    told = standardise(torch.zeros(3, 1), torch.tensor([0.0, 1.0, 5.0]), torch.tensor([1e-6, torch.nan, 1e-6]))
    found, warp = warped(told, 0.5)
    assert warp is not None
    assert math.isnan(float(found.noise[1]))
    for i in (0, 2):
        moved = warp(told.y[i] + told.noise[i]) - warp(told.y[i])
        assert float(found.noise[i]) == pytest.approx(float(moved), rel=1e-4)


def skewed(n: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return states, and labels whose logarithm is smooth."""
    generator = torch.Generator().manual_seed(seed)
    x = 4 * torch.rand(n, 1, generator=generator, dtype=torch.float64) - 2
    f = 1.5 * torch.sin(2 * x[:, 0]) + 0.1 * torch.randn(n, generator=generator, dtype=torch.float64)
    return x, f.exp()


def test_the_likelihood_chooses_and_predicts_the_better_for_it() -> None:
    x, y = skewed(40)
    new_x, new_y = skewed(200, seed=1)
    reports = {}
    for powers in ((1.0,), (1.0, 0.5, 0.0)):
        belief = GaussianProcess(kernel=RBF(), restarts=0, powers=powers).fit(x, y, None, 0)
        reports[powers] = belief, belief.posterior(new_x)
    plain, chosen = reports[(1.0,)], reports[(1.0, 0.5, 0.0)]
    assert plain[0].warp is None
    assert chosen[0].warp is not None
    assert chosen[0].warp.power == 0.0
    assert chosen[0].report.held_out is not None
    assert plain[0].report.held_out is not None
    assert chosen[0].report.held_out.rmse < plain[0].report.held_out.rmse
    assert float((chosen[1].mean - new_y).square().mean()) < float((plain[1].mean - new_y).square().mean())


def test_labels_that_need_none_are_left_as_they_are() -> None:
    x, y = skewed(40)
    one = GaussianProcess(kernel=RBF(), restarts=0).fit(x, y.log(), None, 0)
    two = GaussianProcess(kernel=RBF(), restarts=0, powers=(1.0, 0.0)).fit(x, y.log(), None, 0)
    assert two.warp is None
    z = skewed(10, seed=2)[0]
    assert torch.equal(one.posterior(z).mean, two.posterior(z).mean)
    assert torch.equal(one.posterior(z).std, two.posterior(z).std)


def test_powers_are_compared_by_the_density_of_the_same_labels() -> None:
    # long tails on both sides: the logarithm's own likelihood is the larger, for labels that it has squeezed together
    generator = torch.Generator().manual_seed(0)
    x = 4 * torch.rand(30, 1, generator=generator, dtype=torch.float64) - 2
    y = (1.5 * torch.sin(2 * x[:, 0]) + 0.3 * torch.randn(30, generator=generator, dtype=torch.float64)) ** 3
    told = standardise(x, y, None)
    (covariance,) = RBF().bind(None)
    evidence = {}
    for power in (1.0, 0.0):
        found, warp = warped(told, power)
        own = tune(covariance, covariance.inputs(x), found.y, found.noise, 0, 0).log_evidence
        evidence[power] = own, own + (0.0 if warp is None else float(warp.log_slope(told.y).mean()))
    assert evidence[0.0][0] > evidence[1.0][0] + 0.1
    assert evidence[0.0][1] < evidence[1.0][1] - 0.1
    assert GaussianProcess(kernel=RBF(), restarts=0, powers=(1.0, 0.0)).fit(x, y, None, 0).warp is None


def test_a_mean_that_was_found_is_believed_in_the_labels_own_units() -> None:
    x, y = skewed(30)
    belief = GaussianProcess(kernel=RBF(), restarts=0, powers=(0.0,), mean="likelihood").fit(x, y, None, 0)
    assert belief.warp is not None
    plain = warped(standardise(x, y, None), 0.0)[1]
    assert plain is not None
    assert abs(belief.warp.centre - plain.centre) > 0.01  # a mean was found
    residual = (belief.posterior(x).mean - y) / y
    assert float(residual.square().mean().sqrt()) < 0.2


def test_the_noise_of_a_label_is_told_in_its_own_units() -> None:
    x, y = skewed(40)
    belief = GaussianProcess(kernel=RBF(), restarts=0, powers=(0.0,), rescale=False).fit(x, y, None, 0)
    assert belief.warp is not None
    u, sigma, step = belief.warp((y - belief.mean) / belief.scale), belief.noise**0.5, 1e-4
    slope = (belief.warp.inverse(u + step) - belief.warp.inverse(u - step)) / (2 * step)
    expected = belief.scale * sigma * float(slope.square().mean().sqrt())
    assert belief.report.residual_std == pytest.approx(expected, rel=1e-5)


def test_posterior_draws_and_errors_agree() -> None:
    x, y = skewed(12)
    belief = GaussianProcess(kernel=RBF(), restarts=0, powers=(0.0,), features=256, rescale=False).fit(x, y, None, 0)
    z = skewed(8, seed=3)[0]
    posterior = belief.posterior(z)
    generator = torch.Generator().manual_seed(0)
    draws = torch.stack([belief.draw(generator).posterior(z).mean for _ in range(500)])
    torch.testing.assert_close(draws.mean(0), posterior.mean, rtol=0.15, atol=0.1)
    torch.testing.assert_close(draws.std(0), posterior.std, rtol=0.2, atol=0.05)
    errors = belief.errors(z)
    torch.testing.assert_close(errors.variance.sqrt(), posterior.std)
    for row in (0, 5):
        assert float(errors.column(row)[row]) == pytest.approx(float(posterior.std[row] ** 2), rel=1e-6)
    rest = Conditioned(errors, belief.report.residual_std)
    rest.label(3)
    assert bool((rest.std <= posterior.std + 1e-9).all())
    assert float(rest.std[3]) < float(posterior.std[3])


def test_the_gradient_reaches_the_states() -> None:
    x, y = skewed(12)
    belief = GaussianProcess(kernel=RBF(), restarts=0, powers=(0.0,)).fit(x, y, None, 0)

    def seen(z: Tensor) -> tuple[Tensor, Tensor]:
        posterior = belief.posterior(z)
        return posterior.mean, posterior.std

    assert torch.autograd.gradcheck(seen, (skewed(3, seed=4)[0].requires_grad_(),), atol=1e-4)


@pytest.mark.parametrize("powers", [(), (-0.1,), (1.0, 2.5), (np.nan,)])
def test_powers_that_cannot_be_undone_are_refused(powers: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="powers must be numbers from 0 to 2"):
        GaussianProcess(kernel=RBF(), powers=powers)
