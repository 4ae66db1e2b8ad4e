"""Reparameterised gradient through the last steps of the chain.

    grad of  E[A(x_0)] - sum_j coefficient_j * KL(P || p_j),     x_0 a function of the noise

Exact for Gaussian transitions when the window covers the whole chain; with a shorter window the effect of a step
through the states before it is dropped. For masked transitions the gradient through the letters is straight-through:
**biased**, with a warning, never the default there.

References:
    Uehara et al., 2024, https://arxiv.org/abs/2402.16359 (Algorithm 3);
    Clark et al., "Directly Fine-Tuning Diffusion Models on Differentiable Rewards", 2023,
    https://arxiv.org/abs/2309.17400 (truncation to the last K steps, section 4).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TypeVar

from seiko.diffusion import Conditioning, GradientWindow, MaskedTransition, Noise, Policy, Transition, rollout
from seiko.updates.base import Problem, StepReport, UpdateState, adam, descend, report

__all__ = ["BiasedGradientWarning", "DirectBackprop"]

T = TypeVar("T", bound=Transition)


class BiasedGradientWarning(UserWarning):
    """The gradient is a straight-through estimate through discrete letters."""


@dataclass(frozen=True, kw_only=True)
class DirectBackprop:
    """Gradient of the reward through the denoising chain.

    Args:
        learning_rate: Adam's.
        window: How many of the last steps carry the gradient; None for all. A pair (low, high) draws the number
            anew at each step, uniformly.
        max_grad_norm: Gradients are clipped to this norm.
    """

    learning_rate: float = 1e-3
    window: int | tuple[int, int] | None = None
    max_grad_norm: float = 1.0

    def __post_init__(self) -> None:
        low, high = self.window if isinstance(self.window, tuple) else (self.window, self.window)
        if low is not None and high is not None and not 1 <= low <= high:
            raise ValueError(f"window must be at least 1 step, or (low, high) with 1 <= low <= high, got {self.window}")

    def init(self, policy: Policy[T]) -> UpdateState:
        """Return the optimiser's state."""
        return adam(policy, self.learning_rate)

    def step(
        self, state: UpdateState, policy: Policy[T], problem: Problem[T], conditioning: Conditioning, noise: Noise
    ) -> StepReport:
        """Draw one batch and go up its gradient."""
        trajectory = rollout(policy, conditioning, noise, gradient=GradientWindow(self._draw_window(policy, noise)))
        if isinstance(trajectory.laws[-1], MaskedTransition):
            warnings.warn(
                "DirectBackprop on a masked model uses the straight-through gradient, which is biased; PPO is exact",
                BiasedGradientWarning,
                stacklevel=2,
            )
        objective = problem.objective(trajectory.x_0)
        kls = problem.anchor_kls(trajectory)
        loss = (problem.weighted(kls).sum(0) - objective).mean()
        norm = descend(state, loss, self.max_grad_norm)
        return report(objective, kls, problem, grad_norm=norm)

    def _draw_window(self, policy: Policy[T], noise: Noise) -> int:
        if self.window is None:
            return policy.num_steps
        if isinstance(self.window, int):
            return self.window
        low, high = self.window
        # a number for the whole batch, from its first stream: sub-stream -1 is used by nothing else
        u = float(noise[:1].fold_in(-1).uniform().item())
        return low + min(int(u * (high - low + 1)), high - low)
