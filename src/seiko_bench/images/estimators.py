"""`seiko bench estimators`: seconds that each update needs to reach the same objective at the same KL.

One belief, fitted to 300 thicknesses of strokes of the MNIST model's own draws, is climbed by every update from the
same start, at the same coefficient of the pretrained anchor and the same number of trajectories a step. Now and then a
copy of the model is led back to the KL budget, by the line search that ends every round of a campaign, and judged there
on its own: mean objective A of the same fresh draws. The clock is processor time of one thread, the steps of the update
alone.

    A(t)       mean objective at no more than 10 nats of path KL from the pretrained model, after t seconds
    reached    the first t with  A(t) - A(0) >= share * (A_full(end) - A(0)),  looks joined by straight lines

    full         DirectBackprop through all steps: the paper's
    window       DirectBackprop through the last 1 to 5 steps, their number drawn anew; KL outside told from two steps
    short        DirectBackprop through the last two steps alone
    adjoint      AdjointMatching on three steps of ten
    sqdf         one-step soft-Q on two steps of fifteen, each draw used three times; KL from these steps alone
    ppo          PPO, two epochs on three steps of ten each
    distill      Distill, likewise

A method is run at two learning rates; the better one counts.
"""

from __future__ import annotations

import functools
import itertools
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from seiko.campaign.landing import land
from seiko.campaign.prompts import Conditioner, conditioner_of
from seiko.diffusion import Noise, Transition, path_kl, rollout
from seiko.imaging.digits import DIGITS
from seiko.models import ModelPolicy, PixelImage, PixelImageSource
from seiko.oracles import StrokeThickness
from seiko.rewards import Belief, LastLayer, Learned, PixelCNN
from seiko.updates import PPO, SQDF, AdjointMatching, Anchor, DirectBackprop, Distill, Problem, Update
from seiko_bench.protocols import Method, Protocol

__all__ = ["SECONDS", "compare", "estimators"]

SECONDS = 120.0
"""Processor time of each update."""
COEFFICIENT = 0.1  # of the pretrained anchor, reward standard deviations a nat
NATS = 10.0
"""Path KL from the pretrained model at which all are compared: the recipe's budget."""
SAMPLES, LABELS, FRESH, STEPS, LOOKS = 32, 300, 40, 15, 6
SHARE = 0.9
_SEED = 99
RATES = (1e-4, 3e-4)

METHODS: Mapping[str, Callable[[float], Update[Any]]] = {
    "full": lambda rate: DirectBackprop(learning_rate=rate),
    "window": lambda rate: DirectBackprop(learning_rate=rate, window=(1, 5), outside=2),
    "short": lambda rate: DirectBackprop(learning_rate=rate, window=2, outside=2),
    "adjoint": lambda rate: AdjointMatching(learning_rate=rate, share=0.3),
    "sqdf": lambda rate: SQDF(learning_rate=rate, share=0.15, epochs=3, outside=0),
    "ppo": lambda rate: PPO(learning_rate=rate, epochs=2, share=0.3),
    "distill": lambda rate: Distill(learning_rate=rate, epochs=2, share=0.3),
}


def estimators(seconds: float = SECONDS) -> Protocol:
    """Return the benchmark with all its updates.

    Args:
        seconds: Processor time of each update, at each learning rate.
    """
    methods = {name: _method(make, seconds) for name, make in METHODS.items()}
    return Protocol(
        f"MNIST, thickness of strokes: {seconds:g} s of processor time of each update on one belief",
        methods,
        ("objective", "kl", "steps", "seconds_a_step"),
    )


def _method(make: Callable[[float], Update[Any]], seconds: float) -> Method:
    def method(seed: int, folder: Path, quick: bool) -> dict[str, Any]:
        samples, labels, fresh, steps = (4, 24, 8, 4) if quick else (SAMPLES, LABELS, FRESH, STEPS)
        limit = 0.5 if quick else seconds
        belief = _belief(steps, labels, seed)
        runs: list[dict[str, Any]] = []
        for rate in RATES[:1] if quick else RATES:
            model = PixelImageSource(num_steps=steps).load()
            runs.append({"rate": rate, "curve": _climb(model, belief, make(rate), limit, samples, fresh, seed)})
        best = max(runs, key=lambda run: run["curve"][-1]["objective"])
        last = best["curve"][-1]
        return {
            "seed": seed,
            "rate": best["rate"],
            "objective": last["objective"],
            "kl": last["kl"],
            "steps": last["step"],
            "seconds_a_step": last["seconds"] / last["step"],
            "runs": runs,
        }

    return method


@functools.cache
@torch.no_grad()
def _belief(steps: int, labels: int, seed: int) -> Belief:
    """Return what is learnt from the pretrained model's own draws; the same for all methods."""
    model = PixelImageSource(num_steps=steps).load()
    noise, prompts = Noise.seeded(seed, labels), _prompts(labels)
    designs = model.export(rollout(ModelPolicy(model), model.encode(prompts), noise).x_0)
    values = [label.value for label in StrokeThickness()(designs)]
    kept = [i for i, value in enumerate(values) if value is not None]
    x, y = model.observe([designs[i] for i in kept]), torch.tensor([values[i] for i in kept])
    with torch.enable_grad():
        return LastLayer(features=Learned(network=PixelCNN(), members=2)).fit(x, y, None, seed)


def _climb(
    model: PixelImage, belief: Belief, update: Update[Any], limit: float, samples: int, fresh: int, seed: int
) -> list[dict[str, float]]:
    """Return looks along an update's way: steps, processor seconds, objective (standard deviations), KL (nats)."""

    def objective(x_0: Tensor) -> Tensor:
        return belief.posterior(model.decode(x_0)).mean.to(x_0.dtype) / belief.scale

    policy: ModelPolicy[Transition] = ModelPolicy(model)
    problem = Problem(objective, (Anchor(ModelPolicy(model, "pretrained"), COEFFICIENT),))
    labels, judged = model.encode(_prompts(samples)), conditioner_of(model, DIGITS)
    state, step, seconds = update.init(policy), 0, 0.0
    curve = [{"step": 0, "seconds": 0.0} | _look(model, objective, judged, fresh)]
    while seconds < limit:
        started = time.process_time()
        update.step(state, policy, problem, labels, Noise.seeded(seed + 1, samples).fold_in(step))
        seconds, step = seconds + time.process_time() - started, step + 1
        if seconds >= limit * (len(curve) / LOOKS) ** 1.5:  # closer together where more happens
            curve.append({"step": step, "seconds": round(seconds, 2)} | _look(model, objective, judged, fresh))
    return curve


@torch.no_grad()
def _look(
    model: PixelImage, objective: Callable[[Tensor], Tensor], judged: Conditioner, fresh: int
) -> dict[str, float]:
    """Return objective and KL of the model led back to the budget, and as it stands; it is left as it was."""
    stands = _drawn(model, objective, judged, fresh)
    weights = model.versions.state_dict()
    land(model, objective, NATS, fresh, _SEED, judged)
    led = _drawn(model, objective, judged, fresh)
    model.versions.load_state_dict(weights)
    return led | {f"{key}_before": value for key, value in stands.items()}


def _drawn(
    model: PixelImage, objective: Callable[[Tensor], Tensor], judged: Conditioner, fresh: int
) -> dict[str, float]:
    noise = Noise.seeded(_SEED, fresh)
    trajectory = rollout(ModelPolicy(model), judged(noise), noise)
    return {
        "objective": float(objective(trajectory.x_0).mean()),
        "kl": float(path_kl(trajectory, ModelPolicy(model, "pretrained")).mean()),
    }


def _prompts(count: int) -> list[str | None]:
    return [str(i % 10) for i in range(count)]


def compare(results: Path) -> Path | None:
    """Write OUT/estimators.json: by seed, the seconds in which each update got to where the full window ended.

    None where the full window was not run.
    """
    files = {name: results / f"estimators-{name}.json" for name in METHODS}
    found = {name: json.loads(path.read_text())["runs"] for name, path in files.items() if path.is_file()}
    if "full" not in found:
        return None
    seeds = []
    for reference in found["full"]:
        start = reference["runs"][0]["curve"][0]["objective"]
        goal = start + SHARE * (reference["objective"] - start)
        rows = {name: row for name, of in found.items() for row in of if row["seed"] == reference["seed"]}
        seconds = {name: _reached(row, goal) for name, row in rows.items()}
        full = seconds["full"]
        ratio = {name: None if when is None or not full else when / full for name, when in seconds.items()}
        seeds.append({"seed": reference["seed"], "goal": goal, "seconds": seconds, "of_full": ratio})
    path = results / "estimators.json"
    path.write_text(json.dumps({"share": SHARE, "nats": NATS, "seeds": seeds}, indent=1) + "\n")
    return path


def _reached(row: dict[str, Any], goal: float) -> float | None:
    """Return when the sooner of a method's learning rates reached the goal; None if none did."""
    times = []
    for run in row["runs"]:
        for before, at in itertools.pairwise(run["curve"]):
            if at["objective"] >= goal:
                part = (goal - before["objective"]) / (at["objective"] - before["objective"])
                times.append(before["seconds"] + part * (at["seconds"] - before["seconds"]))
                break
    return min(times, default=None)
