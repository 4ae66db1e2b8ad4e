"""Clipped policy gradient over denoising steps; needs no gradient of the reward.

Each step k of a trajectory is an action: x_s drawn from p(.|x_t). All steps share the advantage of their path,

    advantage = A(x_0) - sum_j c_j log(p(path) / p_j(path)) - mean of the other samples'
    loss      = -E[ sum_k min(ratio_k * advantage, clip(ratio_k) * advantage) ]
    ratio_k   = p(x_s|x_t) / p_drawn(x_s|x_t)

At ratio 1 this is the exact gradient of the problem. The log-ratios are those of the path that was drawn, past steps
included, and not their expectation, the KL: at the optimum A - sum_j c_j log(p / p_j) is the same for every path, so
that the advantage, and the noise of the gradient with it, vanishes there. Where only some steps are asked of the
anchors, S of K chosen anew for each batch, their log-ratios count K / S times: the same gradient in expectation.

References:
    Schulman et al., "Proximal Policy Optimization Algorithms", 2017, https://arxiv.org/abs/1707.06347 (Eq. 7);
    Black et al., "Training Diffusion Models with Reinforcement Learning", 2023, https://arxiv.org/abs/2305.13301
    (denoising as a decision process, section 4.2);
    Richter, Boustati, Nüsken, Ruiz, Akyildiz, "VarGrad: A Low-Variance Gradient Estimator for Variational Inference",
    2020, https://arxiv.org/abs/2010.10436 (Eq. 8: the same gradient as that of the variance of the log-ratio);
    Kool, van Hoof, Welling, "Buy 4 REINFORCE Samples, Get a Baseline for Free!", 2019 (leave-one-out baseline).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from seiko.diffusion import Conditioning, Noise, Policy, Trajectory, Transition, rollout
from seiko.updates.base import SUBSET, Problem, StepReport, UpdateState, adam, choose_steps, descend, report
from seiko.updates.schedule import CONSTANT, RateSchedule

__all__ = ["PPO"]

T = TypeVar("T", bound=Transition)

ANCHORED = -20  # sub-stream: at which steps the anchors are asked


@dataclass(frozen=True, kw_only=True)
class PPO:
    """Proximal policy optimisation of the denoising chain.

    Args:
        learning_rate: Adam's.
        schedule: How the rate runs over the steps of a round.
        epochs: Optimiser steps on each batch of trajectories; 1 is the plain policy gradient.
        clip: Ratios beyond 1 ± clip give no further gradient.
        share: Share of the steps that is learnt from in an epoch, a fresh random subset each time; below 1 it is
            cheaper and noisier, and stays unbiased.
        anchored: Share of the steps at which the anchors are asked, likewise; the KLs reported are told from these.
        max_grad_norm: Gradients are clipped to this norm.
    """

    learning_rate: float = 1e-3
    schedule: RateSchedule = CONSTANT
    epochs: int = 1
    clip: float = 0.2
    share: float = 1.0
    anchored: float = 1.0
    max_grad_norm: float = 1.0

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ValueError(f"epochs must be at least 1, got {self.epochs}")
        for name in ("share", "anchored"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in (0, 1], got {getattr(self, name)}")

    def init(self, policy: Policy[T]) -> UpdateState:
        """Return the optimiser's state."""
        return adam(policy, self.learning_rate, self.schedule)

    def step(
        self, state: UpdateState, policy: Policy[T], problem: Problem[T], conditioning: Conditioning, noise: Noise
    ) -> StepReport:
        """Draw one batch of trajectories and learn from it."""
        with torch.no_grad():
            trajectory = rollout(policy, conditioning, noise)
            objective = problem.objective(trajectory.x_0)
            gain, kls = self._less_log_ratios(objective, trajectory, problem, noise)
            others = len(gain) - 1
            advantage = gain if others == 0 else (gain - gain.mean()) * (others + 1) / others
        norms, clipped = [], []
        for epoch in range(self.epochs):
            rows = choose_steps(len(trajectory.laws), self.share, noise.fold_in(SUBSET - epoch))
            loss, share = self._loss(policy, trajectory, advantage, rows)
            norms.append(descend(state, loss, self.max_grad_norm))
            clipped.append(share)
        return report(
            objective, kls, problem, grad_norm=sum(norms) / len(norms), clipped_share=sum(clipped) / len(clipped)
        )

    def _less_log_ratios(
        self, objective: Tensor, trajectory: Trajectory[T], problem: Problem[T], noise: Noise
    ) -> tuple[Tensor, list[Tensor]]:
        """Return `[b]` A less the log-ratios of the whole path, and for each anchor `[steps asked, b]` nats, scaled."""
        steps = list(trajectory.steps())
        rows = sorted(choose_steps(len(steps), self.anchored, noise.fold_in(ANCHORED)))
        scale, gain, kls = len(steps) / len(rows), objective.clone(), []
        for anchor in problem.anchors:
            found = []
            for k, x_t, x_s, law in (steps[row] for row in rows):
                reference = anchor.policy.transition(x_t, k, trajectory.conditioning)
                log_ratio = law.log_prob(x_s) - reference.log_prob(x_s)
                gain = gain - anchor.coefficient * scale * log_ratio
                found.append(scale * law.kl(reference))
            kls.append(torch.stack(found))
        return gain, kls

    def _loss(
        self, policy: Policy[T], trajectory: Trajectory[T], advantage: Tensor, rows: list[int]
    ) -> tuple[Tensor, float]:
        """Return the loss over some steps, scaled to all of them, and the share of ratios that were clipped."""
        steps, total, clipped = len(trajectory.laws), torch.zeros((), device=advantage.device), 0.0
        for i in rows:
            x_t, x_s, drawn = trajectory.states[i], trajectory.states[i + 1], trajectory.laws[i]
            law = policy.transition(x_t, steps - i, trajectory.conditioning)
            ratio = torch.exp(law.log_prob(x_s) - drawn.log_prob(x_s))
            surrogate = torch.minimum(ratio * advantage, ratio.clamp(1 - self.clip, 1 + self.clip) * advantage)
            total = total - surrogate.mean()
            clipped += float(((ratio - 1).abs() > self.clip).float().mean())
        return total * (steps / len(rows)), clipped / len(rows)
