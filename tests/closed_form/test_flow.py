"""The stochastic sampler of flow models on Gaussian data, where the velocity and all marginals are known."""

from __future__ import annotations

import pytest
import torch

from seiko.diffusion import Flow, FlowSchedule, Noise

MEAN, STD = 1.5, 0.6


def velocity(x: torch.Tensor, t: float) -> torch.Tensor:
    """Return E[eps - x_0 | x_t] for x_0 ~ N(MEAN, STD²)."""
    variance = (1 - t) ** 2 * STD**2 + t**2
    slope = (t - (1 - t) * STD**2) / variance
    return slope * (x - (1 - t) * MEAN) - MEAN


def affine(process: Flow, k: int) -> tuple[float, float, float]:
    """Return (a, b, std) of step k: x_s = a x_t + b + std xi."""
    x = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
    law = process.transition(velocity(x, float(process.times[k])), x, k)
    low, high = law.mean.flatten().tolist()
    return high - low, low, float(law.std)


def errors(num_steps: int, eta: float, shift: float = 1.0) -> tuple[float, float, float]:
    """Return the largest errors of mean and std over all times, and the correlation of x_1 with the end."""
    process = Flow(schedule=FlowSchedule(shift=shift, end=0.02), num_steps=num_steps, eta=eta)
    mean, variance, carried, mean_error, std_error = 0.0, 1.0, 1.0, 0.0, 0.0
    for k in range(num_steps, 0, -1):
        a, b, std = affine(process, k)
        mean, variance, carried = a * mean + b, a**2 * variance + std**2, a * carried
        s = float(process.times[k - 1])
        mean_error = max(mean_error, abs(mean - (1 - s) * MEAN))
        std_error = max(std_error, abs(variance**0.5 - ((1 - s) ** 2 * STD**2 + s**2) ** 0.5))
    return mean_error, std_error, carried / variance**0.5


@pytest.mark.parametrize("shift", [1.0, 3.0])
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_marginals_are_the_flows_own(eta: float, shift: float) -> None:
    coarse, fine = errors(100, eta, shift), errors(400, eta, shift)
    assert fine[0] < 1e-9  # the mean is exact at any number of steps
    assert fine[1] < 0.01
    assert fine[1] < 0.3 * coarse[1]  # first order in the size of a step


def test_only_eta_one_forgets_its_start() -> None:
    assert errors(50, 1.0)[2] == pytest.approx(0.0, abs=1e-12)
    assert errors(50, 0.0)[2] == pytest.approx(1.0, abs=0.05)
    assert 0.05 < errors(50, 0.5)[2] < 0.95
    assert Flow(num_steps=50).memoryless
    assert not Flow(num_steps=50, eta=0.5).memoryless


def test_noise_of_small_steps_is_the_memoryless_schedule() -> None:
    process = Flow(num_steps=2000)
    for k in (200, 1000, 1800):
        t, s = float(process.times[k]), float(process.times[k - 1])
        assert affine(process, k)[2] ** 2 == pytest.approx(2 * t / (1 - t) * (t - s), rel=0.02)


def test_without_noise_a_step_is_eulers() -> None:
    process = Flow(schedule=FlowSchedule(shift=2.0, end=0.0), num_steps=5, eta=0.0)
    x, v = torch.randn(3, 4, dtype=torch.float64), torch.randn(3, 4, dtype=torch.float64)
    t, s = process.times[4], process.times[3]
    law = process.transition(v, x, 4)
    torch.testing.assert_close(law.mean, x + (s - t) * v)
    assert float(law.std) == 0.0


def test_steps_may_differ_by_sample() -> None:
    process = Flow(num_steps=4)
    x, v = torch.randn(2, 3), torch.randn(2, 3)
    both = process.transition(v, x, torch.tensor([1, 4]))
    for row, k in enumerate((1, 4)):
        one = process.transition(v[row : row + 1], x[row : row + 1], k)
        torch.testing.assert_close(both.mean[row], one.mean[0])
        torch.testing.assert_close(both.std[row].flatten(), one.std.flatten())


def test_every_step_has_a_density() -> None:
    process = Flow(num_steps=4)
    x = process.prior((2,), Noise.seeded(0, 3))
    for k in range(4, 0, -1):
        assert bool(torch.isfinite(process.transition(x, x, k).log_prob(x)).all())


@pytest.mark.parametrize("options", [{"end": 1.0}, {"end": -0.1}, {"shift": 0.0}])
def test_a_schedule_that_cannot_be_is_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        FlowSchedule(**options)


def test_eta_is_checked() -> None:
    with pytest.raises(ValueError, match="eta"):
        Flow(num_steps=4, eta=1.5)
