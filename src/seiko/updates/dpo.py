"""Direct preference optimisation: learn from pairs which of two is better, without a reward model of its own.

With G = sum_j c_j log(p(path) / p_j(path)), the gain in reward units that the policy claims for a path,

    loss = -E[ P log sigmoid(kappa (G_a - G_b)) + (1 - P) log sigmoid(kappa (G_b - G_a)) ]

over pairs (a, b), P the probability that a is preferred. Where P = sigmoid(kappa (A_a - A_b)), Bradley-Terry, the only
policy with no loss to lose has G = A + const: the optimum of `Problem`, as for every other update.

    DPO            pairs of the policy's own paths, P from the objective: another way down the same problem, that needs
                   no gradient of the objective and no baseline
    PreferenceDPO  pairs of designs that raters compared, or that labels rank, noised to a random step, as the baseline
                   of Wallace et al.; no objective at all. The log-ratio of a step is

                       Gaussian   KL(q || p_j) - KL(q || p),    q the law of x_s given x_t and x_0: their Eq. 14 with
                                                                the weight of the exact bound
                       masked     log p(x_0 | x_t) - log p_j(x_0 | x_t) over the letters revealed in the step

                   times the number of steps. With one step a pair it stands inside of the sigmoid (Jensen's bound, as
                   there): the loss then pulls less than it should where steps differ. All steps are exact.

References:
    Rafailov et al., "Direct preference optimization", NeurIPS 2023, https://arxiv.org/abs/2305.18290 (Eq. 7);
    Wallace et al., "Diffusion model alignment using direct preference optimization", 2023,
    https://arxiv.org/abs/2311.12908 (Eq. 14 for Gaussian steps).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import logsigmoid

from seiko.diffusion import (
    DDIM,
    Conditioning,
    MaskedDiffusion,
    Noise,
    Policy,
    Process,
    State,
    Transition,
    rollout,
)
from seiko.updates.base import SUBSET, Problem, StepReport, UpdateState, adam, choose_steps, descend, report

__all__ = ["DPO", "PreferenceDPO", "PreferenceUpdate", "noised"]

T = TypeVar("T", bound=Transition)

_PAIR, _STEP, _NOISE = -40, -41, -42  # sub-streams: which pair, which step, its noise


def _loss(gain: Float[Tensor, "b"], preferred: Float[Tensor, "b"]) -> Tensor:
    """Return the loss of gains G_a - G_b, given the probability that a is preferred."""
    return -(preferred * logsigmoid(gain) + (1 - preferred) * logsigmoid(-gain)).mean()


@dataclass(frozen=True, kw_only=True)
class DPO:
    """Preference optimisation on the policy's own paths.

    Args:
        learning_rate: Adam's.
        sharpness: kappa, by how much a difference of one reward unit decides a preference.
        epochs: Optimiser steps on each batch of paths.
        max_grad_norm: Gradients are clipped to this norm.

    Raises:
        ValueError: If a number is out of range.
    """

    learning_rate: float = 1e-3
    sharpness: float = 1.0
    epochs: int = 1
    max_grad_norm: float = 1.0

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ValueError(f"epochs must be at least 1, got {self.epochs}")
        if not self.sharpness > 0:
            raise ValueError(f"sharpness must be positive, got {self.sharpness}")

    def init(self, policy: Policy[T]) -> UpdateState:
        """Return the optimiser's state."""
        return adam(policy, self.learning_rate)

    def step(
        self, state: UpdateState, policy: Policy[T], problem: Problem[T], conditioning: Conditioning, noise: Noise
    ) -> StepReport:
        """Draw one batch of paths and learn from all pairs of neighbours in it.

        Raises:
            ValueError: If only one path is drawn.
        """
        if len(noise) < 2:
            raise ValueError("a preference needs two paths: draw at least 2 samples a step")
        with torch.no_grad():
            trajectory = rollout(policy, conditioning, noise)
            objective = problem.objective(trajectory.x_0)
            kls = problem.anchor_kls(trajectory)
            anchored = torch.zeros_like(objective)
            for k, x_t, x_s, _ in trajectory.steps():
                for anchor in problem.anchors:
                    law = anchor.policy.transition(x_t, k, conditioning)
                    anchored = anchored + anchor.coefficient * law.log_prob(x_s)
            preferred = torch.sigmoid(self.sharpness * (objective - objective.roll(1)))
        norms = []
        for _ in range(self.epochs):
            gain = -anchored
            for k, x_t, x_s, _ in trajectory.steps():
                gain = gain + problem.temperature * policy.transition(x_t, k, conditioning).log_prob(x_s)
            loss = _loss(self.sharpness * (gain - gain.roll(1)), preferred)
            norms.append(descend(state, loss, self.max_grad_norm))
        return report(objective, kls, problem, grad_norm=sum(norms) / len(norms), loss=float(loss.detach()))


@dataclass(frozen=True, kw_only=True)
class PreferenceUpdate:
    """`PreferenceDPO` with its pairs and its process; what a campaign takes steps with.

    Args:
        config: The update.
        process: Of the model that is moved.
        winners: `[n, *event]` states that were preferred,
        losers: to these.
        learning_rate: Adam's.
    """

    config: PreferenceDPO
    process: Process[Any]
    winners: Tensor
    losers: Tensor
    learning_rate: float

    def init(self, policy: Policy[T]) -> UpdateState:
        """Return the optimiser's state."""
        return adam(policy, self.learning_rate)

    def step(
        self, state: UpdateState, policy: Policy[T], problem: Problem[T], conditioning: Conditioning, noise: Noise
    ) -> StepReport:
        """Learn from a random batch of pairs, one a stream of noise; a rollout of as many paths is for the report."""
        rows = (noise.fold_in(_PAIR).uniform((1,))[:, 0] * len(self.winners)).long().clamp_max(len(self.winners) - 1)
        total, steps = torch.zeros(len(rows), device=self.winners.device), policy.num_steps
        for k in choose_steps(steps, self.config.share, noise.fold_in(SUBSET)):
            of_pair = noise.fold_in(_NOISE - k)  # winner and loser share their noise: less of it in the difference
            won = self._ratio(policy, problem, self.winners[rows], steps - k, conditioning, of_pair)
            lost = self._ratio(policy, problem, self.losers[rows], steps - k, conditioning, of_pair)
            total = total + won - lost
        gain = total * steps / max(1, round(self.config.share * steps))
        loss = _loss(gain, torch.full_like(gain, 1.0 - self.config.smoothing))
        norm = descend(state, loss, self.config.max_grad_norm)
        with torch.no_grad():
            trajectory = rollout(policy, conditioning, noise)
            kls, objective = problem.anchor_kls(trajectory), problem.objective(trajectory.x_0)
        right = float((gain.detach() > 0).float().mean())
        return report(objective, kls, problem, grad_norm=norm, loss=float(loss.detach()), right=right)

    def _ratio(
        self, policy: Policy[T], problem: Problem[T], x_0: State, k: int, conditioning: Conditioning, noise: Noise
    ) -> Tensor:
        """Return one step's part of G at designs, reward units."""
        x_t, x_s = noised(self.process, x_0, k, noise)
        gain = problem.temperature * policy.transition(x_t, k, conditioning).log_likelihood(x_s, x_0)
        with torch.no_grad():
            for anchor in problem.anchors:
                law = anchor.policy.transition(x_t, k, conditioning)
                gain = gain - anchor.coefficient * law.log_likelihood(x_s, x_0)
        return gain


@dataclass(frozen=True, kw_only=True)
class PreferenceDPO:
    """Preference optimisation on designs that were compared; the baseline without a reward model.

    A campaign gives it the pairs: all comparisons told so far, or where there are none, pairs of labelled designs, the
    larger label preferred (`with_pairs`).

    Args:
        learning_rate: Adam's.
        share: Share of the steps that a pair is looked at in, at least one; a fresh random subset each time.
        smoothing: Chance that a rater errs, whatever the designs; keeps the loss of few pairs from having no bottom.
        max_grad_norm: Gradients are clipped to this norm.

    Raises:
        ValueError: If a number is out of range.
    """

    learning_rate: float = 1e-3
    share: float = 0.2
    smoothing: float = 0.05
    max_grad_norm: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"share must lie in (0, 1], got {self.share}")
        if not 0 <= self.smoothing < 0.5:
            raise ValueError(f"smoothing must lie in [0, 0.5), got {self.smoothing}")

    def with_pairs(self, process: Process[Any], winners: Tensor, losers: Tensor) -> PreferenceUpdate:
        """Return what steps are taken with.

        Args:
            process: Of the model that is moved.
            winners: `[n, *event]` states that were preferred.
            losers: To these.

        Raises:
            ValueError: If there is no pair, or they do not match.
        """
        if len(winners) == 0 or winners.shape != losers.shape:
            raise ValueError(
                f"pairs need as many winners as losers, at least one, got {tuple(winners.shape)} and "
                f"{tuple(losers.shape)}"
            )
        return PreferenceUpdate(
            config=self, process=process, winners=winners, losers=losers, learning_rate=self.learning_rate
        )

    def init(self, policy: Policy[T]) -> UpdateState:
        """Refuse: it has no pairs yet."""
        raise ValueError("PreferenceDPO learns from pairs: a campaign gives it some, or call with_pairs")

    def step(
        self, state: UpdateState, policy: Policy[T], problem: Problem[T], conditioning: Conditioning, noise: Noise
    ) -> StepReport:
        """Refuse likewise."""
        raise ValueError("PreferenceDPO learns from pairs: a campaign gives it some, or call with_pairs")


def noised(process: Process[Any], x_0: State, k: int, noise: Noise) -> tuple[State, State]:
    """Return x_t at step k of the forward process that ends in designs, and where step k leads to from there.

        Gaussian   x_t ~ N(alpha_t x_0, sigma_t^2),   x_s = the mean of q(x_s | x_t, x_0): with it a difference of
                   log-densities is the difference of the KLs to q
        masked     x_t with as many random positions masked as the chain has left at step k,   x_s = x_0

    Args:
        process: DDIM at eta = 1, or masked diffusion.
        x_0: Designs as states.
        k: Step, from 1 (the last) to K.
        noise: One stream a design.

    Raises:
        TypeError: If the process is of neither kind.
    """
    if isinstance(process, MaskedDiffusion):
        left = x_0.shape[1]
        for step in range(process.num_steps, k, -1):
            left -= -(-left // step)
        order = noise.uniform((x_0.shape[1],)).argsort(-1).argsort(-1)
        return torch.where(order < left, process.mask_token, x_0), x_0
    if isinstance(process, DDIM):
        t = process.times.to(x_0.device)[k]
        alpha, sigma = process.schedule.alpha(t).to(x_0), process.schedule.sigma(t).to(x_0)
        x_t = alpha * x_0 + sigma * noise.normal(tuple(x_0.shape[1:]), x_0.dtype)
        known: Any = replace(process, predicts="data", clip=None).transition(x_0, x_t, k)
        return x_t, known.mean
    raise TypeError(f"designs can be noised by DDIM or MaskedDiffusion, got {type(process).__name__}")
