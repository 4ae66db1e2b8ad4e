"""Clipped policy gradient over denoising steps; needs no gradient of the reward.

Each step k of a trajectory is an action: x_s drawn from p(.|x_t). Its advantage counts the reward and the KL that are
still to come, the KL of the step itself is differentiated in closed form:

    advantage_k = A(x_0) - sum_{l after k} sum_j c_j KL_j,l - baseline_k
    loss        = -E[ min(ratio_k * advantage_k, clip(ratio_k) * advantage_k) ] + E[ sum_j c_j KL(p_k || p_j,k) ]

with ratio_k = p(x_s|x_t) / p_drawn(x_s|x_t) and the mean of the other samples as baseline. At ratio 1 this is the exact
gradient of the problem.

References:
    Schulman et al., "Proximal Policy Optimization Algorithms", 2017, https://arxiv.org/abs/1707.06347 (Eq. 7);
    Black et al., "Training Diffusion Models with Reinforcement Learning", 2023, https://arxiv.org/abs/2305.13301
    (denoising as a decision process, section 4.2);
    Kool, van Hoof, Welling, "Buy 4 REINFORCE Samples, Get a Baseline for Free!", 2019 (leave-one-out baseline).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from seiko.diffusion import Conditioning, Noise, Policy, Trajectory, Transition, reference_laws, rollout
from seiko.updates.base import Problem, StepReport, UpdateState, adam, descend, report

__all__ = ["PPO"]

T = TypeVar("T", bound=Transition)

_SUBSET = -2  # sub-stream that chooses which steps are learnt from


@dataclass(frozen=True, kw_only=True)
class PPO:
    """Proximal policy optimisation of the denoising chain.

    Args:
        learning_rate: Adam's.
        epochs: Optimiser steps on each batch of trajectories; 1 is the plain policy gradient.
        clip: Ratios beyond 1 ± clip give no further gradient.
        share: Share of the steps that is learnt from in an epoch, a fresh random subset each time; below 1 it is
            cheaper and noisier, and stays unbiased.
        max_grad_norm: Gradients are clipped to this norm.
    """

    learning_rate: float = 1e-3
    epochs: int = 1
    clip: float = 0.2
    share: float = 1.0
    max_grad_norm: float = 1.0

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ValueError(f"epochs must be at least 1, got {self.epochs}")
        if not 0 < self.share <= 1:
            raise ValueError(f"share must lie in (0, 1], got {self.share}")

    def init(self, policy: Policy[T]) -> UpdateState:
        """Return the optimiser's state."""
        return adam(policy, self.learning_rate)

    def step(
        self, state: UpdateState, policy: Policy[T], problem: Problem[T], conditioning: Conditioning, noise: Noise
    ) -> StepReport:
        """Draw one batch of trajectories and learn from it."""
        with torch.no_grad():
            trajectory = rollout(policy, conditioning, noise)
            objective = problem.objective(trajectory.x_0)
            references = [reference_laws(trajectory, anchor.policy) for anchor in problem.anchors]
            kls = [
                torch.stack([law.kl(other) for law, other in zip(trajectory.laws, laws, strict=True)])
                for laws in references
            ]
            advantage = self._advantage(objective, problem.weighted(kls))
        norms, clipped = [], []
        for epoch in range(self.epochs):
            rows = self._choose_steps(len(trajectory.laws), noise.fold_in(_SUBSET - epoch))
            loss, share = self._loss(policy, problem, trajectory, references, advantage, rows)
            norms.append(descend(state, loss, self.max_grad_norm))
            clipped.append(share)
        return report(
            objective, kls, problem, grad_norm=sum(norms) / len(norms), clipped_share=sum(clipped) / len(clipped)
        )

    @staticmethod
    def _advantage(objective: Tensor, penalty: Tensor) -> Tensor:
        """Return `[K, b]` rewards to go less the mean of the other samples'."""
        following = penalty.flip(0).cumsum(0).flip(0) - penalty
        to_go = objective - following
        others = to_go.shape[1] - 1
        return to_go if others == 0 else (to_go - to_go.mean(1, keepdim=True)) * (others + 1) / others

    def _choose_steps(self, steps: int, noise: Noise) -> list[int]:
        """Return a random subset of the steps, as indices into the trajectory's laws."""
        learnt = max(1, round(self.share * steps))
        order: list[int] = noise[:1].uniform((steps,))[0].argsort()[:learnt].tolist()
        return order

    def _loss(
        self,
        policy: Policy[T],
        problem: Problem[T],
        trajectory: Trajectory[T],
        references: list[list[T]],
        advantage: Tensor,
        rows: list[int],
    ) -> tuple[Tensor, float]:
        """Return the loss over some steps, scaled to all of them, and the share of ratios that were clipped."""
        steps, total, clipped = len(trajectory.laws), torch.zeros((), device=advantage.device), 0.0
        for i in rows:
            x_t, x_s, drawn, gain = trajectory.states[i], trajectory.states[i + 1], trajectory.laws[i], advantage[i]
            law = policy.transition(x_t, steps - i, trajectory.conditioning)
            ratio = torch.exp(law.log_prob(x_s) - drawn.log_prob(x_s))
            surrogate = torch.minimum(ratio * gain, ratio.clamp(1 - self.clip, 1 + self.clip) * gain)
            penalty = problem.weighted([law.kl(laws[i]) for laws in references])
            total = total + (penalty - surrogate).mean()
            clipped += float(((ratio - 1).abs() > self.clip).float().mean())
        return total * (steps / len(rows)), clipped / len(rows)
