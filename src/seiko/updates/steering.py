"""Training-free steering: draw from the tilted law itself, without moving the model.

    p(x) ∝ p_pre(x) exp(A(x) / C)

The law of a round that was steered is a *tilt* of the pretrained one, p_pre exp(B), and has no weights. A second anchor
of that kind folds into the objective, exactly, whatever P is:

    E[A] - alpha KL(P || p_pre) - beta KL(P || p_pre exp(B) / Z) = E[A + beta B] - (alpha + beta) KL(P || p_pre) + const
    B_i = (A_i + beta B_(i-1)) / (alpha + beta)

so that every problem of steering has one anchor, the pretrained policy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeVar, runtime_checkable

from torch import Tensor

from seiko.diffusion import Conditioning, Noise, PerSample, Policy, State, Transition
from seiko.updates.base import Anchor, Problem, given
from seiko.updates.strength import FixedStrength, KLBudget

__all__ = ["Steered", "Steering", "Tilt", "base_policy", "fold", "hold_budget", "tilt"]

T = TypeVar("T", bound=Transition)

Tilt: TypeAlias = Callable[[Tensor], PerSample]
"""B: final states to `[b]` nats; the law p_pre exp(B) up to its constant."""


@dataclass(frozen=True, kw_only=True)
class Steered:
    """What was drawn.

    Args:
        x_0: One final state for each stream of noise.
        objective: `[b]` A at each, reward units.
        kl: Estimate of KL(law drawn from || pretrained law), nats.
        effective_samples: How many independent draws these are worth; the number of streams if they are independent.
        log_z: Estimate of log E_pre[exp(A / C)], nats; None where the method has none.
    """

    x_0: State
    objective: PerSample
    kl: float
    effective_samples: float
    log_z: float | None

    @property
    def mean(self) -> float:
        """Mean of A, reward units."""
        return float(self.objective.mean())


@runtime_checkable
class Steering(Protocol):
    """Frozen configuration of a way to draw from a problem's optimum."""

    @property
    def population(self) -> int:
        """Streams that are drawn together: the number of streams must be a multiple of it."""
        ...

    def draw(
        self,
        policy: Policy[T],
        problem: Problem[T],
        conditioning: Conditioning,
        noise: Noise,
        start: State | None = None,
    ) -> Steered:
        """Return one final state for each stream.

        Args:
            policy: Proposes; usually the problem's anchor.
            problem: Objective, and the pretrained policy as its only anchor.
            conditioning: Passed on to the policies.
            noise: One stream a sample.
            start: States to start from, in place of the policy's own prior (remasked designs, kept fragments).
        """
        ...


@runtime_checkable
class Choosing(Steering, Protocol):
    """A steering that chooses among draws of the pretrained model, which are the same at every strength."""

    def propose(
        self,
        policy: Policy[T],
        objective: Callable[[State], PerSample],
        conditioning: Conditioning,
        noise: Noise,
        start: State | None = None,
    ) -> Any:
        """Return what is chosen among."""
        ...

    def choose(self, draws: Any, problem: Problem[T], noise: Noise) -> Steered:
        """Return what is chosen at a problem's temperature, as `draw` does."""
        ...


def base_policy(problem: Problem[T]) -> Policy[T]:
    """Return the one anchor of a problem of steering.

    Raises:
        ValueError: If another anchor has a positive coefficient.
    """
    base, *others = problem.anchors
    if any(anchor.coefficient > 0 for anchor in others):
        raise ValueError(
            "steering draws from p_pre exp(A / C) and takes one anchor, the pretrained policy, got "
            f"coefficients {[anchor.coefficient for anchor in problem.anchors]}: set beta = 0, or fold() the previous "
            "round's tilt into the objective"
        )
    return base.policy


def fold(
    objective: Callable[[Tensor], PerSample],
    pretrained: Policy[T],
    alpha: float,
    beta: float = 0.0,
    previous: Tilt | None = None,
) -> Problem[T]:
    """Return the problem of a round whose previous law is a tilt of the pretrained one.

    Args:
        objective: A.
        pretrained: First anchor.
        alpha: Its coefficient, reward units a nat.
        beta: Coefficient of the previous law, likewise.
        previous: B of the previous law; None if that was the pretrained law itself.
    """
    if previous is None or beta == 0:
        return Problem(objective, (Anchor(pretrained, alpha + beta),))
    return Problem(_Folded(objective, beta, previous), (Anchor(pretrained, alpha + beta),))


def tilt(problem: Problem[T]) -> Tilt:
    """Return B of a problem's optimum: the next round's `previous`."""
    return _Tilted(problem.objective, problem.temperature)


@dataclass(frozen=True)
class _Folded:
    """A + beta B, for each conditioning if one of them is."""

    objective: Callable[[Tensor], PerSample]
    beta: float
    previous: Tilt

    def __call__(self, x_0: Tensor) -> PerSample:
        return self.objective(x_0) + self.beta * self.previous(x_0)

    def given(self, conditioning: Conditioning) -> _Folded:
        return _Folded(given(self.objective, conditioning), self.beta, given(self.previous, conditioning))


@dataclass(frozen=True)
class _Tilted:
    """A / C, likewise."""

    objective: Callable[[Tensor], PerSample]
    temperature: float

    def __call__(self, x_0: Tensor) -> PerSample:
        return self.objective(x_0) / self.temperature

    def given(self, conditioning: Conditioning) -> _Tilted:
        return _Tilted(given(self.objective, conditioning), self.temperature)


def hold_budget(
    steering: Steering,
    policy: Policy[T],
    objective: Callable[[Tensor], PerSample],
    pretrained: Policy[T],
    strength: KLBudget | FixedStrength,
    conditioning: Conditioning,
    noise: Noise,
    *,
    previous: Tilt | None = None,
    start: State | None = None,
    tolerance: float = 0.05,
    draws: int = 16,
) -> tuple[float, Problem[T], Steered]:
    """Choose alpha by bisection, so that the KL from the pretrained law is at most the budget and near it.

    All draws use the same noise, so that the KL falls with alpha but for what is left of its noise; a steering that
    chooses among draws draws once. A fixed strength is drawn from as it is.

    Args:
        steering: How to draw.
        policy: Proposes; usually `pretrained`.
        objective: A, in reward standard deviations.
        pretrained: The anchor.
        strength: The budget, with the range of alpha; or fixed coefficients.
        conditioning: Passed on to the policies.
        noise: One stream a sample.
        previous: B of the previous law, held by the strength's beta.
        start: States to start from.
        tolerance: The search ends within this share of the budget.
        draws: And after this many draws.

    Returns:
        alpha, the problem at it, and what was drawn from it.
    """
    alpha, beta = strength.start()
    drawn: Any = None

    def at(alpha: float) -> tuple[float, Problem[T], Steered]:
        nonlocal drawn
        problem = fold(objective, pretrained, alpha, beta, previous)
        given = problem.given(conditioning)
        if not isinstance(steering, Choosing):
            return alpha, problem, steering.draw(policy, given, conditioning, noise, start)
        if drawn is None:
            drawn = steering.propose(pretrained, given.objective, conditioning, noise, start)
        return alpha, problem, steering.choose(drawn, given, noise)

    if not isinstance(strength, KLBudget):
        return at(alpha)
    found = at(strength.least)
    if found[2].kl <= strength.nats:
        return found  # the objective is too weak to use the budget
    low, high, best = math.log(strength.least), math.log(strength.most), None
    middle = math.log(alpha)
    for _ in range(draws - 2):
        found = at(math.exp(middle))
        if found[2].kl > strength.nats:
            low = middle
        else:
            high, best = middle, found
            if found[2].kl >= (1 - tolerance) * strength.nats:
                break
        middle = (low + high) / 2
    return best if best is not None else at(strength.most)
