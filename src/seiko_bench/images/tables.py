"""What the page of results says of images: the digits by task and number of labels, and the updates on one belief."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeAlias

from seiko_bench.images.found import OURS, digits_found, estimators_found, tasks_of
from seiko_bench.statistics import paired_difference

__all__ = ["sections"]

Part: TypeAlias = tuple[str, str, list[str], list[list[str]], list[str]]
"""A heading, empty where the one before goes on, a sentence, the header and rows of a table, and commands."""

LABELS = (0, 250, 500, 1000)
UNITS = {"incompressibility": "kB as JPEG", "thickness": "pixels"}


def sections(results: Path) -> list[Part]:
    """Return the tables that a folder's result files allow."""
    return [*_digits(results), *_estimators(results)]


def _digits(results: Path) -> list[Part]:
    found = digits_found(results)
    parts: list[Part] = []
    ours = next((result for result in found if result["method"] == OURS), None)
    at = LABELS[-1]
    for task in tasks_of(found):
        ran = [result for result in found if any(task in run for run in result["runs"])]
        header = [
            "method",
            "seeds",
            *(f"at {labels:,}" for labels in LABELS),
            f"less {OURS}, at {at:,}",
            f"accuracy at {at:,}",
            f"shift of features at {at:,}",
            f"KL at {at:,}, nats",
            "seconds a run",
        ]
        rows = []
        for result in ran:
            cells = [_interval(result, f"{task}.mean_{labels}") for labels in LABELS]
            others = [_interval(result, f"{task}.{key}_{at}") for key in ("accuracy", "shift", "kl")]
            runs = sum(task in run for run in result["runs"])
            less = "—" if ours is None or result is ours else _less(result, ours, task)
            seconds = _interval(result, f"{task}.seconds", 0)
            rows.append([result["method"], str(runs), *cells, less, *others, seconds])
        text = (
            f"{task.capitalize()}, {UNITS[task]}: mean of fresh images of the model by labels bought. Accuracy is the"
            " share that a classifier takes for the digit asked for; the shift is that of its features from the"
            " pretrained model's images. Medians over seeds with 95 % intervals; differences are means of pairs."
        )
        heading = "" if parts else found[0]["benchmark"]
        parts.append((heading, text, header, rows, []))
    if parts:
        heading, text, header, rows, _ = parts[-1]
        parts[-1] = (heading, text, header, rows, [result["command"] for result in found])
    return parts


def _less(result: dict[str, Any], ours: dict[str, Any], task: str) -> str:
    """Return a method's mean at the last number of labels less seiko's, paired by seed, where both are known."""
    key = f"mean_{LABELS[-1]}"
    theirs, own = ({run["seed"]: run.get(task, {}).get(key) for run in of["runs"]} for of in (result, ours))
    seeds = [seed for seed, mean in theirs.items() if mean is not None and own.get(seed) is not None]
    if not seeds:
        return "—"
    mean = paired_difference([theirs[seed] for seed in seeds], [own[seed] for seed in seeds]).mean
    return f"{mean.value:+.3f} [{mean.low:+.3f}, {mean.high:+.3f}]"


def _estimators(results: Path) -> list[Part]:
    found, path = estimators_found(results), results / "estimators.json"
    if not found or not path.is_file():
        return []
    reached = json.loads(path.read_text())
    rows = []
    for result in found:
        name = result["method"]
        ran = [seed for seed in reached["seeds"] if name in seed["seconds"]]
        times, ratios = ([seed[key][name] for seed in ran] for key in ("seconds", "of_full"))
        cells = [_interval(result, key) for key in ("objective", "kl")]
        a_step = _interval(result, "seconds_a_step", 2)
        told = [
            ", ".join("never" if value is None else f"{value:.{digits}f}" for value in of)
            for of, digits in ((times, 1), (ratios, 2))
        ]
        rates = ", ".join(f"{run['rate']:g}" for run in result["runs"])
        rows.append([name, str(len(result["runs"])), a_step, rates, *cells, *told])
    share = round(reached["share"] * 100)
    text = (
        f"Objective, reward standard deviations, of the model led back to {reached['nats']:g} nats of path KL when the"
        f" time is over, at the better one of two learning rates; and, seed by seed, when {share} % of the full"
        " window's gain was reached at that KL."
    )
    header = [
        "update",
        "seeds",
        "seconds a step",
        "better rate, by seed",
        "objective",
        "KL, nats",
        "seconds to the full window's objective",
        "of the full window's",
    ]
    return [(found[0]["benchmark"], text, header, rows, [result["command"] for result in found])]


def _interval(result: dict[str, Any], key: str, digits: int = 3) -> str:
    summary = result["summary"].get(key)
    if summary is None:
        return "—"
    value, low, high = (f"{summary['median'][of]:.{digits}f}" for of in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"
