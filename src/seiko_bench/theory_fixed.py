"""A known objective, A = r, and one question: how near to the optimum does an update come in a given time?

    p* ∝ exp(r/alpha) p_pre,     J(p) = E_p[r] - alpha KL(p || p_pre),     KL(p* || p_pre) = 4 nats

No label, no belief: what is missing here is the update's own. Time is the processor's, so that updates can be compared
on a machine that does other work too, and stands still while the exact law is made. Steering has no model whose law
could be made: it is judged by the frequencies of what it drew in its time, whose distances are too large by nature;
beside them stand those of as many exact draws of p* (`floor`, `floor_ratio`), the best that it could show.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from seiko.campaign import Recipe
from seiko.diffusion import Noise
from seiko.models import MaskedLM, ModelPolicy
from seiko.updates import Anchor, FixedStrength, Problem, Steering, StepReport, improve
from seiko_bench.exact import frequencies, kl, law, total_variation
from seiko_bench.theory_ground import Ground

__all__ = ["CHECKPOINTS", "Checkpoint", "Runner", "fixed", "steered", "trained"]

CHECKPOINTS = (0.1, 0.25, 0.5, 0.75)
"""Shares of the time at which the law is made, beside the end."""

WARM_UP = 4  # steps from which the number of steps is estimated; the first one is slow and not counted


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A law and what it cost.

    Args:
        seconds: Processor time of the update so far, all threads together.
        wall: Seconds that passed meanwhile, which say as much on an idle machine only.
        steps: Steps that it took.
        law: Of the model then.
        draws: None for an exact law, else of how many draws the law is the frequencies.
    """

    seconds: float
    wall: float
    steps: int
    law: Float[Tensor, "n"]
    draws: int | None = None


Runner: TypeAlias = Callable[[Ground, Recipe, float], Sequence[Checkpoint]]
"""From a ground, a recipe (update, samples, seed) and seconds to checkpoints, the last one last."""


def trained(ground: Ground, recipe: Recipe, seconds: float) -> list[Checkpoint]:
    """Run the recipe's update as a round does, for about as many steps as the seconds allow."""
    rehearsal, model = recipe.model.load(), recipe.model.load()
    assert isinstance(rehearsal, MaskedLM)
    assert isinstance(model, MaskedLM)
    law(ModelPolicy(rehearsal, "pretrained"))  # what a frozen backbone says is remembered: the first steps are slower
    times = [time.process_time()]
    _improve(ground, recipe, rehearsal, WARM_UP, lambda step: times.append(time.process_time()))
    steps = max(1, round(seconds * (WARM_UP - 1) / (times[-1] - times[1])))
    clock = _Clock(model, seconds)
    _improve(ground, recipe, model, steps, clock.tick)
    clock.look(steps)
    return clock.found


def steered(steering: Steering) -> Runner:
    """Return a runner that draws from the optimum, a block after the other, as long as the seconds allow."""

    def run(ground: Ground, recipe: Recipe, seconds: float) -> list[Checkpoint]:
        pretrained = ModelPolicy(ground.source.load(), "pretrained")
        problem = Problem(lambda x: ground.look_up(x) / ground.unit, (Anchor(pretrained, ground.alpha / ground.unit),))
        block = steering.population * max(1, recipe.samples // steering.population)
        drawn: list[Tensor] = []
        found: list[Checkpoint] = []
        due = [share * seconds for share in (*CHECKPOINTS, 1.0)]
        started, wall = time.process_time(), time.monotonic()
        while due:
            streams = Noise.seeded(recipe.seed, range(len(drawn) * block, (len(drawn) + 1) * block))
            drawn.append(steering.draw(pretrained, problem, None, streams).x_0)
            passed = time.process_time() - started
            if passed >= due[0]:
                due = [later for later in due if later > passed]
                x_0 = torch.cat(drawn)
                law = frequencies(x_0, ground.vocabulary)
                waited = time.monotonic() - wall
                found.append(Checkpoint(seconds=passed, wall=waited, steps=len(drawn), law=law, draws=len(x_0)))
        return found

    return run


def _improve(ground: Ground, recipe: Recipe, model: MaskedLM, steps: int, tick: Callable[[int], None]) -> None:
    if recipe.update is None or isinstance(recipe.update, Steering):
        raise TypeError(f"{recipe.update!r} trains nothing: steered() judges it")

    def follow(step: int, seen: StepReport, alpha: float) -> None:
        tick(step)

    improve(
        ModelPolicy(model),
        recipe.update,
        lambda x: ground.look_up(x) / ground.unit,
        pretrained=ModelPolicy(model, "pretrained"),
        previous=ModelPolicy(model, "pretrained"),
        strength=FixedStrength(alpha=ground.alpha / ground.unit, beta=0.0),
        steps=steps,
        samples=recipe.samples,
        seed=recipe.seed,
        report=follow,
    )


class _Clock:
    """Processor time that stands still while a law is made, and the laws made at the checkpoints."""

    def __init__(self, model: MaskedLM, seconds: float) -> None:
        self.model = model
        self.found: list[Checkpoint] = []
        self._due = [share * seconds for share in CHECKPOINTS]
        self._started, self._wall = time.process_time(), time.monotonic()

    def tick(self, steps: int) -> None:
        passed = time.process_time() - self._started
        if self._due and passed >= self._due[0]:
            self._due = [due for due in self._due if due > passed]  # one law for all that a long step passed
            self.look(steps)

    def look(self, steps: int) -> None:
        now, wall = time.process_time(), time.monotonic()
        seconds, waited = now - self._started, wall - self._wall
        found = law(ModelPolicy(self.model))
        self.found.append(Checkpoint(seconds=seconds, wall=waited, steps=steps, law=found))
        self._started += time.process_time() - now
        self._wall += time.monotonic() - wall


def fixed(ground: Ground, recipe: Recipe, runner: Runner, seconds: float) -> dict[str, Any]:
    """Give an update its seconds on A = r and compare it with the optimum.

    Returns:
        draws: How many, if the law is the frequencies of draws.
        floor, floor_ratio: tv and ratio of as many exact draws, in that case.
        tv, kl_to_closed, kl_from_closed: Between the law and p*.
        ratio: J(p) / J(p*).
        share: Share of the attainable gain in J.
        exact_mean, exact_kl: E_p[r], and nats from p_pre.
        seconds, wall, steps: What it took.
        checkpoints: The same after parts of the time.
    """
    rows = [_row(ground, checkpoint) for checkpoint in runner(ground, recipe, seconds)]
    return rows[-1] | {"seed": recipe.seed, "alpha": ground.alpha, "checkpoints": rows}


def _row(ground: Ground, at: Checkpoint) -> dict[str, Any]:
    best = ground.optimum
    floor = floor_ratio = None
    if at.draws is not None:
        exact = torch.multinomial(best, at.draws, replacement=True, generator=torch.Generator().manual_seed(0))
        ideal = torch.bincount(exact, minlength=len(best)).double() / at.draws
        floor, floor_ratio = total_variation(ideal, best), ground.value(ideal) / ground.value(best)
    found = {
        "seconds": round(at.seconds, 2),
        "wall": round(at.wall, 2),
        "steps": at.steps,
        "draws": at.draws,
        "floor": floor,
        "floor_ratio": floor_ratio,
        "tv": total_variation(at.law, best),
        "kl_to_closed": kl(at.law, best),
        "kl_from_closed": kl(best, at.law),
        "ratio": ground.value(at.law) / ground.value(best),
        "share": ground.share(at.law),
        "exact_mean": float(at.law @ ground.reward),
        "exact_kl": ground.kl(at.law),
    }
    return {name: number if number is None or math.isfinite(number) else None for name, number in found.items()}
