"""From belief to objective: what the update maximises in a round.

    Greedy         A(x) = mean(x)
    UCB            A(x) = mean(x) + c * std(x),            c < 0 is the pessimistic, offline case
    BootstrapMax   A(x) = max_j f_j(x) over the members
    Thompson       A(x) = f(x), f one draw of the posterior a round
    Feasible       A_ref + p(x) (A(x) - A_ref),            p the probability that x can be labelled

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
from seiko.rewards.feasibility import FeasibilityBelief
from seiko.rewards.joint import Conditioned, Joint

__all__ = [
    "UCB",
    "Acquisition",
    "BootstrapMax",
    "Feasible",
    "Foreseeing",
    "Foreseen",
    "ForeseenShare",
    "Greedy",
    "Objective",
    "Thompson",
    "shrink_above",
]


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


class Foreseen(Protocol):
    """An acquisition at candidates, some of which are imagined to be labelled, at the mean."""

    @property
    def value(self) -> Float[Tensor, "n"]:
        """A at each candidate, oracle's units."""
        ...

    def label(self, row: int) -> None:
        """Imagine the label of one candidate."""
        ...


@runtime_checkable
class Foreseeing(Objective, Protocol):
    """An objective that knows what labels will do to it, whatever they say."""

    def foresee(self, x: Tensor) -> Foreseen | None:
        """Return it at candidates `[n, *event]`; None if its belief does not know how its errors go together."""
        ...


@dataclass(frozen=True)
class _ForeseenBound:
    mean: Float[Tensor, "n"]
    c: float
    conditioned: Conditioned

    @property
    def value(self) -> Float[Tensor, "n"]:
        return self.mean + self.c * self.conditioned.std

    def label(self, row: int) -> None:
        self.conditioned.label(row)


@dataclass(frozen=True)
class ForeseenShare:
    """What is foreseen of an objective, times a factor of each candidate that labels do not move; see `Feasible`.

    Args:
        foreseen: Of the objective.
        factor: `[n]`.
        reference: A_ref, oracle's units.
    """

    foreseen: Foreseen
    factor: Float[Tensor, "n"]
    reference: float

    @property
    def value(self) -> Float[Tensor, "n"]:
        """A_ref + factor (A - A_ref) where A > A_ref, else A."""
        return shrink_above(self.reference, self.foreseen.value, self.factor)

    def label(self, row: int) -> None:
        """Imagine the label of one candidate."""
        self.foreseen.label(row)


def shrink_above(reference: float, value: Float[Tensor, "n"], factor: Float[Tensor, "n"]) -> Float[Tensor, "n"]:
    """Return A_ref + factor (A - A_ref) where A > A_ref, else A."""
    gain = value - reference
    return torch.where(gain > 0, reference + factor.to(value) * gain, value)


@dataclass(frozen=True)
class _Bound:
    belief: Belief
    c: float

    def __call__(self, x: Tensor) -> Float[Tensor, "n"]:
        posterior = self.belief.posterior(x)
        return posterior.mean if self.c == 0.0 else posterior.mean + self.c * posterior.std

    def foresee(self, x: Tensor) -> Foreseen | None:
        if not isinstance(self.belief, Joint):
            return None
        mean = self.belief.posterior(x).mean.to(torch.float64)
        return _ForeseenBound(mean, self.c, Conditioned(self.belief.errors(x), self.belief.report.residual_std))


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


@dataclass(frozen=True, kw_only=True)
class Thompson:
    """Follow one draw of the posterior: A(x) = f(x), f ~ the belief.

    The draw is made once, when the acquisition is called, so that a batch and the update that follows it see the same
    function if their generators are seeded alike. What is drawn is the belief's to say: a Gaussian process draws by
    Matheron's rule, `LastLayer` its weights, `SGLD` and `Ensemble` one of their members.

    References:
        Thompson, "On the likelihood that one unknown probability exceeds another", 1933; Russo et al., "A tutorial on
        Thompson sampling", 2018, https://arxiv.org/abs/1707.02038
    """

    def __call__(self, belief: Belief, generator: torch.Generator) -> Objective:
        """Return one posterior draw as the objective."""
        return _Bound(belief.draw(generator), 0.0)


@dataclass(frozen=True, kw_only=True)
class Feasible:
    """An objective times the probability that there will be a label: the expected value of buying one.

        A_p(x) = A_ref + p(x) (A(x) - A_ref) where A(x) > A_ref, else A(x)

    An infeasible design is worth A_ref, the lowest label so far. Being a difference from it, the product means the same
    for rewards of either sign and any offset; below A_ref, where the product would praise what is infeasible, p is left
    out. Both pieces agree at A_ref, and the gradient reaches x through A and p.

    Args:
        objective: A, from an acquisition.
        feasibility: p, a fitted `seiko.rewards.Feasibility`.
        reference: A_ref, oracle's units.
    """

    objective: Objective
    feasibility: FeasibilityBelief
    reference: float

    def __call__(self, x: Tensor) -> Float[Tensor, "n"]:
        """Return `[n]` values, oracle's units."""
        return shrink_above(self.reference, self.objective(x), self.feasibility.probability(x))

    def foresee(self, x: Tensor) -> Foreseen | None:
        """Return what the objective foresees, times p as it is: which designs can be labelled is not imagined."""
        foreseen = self.objective.foresee(x) if isinstance(self.objective, Foreseeing) else None
        return None if foreseen is None else ForeseenShare(foreseen, self.feasibility.probability(x), self.reference)
