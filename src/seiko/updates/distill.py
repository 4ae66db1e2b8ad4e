"""Weighted maximum likelihood: draw, weight, and train the denoiser on the weighted draws.

On a path drawn from the current policy p, the optimum p* of the problem has the weight

    log w = [ A(x_0) - sum_j c_j (log p(path) - log p_j(path)) ] / sum_j c_j,       p* ∝ p * w

and the update takes a damped step towards it, p ∝ p * w^damping, by maximising sum_i w_i^damping log p(path_i). Its
fixed point is p* whatever the damping; the damping is chosen so that the weights keep a stated effective sample size,
(sum w)² / sum w² = share * b. Needs no gradient of the reward and minimises the forward KL, KL(p_target || p).

References:
    Rubinstein, Kroese, "The Cross-Entropy Method", 2004 (weighted likelihood of elite samples);
    Kong, Liu, Wong, "Sequential Imputations and Bayesian Missing Data Problems", 1994 (effective sample size).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from seiko.diffusion import Conditioning, Noise, Policy, Trajectory, Transition, rollout
from seiko.updates.base import SUBSET, Problem, StepReport, UpdateState, adam, choose_steps, descend, report
from seiko.updates.schedule import CONSTANT, RateSchedule

__all__ = ["Distill"]

T = TypeVar("T", bound=Transition)


@dataclass(frozen=True, kw_only=True)
class Distill:
    """Distil the tilted law into the denoiser.

    Args:
        learning_rate: Adam's.
        schedule: How the rate runs over the steps of a round.
        effective_share: Effective sample size that the weights keep, as a share of the batch, in (0, 1].
        epochs: Optimiser steps on each batch of trajectories.
        share: Share of the steps that is learnt from in an epoch, a fresh random subset each time.
        max_grad_norm: Gradients are clipped to this norm.
    """

    learning_rate: float = 1e-3
    schedule: RateSchedule = CONSTANT
    effective_share: float = 0.5
    epochs: int = 2
    share: float = 1.0
    max_grad_norm: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.effective_share <= 1:
            raise ValueError(f"effective_share must lie in (0, 1], got {self.effective_share}")
        if self.epochs < 1:
            raise ValueError(f"epochs must be at least 1, got {self.epochs}")
        if not 0 < self.share <= 1:
            raise ValueError(f"share must lie in (0, 1], got {self.share}")

    def init(self, policy: Policy[T]) -> UpdateState:
        """Return the optimiser's state."""
        return adam(policy, self.learning_rate, self.schedule)

    def step(
        self, state: UpdateState, policy: Policy[T], problem: Problem[T], conditioning: Conditioning, noise: Noise
    ) -> StepReport:
        """Draw one batch of trajectories, weight them, and raise their weighted likelihood."""
        with torch.no_grad():
            trajectory = rollout(policy, conditioning, noise)
            objective = problem.objective(trajectory.x_0)
            kls = problem.anchor_kls(trajectory)
            log_weight = (objective - self._log_ratio(trajectory, problem)) / problem.temperature
            damping = choose_damping(log_weight, self.effective_share)
            weight = torch.softmax(damping * log_weight, 0)
        for epoch in range(self.epochs):
            loss = self._loss(policy, trajectory, weight, noise.fold_in(SUBSET - epoch))
            norm = descend(state, loss, self.max_grad_norm)
        return report(
            objective, kls, problem, grad_norm=norm, damping=damping, effective_samples=float(1 / (weight**2).sum())
        )

    @staticmethod
    def _log_ratio(trajectory: Trajectory[T], problem: Problem[T]) -> Tensor:
        """Return sum_j c_j (log p(path) - log p_j(path)), `[b]`."""
        total = torch.zeros(len(trajectory.x_0), device=trajectory.x_0.device)
        for k, x_t, x_s, law in trajectory.steps():
            drawn = law.log_prob(x_s)
            for anchor in problem.anchors:
                reference = anchor.policy.transition(x_t, k, trajectory.conditioning)
                total = total + anchor.coefficient * (drawn - reference.log_prob(x_s))
        return total

    def _loss(self, policy: Policy[T], trajectory: Trajectory[T], weight: Tensor, noise: Noise) -> Tensor:
        """Return the weighted negative log-likelihood of the paths over a random share of the steps.

        The mean weight is taken off: the score has mean 0, so that this changes nothing in expectation, and at the
        optimum, where all weights are equal, no noise is left.
        """
        centred, total = weight - weight.mean(), torch.zeros((), device=weight.device)
        rows = choose_steps(len(trajectory.laws), self.share, noise)
        for i in rows:
            law = policy.transition(trajectory.states[i], len(trajectory.laws) - i, trajectory.conditioning)
            total = total - (centred * law.log_likelihood(trajectory.states[i + 1], trajectory.x_0)).sum()
        return total * (len(trajectory.laws) / len(rows))


def choose_damping(log_weight: Tensor, effective_share: float) -> float:
    """Return the largest d in (0, 1] for which weights exp(d * log_weight) keep the effective sample size."""

    def effective(damping: float) -> float:
        weight = torch.softmax(damping * log_weight.double(), 0)
        return float(1 / (weight**2).sum()) / len(log_weight)

    if effective(1.0) >= effective_share:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if effective(middle) >= effective_share else (low, middle)
    return low
