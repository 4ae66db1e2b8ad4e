"""Soft-Q one-step update: each step goes up the objective at the x_0 that its own draw predicts.

    maximise at every step k    discount^(k-1) * A(x_0_hat(x_s)) - sum_j c_j KL(p_k || p_jk),      x_s ~ p(. | x_t)

with x_t drawn on policy, or a few optimiser steps ago, and x_0_hat the anchors' one-step prediction, weighted by c_j.
A(x_0_hat(x_s)) stands in for the soft value V(x_s) = C log E[exp(A(x_0) / C) | x_s]: no gradient passes from step to
step, and a step costs one pass through the anchors' predictor, so that a random share of the steps is enough.

It is **biased** where A is curved over the spread of x_0 about its prediction (it then goes too far, which a discount
makes up for in part), where two anchors disagree, and at eta < 1, where the prediction is not the mean of the chain's
own end. For a linear A and one anchor it is exact.

References:
    Kang, Lee, Shin, Om, Park, "Diffusion Fine-Tuning via Reparameterized Policy Gradient of the Soft Q-Function", 2025,
    https://arxiv.org/abs/2512.04559 (with a consistency model for x_0_hat and a replay buffer, which are not here).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from seiko.diffusion import Conditioning, GaussianTransition, Noise, Policy, Trajectory, rollout
from seiko.updates.base import SUBSET, Problem, StepReport, UpdateState, adam, choose_steps, descend, report
from seiko.updates.lookahead import need_gaussian, predicted_x_0
from seiko.updates.schedule import CONSTANT, RateSchedule
from seiko.updates.start import LearnedStart

__all__ = ["SQDF"]


@dataclass(frozen=True, kw_only=True)
class SQDF:
    """One-step gradient of the soft Q-function; Gaussian processes only, and a differentiable objective.

    Args:
        learning_rate: Adam's.
        schedule: How the rate runs over the steps of a round.
        discount: Factor in (0, 1] on the reward for each step that is still to come; below 1 the early steps, whose
            predictions are poor, move less.
        share: Share of the steps that is learnt from, a fresh random subset each time.
        epochs: Optimiser steps on each batch of trajectories. What a step is to become does not depend on how its x_t
            came about, so that states serve again, with fresh draws of x_s.
        outside: Steps beside the learnt ones of the first epoch at which the KL to each anchor is evaluated, for the
            report alone; fewer than there are estimate it without bias. None for all.
        max_grad_norm: Gradients are clipped to this norm.
    """

    learning_rate: float = 1e-3
    schedule: RateSchedule = CONSTANT
    discount: float = 1.0
    share: float = 1.0
    epochs: int = 1
    outside: int | None = None
    max_grad_norm: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.discount <= 1:
            raise ValueError(f"discount must lie in (0, 1], got {self.discount}")
        if not 0 < self.share <= 1:
            raise ValueError(f"share must lie in (0, 1], got {self.share}")
        if self.epochs < 1:
            raise ValueError(f"epochs must be at least 1, got {self.epochs}")
        if self.outside is not None and self.outside < 0:
            raise ValueError(f"outside must be a number of steps of at least 0, got {self.outside}")

    def init(self, policy: Policy[GaussianTransition]) -> UpdateState:
        """Return the optimiser's state.

        Raises:
            TypeError: If the start is learnt: that is for eta < 1, where one prediction does not stand for the chain.
        """
        if isinstance(policy, LearnedStart):
            raise TypeError(
                "SQDF needs a memoryless process: with a learnt start use DirectBackprop or AdjointMatching"
            )
        return adam(policy, self.learning_rate, self.schedule)

    def step(
        self,
        state: UpdateState,
        policy: Policy[GaussianTransition],
        problem: Problem[GaussianTransition],
        conditioning: Conditioning,
        noise: Noise,
    ) -> StepReport:
        """Draw one batch and learn from some of its steps.

        Raises:
            TypeError: If the policy is not Gaussian, or its laws do not say what they predict.
        """
        with torch.no_grad():
            trajectory = rollout(policy, conditioning, noise)
            need_gaussian("SQDF", trajectory.laws[-1])
            objective = problem.objective(trajectory.x_0)
        steps, norms = len(trajectory.laws), []
        for epoch in range(self.epochs):
            stream = noise if epoch == 0 else noise.fold_in(SUBSET - epoch)
            rows = choose_steps(steps, self.share, noise.fold_in(SUBSET - epoch))
            loss, seen = self._loss(policy, problem, trajectory, rows, stream)
            if epoch == 0:
                kls = self._kls(problem, trajectory, dict(zip(rows, seen, strict=True)), noise)
            norms.append(descend(state, loss, self.max_grad_norm))
        return report(objective, kls, problem, grad_norm=sum(norms) / len(norms))

    def _kls(
        self,
        problem: Problem[GaussianTransition],
        trajectory: Trajectory[GaussianTransition],
        known: dict[int, list[Tensor]],
        noise: Noise,
    ) -> list[Tensor]:
        """Return `[K, b]` nats for each anchor; steps that were not looked at are 0, and the others weigh more."""
        steps = len(trajectory.laws)
        rest = [i for i in choose_steps(steps, 1.0, noise.fold_in(SUBSET - self.epochs)) if i not in known]
        looked = {*known, *rest[: self.outside]}
        found = []
        for j, anchor in enumerate(problem.anchors):
            rows = []
            for i, (k, x_t, _, law) in enumerate(trajectory.steps()):
                if i in known:
                    rows.append(known[i][j])
                elif i in looked:
                    with torch.no_grad():
                        rows.append(law.kl(anchor.policy.transition(x_t, k, trajectory.conditioning)))
                else:
                    rows.append(torch.zeros(len(trajectory.x_0), device=trajectory.x_0.device))
            found.append(torch.stack(rows) * (steps / len(looked)))
        return found

    def _loss(
        self,
        policy: Policy[GaussianTransition],
        problem: Problem[GaussianTransition],
        trajectory: Trajectory[GaussianTransition],
        rows: list[int],
        noise: Noise,
    ) -> tuple[Tensor, list[list[Tensor]]]:
        """Return the loss over some steps, scaled to all of them, and each one's KL `[b]` to each anchor, nats."""
        steps, total = len(trajectory.laws), torch.zeros((), device=trajectory.x_0.device)
        seen: list[list[Tensor]] = []
        for i in rows:
            seen.append([])
            x_t, k = trajectory.states[i], steps - i
            law = policy.transition(x_t, k, trajectory.conditioning)
            x_0 = x_s = law.rsample(noise.fold_in(k))
            if k > 1:
                x_0 = torch.zeros_like(x_s)
            for anchor in problem.anchors:
                with torch.no_grad():
                    reference = anchor.policy.transition(x_t, k, trajectory.conditioning)
                kl = law.kl(reference)
                seen[-1].append(kl.detach())
                total = total + anchor.coefficient * kl.mean()
                if k > 1 and anchor.coefficient > 0:
                    ahead = predicted_x_0(anchor.policy.transition(x_s, k - 1, trajectory.conditioning))
                    x_0 = x_0 + anchor.coefficient / problem.temperature * ahead
            total = total - self.discount ** (k - 1) * problem.objective(x_0).mean()
        return total * (steps / len(rows)), seen
