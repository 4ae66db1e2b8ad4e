from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from seiko.diffusion import Conditioning, Noise, Step, rollout
from seiko.updates import Anchor, Distill, Problem, UpdateState
from seiko.updates.distill import choose_damping


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"effective_share": 0.0}, r"effective_share must lie in \(0, 1\], got 0"),
        ({"effective_share": 1.1}, r"effective_share must lie in \(0, 1\], got 1.1"),
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"share": 0.0}, r"share must lie in \(0, 1\], got 0"),
        ({"share": 2.0}, r"share must lie in \(0, 1\], got 2.0"),
    ],
)
def test_wrong_numbers_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Distill(**wrong)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_damping_keeps_the_effective_sample_size(share: float) -> None:
    log_weight = 5 * torch.randn(200, generator=torch.Generator().manual_seed(0))
    damping = choose_damping(log_weight, share)
    weight = torch.softmax(damping * log_weight.double(), 0)
    assert 0 < damping < 1
    assert float(1 / (weight**2).sum()) == pytest.approx(share * 200, rel=1e-3)


def test_weights_that_are_even_enough_are_not_damped() -> None:
    assert choose_damping(torch.full((10,), 3.0), 0.99) == 1.0
    assert choose_damping(0.01 * torch.randn(100), 0.5) == 1.0


def test_the_log_ratio_is_that_of_the_whole_path(masked: Any) -> None:
    with torch.no_grad():
        logits = masked.policy.parameters()[0]
        logits.add_(torch.randn(logits.shape, generator=torch.Generator().manual_seed(0)))
        trajectory = rollout(masked.policy, None, Noise.seeded(0, 20_000))
        ratio = Distill._log_ratio(trajectory, masked.problem(0.5, 0.1))
    # its mean over paths is the path KL, to both anchors, which are the same here
    kl = float(masked.toy.path_kl("current", "pretrained").detach())
    assert float(ratio.mean()) == pytest.approx(0.6 * kl, abs=4 * float(ratio.std()) / 20_000**0.5)


def test_the_report_tells_of_the_weights(setting: Any) -> None:
    update = Distill(effective_share=0.3)
    problem = setting.problem(alpha=0.05, beta=0.0)
    seen = update.step(update.init(setting.policy), setting.policy, problem, None, Noise.seeded(0, 100))
    assert seen.extra["effective_samples"] == pytest.approx(30, rel=1e-2)
    assert 0 < seen.extra["damping"] < 1


def test_the_objective_needs_no_gradient(masked: Any) -> None:
    def by_lookup(x: Tensor) -> Tensor:
        assert not x.requires_grad
        return torch.tensor([float(row.sum()) for row in x])

    problem = Problem(by_lookup, masked.problem().anchors)
    update = Distill(learning_rate=0.05)
    state = update.init(masked.policy)
    seen = [
        update.step(state, masked.policy, problem, None, Noise.seeded(0, 64).fold_in(step)).objective
        for step in range(15)
    ]
    assert seen[-1] > seen[0] + 0.3


@dataclass(frozen=True)
class Conditioned:
    """A policy that insists on its conditioning: `[b, tokens, width]`, as text encoders give it."""

    policy: Any

    @property
    def num_steps(self) -> int:
        return int(self.policy.num_steps)

    @property
    def memoryless(self) -> bool:
        return True

    def prior(self, noise: Noise) -> Tensor:
        return self.policy.prior(noise)  # type: ignore[no-any-return]

    def transition(self, x_t: Tensor, k: Step, conditioning: Conditioning = None) -> Any:
        assert conditioning is not None
        assert conditioning.shape == (len(x_t), 5, 2)
        # the row of a sample must be that sample's, in every step
        assert torch.equal(conditioning[:, 0, 0], torch.arange(8.0).repeat(len(x_t) // 8))
        return self.policy.transition(x_t, k)

    def parameters(self) -> Any:
        return self.policy.parameters()


def test_conditioning_of_any_shape_goes_with_its_sample(setting: Any) -> None:
    policy, anchor = Conditioned(setting.policy), Conditioned(setting.pretrained)
    conditioning = torch.arange(8.0)[:, None, None].expand(8, 5, 2)
    state = UpdateState(torch.optim.SGD(policy.parameters(), lr=0.0))
    problem = Problem(setting.objective, (Anchor(anchor, 0.5),))
    seen = Distill().step(state, policy, problem, conditioning, Noise.seeded(0, 8))
    assert seen.extra["grad_norm"] > 0
