"""Gaussian processes against the textbook, draws against the posterior, the variational one against the exact."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

pytest.importorskip("gpytorch")

import gpytorch
from linear_operator.utils.errors import NotPSDError

from seiko.rewards import RBF, GaussianProcess, Hamming, Identity, LastLayer, Linear, ReverseComplement, Spectrum, Sum
from seiko.rewards.gp_belief import GaussianProcessBelief
from seiko.rewards.joint import Conditioned
from seiko.rewards.kernels import Kernel
from seiko.rewards.marginal_likelihood import tune


def data(n: int, seed: int = 0, noise: float = 0.2) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = 4 * torch.rand(n, 2, generator=generator, dtype=torch.float64) - 2
    y = torch.sin(2 * x[:, 0]) + x[:, 1] + noise * torch.randn(n, generator=generator, dtype=torch.float64)
    return x, y


def words(n: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randint(0, 4, (n, 6), generator=generator)
    return x, (x == 2).sum(1) + 0.3 * torch.randn(n, generator=generator, dtype=torch.float64)


def textbook(belief: GaussianProcessBelief, x: Tensor, y: Tensor, z: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and std by inversion, in numpy and in the oracle's units."""

    def k(a: Tensor, b: Tensor) -> np.ndarray:
        inputs = belief.covariance.inputs(a), belief.covariance.inputs(b)
        return belief.signal * belief.covariance(belief.logs, *inputs).double().numpy()

    t = ((y - belief.mean) / belief.scale).numpy()
    precision = np.linalg.inv(k(x, x) + np.diag(belief.noise + (noise / belief.scale).numpy() ** 2))
    mean = k(z, x) @ precision @ t
    variance = np.diag(k(z, z) - k(z, x) @ precision @ k(x, z))
    return torch.tensor(belief.mean + belief.scale * mean), torch.tensor(belief.scale * np.sqrt(variance))


def test_it_is_the_textbook_posterior() -> None:
    x, y = data(40)
    belief = GaussianProcess(kernel=RBF(ard=True), rescale=False, restarts=0).fit(x, y, None, 0)
    z = data(15, seed=1)[0]
    mean, std = textbook(belief, x, y, z, torch.zeros(40))
    posterior = belief.posterior(z)
    torch.testing.assert_close(posterior.mean, mean)
    torch.testing.assert_close(posterior.std, std)


def test_known_noise_is_used_label_by_label() -> None:
    x, y = data(60, noise=0.05)
    noise = torch.full_like(y, torch.nan)
    noise[:20] = 2.0
    y[:20] += 2.0 * torch.randn(20, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    model = GaussianProcess(kernel=RBF(ard=True), rescale=False, restarts=0)
    told, untold = model.fit(x, y, noise, 0), model.fit(x, y, None, 0)
    z, truth = data(50, seed=1, noise=0.0)
    mean, std = textbook(told, x, y, z, torch.nan_to_num(noise, nan=0.0))
    torch.testing.assert_close(told.posterior(z).mean, mean)
    torch.testing.assert_close(told.posterior(z).std, std)
    errors = [float((belief.posterior(z).mean - truth).abs().mean()) for belief in (told, untold)]
    assert errors[0] < 0.6 * errors[1]
    assert told.report.residual_std < 0.4 * untold.report.residual_std


def test_a_linear_kernel_is_the_last_layer() -> None:
    x, y = data(50)
    process = GaussianProcess(kernel=Linear(), rescale=False).fit(x, y, None, 0)
    unit = float(process.logs["unit"].exp())
    ridge = process.noise / process.signal * unit
    layer = LastLayer(features=Identity(), ridge=ridge, rescale=False).fit(x, y, None, 0)
    z = data(20, seed=1)[0]
    a, b = process.posterior(z), layer.posterior(z)
    torch.testing.assert_close(a.mean, b.mean)
    # The ridge fixes std up to sigma, which the last layer integrates over and the process optimises.
    sigma = process.report.residual_std / layer.report.residual_std
    torch.testing.assert_close(a.std, b.std * sigma, rtol=1e-4, atol=0)


@pytest.mark.parametrize("kernel", [Hamming(vocabulary=4), Spectrum(vocabulary=4, widths=(2, 3), sharpness=(1.0,))])
def test_sequences_of_both_strands(kernel: Kernel) -> None:
    x, y = words(40)
    belief = GaussianProcess(kernel=kernel, symmetry=ReverseComplement(), rescale=False, restarts=0).fit(x, y, None, 0)
    z = words(20, seed=1)[0]
    mean, std = textbook(belief, x, y, z, torch.zeros(40))
    posterior = belief.posterior(z)
    torch.testing.assert_close(posterior.mean.double(), mean, atol=1e-4, rtol=0)
    torch.testing.assert_close(posterior.std.double(), std, atol=1e-3, rtol=0)


def test_leave_one_out_is_a_refit_without_the_label() -> None:
    x, y = data(25)
    model = GaussianProcess(kernel=RBF(), rescale=False, restarts=0)
    belief = model.fit(x, y, None, 0)
    mean, variance = belief.solution.leave_one_out()
    for i in (0, 11, 24):
        rest = torch.arange(25) != i
        expected = textbook(belief, x[rest], y[rest], x[i : i + 1], torch.zeros(24))
        assert float(belief.mean + belief.scale * mean[i]) == pytest.approx(float(expected[0]), abs=1e-6)
        assert float(belief.scale * variance[i].sqrt()) == pytest.approx(float(expected[1]), abs=1e-6)


def both_kernels() -> Kernel:
    return Sum(kernels=(RBF(ard=True), Linear()))


@pytest.mark.parametrize("kernel", [RBF(), both_kernels()])
def test_errors_are_those_of_the_posterior(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seiko.rewards.gp_belief._ROWS", 7)  # 20 states are three blocks
    x, y = data(30)
    belief = GaussianProcess(kernel=kernel, restarts=0, rescale=True).fit(x, y, None, 0)
    z = data(20, seed=1)[0]
    errors = belief.errors(z)
    torch.testing.assert_close(errors.variance.sqrt(), belief.posterior(z).std)
    inputs = [belief.covariance.inputs(part) for part in (x, z)]

    def k(a: int, b: int) -> Tensor:
        return belief.signal * belief.covariance(belief.logs, inputs[a], inputs[b])

    precision = torch.linalg.inv(k(0, 0) + belief.noise * torch.eye(30, dtype=torch.float64))
    expected = (belief.scale * belief.report.std_scale) ** 2 * (k(1, 1) - k(1, 0) @ precision @ k(0, 1))
    found = torch.stack([errors.column(row) for row in range(20)])
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6)


def test_imagined_labels_shrink_std_as_real_ones_do() -> None:
    x, y = data(30)
    belief = GaussianProcess(kernel=RBF(ard=True), restarts=0, rescale=False).fit(x, y, None, 0)
    z = data(20, seed=1)[0]
    conditioned = Conditioned(belief.errors(z), belief.report.residual_std)
    rows = [3, 17, 3, 8]  # one of them measured twice
    for row in rows:
        conditioned.label(row)
    seen = torch.cat([x, z[rows]])
    _, std = textbook(belief, seen, torch.zeros(len(seen)), z, torch.zeros(len(seen)))
    torch.testing.assert_close(conditioned.std, std)


def test_imagined_labels_without_noise_leave_nothing_to_learn() -> None:
    x, y = data(30)
    belief = GaussianProcess(kernel=RBF(), restarts=0).fit(x, y, None, 0)
    conditioned = Conditioned(belief.errors(data(9, seed=1)[0]), 0.0)
    for row in [*range(9), *range(9)]:  # the second time there is no variance to divide by
        conditioned.label(row)
    assert float(conditioned.std.max()) < 1e-3 * belief.scale


def test_hyperparameters_of_a_few_labels_are_moved_on_by_more() -> None:
    x, y = data(300)
    few = GaussianProcess(kernel=RBF(ard=True), restarts=0, tuned_on=40, polished_on=0).fit(x, y, None, 0)
    more = GaussianProcess(kernel=RBF(ard=True), restarts=0, tuned_on=40, polished_on=300).fit(x, y, None, 0)
    whole = GaussianProcess(kernel=RBF(ard=True), restarts=0, tuned_on=300).fit(x, y, None, 0)
    assert abs(more.noise - whole.noise) < 0.02 * whole.noise
    torch.testing.assert_close(more.logs["length"], whole.logs["length"], atol=0.02, rtol=0)
    assert abs(few.noise - whole.noise) > 0.1 * whole.noise


def test_a_mean_by_likelihood_counts_designs_that_are_alike_for_few() -> None:
    generator = torch.Generator().manual_seed(0)
    spread = 40 * torch.rand(30, 1, generator=generator, dtype=torch.float64)
    best = 50 + 0.3 * torch.rand(90, 1, generator=generator, dtype=torch.float64)  # as many of one kind
    x = torch.cat([spread, best])
    y = torch.cat([torch.sin(3 * spread[:, 0]), 4 + 0.1 * best[:, 0]])
    far = torch.tensor([[90.0]], dtype=torch.float64)
    model = GaussianProcess(kernel=RBF(), restarts=2)
    of_labels, likely = model.fit(x, y, None, 0), replace(model, mean="likelihood").fit(x, y, None, 0)
    assert of_labels.mean == pytest.approx(float(y.mean()))
    assert float(of_labels.posterior(far).mean) == pytest.approx(float(y.mean()), abs=1e-3)
    inputs = likely.covariance.inputs(x)
    covariance = likely.signal * likely.covariance(likely.logs, inputs, inputs) + likely.noise * torch.eye(120)
    weights = torch.linalg.solve(covariance, torch.ones(120, dtype=torch.float64))
    width = 2.0 * likely.scale  # of the mean's own prior, around the labels' mean
    prior = (likely.scale / width) ** 2  # squared standard units
    expected = (weights @ y + prior * y.mean()) / (weights.sum() + prior)  # generalised least squares
    assert likely.mean == pytest.approx(float(expected), abs=0.05)
    assert float(likely.posterior(far).mean) == pytest.approx(likely.mean, abs=1e-3)
    assert likely.mean < float(y.mean()) - 2
    at = likely.posterior(x).mean
    assert float((at - y).abs().mean()) < 0.1  # what is known is not moved


def test_states_are_looked_at_once() -> None:
    """A feature may be a forward pass of a large model."""
    seen: list[int] = []

    def feature(x: Tensor) -> Tensor:
        seen.append(len(x))
        return x

    x, y = data(25)
    belief = GaussianProcess(kernel=RBF(feature=feature), restarts=0).fit(x, y, None, 0)
    for asked in (belief, belief.draw(torch.Generator().manual_seed(0))):
        seen.clear()
        asked.posterior(x[:7])
        assert seen == [7]


def test_hyperparameters_are_found() -> None:
    """Labels drawn from a process of known length-scales and noise."""
    x = 4 * torch.rand(250, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    covariance = RBF(ard=True).bind(None)[0]
    inputs, logs = covariance.inputs(x), {"length": torch.tensor([0.7, 3.0]).double().log()}
    gram = covariance(logs, inputs, inputs) + 0.04 * torch.eye(250)
    y = torch.linalg.cholesky(gram) @ torch.randn(250, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = tune(covariance, inputs, y, torch.full_like(y, torch.nan), restarts=1, seed=0)
    assert found.logs["length"].exp().tolist() == pytest.approx([0.7, 3.0], rel=0.35)
    assert found.noise == pytest.approx(0.04, rel=0.4)


def test_a_trial_without_a_cholesky_factor_is_turned_back_from(monkeypatch: pytest.MonkeyPatch) -> None:
    # happened after 850 labels of a molecule run: one trial of the line search was far out, and the run ended there
    x, y = data(40)
    undisturbed = GaussianProcess(kernel=RBF(), restarts=0).fit(x, y, None, 0)
    right, calls = gpytorch.mlls.ExactMarginalLogLikelihood.forward, []

    def disturbed(self: Any, *args: Any, **kwargs: Any) -> Tensor:
        calls.append(1)
        if len(calls) in (3, 6):
            raise NotPSDError("one trial too far out")
        return right(self, *args, **kwargs)

    monkeypatch.setattr(gpytorch.mlls.ExactMarginalLogLikelihood, "forward", disturbed)
    belief = GaussianProcess(kernel=RBF(), restarts=0).fit(x, y, None, 0)
    assert len(calls) > 6
    assert belief.noise == pytest.approx(undisturbed.noise, rel=0.01)
    assert belief.signal == pytest.approx(undisturbed.signal, rel=0.01)

    def hopeless(self: Any, *args: Any, **kwargs: Any) -> Tensor:
        raise NotPSDError("all trials")

    monkeypatch.setattr(gpytorch.mlls.ExactMarginalLogLikelihood, "forward", hopeless)
    with pytest.raises(ValueError, match="40 labels is not positive definite"):
        GaussianProcess(kernel=RBF()).fit(x, y, None, 0)


def test_many_labels_through_few_points_come_close() -> None:
    x, y = data(300)
    exact = GaussianProcess(kernel=RBF(ard=True), rescale=False, restarts=0, tuned_on=100)
    z = data(60, seed=1)[0]
    a = exact.fit(x, y, None, 0).posterior(z)
    for points, tolerance in ((100, 0.01), (299, 1e-3)):
        belief = replace(exact, exact_up_to=200, inducing=points).fit(x, y, None, 0)
        assert len(belief.inducing) == points
        b = belief.posterior(z)
        torch.testing.assert_close(a.mean, b.mean, atol=tolerance, rtol=0)
        torch.testing.assert_close(a.std, b.std, atol=tolerance, rtol=0)


def test_few_inducing_points_know_what_they_miss() -> None:
    x, y = data(300)
    model = GaussianProcess(kernel=RBF(ard=True), rescale=False, restarts=0, exact_up_to=200, inducing=5, tuned_on=100)
    z = data(60, seed=1)[0]
    few, many = (replace(model, inducing=m).fit(x, y, None, 0).posterior(z) for m in (5, 150))
    assert float(few.std.mean()) > 5 * float(many.std.mean())


@pytest.mark.parametrize("exact_up_to", [2000, 20])
def test_draws_have_the_posterior_as_their_law(exact_up_to: int) -> None:
    x, y = data(30)
    model = GaussianProcess(kernel=RBF(), rescale=False, restarts=0, exact_up_to=exact_up_to, inducing=15, features=500)
    belief = model.fit(x, y, None, 0)
    z = torch.cat([data(6, seed=1)[0], torch.tensor([[9.0, 9.0]]).double()])  # and one far from all labels
    z[1] = z[0] + 0.2  # one function: nearby values move together, as the posterior says
    generator = torch.Generator().manual_seed(0)
    values = torch.stack([belief.draw(generator).posterior(z).mean for _ in range(1000)])
    posterior = belief.posterior(z)
    error = (values.mean(0) - posterior.mean).abs() / posterior.std
    assert float(error.max()) < 4 / 1000**0.5
    torch.testing.assert_close(values.std(0), posterior.std, rtol=0.12, atol=0)
    a, b = belief.covariance.inputs(z), belief.covariance.inputs(belief.inducing)
    explained = belief.signal * belief.covariance(belief.logs, a, b) @ belief.solution.root
    covariance = belief.signal * belief.covariance(belief.logs, a, a) - explained @ explained.T
    correlation = covariance[0, 1] / (covariance[0, 0] * covariance[1, 1]).sqrt()
    assert float(torch.corrcoef(values.T)[0, 1]) == pytest.approx(float(correlation), abs=0.06)


def test_a_draw_on_sequences_keeps_its_spread_far_from_the_labels() -> None:
    x, y = words(60)
    kernel = Spectrum(vocabulary=4, widths=(2, 4), sharpness=(1.0,))
    belief = GaussianProcess(kernel=kernel, rescale=False).fit(x, y, None, 0)
    z = words(10, seed=5)[0]
    generator = torch.Generator().manual_seed(0)
    values = torch.stack([belief.draw(generator).posterior(z).mean for _ in range(200)]).double()
    posterior = belief.posterior(z)
    torch.testing.assert_close(values.std(0), posterior.std.double(), rtol=0.25, atol=0)
    error = (values.mean(0) - posterior.mean.double()).abs() / posterior.std.double()
    assert float(error.max()) < 5 / 200**0.5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tuned_on": 0}, "tuned_on must be at least 1, got 0"),
        ({"restarts": -1}, "restarts must be at least 0, got -1"),
        ({"polished_on": -1}, "polished_on must be at least 0, got -1"),
    ],
)
def test_what_cannot_be_is_refused_when_it_is_made(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(GaussianProcess(kernel=RBF()), **changes)
