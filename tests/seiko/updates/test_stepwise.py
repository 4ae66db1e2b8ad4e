"""A step at a time, the gradient is that of the whole graph."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from seiko.diffusion import Noise
from seiko.models import ModelPolicy
from seiko.updates import Anchor, DirectBackprop, Problem, UpdateState


def moved(setting: Any) -> Any:
    with torch.no_grad():
        for p in setting.toy.versions.parameters():
            p.mul_(1.1).add_(0.05)
    setting.toy.versions.remember()
    with torch.no_grad():
        for p in setting.toy.versions.parameters():
            p.mul_(0.95).add_(0.02)
    return setting


def gradient(setting: Any, problem: Any = None, **options: Any) -> tuple[torch.Tensor, Any]:
    policy = setting.policy
    for p in policy.parameters():
        p.grad = None
    state = UpdateState(torch.optim.SGD(policy.parameters(), lr=0.0))
    update = DirectBackprop(max_grad_norm=1e9, **options)
    seen = update.step(state, policy, problem or setting.problem(), None, Noise.seeded(0, 16))
    return torch.cat([p.grad.flatten() for p in policy.parameters()]), seen


@pytest.mark.parametrize("window", [1, 2, None])
@pytest.mark.parametrize("kept", [0, 1, 5])
def test_the_gradient_is_the_same(gaussian: Any, window: int | None, kept: int) -> None:
    setting = moved(gaussian)
    setting = type(setting)(setting.toy, lambda x: 2 * x[:, 0] - x[:, 0] ** 2)
    whole, seen = gradient(setting, window=window)
    steps, also = gradient(setting, window=window, kept=kept)
    assert float(whole.norm()) > 0.1
    torch.testing.assert_close(steps, whole, atol=1e-5, rtol=1e-4)
    assert also.kls == pytest.approx(seen.kls, rel=1e-4)
    assert also.value == pytest.approx(seen.value, rel=1e-4)


def test_an_anchor_without_weight_is_reported_and_nothing_else(gaussian: Any) -> None:
    setting = moved(gaussian)
    problem = setting.problem(beta=0.0)
    whole, seen = gradient(setting, problem)
    steps, also = gradient(setting, problem, kept=0)
    torch.testing.assert_close(steps, whole, atol=1e-5, rtol=1e-4)
    assert also.kls == pytest.approx(seen.kls, rel=1e-4)
    assert also.kls[1] > 0


@pytest.mark.parametrize("kept", [None, 0])
def test_the_kl_outside_of_the_window_is_estimated_without_bias(gaussian: Any, kept: int | None) -> None:
    setting = moved(gaussian)
    policy = setting.policy
    state = UpdateState(torch.optim.SGD(policy.parameters(), lr=0.0))

    def kl(outside: int | None, seed: int) -> float:
        update = DirectBackprop(window=1, kept=kept, outside=outside, max_grad_norm=1e9)
        return update.step(state, policy, setting.problem(), None, Noise.seeded(seed, 4)).kls[0]

    full = [kl(None, seed) for seed in range(40)]
    one = [kl(1, seed) for seed in range(40)]
    none = [kl(0, seed) for seed in range(40)]
    assert kl(2, 0) == pytest.approx(full[0])  # both steps that there are
    assert kl(9, 0) == pytest.approx(full[0])
    assert sum(none) < sum(full)
    errors = torch.tensor(one) - torch.tensor(full)
    assert float(errors.std()) > 0
    assert abs(float(errors.mean())) < 3 * float(errors.std()) / 40**0.5


def test_the_gradient_does_not_depend_on_what_is_looked_at_outside(gaussian: Any) -> None:
    setting = moved(gaussian)
    whole, _ = gradient(setting, window=1)
    for options in ({"outside": 0}, {"outside": 1, "kept": 0}):
        found, _ = gradient(setting, window=1, **options)
        torch.testing.assert_close(found, whole, atol=1e-6, rtol=1e-5)


def test_masked_models_are_refused(masked: Any) -> None:
    with pytest.raises(TypeError, match="needs Gaussian steps"):
        gradient(masked, kept=0)


@pytest.mark.parametrize("name", ["kept", "outside"])
def test_numbers_of_steps_are_checked(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be a number of steps"):
        DirectBackprop(**{name: -1})


def test_a_start_from_elsewhere_is_no_leaf_of_the_model(gaussian: Any) -> None:
    # the drawn states are leaves of their own: nothing accumulates in what the policy hands out
    setting = moved(gaussian)
    problem = Problem(setting.objective, (Anchor(ModelPolicy(setting.toy, "pretrained"), 0.5),))
    first, _ = gradient(setting, problem, kept=3)
    second, _ = gradient(setting, problem, kept=3)
    torch.testing.assert_close(first, second)
