"""Learn from what was labelled: the denoiser is trained on the best designs that are known, as it was on its data.

    loss = -E[ K log p(x_0 | x_t) ],     x_0 one of the best labelled designs, t one of the K steps, x_t ~ q(x_t | x_0)

    masked      log p(x_0 | x_t) summed over the letters that the step reveals, in the mean over which: nats a design
    Gaussian    -1/2 |eps - eps_hat|^2 summed over the event: the loss that diffusion models are trained with

Other updates learn from their own draws, few of which are as good as what a campaign has found by then. This one learns
which letters good designs are made of, so that the edits of good designs (`Remask`, `Rewrite`, `Splice`) become better
by the belief; that the labels bought become better, too, was not shown (docs/log.md). What it pays with is nats: a law
that has learnt a hundred designs is further from the pretrained one than one that has as good a mean by `PPO`. It has
no anchor of its own; a KL budget leads the model back after each round (`KLBudget`), which is also what keeps it from
learning them by heart.

Taking the best of all that was drawn is the cross-entropy method; that designs are learnt from again and again, in
rounds that did not draw them, is experience replay.

References:
    Rubinstein, Kroese, "The Cross-Entropy Method", 2004 (likelihood of elite samples);
    Guo, Schwaller, "Augmented memory: capitalizing on experience replay to accelerate de novo molecular design", 2023,
    https://arxiv.org/abs/2305.16160 (experience replay of molecules).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor

from seiko.diffusion import Conditioning, DenoisingTransition, Noise, Policy, Process, Transition, rollout
from seiko.updates.base import Problem, StepReport, UpdateState, adam, descend, report
from seiko.updates.forward import eps_score, noised

__all__ = ["Replay", "ReplayUpdate"]

T = TypeVar("T", bound=Transition)

_DESIGN, _STEP = -50, -51  # sub-streams: which design and which step, the noise of that; both of an epoch


@dataclass(frozen=True, kw_only=True)
class ReplayUpdate:
    """`Replay` with its designs and its process; what a campaign takes steps with.

    Args:
        config: The update.
        process: Of the model that is moved.
        x: `[n, *event]` designs that are learnt from, as states.
        conditioning: `[n, ...]` what each was drawn for; None if the model takes nothing.
    """

    config: Replay
    process: Process[Any]
    x: Tensor
    conditioning: Conditioning = None

    def init(self, policy: Policy[T]) -> UpdateState:
        """Return the optimiser's state."""
        return adam(policy, self.config.learning_rate)

    def step(
        self, state: UpdateState, policy: Policy[T], problem: Problem[T], conditioning: Conditioning, noise: Noise
    ) -> StepReport:
        """Take `epochs` optimiser steps on the designs; a rollout of as many paths as streams is for the report."""
        with torch.no_grad():
            trajectory = rollout(policy, conditioning, noise)
            objective, kls = problem.objective(trajectory.x_0), problem.anchor_kls(trajectory)
        losses = []
        for epoch in range(self.config.epochs):
            stream = Noise.seeded(0, self.config.batch, self.x.device)
            stream = stream.fold_in(noise.keys[:1].expand(self.config.batch)).fold_in(epoch)
            loss = -self._likelihood(policy, stream).mean()
            norm = descend(state, loss, self.config.max_grad_norm)
            losses.append(float(loss.detach()))
        return report(objective, kls, problem, grad_norm=norm, loss=losses[0], loss_after=losses[-1])

    def _likelihood(self, policy: Policy[T], noise: Noise) -> Tensor:
        """Return K log p(x_0 | x_t) of one random design and step for each stream."""
        u = noise.fold_in(_DESIGN).uniform((2,))
        rows, k = (u * u.new_tensor([len(self.x), policy.num_steps])).long().T
        rows, k = rows.clamp(max=len(self.x) - 1), k.clamp(max=policy.num_steps - 1) + 1
        x_0 = self.x[rows]
        given = None if self.conditioning is None else self.conditioning[rows]
        law = policy.transition(noised(self.process, x_0, k, noise.fold_in(_STEP)), k, given)
        if isinstance(law, DenoisingTransition):
            return policy.num_steps * eps_score(self.process, law, x_0, k)
        return policy.num_steps * law.log_likelihood(x_0, x_0)


@dataclass(frozen=True, kw_only=True)
class Replay:
    """Train on the best labelled designs, each equally often.

    A campaign gives it the designs (`with_designs`), of several prompts the best of each. Without a label that is a
    number it leaves the model as it is.

    Args:
        learning_rate: Adam's.
        best: How many of the labelled designs at most, those of the largest labels.
        share: As which part of all that are labelled at most: what was labelled first is mostly no better than the
            model's own draws.
        epochs: Optimiser steps a step of the round.
        batch: Designs an optimiser step, each at one random step of the chain.
        max_grad_norm: Gradients are clipped to this norm.

    Raises:
        ValueError: If a number is out of range.
    """

    learning_rate: float = 1e-4
    best: int = 100
    share: float = 0.5
    epochs: int = 10
    batch: int = 64
    max_grad_norm: float = 1.0

    def __post_init__(self) -> None:
        for name in ("best", "epochs", "batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0 < self.share <= 1:
            raise ValueError(f"share must lie in (0, 1], got {self.share}")
        for name in ("learning_rate", "max_grad_norm"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")

    def most(self, labelled: int) -> int:
        """Return how many of so many labelled designs are learnt from."""
        return min(self.best, max(1, round(self.share * labelled)))

    def with_designs(self, process: Process[Any], x: Tensor, conditioning: Conditioning = None) -> ReplayUpdate:
        """Return what steps are taken with.

        Args:
            process: Of the model that is moved: DDIM at eta = 1, or masked diffusion.
            x: `[n, *event]` designs to learn from, as states.
            conditioning: `[n, ...]` what each was drawn for; None if the model takes nothing.

        Raises:
            ValueError: If there is no design, or the rows of conditioning are not as many.
        """
        if len(x) == 0:
            raise ValueError("there is no design to learn from: label some first")
        if conditioning is not None and len(conditioning) != len(x):
            raise ValueError(f"{len(x)} designs need as many rows of conditioning, got {len(conditioning)}")
        return ReplayUpdate(config=self, process=process, x=x, conditioning=conditioning)

    def init(self, policy: Policy[T]) -> UpdateState:
        """Refuse: it has no designs yet."""
        raise ValueError("Replay learns from labelled designs: a campaign gives it some, or call with_designs")

    def step(
        self, state: UpdateState, policy: Policy[T], problem: Problem[T], conditioning: Conditioning, noise: Noise
    ) -> StepReport:
        """Refuse likewise."""
        raise ValueError("Replay learns from labelled designs: a campaign gives it some, or call with_designs")
