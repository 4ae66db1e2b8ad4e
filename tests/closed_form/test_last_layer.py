"""The last layer against what is known exactly: Bayesian regression, a Gaussian process, and how they shrink."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from seiko.rewards import Identity, LastLayer, ReverseComplement, Windows
from seiko.rewards.evidence import best_evidence
from seiko.rewards.window_kernel import WindowKernel


def regression(n: int, d: int = 5, noise: float = 0.5, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, d, generator=generator, dtype=torch.float64)
    w = torch.linspace(-1, 1, d, dtype=torch.float64)
    return x, x @ w + noise * torch.randn(n, generator=generator, dtype=torch.float64)


def test_it_is_bayesian_linear_regression() -> None:
    x, y = regression(40)
    ridge = 3.0
    belief = LastLayer(features=Identity(), ridge=ridge, rescale=False).fit(x, y, None, 0)
    t, sigma = y - y.mean(), belief.report.residual_std
    z = torch.randn(20, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    # w ~ N(0, sigma^2/ridge), t | w ~ N(x w, sigma^2): the textbook posterior by inversion of the precision.
    covariance = torch.linalg.inv((x.T @ x + ridge * torch.eye(5, dtype=torch.float64)) / sigma**2)
    mean = y.mean() + z @ (covariance @ x.T @ t) / sigma**2
    posterior = belief.posterior(z)
    torch.testing.assert_close(posterior.mean, mean)
    torch.testing.assert_close(posterior.std, (z @ covariance * z).sum(1).sqrt())
    errors = belief.errors(z)
    torch.testing.assert_close(errors.variance, posterior.std.square())
    torch.testing.assert_close(torch.stack([errors.column(row) for row in range(20)]), z @ covariance @ z.T)


def test_the_noise_and_the_ridge_are_found() -> None:
    x, y = regression(3000, noise=0.5)
    belief = LastLayer(features=Identity()).fit(x, y, None, 0)
    assert belief.report.residual_std == pytest.approx(0.5, rel=0.05)
    torch.testing.assert_close(
        belief.weights * belief.scale, torch.linspace(-1, 1, 5, dtype=torch.float64), atol=0.05, rtol=0
    )


def test_the_ridge_form_shrinks_and_a_covariance_would_not() -> None:
    probe = torch.eye(5, dtype=torch.float64)
    model = LastLayer(features=Identity(), ridge=1.0)
    data = {n: regression(n) for n in (1000, 16_000)}
    few, many = (float(model.fit(*data[n], None, 0).posterior(probe).std.mean()) for n in data)
    assert many == pytest.approx(few / 4, rel=0.1)  # 1 / sqrt(n)
    spreads = [float((probe @ torch.cov(x.T) * probe).sum(1).sqrt().mean()) for x, _ in data.values()]
    assert spreads[1] == pytest.approx(spreads[0], rel=0.1)


def test_evidence_is_that_of_the_student_law() -> None:
    """Integrated over s^2, labels are multivariate t: the choice of lambda must rank ridges as that law does."""
    x, y = regression(30, d=4)
    t = (y - y.mean()) / y.std(correction=0)
    unit = float(x.square().sum(1).mean())

    def log_t(ridge: float) -> float:
        c = x @ x.T / unit + ridge / unit * torch.eye(30, dtype=torch.float64)
        # Independent route: t/sqrt(v) over s^2 ~ inverse gamma (1, 1), by quadrature.
        log_s2 = torch.linspace(-12, 12, 4001, dtype=torch.float64)
        s2 = log_s2.exp()
        quadratic = t @ torch.linalg.solve(c, t)
        log_gauss = -0.5 * quadratic / s2 - 15 * log_s2 - 0.5 * torch.logdet(c)
        log_prior = -log_s2 - 1 / s2  # times ds2 = s2 dlog(s2)
        return float(torch.logsumexp(log_gauss + log_prior, 0))

    ridges = (0.01, 1.0, 30.0)
    nan = torch.full_like(t, torch.nan)
    found = [best_evidence(x, t, nan, ridge).log_evidence for ridge in ridges]
    exact = [log_t(ridge) for ridge in ridges]
    for i in (1, 2):
        assert found[i] - found[0] == pytest.approx(exact[i] - exact[0], abs=1e-4)


def test_leave_one_out_is_a_refit_without_the_label() -> None:
    x, y = regression(25)
    t = y - y.mean()
    fit = best_evidence(x, t, torch.full_like(t, torch.nan), 2.0)
    mean, variance = fit.leave_one_out(t)
    for i in (0, 7, 24):
        rest = torch.arange(25) != i
        a = x[rest].T @ x[rest] + 2.0 * torch.eye(5, dtype=torch.float64)
        assert float(mean[i]) == pytest.approx(float(x[i] @ torch.linalg.solve(a, x[rest].T @ t[rest])))
        expected = fit.residual_std**2 * (1 + float(x[i] @ torch.linalg.solve(a, x[i])))
        assert float(variance[i]) == pytest.approx(expected)


def test_on_landmarks_it_is_the_gaussian_process() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(0, 4, (60, 7), generator=generator)
    y = (x == 2).sum(1) + torch.randn(60, generator=generator, dtype=torch.float64)
    z = torch.randint(0, 4, (30, 7), generator=generator)
    both = ReverseComplement()
    source = Windows(vocabulary=4, widths=(2, 3), sharpness=(1.0,))
    belief = LastLayer(features=source, symmetry=both, ridge=0.3, rescale=False).fit(x, y, None, 0)
    kernel = WindowKernel(vocabulary=4, widths=(2, 3), sharpness=1.0, symmetry=both)
    sigma2 = belief.report.residual_std**2
    signal = sigma2 / 0.3
    gram = signal * kernel(x, x) + sigma2 * torch.eye(60, dtype=torch.float64)
    cross = signal * kernel(z, x)
    mean = y.mean() + cross @ torch.linalg.solve(gram, y - y.mean())
    variance = signal - (cross * torch.linalg.solve(gram, cross.T).T).sum(1)
    posterior = belief.posterior(z)
    torch.testing.assert_close(posterior.mean.double(), mean, atol=1e-4, rtol=0)
    torch.testing.assert_close(posterior.std.double(), variance.sqrt(), atol=1e-3, rtol=0)
    # Of what landmarks cannot say, a state has nothing in common with any other; the rest is the process's.
    errors = belief.errors(torch.cat([z, x]))
    found = torch.stack([errors.column(row) for row in range(90)]).double()
    assert bool((torch.linalg.eigvalsh(found) > -1e-5).all())
    torch.testing.assert_close(errors.variance.double()[:30], variance, atol=1e-3, rtol=0)
    at_landmarks = signal * kernel(z, x) - cross @ torch.linalg.solve(gram, signal * kernel(x, x))
    torch.testing.assert_close(found[:30, 30:], at_landmarks, atol=1e-3, rtol=0)


def test_draws_have_the_posterior_as_their_law() -> None:
    x, y = regression(50)
    belief = LastLayer(features=Identity(), rescale=False).fit(x, y, None, 0)
    z = torch.eye(5, dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    values = torch.stack([belief.draw(generator).posterior(z).mean for _ in range(4000)])
    posterior = belief.posterior(z)
    torch.testing.assert_close(values.mean(0), posterior.mean, atol=0.01, rtol=0)
    torch.testing.assert_close(values.std(0), posterior.std, rtol=0.05, atol=0)


def test_known_noise_weighs_by_inverse_variance() -> None:
    """Half of the labels a hundred times as noisy: the weighted estimate is as if they were hardly there."""
    x, y = regression(400, noise=0.1)
    noise = torch.full_like(y, 0.1)
    noise[200:] = 10.0
    y[200:] += 10.0 * torch.randn(200, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    truth = torch.linspace(-1, 1, 5, dtype=torch.float64)
    told = LastLayer(features=Identity()).fit(x, y, noise, 0)
    untold = LastLayer(features=Identity()).fit(x, y, None, 0)
    assert float((told.weights * told.scale - truth).norm()) < 0.1
    assert float((untold.weights * untold.scale - truth).norm()) > 0.3
