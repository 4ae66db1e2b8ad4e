"""What happens inside of one `advance`: the update or the steering, and the look at the law that it leaves."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, TypeAlias

import torch
from torch import Tensor

from seiko.campaign.aiming import Aim, standardised
from seiko.campaign.gallery import SHOWN, compare_images, see, spread, tell_prompts
from seiko.campaign.landing import land
from seiko.campaign.observing import are_images
from seiko.campaign.prompts import Conditioner
from seiko.campaign.recipe import Recipe
from seiko.campaign.sampler import ModelSampler, Sampler, SteeredSampler
from seiko.campaign.state import CalibrationReport, RunState
from seiko.diffusion import Noise, Transition
from seiko.models import DiffusionModel, ModelPolicy, Version
from seiko.rewards import Belief, Calibration, Feature, PromptFeature, calibration
from seiko.updates import (
    Comparing,
    FixedStrength,
    KLBudget,
    Problem,
    Steering,
    StepReport,
    Tilt,
    Update,
    hold_budget,
    improve,
)

__all__ = ["Progress", "advance_model", "calibration_report", "label_fields", "look"]

Progress: TypeAlias = Callable[[str, int, int, Mapping[str, float]], None]
"""Called with a stage (ask, label, fit, update, land, steer, look), steps done, steps in all, and numbers worth
showing."""

KEPT = 200  # fresh designs kept in a round's report, at most


def advance_model(
    recipe: Recipe,
    model: DiffusionModel[Transition],
    belief: Belief | None,
    objective: Callable[[Tensor], Tensor] | None,
    *,
    steps: int,
    alpha: float | None,
    previous: Tilt | None,
    seeds: tuple[int, int],
    progress: Progress,
    training: Conditioner | None = None,
    judging: Conditioner | None = None,
    keep: Callable[[bytes], object] = lambda data: None,
    first: bool = False,
) -> dict[str, Any]:
    """Move the current version or steer the pretrained one, and look at it; without a belief or an update, only look.

    Args:
        recipe: Update, strength, samples.
        model: Its previous version is the model before this round.
        belief: The fit; gives the scale in which alpha and beta count.
        objective: A, in the oracle's units.
        steps: Steps of the update.
        alpha: Where the last round's dual ascent ended.
        previous: B of the last round, if that was steered.
        seeds: For the update and for the look.
        progress: Called after each step.
        training: Prompts that the update's expectation is over; None for a model that takes none.
        judging: Prompts that the look is for.
        keep: Keeps the file of an image.
        first: Whether it is the first round, whose previous version is the pretrained one: that is then asked once.

    Returns:
        The fields of `RoundReport` that it decides.
    """
    still = recipe.update is None  # the model never leaves the pretrained one
    version: Version = "pretrained" if still else "current"
    sampler: Sampler = ModelSampler(model, judging, version, "pretrained" if still or first else "previous")
    fields: dict[str, Any] = {"alpha": None, "beta": None}
    if belief is not None and objective is not None and recipe.update is not None:
        lists = [given for given in (training, judging) if given is not None]
        aim = standardised(model, belief, objective, recipe.view, lists)
        if isinstance(recipe.update, Steering):
            problem, fields = _steer(recipe, recipe.update, model, belief, aim, previous, seeds[0], progress, training)
            sampler = SteeredSampler(model, recipe.update, problem, judging)
        else:
            fields = _move(recipe, recipe.update, model, belief, aim, steps, alpha, seeds[0], progress, training, first)
    progress("look", 0, 1, {})
    return fields | look(sampler, belief, recipe.look, seeds[1], recipe.naturalness, keep, recipe.view)


def _move(
    recipe: Recipe,
    update: Update[Any],
    model: DiffusionModel[Transition],
    belief: Belief,
    aim: Aim,
    steps: int,
    alpha: float | None,
    seed: int,
    progress: Progress,
    training: Conditioner | None,
    first: bool,
) -> dict[str, Any]:
    def follow(step: int, seen: StepReport, alpha: float) -> None:
        progress("update", step, steps, {"objective": seen.objective * belief.scale, "kl": seen.kls[0], "alpha": alpha})

    if training is not None and isinstance(update, Comparing):
        training = training.together(update.population)
    policy: ModelPolicy[Transition] = ModelPolicy(model)
    pretrained: ModelPolicy[Transition] = ModelPolicy(model, "pretrained")
    previous: ModelPolicy[Transition] = pretrained if first else ModelPolicy(model, "previous")
    improvement = improve(
        policy,
        update,
        aim,
        pretrained=pretrained,
        previous=previous,
        strength=recipe.strength,
        alpha=alpha,
        steps=steps,
        samples=recipe.samples,
        seed=seed,
        conditioning=training,
        report=follow,
    )
    if recipe.strength.limit is not None:
        progress("land", 0, 1, {})
        land(model, aim, recipe.strength.limit, recipe.look, seed + 1, training)
    return {"alpha": improvement.alpha, "beta": improvement.beta}


def _steer(
    recipe: Recipe,
    steering: Steering,
    model: DiffusionModel[Transition],
    belief: Belief,
    aim: Aim,
    previous: Tilt | None,
    seed: int,
    progress: Progress,
    training: Conditioner | None,
) -> tuple[Problem[Transition], dict[str, Any]]:
    assert isinstance(recipe.strength, (KLBudget, FixedStrength))  # the recipe has seen to it
    progress("steer", 0, 1, {})
    pretrained: ModelPolicy[Transition] = ModelPolicy(model, "pretrained")
    populations = -(-recipe.samples // steering.population)
    noise = Noise.seeded(seed, populations * steering.population, ModelPolicy(model).device)
    alpha, problem, drawn = hold_budget(
        steering,
        pretrained,
        aim,
        pretrained,
        recipe.strength,
        None if training is None else training.together(steering.population)(noise),
        noise,
        previous=previous,
    )
    beta = recipe.strength.beta
    progress("steer", 1, 1, {"objective": drawn.mean * belief.scale, "kl": drawn.kl, "alpha": alpha})
    return problem, {"alpha": alpha, "beta": beta}


@torch.no_grad()
def look(
    sampler: Sampler,
    belief: Belief | None,
    samples: int,
    seed: int,
    feature: Feature | None = None,
    keep: Callable[[bytes], object] = lambda data: None,
    view: Feature | PromptFeature | None = None,
) -> dict[str, Any]:
    """Return what fresh samples say of the law that they are drawn from.

    Args:
        sampler: The law.
        belief: The fit.
        samples: How many are drawn.
        seed: Seeds them.
        feature: Of images, by which they are compared with the pretrained model's; None for `PixelStatistics`.
        keep: Keeps the file of an image.
        view: What the belief sees of an image; None for its pixels.
    """
    noise = Noise.seeded(seed, samples)
    found, prompts = sampler.look(noise), sampler.prompts(noise)
    seen = see(sampler.model, found.x_0, prompts, belief, feature, view)
    images = are_images(seen.designs)
    kept = seen.designs[: SHOWN if images else KEPT]
    return {
        "kl_pretrained": found.kl_pretrained,
        "kl_previous": found.kl_previous,
        "believed_mean": None if seen.believed is None else float(seen.believed.mean()),
        "diversity": spread(sampler.model, found.x_0),
        "distinct": len({design.key for design in seen.designs}) / len(seen.designs),
        "samples": tuple(design.content if design.valid else "" for design in kept),
        "prompts": tell_prompts(seen, found),
        **(compare_images(sampler, noise, seen, belief, feature, keep, view) if images else {}),
    }


def label_fields(state: RunState, round: int) -> dict[str, Any]:
    """Return the fields of `RoundReport` that the labels decide."""
    batch = [state.labels[query.id] for query in state.asked(round) if query.id in state.labels]
    values = [label.value for label in batch if label.value is not None]
    judged = [label for label in batch if label.status != "failed"]
    return {
        "labels_used": state.answered,
        "feasible": len(values) / len(judged) if judged else None,
        "batch_mean": sum(values) / len(values) if values else None,
        "best": max(
            (label.value for query, label in state.values() if query.own and label.value is not None), default=None
        ),
        "prequential": _prequential(state, round),
    }


def _prequential(state: RunState, round: int) -> CalibrationReport | None:
    """Return how the predictions recorded with a round's queries met its labels; None without any."""
    rows = [
        (query.mean, query.std, label.value)
        for query, label in state.values()
        if query.round == round and query.mean is not None and query.std is not None
    ]
    if not rows:
        return None
    mean, std, value = torch.tensor(rows, dtype=torch.float64).T
    return calibration_report(calibration(mean, std, value))


def calibration_report(found: Calibration | None) -> CalibrationReport | None:
    """Return a calibration as the ledger keeps it: None in place of NaN, which JSON has not."""
    if found is None:
        return None
    values: dict[str, Any] = {
        k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in asdict(found).items()
    }
    return CalibrationReport(**values)
