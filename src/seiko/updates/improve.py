"""The inner loop: take an update's steps on one round's objective while the strength follows its budget."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from torch import Tensor

from seiko.diffusion import Conditioning, Noise, PerSample, Policy, Transition
from seiko.updates.base import Anchor, Annealed, Problem, StepReport, Update
from seiko.updates.strength import Strength

__all__ = ["Improvement", "improve"]

T = TypeVar("T", bound=Transition)


@dataclass(frozen=True, kw_only=True)
class Improvement:
    """How an inner loop ended.

    Args:
        steps: Steps taken.
        alpha: Last coefficient of the pretrained anchor.
        beta: Coefficient of the previous anchor.
        history: One report a step.
    """

    steps: int
    alpha: float
    beta: float
    history: tuple[StepReport, ...]


def improve(
    policy: Policy[T],
    update: Update[T],
    objective: Callable[[Tensor], PerSample],
    *,
    pretrained: Policy[T],
    previous: Policy[T],
    strength: Strength,
    alpha: float | None = None,
    steps: int,
    samples: int,
    seed: int,
    conditioning: Conditioning | Callable[[Noise], Conditioning] = None,
    report: Callable[[int, StepReport, float], None] = lambda step, report, alpha: None,
) -> Improvement:
    """Move the policy towards the optimum of one round.

    Args:
        policy: What moves.
        update: How it moves.
        objective: A, in reward standard deviations.
        pretrained: First anchor, coefficient alpha.
        previous: Second anchor, coefficient beta; left out at beta = 0, when it has no effect. Where it is `pretrained`
            itself, as in a first round, one anchor has both coefficients, and is asked once.
        strength: Chooses alpha and beta.
        alpha: Where dual ascent starts; None for the strength's own start.
        steps: How many steps to take.
        samples: Trajectories a step.
        seed: Seeds all draws.
        conditioning: Passed on to the policies; a function gives each step's samples theirs, by their noise.
        report: Called after each step with (steps done, report, alpha).

    Returns:
        The last coefficients and the history.
    """
    first, beta = strength.start()
    alpha = first if alpha is None else alpha
    state = update.init(policy)
    device = next(iter(policy.parameters())).device
    history = []
    for step in range(steps):
        if isinstance(state, Annealed):
            state.anneal(step, steps)
        if previous is pretrained:
            anchors: tuple[Anchor[T], ...] = (Anchor(pretrained, alpha + beta),)
        else:
            anchors = (Anchor(pretrained, alpha), *((Anchor(previous, beta),) if beta else ()))
        noise = Noise.seeded(seed, samples, device).fold_in(step)
        rows = conditioning(noise) if callable(conditioning) else conditioning
        seen = update.step(state, policy, Problem(objective, anchors).given(rows), rows, noise)
        history.append(seen)
        alpha = strength.follow(alpha, seen.kls[0], history[max(step - 1, 0)].kls[0])
        report(step + 1, seen, alpha)
    return Improvement(steps=steps, alpha=alpha, beta=beta, history=tuple(history))
