from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import pytest
import torch

from seiko.diffusion import Noise
from seiko.models import ModelPolicy
from seiko.updates import PPO, UpdateState


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"share": 0.0}, r"share must lie in \(0, 1\], got 0"),
        ({"share": 1.5}, r"share must lie in \(0, 1\], got 1.5"),
        ({"anchored": 0.0}, r"anchored must lie in \(0, 1\], got 0"),
    ],
)
def test_wrong_numbers_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PPO(**wrong)


def test_the_advantage_vanishes_at_the_optimum(masked: Any) -> None:
    # there A less the log-ratios is the same for every path: nothing is left to learn, and no noise
    toy, rewards = masked.toy, masked.objective(masked.toy.designs)
    best, _ = toy.tilted(rewards, [(toy.law("pretrained").detach(), 0.6)])
    toy.versions.load_state_dict({"logits": toy.conditionals(best.double().reshape(3, 3, 3)).float()})
    policy = ModelPolicy(toy)
    state = UpdateState(torch.optim.SGD(policy.parameters(), lr=0.0))
    at_optimum = PPO().step(state, policy, masked.problem(0.5, 0.1), None, Noise.seeded(0, 64)).extra["grad_norm"]
    toy.versions.reset()
    before = PPO().step(state, policy, masked.problem(0.5, 0.1), None, Noise.seeded(0, 64)).extra["grad_norm"]
    assert at_optimum < 1e-4 * before


def test_nothing_is_clipped_at_ratio_one_and_something_after_many_epochs(setting: Any) -> None:
    noise = Noise.seeded(0, 64)
    once, often = PPO(learning_rate=0.2), PPO(learning_rate=0.2, epochs=8, clip=0.1)
    assert (
        once.step(once.init(setting.policy), setting.policy, setting.problem(), None, noise).extra["clipped_share"] == 0
    )
    seen = often.step(often.init(setting.policy), setting.policy, setting.problem(), None, noise)
    assert 0 < seen.extra["clipped_share"] < 1


def test_clipped_ratios_give_no_further_gradient(masked: Any) -> None:
    # without anchors' pull, 50 epochs on one batch must stop at ratios near the clip, not run away
    update = PPO(learning_rate=0.05, epochs=50, clip=0.05)
    problem = masked.problem(alpha=1e-6, beta=0.0)
    update.step(update.init(masked.policy), masked.policy, problem, None, Noise.seeded(0, 64))
    clipped_far = float(masked.toy.path_kl("current", "pretrained").detach())
    masked.toy.versions.reset()
    free = PPO(learning_rate=0.05, epochs=50, clip=1e6)
    free.step(free.init(masked.policy), masked.policy, problem, None, Noise.seeded(0, 64))
    assert clipped_far < 0.25 * float(masked.toy.path_kl("current", "pretrained").detach())


def test_the_mean_reward_does_not_matter(masked: Any) -> None:
    gradients = []
    for shift in (0.0, 100.0):
        policy = ModelPolicy(masked.toy)
        state = UpdateState(torch.optim.SGD(policy.parameters(), lr=0.0))
        problem = type(masked.problem())(lambda x, s=shift: masked.objective(x) + s, masked.problem().anchors)
        PPO(max_grad_norm=1e9).step(state, policy, problem, None, Noise.seeded(0, 32))
        gradients.append(policy.parameters()[0].grad.clone())  # type: ignore[union-attr]
    torch.testing.assert_close(*gradients, atol=1e-4, rtol=1e-3)


def test_anchors_are_asked_at_a_share_of_the_steps_and_the_kl_is_told_for_all(masked: Any) -> None:
    with torch.no_grad():
        logits = masked.toy.versions.parameters()[0]
        logits.add_(torch.randn(logits.shape, generator=torch.Generator().manual_seed(1)))
    exact = float(masked.toy.path_kl("current", "pretrained").detach())
    policy, told = ModelPolicy(masked.toy), []
    state = UpdateState(torch.optim.SGD(policy.parameters(), lr=0.0))
    for seed in range(60):
        Asked.steps.clear()
        problem = masked.problem(0.5, 0.1)
        anchors = tuple(replace(anchor, policy=Asked(masked.toy, anchor.policy.version)) for anchor in problem.anchors)
        update = PPO(anchored=1 / policy.num_steps)
        seen = update.step(state, policy, replace(problem, anchors=anchors), None, Noise.seeded(seed, 500))
        assert len(Asked.steps) == len(anchors), "one step each"
        told.append(seen.kls[0])
    mean, error = torch.tensor(told).mean(), torch.tensor(told).std() / 60**0.5
    assert float(error) < 0.1 * exact
    assert abs(float(mean) - exact) < 4 * float(error)


class Asked(ModelPolicy[Any]):
    """A policy that notes at which steps it is asked."""

    steps: ClassVar[list[Any]] = []

    def transition(self, x_t: Any, k: Any, conditioning: Any = None) -> Any:
        self.steps.append(k)
        return super().transition(x_t, k, conditioning)
