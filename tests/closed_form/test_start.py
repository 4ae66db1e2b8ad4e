"""A process with a memory: what a fixed start misses, and that a learnt one misses nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from seiko.diffusion import Noise
from seiko.models import GaussianToy, ModelPolicy
from seiko.updates import (
    PPO,
    AdjointMatching,
    Anchor,
    DirectBackprop,
    LearnedStart,
    NotMemorylessWarning,
    Problem,
    UpdateState,
)

ALPHA, WEIGHT = 0.5, 2.0


def missing(toy: GaussianToy) -> float:
    """Return the share of the tilted mean that a fixed start leaves out: what it adds to the variance of x_0."""
    with torch.no_grad():
        gain = torch.stack([slope for slope, _, _ in toy.steps("pretrained")]).prod()
        return float(gain**2 / toy.law("pretrained")[1])


def test_at_half_the_noise_the_best_chain_misses_eight_percent_and_an_update_finds_nothing_better() -> None:
    # what a fixed start adds falls slowly with the number of steps: 54 % at 4 steps, 25 % at 16, 8 % at 120
    toy = GaussianToy.exact(std=0.5, num_steps=120, eta=0.5)
    assert missing(toy) == pytest.approx(0.08, abs=0.005)
    policy = ModelPolicy(toy)
    with pytest.warns(NotMemorylessWarning, match="not memoryless"):
        DirectBackprop().init(policy)
    problem = Problem(lambda x: WEIGHT * x[:, 0], (Anchor(ModelPolicy(toy, "pretrained"), ALPHA),))
    state = UpdateState(torch.optim.SGD(policy.parameters(), lr=0.0))
    offset = policy.parameters()[1]

    def gradient() -> float:
        DirectBackprop(max_grad_norm=1e9).step(state, policy, problem, None, Noise.seeded(0, 8))
        assert offset.grad is not None
        return float(offset.grad.abs().max())

    before = gradient()
    with torch.no_grad():
        later = torch.ones(1)
        for k, (slope, _, std) in enumerate(reversed(list(toy.steps("pretrained"))), start=1):
            x = torch.zeros(1, 1)
            effect = toy.process.transition(x + 1, x, k).mean - toy.process.transition(x, x, k).mean
            offset[k - 1] += (std**2 * WEIGHT / ALPHA * later / effect)[0]  # each step's own optimum
            later = later * slope
        mean = float(toy.law()[0] / (WEIGHT / ALPHA * toy.law("pretrained")[1]))
    after = gradient()
    print(f"predicted {missing(toy):.1%} short, reached {1 - mean:.1%} short; gradient {before:.4f} -> {after:.1e}")
    assert 1 - mean == pytest.approx(missing(toy), abs=1e-3)
    assert after < 1e-3 * before


@pytest.mark.parametrize(
    ("update", "samples"),
    [
        (DirectBackprop(learning_rate=0.05), 64),
        (AdjointMatching(learning_rate=0.05), 64),
        (PPO(learning_rate=0.05), 512),
    ],
    ids=["backprop", "adjoint", "ppo"],
)
def test_a_learnt_start_reaches_the_tilted_law(update: Any, samples: int) -> None:
    toy = GaussianToy.exact(std=0.5, num_steps=4, eta=0.5)
    policy = LearnedStart.learn(ModelPolicy(toy))
    anchor = LearnedStart.standard(ModelPolicy(toy, "pretrained"))
    problem = Problem(lambda x: WEIGHT * x[:, 0], (Anchor(anchor, ALPHA),))
    for stage, steps in enumerate((40, 20, 20)):
        slower = replace(update, learning_rate=0.1 / 5**stage)
        state = slower.init(policy)
        for step in range(steps):
            slower.step(state, policy, problem, None, Noise.seeded(stage, samples).fold_in(step))
    mean, variance, kl = exact(toy, policy)
    with torch.no_grad():
        plain_mean, plain_variance = (float(value) for value in toy.law("pretrained"))
    tilt = plain_mean + WEIGHT / ALPHA * plain_variance
    best = WEIGHT * plain_mean + WEIGHT**2 * plain_variance / (2 * ALPHA)
    value = WEIGHT * mean - ALPHA * kl
    print(f"mean {mean:.4f} of {tilt:.4f}, J {value:.4f} of {best:.4f}; a fixed start misses {missing(toy):.0%}")
    assert missing(toy) > 0.5
    assert mean == pytest.approx(tilt, rel=0.02)
    assert value == pytest.approx(best, rel=0.02)
    assert variance == pytest.approx(plain_variance, rel=0.06)


def test_its_spread_is_learnt_where_the_tilt_is_narrower() -> None:
    # A = -2 (x - 1)²: the tilted law of x_0 is narrower, and with eta = .3 that is mostly the start's doing
    toy = GaussianToy.exact(std=0.5, num_steps=4, eta=0.3)
    with torch.no_grad():
        mean, variance = (float(value) for value in toy.law("pretrained"))
    precision = 1 / variance + 4 / ALPHA
    tilt = ((mean / variance + 4 / ALPHA) / precision, 1 / precision)
    policy = LearnedStart.learn(ModelPolicy(toy))
    anchor = LearnedStart.standard(ModelPolicy(toy, "pretrained"))
    problem = Problem(lambda x: -2 * (x[:, 0] - 1) ** 2, (Anchor(anchor, ALPHA),))
    for stage in range(3):
        update = AdjointMatching(learning_rate=0.1 / 5**stage)
        state = update.init(policy)
        for step in range(40):
            update.step(state, policy, problem, None, Noise.seeded(stage, 128).fold_in(step))
    reached = exact(toy, policy)
    print(f"mean {reached[0]:.4f} of {tilt[0]:.4f}, variance {reached[1]:.4f} of {tilt[1]:.4f} (was {variance:.4f})")
    assert reached[0] == pytest.approx(tilt[0], rel=0.02)
    assert reached[1] == pytest.approx(tilt[1], rel=0.05)
    assert float(policy.log_std.detach().exp()) < 0.85


def exact(toy: GaussianToy, policy: LearnedStart) -> tuple[float, float, float]:
    """Return mean and variance of x_0, and the KL of start and path to the pretrained ones, exactly."""
    with torch.no_grad():
        mean, variance = policy.mean, (2 * policy.log_std).exp()
        kl = (0.5 * (mean**2 + variance - 1) - policy.log_std).sum()
        for (slope, offset, std), (plain, plain_offset, _) in zip(
            toy.steps("current"), toy.steps("pretrained"), strict=True
        ):
            gap = (slope - plain) * mean + offset - plain_offset
            kl = kl + ((gap**2 + (slope - plain) ** 2 * variance) / (2 * std**2)).sum()
            mean, variance = slope * mean + offset, slope**2 * variance + std**2
    return float(mean), float(variance), float(kl)
