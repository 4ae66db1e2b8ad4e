"""`seiko bench pmo`: the 20 tasks of PMO that RDKit can label, at few oracle calls.

    seiko         the recipe `molecules` with ZINC250k in its pool: fresh, remasked, rewritten and library candidates
    remask-only   the same, candidates and belief and all, but the model stays as it was pretrained
    screening     the same belief chooses among molecules of ZINC250k; no generative model
    graph-ga      genetic algorithm on molecular graphs, started from molecules of ZINC250k
    gp-bo         Bayesian optimisation whose acquisition a genetic algorithm maximises, likewise
    random        random molecules of ZINC250k

What each may know beforehand: all of ZINC250k's molecules (the prior is trained on nothing else), and no score of any.
What each spends is counted alike: distinct molecules without stereochemistry, in the order of their first call. The
score is PMO's area under the curve of the ten best, and the sum of it over tasks.

References:
    Gao, Fu, Sun, Coley, "Sample efficiency matters: a benchmark for practical molecular optimization", 2022,
    https://arxiv.org/abs/2206.12411.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np

from seiko.campaign import Campaign, run
from seiko.oracles import PMO_TASKS, oracle_named
from seiko_bench import protocols
from seiko_bench.molecules.counted import Calls, found
from seiko_bench.molecules.fresh import SAMPLES, fresh, wall_seconds
from seiko_bench.molecules.gp_search import GPBO, Screening
from seiko_bench.molecules.graph_ga import GraphGA
from seiko_bench.molecules.kept import kept
from seiko_bench.molecules.known import LIBRARY, draw_known, known_mean
from seiko_recipes.molecules import molecules

__all__ = ["pmo"]

ROUNDS = 40
SMALLER: Mapping[str, Any] = {"steps": 1, "final_steps": 16, "samples": 64, "pool": 600, "generations": 10}
"""A round of 25 calls is given less work than one of 200: as many edits in all as in twenty rounds of 50, which find
less in three quarters of the time (docs/log.md)."""
LOOK = 64
QUICK_CALLS = 24
RECORD = "record.json"
QUICK: Mapping[str, Any] = {"rounds": 2, "steps": 1, "samples": 16, "pool": 40}
SUMMED = ("auc1", "auc10", "auc100", "best", "top10", "top100")


class Search(Protocol):
    """A method that needs nothing but the calls."""

    def run(self, calls: Calls, seed: int) -> None:
        """Spend all calls."""
        ...


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One run of one task.

    Args:
        task: Its name.
        calls: Oracle calls allowed.
        seed: Seed of the run.
        folder: For the run's own files.
        quick: Whether it is only to be seen to run.
        prior: The pretrained model.
    """

    task: str
    calls: int
    seed: int
    folder: Path
    quick: bool
    prior: str


Solver: TypeAlias = Callable[[Setting], dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class RandomLibrary:
    """Label random molecules of the library."""

    def run(self, calls: Calls, seed: int) -> None:
        """Spend all calls."""
        calls(draw_known(calls.left, np.random.default_rng(seed)))


def campaign(**options: Any) -> Solver:
    """Return a method that is the recipe `molecules` with these options."""

    def solve(setting: Setting) -> dict[str, Any]:
        usual = {**SMALLER, "oracle": setting.task, "budget": setting.calls, "rounds": ROUNDS, "library": LIBRARY}
        small = QUICK if setting.quick else {}
        recipe = molecules(**{**usual, "seed": setting.seed, "prior": setting.prior, **options, **small})
        samples = SAMPLES
        recipe = dataclasses.replace(recipe, look=LOOK)
        if setting.quick:
            samples = QUICK["samples"]
            recipe = dataclasses.replace(recipe, look=samples)
        oracle = oracle_named(setting.task)
        with Campaign.open(setting.folder, recipe) as opened:
            run(opened)

            def judge() -> dict[str, Any]:
                values = {query.design.key: float(label.value or 0.0) for query, label in opened.state.judged()}
                before = fresh(opened, oracle, 0, samples)
                after = before if recipe.update is None else fresh(opened, oracle, samples=samples)
                return {
                    **found(values.values(), setting.calls),
                    **{f"fresh_{key}": value for key, value in after.items()},
                    "prior_mean": before["mean"],
                    "library_mean": known_mean(setting.task),
                    "seconds": wall_seconds(opened),
                }

            # The ledger refuses to go on with another recipe, so that this record is of the recipe as it is now.
            return kept(setting.folder / RECORD, {"samples": samples}, judge)

    return solve


def search(method: Search) -> Solver:
    """Return a method that has no model."""

    def solve(setting: Setting) -> dict[str, Any]:
        def make() -> dict[str, Any]:
            started = time.monotonic()
            calls = Calls(oracle_named(setting.task), setting.calls)
            method.run(calls, setting.seed)
            seconds = round(time.monotonic() - started, 1)
            return found(calls.values.values(), setting.calls) | {"seconds": seconds}

        return kept(setting.folder / RECORD, {"method": repr(method), "seed": setting.seed}, make)

    return solve


METHODS: Mapping[str, Solver] = {
    "seiko": campaign(),
    "remask-only": campaign(update="none"),
    "screening": search(Screening()),
    "graph-ga": search(GraphGA()),
    "gp-bo": search(GPBO()),
    "random": search(RandomLibrary()),
}


def pmo(calls: int, tasks: Sequence[str], prior: str) -> protocols.Protocol:
    """Return the benchmark with all its methods.

    Args:
        calls: Oracle calls a task.
        tasks: Which tasks; none for all 20.
        prior: The pretrained model.

    Raises:
        ValueError: If a task is not one of `PMO_TASKS`, or no call is allowed.
    """
    if calls < 1:
        raise ValueError(f"calls must be a positive number of oracle calls, got {calls}")
    if unknown := [task for task in tasks if task not in PMO_TASKS]:
        raise ValueError(f"no PMO task is called {unknown[0]!r}; there are {', '.join(PMO_TASKS)}")
    chosen = tuple(dict.fromkeys(tasks)) or PMO_TASKS

    def make(method: str, seed: int, folder: Path, quick: bool, before: Mapping[str, Any]) -> dict[str, Any]:
        return _all_tasks(METHODS[method], seed, folder, quick, calls, chosen, prior, before.get("tasks", {}))

    def whole(method: str) -> protocols.Method:
        return lambda seed, folder, quick: make(method, seed, folder, quick, {})

    return protocols.Protocol(
        f"PMO: {len(chosen)} task{'s' if len(chosen) > 1 else ''}, {calls:,} calls each",
        {name: whole(name) for name in METHODS},
        (
            "ran",
            *SUMMED,
            "risen",
            "seconds",
            "longest",
            *(f"tasks.{task}.{key}" for task in chosen for key in TASK_KEYS),
        ),
        parts=make,
    )


TASK_KEYS = ("auc10", "top10", "best", "fresh_mean")
"""What is summarised over seeds for each task."""


def _all_tasks(
    solver: Solver,
    seed: int,
    folder: Path,
    quick: bool,
    calls: int,
    tasks: Sequence[str],
    prior: str,
    before: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the record of a seed, whose tasks with as many calls in an earlier one are not run again."""
    allowed = QUICK_CALLS if quick else calls
    records = {}
    for task in tasks:
        if task in before and before[task]["calls"] == allowed:
            records[task] = before[task]
            continue
        place = folder / f"{task}-{allowed}"
        setting = Setting(task=task, calls=allowed, seed=seed, folder=place, quick=quick, prior=prior)
        records[task] = solver(setting)
    return _record(records, seed)


def _record(records: Mapping[str, dict[str, Any]], seed: int) -> dict[str, Any]:
    """Return sums over tasks beside the tasks themselves.

    Returns:
        ran: How many tasks.
        auc1, ..., top100: Summed over them.
        risen: Tasks in which the mean of the model's fresh samples lies above the library's; None without a model.
        seconds, longest: In all, and of the longest task.
    """
    rows = list(records.values())
    means = [(row["fresh_mean"], row["library_mean"]) for row in rows if "fresh_mean" in row]
    risen = [fresh is not None and fresh > library for fresh, library in means]
    return {
        "seed": seed,
        "ran": len(rows),
        **{key: sum(row[key] for row in rows) for key in SUMMED},
        "risen": sum(risen) if means else None,
        "seconds": round(sum(row["seconds"] for row in rows), 1),
        "longest": max(row["seconds"] for row in rows),
        "tasks": records,
    }
