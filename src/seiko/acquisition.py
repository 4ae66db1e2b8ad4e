"""From belief to objective: what the update maximises in a round.

    Greedy         A(x) = mean(x)
    UCB            A(x) = mean(x) + c * std(x),            c < 0 is the pessimistic, offline case
    BootstrapMax   A(x) = max_j f_j(x) over the members

Objectives come in the oracle's units, larger is better, and are differentiable in x where the belief is. They are
frozen: two calls at the same x give the same value, whatever was drawn to make them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from seiko.rewards.base import Belief

__all__ = ["UCB", "Acquisition", "BootstrapMax", "Greedy", "Objective"]


@runtime_checkable
class Objective(Protocol):
    """A function of states to be maximised."""

    def __call__(self, x: Tensor) -> Float[Tensor, "n"]:
        """Return `[n]` values of states `[n, *event]`, oracle's units."""
        ...


@runtime_checkable
class Acquisition(Protocol):
    """Frozen configuration that turns a belief into the objective of a round."""

    def __call__(self, belief: Belief, generator: torch.Generator) -> Objective:
        """Return the objective.

        Args:
            belief: A fitted reward model.
            generator: Consumed by acquisitions that draw; the deterministic ones leave it untouched.
        """
        ...


@dataclass(frozen=True)
class _Bound:
    belief: Belief
    c: float

    def __call__(self, x: Tensor) -> Float[Tensor, "n"]:
        posterior = self.belief.posterior(x)
        return posterior.mean if self.c == 0.0 else posterior.mean + self.c * posterior.std


@dataclass(frozen=True)
class _MemberMaximum:
    belief: Belief

    def __call__(self, x: Tensor) -> Float[Tensor, "n"]:
        members = self.belief.posterior(x).members
        if members is None:
            raise TypeError(_NO_MEMBERS.format(type(self.belief).__name__))
        return members.amax(0)


_NO_MEMBERS = "BootstrapMax needs a belief with members (an Ensemble), and {} has none; choose UCB or an Ensemble"


@dataclass(frozen=True, kw_only=True)
class Greedy:
    """Trust the mean: A(x) = mean(x)."""

    def __call__(self, belief: Belief, generator: torch.Generator) -> Objective:
        """Return the posterior mean as the objective."""
        return _Bound(belief, 0.0)


@dataclass(frozen=True, kw_only=True)
class UCB:
    """Upper confidence bound: A(x) = mean(x) + c * std(x).

    Args:
        c: Optimism, in epistemic standard deviations; 0 is greedy, negative is pessimistic.

    Raises:
        ValueError: If c is not finite.

    References:
        Uehara et al., "Feedback efficient online fine-tuning of diffusion models", 2024,
        https://arxiv.org/abs/2402.16359
    """

    c: float = 1.0

    def __post_init__(self) -> None:
        if not math.isfinite(self.c):
            raise ValueError(f"c must be a finite number of standard deviations, got {self.c}")

    def __call__(self, belief: Belief, generator: torch.Generator) -> Objective:
        """Return the confidence bound as the objective."""
        return _Bound(belief, self.c)


@dataclass(frozen=True, kw_only=True)
class BootstrapMax:
    """Most optimistic member of an ensemble: A(x) = max_j f_j(x).

    Its optimism grows with the number of members, about sqrt(2 log m) standard deviations.
    """

    def __call__(self, belief: Belief, generator: torch.Generator) -> Objective:
        """Return the maximum over members as the objective.

        Raises:
            TypeError: If the belief says, when it is first asked, that it has no members.
        """
        return _MemberMaximum(belief)
