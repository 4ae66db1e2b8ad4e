"""Direct preference optimisation: learn from pairs which of two is better, without a reward model of its own.

With G = sum_j c_j log(p(path) / p_j(path)), the gain in reward units that the policy claims for a path,

    loss = -E[ P log sigmoid(kappa (G_a - G_b)) + (1 - P) log sigmoid(kappa (G_b - G_a)) ]

over pairs (a, b), P the probability that a is preferred. Where P = sigmoid(kappa (A_a - A_b)), Bradley-Terry, the only
policy with no loss to lose has G = A + const: the optimum of `Problem`, as for every other update.

    DPO            pairs of the policy's own paths, P from the objective: another way down the same problem, that needs
                   no gradient of the objective and no baseline
    PreferenceDPO  pairs of designs that raters compared, or that labels rank, on paths of the forward process that end
                   in them; no objective at all. The baseline of Wallace et al.

Only what was drawn for the same condition is compared: log p(x | c) is normalised for each c alone, so that G differs
from A by a constant of c, which drops out of no pair of two conditions.

With all steps of a path its log-ratio is exact, and so is the optimum; but where the last steps of a Gaussian chain
have little noise, a design lies many of its standard deviations from their mean, and little is learnt. With a share of
the steps, as published, one stands for the others inside of the sigmoid (Jensen's bound): the way is the same, how far
it leads at a given temperature is not. On the toys: short of the optimum for letters, beyond it for numbers.

    Gaussian       -1/2 (|eps - eps_hat|^2 - |eps - eps_hat_j|^2),    Eq. 14 with a constant weight
    masked         log p(x_0 | x_t) - log p_j(x_0 | x_t), averaged over which letters the step reveals

References:
    Rafailov et al., "Direct preference optimization", NeurIPS 2023, https://arxiv.org/abs/2305.18290 (Eq. 7);
    Wallace et al., "Diffusion model alignment using direct preference optimization", 2023,
    https://arxiv.org/abs/2311.12908 (Eq. 14 for Gaussian steps).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import logsigmoid

from seiko.diffusion import Conditioning, DenoisingTransition, Noise, Policy, Process, State, Transition, rollout
from seiko.updates.base import SUBSET, Problem, StepReport, UpdateState, adam, choose_steps, descend, report
from seiko.updates.forward import eps_score, forward_path, noised

__all__ = ["DPO", "PreferenceDPO", "PreferenceUpdate"]

T = TypeVar("T", bound=Transition)

_PAIR, _NOISE = -40, -41  # sub-streams: which pair, the noise of its path


def _same(conditioning: Conditioning, count: int) -> tuple[Tensor, Tensor]:
    """Return rows a and b of all pairs: each path with the one before it that was drawn for the same, in a circle.

    Raises:
        ValueError: If every path is alone.
    """
    if conditioning is None:
        groups = [torch.arange(count)]
    else:
        of = torch.unique(conditioning.reshape(count, -1), dim=0, return_inverse=True)[1].cpu()
        groups = [rows for group in range(int(of.max()) + 1) if len(rows := (of == group).nonzero()[:, 0]) > 1]
    if not groups or count < 2:
        raise ValueError("a preference needs two paths for the same condition: draw at least 2 samples a step of each")
    return torch.cat(groups), torch.cat([rows.roll(1) for rows in groups])


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

    @property
    def population(self) -> int:
        """Neighbours that are to be drawn for the same condition."""
        return 2

    def init(self, policy: Policy[T]) -> UpdateState:
        """Return the optimiser's state."""
        return adam(policy, self.learning_rate)

    def step(
        self, state: UpdateState, policy: Policy[T], problem: Problem[T], conditioning: Conditioning, noise: Noise
    ) -> StepReport:
        """Draw one batch of paths and learn from all pairs of neighbours in it, of those with one condition.

        Raises:
            ValueError: If no two paths have the same.
        """
        a, b = _same(conditioning, len(noise))
        with torch.no_grad():
            trajectory = rollout(policy, conditioning, noise)
            objective = problem.objective(trajectory.x_0)
            kls = problem.anchor_kls(trajectory)
            anchored = torch.zeros_like(objective)
            for k, x_t, x_s, _ in trajectory.steps():
                for anchor in problem.anchors:
                    law = anchor.policy.transition(x_t, k, conditioning)
                    anchored = anchored + anchor.coefficient * law.log_prob(x_s)
            preferred = torch.sigmoid(self.sharpness * (objective[a] - objective[b]))
        norms = []
        for _ in range(self.epochs):
            gain = -anchored
            for k, x_t, x_s, _ in trajectory.steps():
                gain = gain + problem.temperature * policy.transition(x_t, k, conditioning).log_prob(x_s)
            loss = _loss(self.sharpness * (gain[a] - gain[b]), preferred)
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
        conditioning: `[n, ...]` what both were drawn for; None if the model takes nothing.
        learning_rate: Adam's.
    """

    config: PreferenceDPO
    process: Process[Any]
    winners: Tensor
    losers: Tensor
    conditioning: Conditioning
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
        of_pair = noise.fold_in(_NOISE)  # winner and loser share their noise: less of it in the difference
        won, lost = self.winners[rows], self.losers[rows]
        given = None if self.conditioning is None else self.conditioning[rows]
        if self.config.share == 1.0:
            paths = forward_path(self.process, won, of_pair), forward_path(self.process, lost, of_pair)
            for k in range(steps, 0, -1):
                of_step = [self._ratio(policy, problem, path[k], path[k - 1], None, k, given) for path in paths]
                total = total + of_step[0] - of_step[1]
            gain = total
        else:
            chosen = choose_steps(steps, self.config.share, noise.fold_in(SUBSET))
            for k in (steps - i for i in chosen):
                for x_0, sign in ((won, 1.0), (lost, -1.0)):
                    x_t = noised(self.process, x_0, k, of_pair.fold_in(k))
                    total = total + sign * self._ratio(policy, problem, x_t, x_0, x_0, k, given)
            gain = total * steps / len(chosen)
        loss = _loss(gain, torch.full_like(gain, 1.0 - self.config.smoothing))
        norm = descend(state, loss, self.config.max_grad_norm)
        with torch.no_grad():
            trajectory = rollout(policy, conditioning, noise)
            kls, objective = problem.anchor_kls(trajectory), problem.objective(trajectory.x_0)
        right = float((gain.detach() > 0).float().mean())
        return report(objective, kls, problem, grad_norm=norm, loss=float(loss.detach()), right=right)

    def _ratio(
        self,
        policy: Policy[T],
        problem: Problem[T],
        x_t: State,
        x_s: State,
        x_0: State | None,
        k: int,
        conditioning: Conditioning,
    ) -> Tensor:
        """Return one step's part of G, reward units; of the path through x_s, or where x_0 is given as published."""

        def score(policy: Policy[T]) -> Tensor:
            law = policy.transition(x_t, k, conditioning)
            if x_0 is None:
                return law.log_prob(x_s)
            return (
                eps_score(self.process, law, x_0, k)
                if isinstance(law, DenoisingTransition)
                else (law.log_likelihood(x_s, x_0))
            )

        with torch.no_grad():
            anchored = torch.stack([anchor.coefficient * score(anchor.policy) for anchor in problem.anchors]).sum(0)
        return problem.temperature * score(policy) - anchored


@dataclass(frozen=True, kw_only=True)
class PreferenceDPO:
    """Preference optimisation on designs that were compared; the baseline without a reward model.

    A campaign gives it the pairs: all comparisons told so far, or where there are none, pairs of labelled designs, the
    larger label preferred (`with_pairs`).

    Args:
        learning_rate: Adam's.
        share: Share of the steps that a pair is looked at in, at least one; a fresh random subset each time. Below 1 it
            is cheaper, and a bound.
        smoothing: Chance that a rater errs, whatever the designs; keeps the loss of few pairs from having no bottom.
        max_grad_norm: Gradients are clipped to this norm.

    Raises:
        ValueError: If a number is out of range.
    """

    learning_rate: float = 1e-3
    share: float = 1.0
    smoothing: float = 0.05
    max_grad_norm: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"share must lie in (0, 1], got {self.share}")
        if not 0 <= self.smoothing < 0.5:
            raise ValueError(f"smoothing must lie in [0, 0.5), got {self.smoothing}")

    def with_pairs(
        self, process: Process[Any], winners: Tensor, losers: Tensor, conditioning: Conditioning = None
    ) -> PreferenceUpdate:
        """Return what steps are taken with.

        Args:
            process: Of the model that is moved.
            winners: `[n, *event]` states that were preferred.
            losers: To these.
            conditioning: `[n, ...]` what both of a pair were drawn for; None if the model takes nothing.

        Raises:
            ValueError: If there is no pair, or they do not match.
        """
        if len(winners) == 0 or winners.shape != losers.shape:
            raise ValueError(
                f"pairs need as many winners as losers, at least one, got {tuple(winners.shape)} and "
                f"{tuple(losers.shape)}"
            )
        if conditioning is not None and len(conditioning) != len(winners):
            raise ValueError(f"{len(winners)} pairs need as many rows of conditioning, got {len(conditioning)}")
        return PreferenceUpdate(
            config=self,
            process=process,
            winners=winners,
            losers=losers,
            conditioning=conditioning,
            learning_rate=self.learning_rate,
        )

    def init(self, policy: Policy[T]) -> UpdateState:
        """Refuse: it has no pairs yet."""
        raise ValueError("PreferenceDPO learns from pairs: a campaign gives it some, or call with_pairs")

    def step(
        self, state: UpdateState, policy: Policy[T], problem: Problem[T], conditioning: Conditioning, noise: Noise
    ) -> StepReport:
        """Refuse likewise."""
        raise ValueError("PreferenceDPO learns from pairs: a campaign gives it some, or call with_pairs")
