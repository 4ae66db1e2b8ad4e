"""Adjoint matching: regression of each step's mean on a signal carried back through the *anchors'* chain.

A step is x_s = mu(x_t) + std * xi and its anchors' means are mu_j, so that the problem is one of control,

    maximise  E[ A(x_0) - sum_k sum_j c_j |mu_k - mu_jk|² / (2 std_k²) ]

With C = sum_j c_j and the blend m = sum_j (c_j / C) mu_j, the costs of a step are C |mu - m|² / (2 std²) + D, where
D = sum_j c_j |mu_j - m|² / (2 std²), the anchors' disagreement, depends on x_t and not on mu. Hence the optimum V of
what is left to gain obeys, exactly and for any number of steps,

    mu*(x_t) = m(x_t) + std² / C * E[grad V(x_s)],        grad V(x_t) = (dm / dx_t)^T E[grad V(x_s)] - grad D(x_t)

The *lean adjoint* a is this recursion along one drawn path, without the expectations:

    a(x_0) = grad A(x_0),        a(x_t) = (dm / dx_t)^T a(x_s) - grad D(x_t)

It is carried back through the anchors alone: with one anchor D = 0 and m is its mean; with two, leaving D out would
solve another problem. The means are regressed on m + std² / C * a(x_s) at the drawn states. Where the policy is optimal
E[a(x_s) | x_t] = E[grad V(x_s)], so that the optimum is a fixed point, and no graph of the policy's chain is kept.

References:
    Domingo-Enrich, Drozdzal, Karrer, Chen, "Adjoint Matching: Fine-tuning Flow and Diffusion Generative Models with
    Memoryless Stochastic Optimal Control", 2024, https://arxiv.org/abs/2409.08861 (the lean adjoint, in continuous time
    and with one anchor).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from seiko.diffusion import Conditioning, GaussianTransition, Noise, Policy, Trajectory, rollout
from seiko.updates.base import SUBSET, Problem, StepReport, UpdateState, adam, choose_steps, descend, report
from seiko.updates.lookahead import need_gaussian, objective_gradient
from seiko.updates.schedule import CONSTANT, RateSchedule

__all__ = ["AdjointMatching"]


@dataclass(frozen=True, kw_only=True)
class AdjointMatching:
    """Regress the means on the lean adjoint; Gaussian processes only, and a differentiable objective.

    Args:
        learning_rate: Adam's.
        schedule: How the rate runs over the steps of a round.
        share: Share of the steps that is learnt from, a fresh random subset each time. The adjoint passes through the
            anchors at every step all the same.
        max_grad_norm: Gradients are clipped to this norm.
    """

    learning_rate: float = 1e-3
    schedule: RateSchedule = CONSTANT
    share: float = 1.0
    max_grad_norm: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"share must lie in (0, 1], got {self.share}")

    def init(self, policy: Policy[GaussianTransition]) -> UpdateState:
        """Return the optimiser's state."""
        return adam(policy, self.learning_rate, self.schedule)

    def step(
        self,
        state: UpdateState,
        policy: Policy[GaussianTransition],
        problem: Problem[GaussianTransition],
        conditioning: Conditioning,
        noise: Noise,
    ) -> StepReport:
        """Draw one batch and learn from its adjoints.

        Raises:
            TypeError: If the policy is not Gaussian, or the objective has no gradient.
        """
        trajectory = rollout(policy, conditioning, noise)
        need_gaussian("AdjointMatching", trajectory.laws[-1])
        with torch.no_grad():
            kls = problem.anchor_kls(trajectory)
        objective, adjoints = self.adjoints(trajectory, problem)
        rows = choose_steps(len(trajectory.laws), self.share, noise.fold_in(SUBSET))
        loss = self._loss(policy, problem, trajectory, adjoints, rows, noise)
        norm = descend(state, loss, self.max_grad_norm)
        return report(objective, kls, problem, grad_norm=norm)

    @staticmethod
    def adjoints(
        trajectory: Trajectory[GaussianTransition], problem: Problem[GaussianTransition]
    ) -> tuple[Tensor, list[Tensor]]:
        """Return A `[b]` and the lean adjoint a(x_s) of each step, k = K first."""
        objective, adjoint = objective_gradient(problem.objective, trajectory.x_0)
        adjoints = [adjoint]
        for k, x_t, _, _ in list(trajectory.steps())[:0:-1]:  # from step 1 up to K - 1: x_K needs none
            with torch.enable_grad():
                x_t = x_t.detach().requires_grad_()
                laws = [
                    (
                        anchor.policy.transition(x_t, k, trajectory.conditioning),
                        anchor.coefficient / problem.temperature,
                    )
                    for anchor in problem.anchors
                    if anchor.coefficient > 0
                ]
                blend = GaussianTransition(torch.stack([w * law.mean for law, w in laws]).sum(0), laws[0][0].std)
                gain = (blend.mean * adjoint).sum()
                if len(laws) > 1:
                    gain = gain - problem.temperature * sum(w * blend.kl(law).sum() for law, w in laws)
                (adjoint,) = torch.autograd.grad(gain, x_t)
            adjoints.insert(0, adjoint)
        return objective, adjoints

    @staticmethod
    def _loss(
        policy: Policy[GaussianTransition],
        problem: Problem[GaussianTransition],
        trajectory: Trajectory[GaussianTransition],
        adjoints: list[Tensor],
        rows: list[int],
        noise: Noise,
    ) -> Tensor:
        """Return the regression over some steps, scaled to all of them.

        It is written as sum_j c_j KL(p_k || p_jk) - a · x_s, with x_s a function of the step's noise. For a mean this
        is C |mu - target|² / (2 std²) up to a constant; a std that is learnt has its gradient too.
        """
        steps, total = len(trajectory.laws), torch.zeros((), device=trajectory.x_0.device)
        for i in rows:
            x_t, k = trajectory.states[i], steps - i
            law = policy.transition(x_t, k, trajectory.conditioning)
            for anchor in problem.anchors:
                with torch.no_grad():
                    reference = anchor.policy.transition(x_t, k, trajectory.conditioning)
                total = total + anchor.coefficient * law.kl(reference).mean()
            total = total - (adjoints[i] * law.rsample(noise.fold_in(k))).flatten(1).sum(1).mean()
        return total * (steps / len(rows))
