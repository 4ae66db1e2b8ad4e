"""`seiko bench digits`: mean true reward of fresh images against labels bought, on the MNIST model.

    seiko-ucb         the recipe `digits` with `selection="drawn"`: linear regression on learned features, mean + std,
                      last update by the mean; as in the paper, a batch is what the current model draws
    seiko-bootstrap   the same with the maximum over an ensemble of networks on pixels
    greedy            the mean alone
    non-adaptive      all labels at once for fresh draws of the prior, then one update as long as all rounds together;
                      another run for each number of labels
    online-ppo        PPO on the labels themselves, each of which serves one step; no reward model
    guidance          nothing is trained: the pretrained model, steered by the gradient of the belief

Two oracles: `incompressibility` (size as JPEG), which has no gradient, and `thickness` (width of strokes). Each run is
judged after each round on 200 fresh images of the model, which no method sees: the true reward; naturalness, the share
that a classifier takes for the digit asked for; and the round's own shift of features from the pretrained model's.
"""

from __future__ import annotations

import dataclasses
import inspect
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch

from seiko.campaign import Campaign, Recipe, run
from seiko.campaign.prompts import conditioner_of
from seiko.campaign.round import look
from seiko.campaign.sampler import ModelSampler, draw_designs
from seiko.campaign.seeds import Purpose, seed_of
from seiko.designs import Design
from seiko.imaging import pixels_of
from seiko.imaging.digits import DIGITS, digit_classifier
from seiko.oracles import image_oracle_named
from seiko.updates import PPO, KLBudget
from seiko_bench.molecules.fresh import wall_seconds
from seiko_bench.molecules.kept import kept
from seiko_bench.online_ppo import OnlinePPO
from seiko_bench.protocols import Method, Protocol
from seiko_recipes.images import digits as recipe_of

__all__ = ["TASKS", "digits"]

TASKS = ("incompressibility", "thickness")
LABELS = (250, 500, 1000)
"""Numbers of labels that the table shows, beside 0."""
BATCH, SAMPLES = 250, 200
STEPS: int = inspect.signature(recipe_of).parameters["steps"].default  # a round
QUICK: Mapping[str, Any] = {"samples": 8, "steps": 1, "pool": 24, "look": 12, "num_steps": 4}
QUICK_LABELS = (10, 20)
_SEED = 1

ADAPTIVE: Mapping[str, Mapping[str, Any]] = {
    "seiko-ucb": {"selection": "drawn"},
    "seiko-bootstrap": {"selection": "drawn", "acquisition": "bootstrap", "reward": "ensemble"},
    "greedy": {"selection": "drawn", "acquisition": "greedy"},
    "guidance": {"selection": "drawn", "update": "guidance", "beta": 0.0},
}
"""Options of the recipe `digits`."""

ONLINE = OnlinePPO(
    update=PPO(learning_rate=2e-4, epochs=2, share=0.5), strength=KLBudget(nats=10.0, rate=0.1), paths=50
)

MET = ("naturalness", "kl_pretrained", "diversity")
SHOWN = ("mean", "accuracy", "shift", "kl", "diversity")


def digits(tasks: Sequence[str] = ()) -> Protocol:
    """Return the benchmark with all its methods.

    Raises:
        ValueError: If there is no oracle of such a name.
    """
    chosen = tuple(tasks) or TASKS
    if unknown := [task for task in chosen if task not in TASKS]:
        raise ValueError(f"digits has the tasks {', '.join(TASKS)}, not {unknown[0]!r}")

    def make(method: str, seed: int, folder: Path, quick: bool, before: Mapping[str, Any]) -> dict[str, Any]:
        """Return the record of a seed, whose tasks with as many labels in an earlier one are not run again."""
        labels, found = (QUICK_LABELS if quick else LABELS)[-1], {}
        for task in chosen:
            known = before.get(task)
            if known is not None and known["curve"][-1]["labels"] == labels:
                found[task] = known
            else:
                found[task] = _shown(SOLVERS[method](task, seed, folder / task, quick))
        return {"seed": seed} | found

    def whole(method: str) -> Method:
        return lambda seed, folder, quick: make(method, seed, folder, quick, {})

    keys = [f"{task}.{key}_{labels}" for task in chosen for labels in (0, *LABELS) for key in SHOWN]
    return Protocol(
        f"MNIST: {LABELS[-1]:,} labels, {BATCH} a round; {SAMPLES} fresh images of the model after each",
        {name: whole(name) for name in SOLVERS},
        (*keys, *(f"{task}.{key}" for task in chosen for key in ("best", "seconds"))),
        parts=make,
    )


Solver: TypeAlias = Callable[[str, int, Path, bool], dict[str, Any]]
"""From (task, seed, folder for the run, quick) to the curve, the best label and the seconds."""


def _adaptive(options: Mapping[str, Any]) -> Solver:
    def solve(task: str, seed: int, folder: Path, quick: bool) -> dict[str, Any]:
        budget, batch = (QUICK_LABELS[-1], QUICK_LABELS[0]) if quick else (LABELS[-1], BATCH)
        return _run(_recipe(task, budget, budget // batch, seed, quick, options), folder, quick, first=0)

    return solve


def _non_adaptive(task: str, seed: int, folder: Path, quick: bool) -> dict[str, Any]:
    parts: list[dict[str, Any]] = []
    for labels in QUICK_LABELS if quick else LABELS:
        rounds = labels // (QUICK_LABELS[0] if quick else BATCH)
        recipe = _recipe(task, labels, 1, seed, quick, {"steps": 1 if quick else STEPS * rounds})
        parts.append(_run(recipe, folder / str(labels), quick, first=1 if parts else 0))
    curve = [row for part in parts for row in part["curve"]]
    return {"curve": curve, "best": parts[-1]["best"], "seconds": round(sum(part["seconds"] for part in parts), 1)}


def _online_ppo(task: str, seed: int, folder: Path, quick: bool) -> dict[str, Any]:
    budget, batch = (QUICK_LABELS[-1], QUICK_LABELS[0]) if quick else (LABELS[-1], BATCH)
    samples = QUICK["look"] if quick else SAMPLES
    online = dataclasses.replace(ONLINE, paths=batch, look=samples) if quick else ONLINE
    recipe = _recipe(task, budget, budget // batch, seed, quick, {})

    def make() -> dict[str, Any]:
        model = recipe.model.load()
        given = conditioner_of(model, DIGITS)
        sampler = ModelSampler(model, given, previous="pretrained")
        curve: list[dict[str, Any]] = []
        draws = seed_of(seed, 0, Purpose.SAMPLE) + _SEED  # those of a campaign with this seed

        def seen(labels: int) -> None:
            designs = draw_designs(sampler, draws, samples)
            met = look(sampler, None, recipe.look, seed, recipe.naturalness) if labels else None
            curve.append({"labels": labels} | _judged(designs, task) | _met(met))

        seen(0)
        start = time.perf_counter()
        bought = online.run(model, image_oracle_named(task), budget, seed, given, seen=seen, every=batch)
        return {"curve": curve, "best": max(bought.values), "seconds": round(time.perf_counter() - start, 1)}

    return kept(folder / "judged.json", {"samples": samples, "online": repr(online)}, make)


SOLVERS: Mapping[str, Solver] = {
    **{name: _adaptive(options) for name, options in ADAPTIVE.items()},
    "non-adaptive": _non_adaptive,
    "online-ppo": _online_ppo,
}


def _recipe(task: str, budget: int, rounds: int, seed: int, quick: bool, options: Mapping[str, Any]) -> Recipe:
    small = QUICK if quick else {}
    return recipe_of(**{"oracle": task, "budget": budget, "rounds": rounds, "seed": seed, **small, **options})


def _run(recipe: Recipe, folder: Path, quick: bool, first: int) -> dict[str, Any]:
    """Run a recipe or resume it, and judge its rounds from the first asked for on, once."""
    samples = QUICK["look"] if quick else SAMPLES
    with Campaign.open(folder, recipe) as campaign:
        run(campaign)

        def make() -> dict[str, Any]:
            rounds = range(first, len(campaign.state.reports) + 1)
            best = max(label.value for _, label in campaign.state.values() if label.value is not None)
            curve = [_row(campaign, i, samples) for i in rounds]
            return {"curve": curve, "best": best, "seconds": wall_seconds(campaign)}

        return kept(folder / "judged.json", {"samples": samples, "first": first}, make)


@torch.no_grad()
def _row(campaign: Campaign, round: int, samples: int) -> dict[str, Any]:
    """Return what fresh images of the model after a round are like.

    Returns:
        labels: Bought so far.
        mean: Mean true reward of the images that the oracle answers; None if there are none.
        accuracy: Share that the classifier takes for the digit asked for.
        shift: Fréchet shift of the classifier's features from the pretrained model's, that the round's look found.
        kl: Path KL from the pretrained model that it found, nats.
        diversity: Mean pairwise distance of pixels that it found.
    """
    report = campaign.state.reports[round - 1] if round else None
    designs = campaign.sample(samples, seed=_SEED, round=round)
    labels = report.labels_used if report else 0
    found = None if report is None else {name: getattr(report, name) for name in MET}
    return {"labels": labels} | _judged(designs, _task(campaign.recipe)) | _met(found)


@torch.no_grad()
def _judged(designs: Sequence[Design], task: str) -> dict[str, Any]:
    values = [label.value for label in image_oracle_named(task)(designs) if label.value is not None]
    seen = [design for design in designs if design.valid]
    likeliest = digit_classifier()(pixels_of(seen)).argmax(1).tolist()
    right = sum(design.prompt == DIGITS[digit] for design, digit in zip(seen, likeliest, strict=True))
    return {"mean": float(np.mean(values)) if values else None, "accuracy": right / len(designs)}


def _met(found: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what a look found, of its fields `MET`; None for the pretrained model."""
    if found is None:
        return {"shift": 0.0, "kl": 0.0, "diversity": None}
    naturalness, kl, diversity = (found[name] for name in MET)
    return {"shift": naturalness.shift if naturalness else 0.0, "kl": kl, "diversity": diversity}


def _task(recipe: Recipe) -> str:
    return next(task for task in TASKS if isinstance(recipe.oracle, type(image_oracle_named(task))))


def _shown(found: dict[str, Any]) -> dict[str, Any]:
    """Return a record with what the table shows of the curve, by the number of labels."""
    return {f"{key}_{row['labels']}": row[key] for row in found["curve"] for key in SHOWN} | found
