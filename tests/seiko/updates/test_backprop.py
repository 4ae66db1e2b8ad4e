from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch

from seiko.diffusion import GradientWindow, Noise, path_kl, rollout
from seiko.updates import BiasedGradientWarning, DirectBackprop, UpdateState


@pytest.mark.parametrize("window", [0, -2, (0, 3), (3, 2)])
def test_windows_that_do_not_exist_are_refused(window: Any) -> None:
    with pytest.raises(ValueError, match="window must be at least 1 step"):
        DirectBackprop(window=window)


def test_only_a_masked_model_is_warned_of(gaussian: Any, masked: Any) -> None:
    update, noise = DirectBackprop(), Noise.seeded(0, 8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        update.step(update.init(gaussian.policy), gaussian.policy, gaussian.problem(), None, noise)
    with pytest.warns(BiasedGradientWarning, match="PPO is exact"):
        update.step(update.init(masked.policy), masked.policy, masked.problem(), None, noise)


@pytest.mark.parametrize("window", [1, 2, None])
def test_the_gradient_is_that_of_the_last_steps(gaussian: Any, window: int | None) -> None:
    noise, policy = Noise.seeded(0, 16), gaussian.policy
    with torch.no_grad():
        for p in policy.parameters():
            p.add_(0.1)
    trajectory = rollout(policy, None, noise, gradient=GradientWindow(window or 3))
    value = gaussian.objective(trajectory.x_0)
    value = value - 0.5 * path_kl(trajectory, gaussian.pretrained) - 0.1 * path_kl(trajectory, gaussian.previous)
    expected = torch.autograd.grad(-value.mean(), policy.parameters())
    state = UpdateState(torch.optim.SGD(policy.parameters(), lr=0.0))
    DirectBackprop(window=window, max_grad_norm=1e9).step(state, policy, gaussian.problem(), None, noise)
    for p, gradient in zip(policy.parameters(), expected, strict=True):
        torch.testing.assert_close(p.grad, gradient)
    offset = policy.parameters()[1].grad
    assert offset is not None
    assert [bool(row.abs().max() > 0) for row in offset] == [k <= (window or 3) for k in (1, 2, 3)]


def test_a_drawn_window_covers_its_range(gaussian: Any) -> None:
    update = DirectBackprop(window=(2, 4))
    drawn = [update._draw_window(gaussian.policy, Noise.seeded(seed, 4)) for seed in range(60)]
    assert set(drawn) == {2, 3, 4}
    assert min(drawn.count(number) for number in (2, 3, 4)) > 8


def test_the_gradient_is_clipped_to_its_norm(gaussian: Any) -> None:
    policy = gaussian.policy
    state = UpdateState(torch.optim.SGD(policy.parameters(), lr=1.0))
    before = gaussian.weights()
    seen = DirectBackprop(max_grad_norm=0.01).step(state, policy, gaussian.problem(), None, Noise.seeded(0, 16))
    moved = sum(float((now - then).square().sum()) for now, then in zip(gaussian.weights(), before, strict=True)) ** 0.5
    assert moved == pytest.approx(0.01, rel=1e-3)
    assert seen.extra["grad_norm"] > 0.01
