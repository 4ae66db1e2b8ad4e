"""Does fine-tuning earn its place? seiko less each other method, by task and in sum, paired by seed.

Pairs are what both methods ran: the same task, the same seed, the same number of calls. seiko is ahead in a task where
its mean AUC top-10 is larger. The task counts as won where the whole 95 % interval of the mean difference over seeds
lies above 0, as lost where it lies below, and as neither with fewer than three seeds, which have no interval worth the
name. Over tasks, the mean difference has an interval that resamples these: what another set of such tasks might say.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from seiko_bench.statistics import paired_difference, summarise

__all__ = ["compare", "paired"]

OURS = "seiko"
KEY = "auc10"
FEWEST = 3  # seeds that a verdict on one task takes


def compare(results: Path) -> Path | None:
    """Write OUT/paired-pmo.json from the PMO result files of a folder; None where there is nothing to compare."""
    own = results / f"pmo-{OURS}.json"
    others = sorted(path for path in results.glob("pmo-*.json") if path != own)
    if not own.is_file() or not others:
        return None
    ours = json.loads(own.read_text())
    found = [json.loads(path.read_text()) for path in others]
    against = {result["method"]: paired(ours["runs"], result["runs"]) for result in found}
    path = results / "paired-pmo.json"
    text = json.dumps({"benchmark": f"{ours['benchmark']}: {OURS} less each other", "against": against}, indent=1)
    path.write_text(text + "\n")
    return path


def paired(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the differences of two methods' runs.

    Returns:
        tasks: By task, the summary of the paired differences.
        sum: Of the sum over the tasks that both ran for all common seeds, resampling seeds.
        a_task: Of the mean over tasks, resampling tasks.
        ahead, behind, won, lost: Names of tasks.
        seeds: The common seeds.
    """
    a, b = ({run["seed"]: run["tasks"] for run in runs} for runs in (ours, theirs))
    seeds = sorted(set(a) & set(b))
    common = [task for task in (a[seeds[0]] if seeds else ()) if all(task in runs[s] for runs in (a, b) for s in seeds)]
    if not common:
        none: dict[str, Any] = {"seeds": seeds, "tasks": {}, "sum": None, "a_task": None}
        return none | {"ahead": [], "behind": [], "won": [], "lost": []}
    first, second = ([[runs[seed][task][KEY] for task in common] for seed in seeds] for runs in (a, b))
    tasks = {
        task: asdict(paired_difference([row[i] for row in first], [row[i] for row in second]))
        for i, task in enumerate(common)
    }
    means = {task: tasks[task]["mean"] for task in common}
    judged = common if len(seeds) >= FEWEST else []
    return {
        "seeds": seeds,
        "tasks": tasks,
        "sum": asdict(paired_difference([sum(row) for row in first], [sum(row) for row in second])),
        "a_task": asdict(summarise([mean["value"] for mean in means.values()])),
        "ahead": [task for task in common if means[task]["value"] > 0],
        "behind": [task for task in common if means[task]["value"] < 0],
        "won": [task for task in judged if means[task]["low"] > 0],
        "lost": [task for task in judged if means[task]["high"] < 0],
    }
