"""What is compared with what: methods by benchmark, each a function from a seed to a JSON record.

TF Bind 8   500 labels in 5 rounds: seiko's default, the paper's own loop (every i.i.d. draw labelled, gradient through
            the chain, network ensemble), and uniform random queries
Ehrlich     1,280 labels in 10 rounds: seiko's default, and a genetic algorithm from the same feasible sequences that
            the prior was trained on, also one that knows which transitions were seen there (`screened`)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seiko.oracles import Ehrlich, TFBind8
from seiko_bench.genetic import GeneticAlgorithm, Screen
from seiko_bench.measure import run_and_judge
from seiko_bench.theory_ground import tf_bind_8
from seiko_bench.whole_space import whole_space
from seiko_recipes.sequences import ehrlich, tfbind8

__all__ = ["PROTOCOLS", "Protocol"]

Method: TypeAlias = Callable[[int, Path, bool], dict[str, Any]]
"""From (seed, folder for runs, quick) to a record."""


@dataclass(frozen=True)
class Protocol:
    """A benchmark.

    Args:
        description: What is run, in a sentence.
        methods: By name.
        headline: Keys of a record that are summarised over seeds.
        parts: Makes a record of which parts are known, from (method, seed, folder for runs, quick, the record before);
            None where a record is made as a whole.
    """

    description: str
    methods: Mapping[str, Method]
    headline: tuple[str, ...]
    parts: Callable[[str, int, Path, bool, dict[str, Any]], dict[str, Any]] | None = None


def _tfbind8(**options: Any) -> Method:
    def method(seed: int, folder: Path, quick: bool) -> dict[str, Any]:
        small = {"budget": 60, "rounds": 2, "steps": 2, "final_steps": 2, "samples": 64, "pool": 200} if quick else {}
        recipe = tfbind8(**{"seed": seed, **options, **small})
        return run_and_judge(recipe, folder, lambda campaign: whole_space(campaign, tf_bind_8(folder.parent)))

    return method


def _uniform(seed: int, folder: Path, quick: bool) -> dict[str, Any]:
    """Label uniform random 8-mers."""
    labels = 60 if quick else 500
    table = TFBind8().table
    values = np.sort(table[np.random.default_rng(seed).choice(len(table), labels, replace=False)])[::-1]
    return {
        "best": float(values[0]),
        "top10": float(values[:10].mean()),
        "top100": float(values[:100].mean()),
        "labels": labels,
        "duplicates": 0,
        "seed": seed,
    }


def _ehrlich(**options: Any) -> Method:
    def method(seed: int, folder: Path, quick: bool) -> dict[str, Any]:
        small: dict[str, Any] = {"budget": 48, "rounds": 2, "steps": 2, "pool": 100} if quick else {}
        return run_and_judge(ehrlich(seed=seed, **options, **small), folder)

    return method


def _genetic(screened: bool) -> Method:
    def method(seed: int, folder: Path, quick: bool) -> dict[str, Any]:
        started = time.monotonic()
        oracle, labels = Ehrlich(), 48 if quick else 1280
        history = GeneticAlgorithm(batch=24 if quick else 128).run(
            oracle,
            oracle.sample_feasible,
            vocabulary=oracle.vocabulary,
            labels=labels,
            seed=seed,
            screen=_seen_transitions(oracle) if screened else None,
        )
        size = labels // len(history.feasible)
        return {
            "best": float(history.best[-1]),
            "top10": float(np.sort(history.values[np.isfinite(history.values)])[::-1][:10].mean()),
            "labels": len(history.values),
            "seed": seed,
            "seconds": round(time.monotonic() - started, 1),
            "rounds": [
                {
                    "round": i + 1,
                    "labels": size * (i + 1),
                    "best": float(history.best[size * (i + 1) - 1]),
                    "feasible": f,
                }
                for i, f in enumerate(history.feasible.tolist())
            ],
        }

    return method


def _seen_transitions(oracle: Ehrlich, sequences: int = 2000) -> Screen:
    """Return a screen that knows the transitions of some feasible sequences, as a prior trained on them does."""
    data = oracle.sample_feasible(sequences, 1)
    seen = np.zeros((oracle.vocabulary, oracle.vocabulary), dtype=bool)
    seen[data[:, :-1], data[:, 1:]] = True

    def screen(tokens: NDArray[np.int64]) -> NDArray[np.bool_]:
        return np.asarray(seen[tokens[:, :-1], tokens[:, 1:]].all(-1))

    return screen


PAPER: dict[str, Any] = {
    "selection": "everything",
    "update": "backprop",
    "reward": "ensemble",
    "acquisition": "bootstrap",
}
"""The paper's loop: its options of the recipe `tfbind8`."""

PROTOCOLS: Mapping[str, Protocol] = {
    "tfbind8": Protocol(
        "TF Bind 8 (SIX6): 500 labels in 5 rounds",
        {
            "seiko": _tfbind8(),
            "paper": _tfbind8(**PAPER),
            "uniform": _uniform,
        },
        (
            "model_mean",
            "kl",
            "diversity",
            "best",
            "top10",
            "top100",
            "duplicates",
            "share",
            "exact_mean",
            "exact_kl",
            "coverage_space",
            "seconds",
        ),
    ),
    "ehrlich": Protocol(
        "Ehrlich function (32 letters, length 32, 2 motifs of 4): 1,280 labels in 10 rounds",
        {"seiko": _ehrlich(), "genetic": _genetic(False), "genetic-screened": _genetic(True)},
        ("best", "top10", "model_mean", "model_feasible", "kl", "diversity", "seconds"),
    ),
}
