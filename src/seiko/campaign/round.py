"""What happens inside of one `advance`: the update, and the look at the model that it leaves."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, TypeAlias

import torch
from torch import Tensor

from seiko.campaign.landing import land
from seiko.campaign.recipe import Recipe
from seiko.campaign.state import CalibrationReport
from seiko.diffusion import Noise, Transition, path_kl, rollout
from seiko.models import DiffusionModel, ModelPolicy
from seiko.rewards import Belief, Calibration
from seiko.updates import StepReport, improve

__all__ = ["Progress", "advance_model", "calibration_report", "look"]

Progress: TypeAlias = Callable[[str, int, int, Mapping[str, float]], None]
"""Called with a stage (ask, label, fit, update, land, look), steps done, steps in all, and numbers worth showing."""

KEPT = 200  # fresh designs kept in a round's report, at most


def advance_model(
    recipe: Recipe,
    model: DiffusionModel[Transition],
    belief: Belief | None,
    objective: Callable[[Tensor], Tensor] | None,
    *,
    steps: int,
    alpha: float | None,
    seeds: tuple[int, int],
    progress: Progress,
) -> dict[str, Any]:
    """Move the current version and look at it; without a belief or an update, only look.

    Args:
        recipe: Update, strength, samples.
        model: Its previous version is the model before this round.
        belief: The fit; gives the scale in which alpha and beta count.
        objective: A, in the oracle's units.
        steps: Steps of the update.
        alpha: Where the last round's dual ascent ended.
        seeds: For the update and for the look.
        progress: Called after each step.

    Returns:
        The fields of `RoundReport` that it decides.
    """
    policy: ModelPolicy[Transition] = ModelPolicy(model)
    pretrained: ModelPolicy[Transition] = ModelPolicy(model, "pretrained")
    previous: ModelPolicy[Transition] = ModelPolicy(model, "previous")
    fields: dict[str, Any] = {"alpha": None, "beta": None}
    if recipe.update is not None and belief is not None and objective is not None:
        scale, ask = belief.scale, objective

        def follow(step: int, seen: StepReport, alpha: float) -> None:
            numbers = {"objective": seen.objective * scale, "kl": seen.kls[0], "alpha": alpha}
            progress("update", step, steps, numbers)

        improvement = improve(
            policy,
            recipe.update,
            lambda x: ask(model.decode(x)) / scale,
            pretrained=pretrained,
            previous=previous,
            strength=recipe.strength,
            alpha=alpha,
            steps=steps,
            samples=recipe.samples,
            seed=seeds[0],
            report=follow,
        )
        fields = {"alpha": improvement.alpha, "beta": improvement.beta}
        if recipe.strength.limit is not None:
            progress("land", 0, 1, {})
            land(model, ask, recipe.strength.limit, recipe.look, seeds[0] + 1)
    progress("look", 0, 1, {})
    return fields | look(model, belief, recipe.look, seeds[1])


@torch.no_grad()
def look(model: DiffusionModel[Transition], belief: Belief | None, samples: int, seed: int) -> dict[str, Any]:
    """Return what fresh samples of the current version say of it."""
    policy: ModelPolicy[Transition] = ModelPolicy(model)
    trajectory = rollout(policy, None, Noise.seeded(seed, samples))
    x, designs = trajectory.x_0, model.export(trajectory.x_0)
    distances = model.distance(x, x)
    return {
        "kl_pretrained": float(path_kl(trajectory, ModelPolicy(model, "pretrained")).mean()),
        "kl_previous": float(path_kl(trajectory, ModelPolicy(model, "previous")).mean()),
        "believed_mean": None if belief is None else float(belief.posterior(model.decode(x)).mean.mean()),
        "diversity": float(distances.sum() / (len(x) * (len(x) - 1))),
        "distinct": len({design.key for design in designs}) / len(designs),
        "samples": tuple(design.content for design in designs[:KEPT]),
    }


def calibration_report(found: Calibration | None) -> CalibrationReport | None:
    """Return a calibration as the ledger keeps it: None in place of NaN, which JSON has not."""
    if found is None:
        return None
    values: dict[str, Any] = {
        k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in asdict(found).items()
    }
    return CalibrationReport(**values)
