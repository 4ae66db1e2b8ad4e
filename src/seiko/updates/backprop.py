"""Reparameterised gradient through the last steps of the chain.

    grad of  E[A(x_0)] - sum_j coefficient_j * KL(P || p_j),     x_0 a function of the noise

Exact for Gaussian transitions when the window covers the whole chain; with a shorter window the effect of a step
through the states before it is dropped. For masked transitions the gradient through the letters is straight-through:
**biased**, with a warning, never the default there.

For large networks the window's steps can be gone through one at a time (`seiko.updates.stepwise`), and the anchors need
not be asked outside of the window: there they add nothing to the gradient, and the KL that is reported can be estimated
from a few random steps, without bias.

References:
    Uehara et al., 2024, https://arxiv.org/abs/2402.16359 (Algorithm 3);
    Clark et al., "Directly Fine-Tuning Diffusion Models on Differentiable Rewards", 2023,
    https://arxiv.org/abs/2309.17400 (truncation to the last K steps, section 4).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor

from seiko.diffusion import (
    Conditioning,
    GradientWindow,
    MaskedTransition,
    Noise,
    Policy,
    Trajectory,
    Transition,
    rollout,
)
from seiko.updates.base import (
    SUBSET,
    Anchor,
    Problem,
    StepReport,
    UpdateState,
    adam,
    choose_steps,
    descend,
    follow_gradient,
    report,
)
from seiko.updates.schedule import CONSTANT, RateSchedule
from seiko.updates.stepwise import ascend_stepwise, draw_keeping

__all__ = ["BiasedGradientWarning", "DirectBackprop"]

T = TypeVar("T", bound=Transition)


class BiasedGradientWarning(UserWarning):
    """The gradient is a straight-through estimate through discrete letters."""


@dataclass(frozen=True, kw_only=True)
class DirectBackprop:
    """Gradient of the reward through the denoising chain.

    Args:
        learning_rate: Adam's.
        schedule: How the rate runs over the steps of a round.
        window: How many of the last steps carry the gradient; None for all. A pair (low, high) draws the number
            anew at each step, uniformly.
        max_grad_norm: Gradients are clipped to this norm.
        kept: Steps whose activations are kept until their gradient is taken; None for all of the window. With a number,
            Gaussian models only, the others are computed again one at a time: 0 needs least memory.
        weight_decay: Above 0 the optimiser is AdamW with its usual averaging.
        outside: Steps outside of the window at which the KL to each anchor is evaluated, for the report alone; fewer
            than there are estimate it without bias. None for all.
    """

    learning_rate: float = 1e-3
    schedule: RateSchedule = CONSTANT
    window: int | tuple[int, int] | None = None
    max_grad_norm: float = 1.0
    kept: int | None = None
    outside: int | None = None
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        low, high = self.window if isinstance(self.window, tuple) else (self.window, self.window)
        if low is not None and high is not None and not 1 <= low <= high:
            raise ValueError(f"window must be at least 1 step, or (low, high) with 1 <= low <= high, got {self.window}")
        if not self.weight_decay >= 0:
            raise ValueError(f"weight_decay must be at least 0, got {self.weight_decay}")
        for name in ("kept", "outside"):
            if (value := getattr(self, name)) is not None and value < 0:
                raise ValueError(f"{name} must be a number of steps of at least 0, got {value}")

    def init(self, policy: Policy[T]) -> UpdateState:
        """Return the optimiser's state."""
        return adam(policy, self.learning_rate, self.schedule, self.weight_decay)

    def step(
        self, state: UpdateState, policy: Policy[T], problem: Problem[T], conditioning: Conditioning, noise: Noise
    ) -> StepReport:
        """Draw one batch and go up its gradient.

        Raises:
            TypeError: If `kept` is given and the policy is not Gaussian.
        """
        window = min(self._draw_window(policy, noise), policy.num_steps)
        if self.kept is not None:
            return self._stepwise(state, policy, problem, conditioning, noise, window, self.kept)
        trajectory = rollout(policy, conditioning, noise, gradient=GradientWindow(window))
        if isinstance(trajectory.laws[-1], MaskedTransition):
            warnings.warn(
                "DirectBackprop on a masked model uses the straight-through gradient, which is biased; PPO is exact",
                BiasedGradientWarning,
                stacklevel=2,
            )
        objective = problem.objective(trajectory.x_0)
        kls = [self._kls(anchor, trajectory, noise, window, {}) for anchor in problem.anchors]
        loss = (problem.weighted(kls).sum(0) - objective).mean()
        norm = descend(state, loss, self.max_grad_norm)
        return report(objective, kls, problem, grad_norm=norm)

    def _stepwise(
        self,
        state: UpdateState,
        policy: Any,
        problem: Any,
        conditioning: Conditioning,
        noise: Noise,
        window: int,
        kept: int,
    ) -> StepReport:
        trajectory = draw_keeping(policy, conditioning, noise, min(kept, window))
        state.optimiser.zero_grad()
        objective, inside = ascend_stepwise(policy, problem, trajectory, noise, window)
        norm = follow_gradient(state, self.max_grad_norm)
        with torch.no_grad():
            kls = [
                self._kls(anchor, trajectory, noise, window, known)
                for anchor, known in zip(problem.anchors, inside, strict=True)
            ]
        return report(objective, kls, problem, grad_norm=norm)

    def _kls(
        self, anchor: Anchor[T], trajectory: Trajectory[T], noise: Noise, window: int, known: dict[int, Tensor]
    ) -> Tensor:
        """Return `[K, b]` nats, k = K first; steps that were not looked at are 0, and their like weigh more instead."""
        beyond = len(trajectory.laws) - window
        looked = beyond if self.outside is None else min(self.outside, beyond)
        chosen = set(choose_steps(beyond, looked / beyond, noise.fold_in(SUBSET))) if 0 < looked < beyond else None
        rows = []
        for i, (k, x_t, _, law) in enumerate(trajectory.steps()):
            if k in known:
                rows.append(known[k])
            elif k > window and (looked == 0 or (chosen is not None and i not in chosen)):
                rows.append(torch.zeros(len(trajectory.x_0), device=trajectory.x_0.device))
            else:
                with torch.set_grad_enabled(torch.is_grad_enabled() and k <= window):
                    kl = law.kl(anchor.policy.transition(x_t, k, trajectory.conditioning))
                rows.append(kl if k <= window or chosen is None else kl * (beyond / looked))
        return torch.stack(rows)

    def _draw_window(self, policy: Policy[T], noise: Noise) -> int:
        if self.window is None:
            return policy.num_steps
        if isinstance(self.window, int):
            return self.window
        low, high = self.window
        # a number for the whole batch, from its first stream: sub-stream -1 is used by nothing else
        u = float(noise[:1].fold_in(-1).uniform().item())
        return low + min(int(u * (high - low + 1)), high - low)
