from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import pytest
import torch

from seiko.diffusion import GradientWindow, Noise, path_kl, rollout
from seiko.models import FullFineTuning, ModelPolicy
from seiko.updates import Anchor, BiasedGradientWarning, DirectBackprop, Problem, UpdateState


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


def gradients(setting: Any, update: DirectBackprop, policy: Any, samples: int = 32) -> list[torch.Tensor]:
    state = UpdateState(torch.optim.SGD(policy.parameters(), lr=0.0))
    update.step(state, policy, setting.problem(), None, Noise.seeded(0, samples))
    return [p.grad.clone() for p in policy.parameters()]


def shift(setting: Any) -> None:
    with torch.no_grad():
        for p in setting.policy.parameters():
            p.mul_(1.1).add_(0.1)


@pytest.mark.parametrize("window", [2, None])
def test_checkpointing_changes_no_gradient_and_costs_one_more_forward_pass_a_step(
    setting: Any, window: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings.simplefilter("ignore", BiasedGradientWarning)
    shift(setting)
    calls: list[str] = []
    plain = type(setting.toy).predict

    def counted(self: Any, *arguments: Any) -> torch.Tensor:
        calls.append(self.versions.in_use)
        return plain(self, *arguments)

    monkeypatch.setattr(type(setting.toy), "predict", counted)
    update, found, passes = DirectBackprop(window=window, max_grad_norm=1e9), [], []
    for checkpoint in (False, True):
        calls.clear()
        found.append(gradients(setting, update, ModelPolicy(setting.toy, checkpoint=checkpoint)))
        passes.append(calls.count("current"))
    for kept, recomputed in zip(*found, strict=True):
        assert torch.equal(kept, recomputed)
    assert passes == [3, 3 + (window or 3)]


def test_checkpointing_keeps_less_for_the_backward_pass(gaussian: Any) -> None:
    class Wide(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = torch.nn.Sequential(*[torch.nn.Linear(1, 64), torch.nn.Tanh(), torch.nn.Linear(64, 1)])

        def forward(self, x_t: torch.Tensor, k: int) -> torch.Tensor:
            return self.layers(x_t)

    torch.manual_seed(0)
    toy = replace(gaussian.toy, versions=FullFineTuning().attach(Wide()))
    kept = []
    for checkpoint in (False, True):
        sizes: list[int] = []

        def pack(tensor: torch.Tensor, sizes: list[int] = sizes) -> torch.Tensor:
            sizes.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            rollout(ModelPolicy(toy, checkpoint=checkpoint), None, Noise.seeded(0, 128), gradient=GradientWindow(3))
        kept.append(sum(sizes))
    assert kept[1] < 0.2 * kept[0]


def test_the_gradient_passes_through_the_references_input(gaussian: Any) -> None:
    # the anchor's mean moves with x_t: with its input held fixed the gradient of the early steps is another one
    shift(gaussian)

    class Detached(ModelPolicy[Any]):
        def transition(self, x_t: torch.Tensor, k: Any, conditioning: Any = None) -> Any:
            return super().transition(x_t.detach(), k, conditioning)

    def gradient(pretrained: Any) -> torch.Tensor:
        problem = Problem(gaussian.objective, (Anchor(pretrained, 0.5),))
        state = UpdateState(torch.optim.SGD(gaussian.policy.parameters(), lr=0.0))
        DirectBackprop(max_grad_norm=1e9).step(state, gaussian.policy, problem, None, Noise.seeded(0, 4000))
        found: torch.Tensor = gaussian.policy.parameters()[1].grad.flatten().clone()
        return found

    toy = gaussian.toy
    value = 2 * toy.law()[0].sum() - 0.5 * toy.path_kl("current", "pretrained")
    exact = torch.autograd.grad(-value, toy.versions.parameters())[1].flatten()
    torch.testing.assert_close(gradient(gaussian.pretrained), exact, rtol=0.03, atol=0.01)
    assert float((gradient(Detached(toy, "pretrained")) - exact).abs().max()) > 0.1


def test_nothing_is_kept_outside_of_the_window(gaussian: Any) -> None:
    recorded: list[bool] = []

    class Watched(ModelPolicy[Any]):
        def transition(self, x_t: torch.Tensor, k: Any, conditioning: Any = None) -> Any:
            recorded.append(torch.is_grad_enabled())
            return super().transition(x_t, k, conditioning)

    problem = Problem(gaussian.objective, (Anchor(Watched(gaussian.toy, "pretrained"), 0.5),))
    state = UpdateState(torch.optim.SGD(gaussian.policy.parameters(), lr=0.0))
    DirectBackprop(window=1).step(state, gaussian.policy, problem, None, Noise.seeded(0, 4))
    assert recorded == [False, False, True]
