"""From belief to objective: what the batch is chosen by and the model is moved by.

    Greedy       A = mean
    UCB          A = mean + c * std              c > 0 explores, c < 0 is pessimistic (offline)
    BootstrapMax A = max over members

An objective is a function of states in the oracle's units, larger is better, differentiable where the belief is.

References:
    Uehara et al., 2024, https://arxiv.org/abs/2402.16359 (section 5.2: UCB and bootstrap bonuses).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from seiko.rewards import Belief

__all__ = ["UCB", "Acquisition", "BootstrapMax", "Greedy", "Objective"]

Objective: TypeAlias = Callable[[Tensor], Float[Tensor, "n"]]


@runtime_checkable
class Acquisition(Protocol):
    """Turns a belief into an objective."""

    def __call__(self, belief: Belief, generator: torch.Generator) -> Objective:
        """Return the objective of one round; the generator serves those that draw (Thompson sampling)."""
        ...


@dataclass(frozen=True, kw_only=True)
class Greedy:
    """Maximise the mean; no optimism."""

    def __call__(self, belief: Belief, generator: torch.Generator) -> Objective:
        """Return x -> mean(x)."""
        return lambda x: belief.posterior(x).mean


@dataclass(frozen=True, kw_only=True)
class UCB:
    """Maximise the upper confidence bound.

    Args:
        c: Epistemic standard deviations added to the mean; below 0 is pessimistic.
    """

    c: float = 1.0

    def __call__(self, belief: Belief, generator: torch.Generator) -> Objective:
        """Return x -> mean(x) + c * std(x)."""

        def objective(x: Tensor) -> Float[Tensor, "n"]:
            posterior = belief.posterior(x)
            return posterior.mean + self.c * posterior.std

        return objective


@dataclass(frozen=True, kw_only=True)
class BootstrapMax:
    """Maximise the most optimistic member of an ensemble.

    Raises:
        TypeError: When the objective is asked of a belief that has no members.
    """

    def __call__(self, belief: Belief, generator: torch.Generator) -> Objective:
        """Return x -> max over members."""

        def objective(x: Tensor) -> Float[Tensor, "n"]:
            members = belief.posterior(x).members
            if members is None:
                raise TypeError("BootstrapMax needs a reward model with members (Ensemble); use UCB with this one")
            return members.amax(0)

        return objective
