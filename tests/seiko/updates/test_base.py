from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from seiko.diffusion import Noise, rollout
from seiko.models import GaussianToy, ModelPolicy
from seiko.updates import PPO, Anchor, DirectBackprop, Distill, NotMemorylessWarning, Problem
from seiko.updates.base import choose_steps

UPDATES = pytest.mark.parametrize("update", [PPO(), DirectBackprop(), Distill()], ids=["ppo", "backprop", "distill"])
pytestmark = pytest.mark.filterwarnings("ignore::seiko.updates.BiasedGradientWarning")


@pytest.mark.parametrize("coefficient", [-0.1, math.nan])
def test_a_negative_coefficient_is_refused(gaussian: Any, coefficient: float) -> None:
    with pytest.raises(ValueError, match="an anchor's coefficient must be at least 0, got"):
        Anchor(gaussian.pretrained, coefficient)


def test_coefficients_that_are_all_zero_are_refused(gaussian: Any) -> None:
    with pytest.raises(ValueError, match="must not all be 0"):
        gaussian.problem(0.0, 0.0)
    with pytest.raises(ValueError, match="must not all be 0"):
        Problem(gaussian.objective, ())
    assert gaussian.problem(0.0, 0.25).temperature == 0.25


def test_kls_are_weighted_by_their_coefficients(masked: Any) -> None:
    problem = masked.problem(0.5, 0.1)
    kls = [torch.full((3, 4), 2.0), torch.full((3, 4), 10.0)]
    assert torch.equal(problem.weighted(kls), torch.full((3, 4), 2.0))


def test_anchor_kls_are_step_by_step(setting: Any) -> None:
    with torch.no_grad():
        for p in setting.policy.parameters():
            p.mul_(1.2).add_(0.1)
    kls = setting.problem().anchor_kls(rollout(setting.policy, None, Noise.seeded(0, 5)))
    assert [tuple(kl.shape) for kl in kls] == [(3, 5), (3, 5)]
    assert all(float(kl.min()) >= 0 and float(kl.sum()) > 0 for kl in kls)


@UPDATES
def test_a_policy_that_cannot_move_is_refused(update: Any, setting: Any) -> None:
    with pytest.raises(ValueError, match="only version 'current' can be updated"):
        update.init(setting.pretrained)


@UPDATES
def test_a_process_with_a_memory_is_warned_of(update: Any) -> None:
    with pytest.warns(NotMemorylessWarning, match="not memoryless"):
        update.init(ModelPolicy(GaussianToy.exact(num_steps=3, eta=0.5)))


@UPDATES
def test_a_step_reports_the_policy_before_it(update: Any, setting: Any) -> None:
    noise, problem = Noise.seeded(0, 64), setting.problem()
    expected = setting.objective(rollout(setting.policy, None, noise).x_0)
    before = setting.weights()
    state = update.init(setting.policy)
    seen = update.step(state, setting.policy, problem, None, noise)
    assert seen.objective == pytest.approx(float(expected.mean()), abs=1e-5)
    assert seen.kls == pytest.approx((0, 0), abs=1e-6)
    assert seen.value == pytest.approx(seen.objective)
    assert seen.extra["grad_norm"] > 0
    assert any(not torch.equal(now, then) for now, then in zip(setting.weights(), before, strict=True))
    again = update.step(state, setting.policy, problem, None, noise)
    assert min(again.kls) > 0
    assert again.value == pytest.approx(again.objective - 0.5 * again.kls[0] - 0.1 * again.kls[1], abs=1e-6)


@UPDATES
def test_the_anchors_stay_where_they_are(update: Any, setting: Any) -> None:
    noise = Noise.seeded(0, 8)
    before = [rollout(anchor, None, noise).x_0 for anchor in (setting.pretrained, setting.previous)]
    state = update.init(setting.policy)
    for step in range(3):
        update.step(state, setting.policy, setting.problem(), None, noise.fold_in(step))
    after = [rollout(anchor, None, noise).x_0 for anchor in (setting.pretrained, setting.previous)]
    assert all(torch.equal(x, y) for x, y in zip(before, after, strict=True))


@UPDATES
def test_the_same_noise_gives_the_same_weights(update: Any, setting: Any) -> None:
    start, ends = setting.toy.versions.state_dict(), []
    for _ in range(2):
        setting.toy.versions.load_state_dict(start)
        state = update.init(setting.policy)
        for step in range(2):
            update.step(state, setting.policy, setting.problem(), None, Noise.seeded(0, 16).fold_in(step))
        ends.append(setting.weights())
    assert all(torch.equal(x, y) for x, y in zip(*ends, strict=True))


@UPDATES
@pytest.mark.parametrize("reward", [math.nan, math.inf])
def test_a_gradient_that_is_not_finite_is_never_applied(update: Any, setting: Any, reward: float) -> None:
    before = setting.weights()
    broken = Problem(lambda x: setting.objective(x) * reward, setting.problem().anchors)
    state = update.init(setting.policy)
    with pytest.raises(FloatingPointError, match="the gradient is not finite"):
        update.step(state, setting.policy, broken, None, Noise.seeded(0, 16))
    assert all(torch.equal(now, then) for now, then in zip(setting.weights(), before, strict=True))
    # and the state is not spoilt: the next step is a good one
    update.step(state, setting.policy, setting.problem(), None, Noise.seeded(0, 16))
    assert all(torch.isfinite(p).all() for p in setting.weights())


@UPDATES
def test_one_sample_a_step_is_enough_to_run(update: Any, setting: Any) -> None:
    state = update.init(setting.policy)
    seen = update.step(state, setting.policy, setting.problem(), None, Noise.seeded(0, 1))
    assert math.isfinite(seen.value)


@UPDATES
def test_the_objective_rises(update: Any, setting: Any) -> None:
    update = type(update)(learning_rate=0.05)
    state = update.init(setting.policy)
    seen = [
        update.step(state, setting.policy, setting.problem(0.2), None, Noise.seeded(0, 64).fold_in(step))
        for step in range(25)
    ]
    assert seen[-1].value > seen[0].value + 0.2
    assert seen[-1].kls[0] > 0.1


def test_a_share_of_the_steps_is_that_many_and_not_always_the_same() -> None:
    chosen = {tuple(sorted(choose_steps(3, 0.67, Noise.seeded(seed, 4)))) for seed in range(30)}
    assert chosen == {(0, 1), (0, 2), (1, 2)}
    assert choose_steps(3, 0.01, Noise.seeded(0, 4)) in ([0], [1], [2])
    assert sorted(choose_steps(3, 1.0, Noise.seeded(0, 4))) == [0, 1, 2]
