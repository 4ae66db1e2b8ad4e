"""Soft-Q one-step update: each step goes up the objective at the x_0 that its own draw predicts.

    maximise at every step k    discount^(k-1) * A(x_0_hat(x_s)) - sum_j c_j KL(p_k || p_jk),      x_s ~ p(. | x_t)

with x_t drawn on policy and x_0_hat the anchors' one-step prediction, weighted by c_j. A(x_0_hat(x_s)) stands in for
the soft value V(x_s) = C log E[exp(A(x_0) / C) | x_s]: no gradient passes from step to step, and a step costs one pass
through the anchors' predictor, so that a random share of the steps is enough.

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
from seiko.updates.start import LearnedStart

__all__ = ["SQDF"]


@dataclass(frozen=True, kw_only=True)
class SQDF:
    """One-step gradient of the soft Q-function; Gaussian processes only, and a differentiable objective.

    Args:
        learning_rate: Adam's.
        discount: Factor in (0, 1] on the reward for each step that is still to come; below 1 the early steps, whose
            predictions are poor, move less.
        share: Share of the steps that is learnt from, a fresh random subset each time.
        max_grad_norm: Gradients are clipped to this norm.
    """

    learning_rate: float = 1e-3
    discount: float = 1.0
    share: float = 1.0
    max_grad_norm: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.discount <= 1:
            raise ValueError(f"discount must lie in (0, 1], got {self.discount}")
        if not 0 < self.share <= 1:
            raise ValueError(f"share must lie in (0, 1], got {self.share}")

    def init(self, policy: Policy[GaussianTransition]) -> UpdateState:
        """Return the optimiser's state.

        Raises:
            TypeError: If the start is learnt: that is for eta < 1, where one prediction does not stand for the chain.
        """
        if isinstance(policy, LearnedStart):
            raise TypeError(
                "SQDF needs a memoryless process: with a learnt start use DirectBackprop or AdjointMatching"
            )
        return adam(policy, self.learning_rate)

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
        trajectory = rollout(policy, conditioning, noise)
        need_gaussian("SQDF", trajectory.laws[-1])
        with torch.no_grad():
            objective = problem.objective(trajectory.x_0)
            kls = problem.anchor_kls(trajectory)
        rows = choose_steps(len(trajectory.laws), self.share, noise.fold_in(SUBSET))
        norm = descend(state, self._loss(policy, problem, trajectory, rows, noise), self.max_grad_norm)
        return report(objective, kls, problem, grad_norm=norm)

    def _loss(
        self,
        policy: Policy[GaussianTransition],
        problem: Problem[GaussianTransition],
        trajectory: Trajectory[GaussianTransition],
        rows: list[int],
        noise: Noise,
    ) -> Tensor:
        """Return the loss over some steps, scaled to all of them."""
        steps, total = len(trajectory.laws), torch.zeros((), device=trajectory.x_0.device)
        for i in rows:
            x_t, k = trajectory.states[i], steps - i
            law = policy.transition(x_t, k, trajectory.conditioning)
            x_0 = x_s = law.rsample(noise.fold_in(k))
            if k > 1:
                x_0 = torch.zeros_like(x_s)
            for anchor in problem.anchors:
                with torch.no_grad():
                    reference = anchor.policy.transition(x_t, k, trajectory.conditioning)
                total = total + anchor.coefficient * law.kl(reference).mean()
                if k > 1 and anchor.coefficient > 0:
                    ahead = predicted_x_0(anchor.policy.transition(x_s, k - 1, trajectory.conditioning))
                    x_0 = x_0 + anchor.coefficient / problem.temperature * ahead
            total = total - self.discount ** (k - 1) * problem.objective(x_0).mean()
        return total * (steps / len(rows))
