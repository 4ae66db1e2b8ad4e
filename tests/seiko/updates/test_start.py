from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch

from seiko.diffusion import Noise, Policy, path_kl, rollout
from seiko.models import GaussianToy, ModelPolicy
from seiko.updates import PPO, AdjointMatching, Anchor, DirectBackprop, Distill, LearnedStart, Problem
from seiko.updates.start import StartTransition


@pytest.fixture
def toy() -> GaussianToy:
    return GaussianToy.exact(std=0.5, num_steps=3, dimensions=2, eta=0.5)


def test_it_is_a_memoryless_policy_with_one_more_step(toy: GaussianToy) -> None:
    policy = LearnedStart.learn(ModelPolicy(toy))
    assert isinstance(policy, Policy)
    assert (policy.num_steps, policy.memoryless) == (4, True)
    assert not ModelPolicy(toy).memoryless
    assert len(policy.parameters()) == len(ModelPolicy(toy).parameters()) + 2
    assert LearnedStart.standard(ModelPolicy(toy, "pretrained")).parameters() == []


def test_the_start_has_its_law_and_the_chain_goes_on_from_it(toy: GaussianToy) -> None:
    policy = LearnedStart(ModelPolicy(toy), torch.tensor([1.0, -2.0]), torch.tensor([0.0, -1.0]))
    trajectory = rollout(policy, None, Noise.seeded(0, 20_000))
    assert len(trajectory.laws) == 4
    x_K = trajectory.states[1]
    torch.testing.assert_close(x_K.mean(0), policy.mean, atol=0.03, rtol=0)
    torch.testing.assert_close(x_K.std(0), policy.log_std.exp(), atol=0.02, rtol=0)
    again = ModelPolicy(toy).transition(x_K, 3)
    assert torch.equal(trajectory.laws[1].mean, again.mean)


def test_its_kl_is_that_of_two_gaussians() -> None:
    mean, std = torch.tensor([[1.0, 0.5]]), torch.tensor([0.5, 2.0])
    other_mean, other_std = torch.tensor([[0.2, 0.5]]), torch.tensor([1.0, 1.5])
    kl = StartTransition(mean, std).kl(StartTransition(other_mean, other_std))
    expected = torch.distributions.kl_divergence(
        torch.distributions.Normal(mean, std), torch.distributions.Normal(other_mean, other_std)
    ).sum(1)
    torch.testing.assert_close(kl, expected)


def test_the_kl_of_the_start_is_part_of_the_path_kl(toy: GaussianToy) -> None:
    anchor = LearnedStart.standard(ModelPolicy(toy, "pretrained"))
    moved = LearnedStart(ModelPolicy(toy), torch.tensor([1.0, 0.0]), torch.zeros(2))
    kl = path_kl(rollout(moved, None, Noise.seeded(0, 3)), anchor)
    torch.testing.assert_close(kl.detach(), torch.full((3,), 0.5), atol=1e-5, rtol=0)


def test_a_frozen_start_is_a_copy(toy: GaussianToy) -> None:
    policy = LearnedStart.learn(ModelPolicy(toy))
    previous = policy.frozen(ModelPolicy(toy, "previous"))
    with torch.no_grad():
        policy.mean.add_(1.0)
    assert float(previous.mean.abs().max()) == 0
    assert previous.parameters() == []


@pytest.mark.parametrize(
    "update", [PPO(), Distill(), DirectBackprop(), AdjointMatching()], ids=["ppo", "distill", "backprop", "adjoint"]
)
def test_every_update_moves_it_without_a_warning(toy: GaussianToy, update: Any) -> None:
    policy = LearnedStart.learn(ModelPolicy(toy))
    problem = Problem(
        lambda x: -((x - 1) ** 2).sum(1), (Anchor(LearnedStart.standard(ModelPolicy(toy, "pretrained")), 0.5),)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        state = update.init(policy)
        update.step(state, policy, problem, None, Noise.seeded(0, 256))
    assert float(policy.mean.detach().abs().min()) > 0
    assert float(policy.log_std.detach().abs().min()) > 0


def test_a_masked_model_has_no_start_to_learn(masked: Any) -> None:
    with pytest.raises(TypeError, match="it has no start to learn"):
        LearnedStart.learn(masked.policy)


def test_one_step_for_each_sample_is_refused(toy: GaussianToy) -> None:
    with pytest.raises(TypeError, match="one step for the whole batch"):
        LearnedStart.learn(ModelPolicy(toy)).transition(torch.zeros(2, 2), torch.tensor([1, 2]))
