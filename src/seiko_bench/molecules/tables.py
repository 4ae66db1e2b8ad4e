"""What the page of results says of molecules beyond one row a method: tasks, pairs, gates. Numbers from files alone."""

from __future__ import annotations

from statistics import fmean
from typing import Any, TypeAlias

from seiko_bench.molecules.compare import FEWEST, KEY, OURS, paired

__all__ = ["more"]

Part: TypeAlias = tuple[str, list[str], list[list[str]]]
"""A sentence, and the header and rows of the table that it is about."""


def more(name: str, found: list[dict[str, Any]]) -> list[Part]:
    """Return the further tables of a benchmark's result files; none for other benchmarks."""
    match name:
        case "pmo":
            return [_tasks(found), *_fresh(found), *_pairs(found)]
        case "prior":
            return [_gates(found)]
    return []


def _tasks(found: list[dict[str, Any]]) -> Part:
    names = list(dict.fromkeys(task for result in found for run in result["runs"] for task in run["tasks"]))
    rows = []
    for task in names:
        values = [[run["tasks"][task][KEY] for run in result["runs"] if task in run["tasks"]] for result in found]
        rows.append([task, *(f"{fmean(column):.3f}" if column else "—" for column in values)])
    text = "AUC top-10 by task, means over seeds. A method that has not run all tasks has gaps."
    return text, ["task", *(result["method"] for result in found)], rows


def _fresh(found: list[dict[str, Any]]) -> list[Part]:
    """Return what fresh samples of the tuned model score beside the prior's and the library's, where that was seen."""
    ours = next((result for result in found if result["method"] == OURS), None)
    if ours is None:
        return []
    keys = ("fresh_mean", "prior_mean", "library_mean")
    rows = []
    for task in ours["runs"][0]["tasks"]:
        records = [run["tasks"][task] for run in ours["runs"] if task in run["tasks"]]
        means = [[record[key] for record in records if record.get(key) is not None] for key in keys]
        rows.append([task, *(f"{fmean(column):.3f}" if column else "—" for column in means)])
    text = f"Mean score of fresh samples of {OURS}'s last model, of its prior, and of 2,000 molecules of ZINC250k."
    return [(text, ["task", "tuned model", "prior", "ZINC250k"], rows)]


def _pairs(found: list[dict[str, Any]]) -> list[Part]:
    ours = next((result for result in found if result["method"] == OURS), None)
    rows = []
    for result in found:
        if ours is None or result is ours:
            continue
        against = paired(ours["runs"], result["runs"])
        if against["sum"] is None:
            continue
        cells = [_interval(against[key]["mean"]) for key in ("sum", "a_task")]
        counts = [str(len(against[key])) for key in ("ahead", "behind")]
        names = [", ".join(against[key]) or "none" for key in ("won", "lost")]
        rows.append([result["method"], str(len(against["seeds"])), str(len(against["tasks"])), *cells, *counts, *names])
    text = (
        f"{OURS} less each other method, paired by seed: difference of the summed AUC top-10 with a 95 % interval over"
        " seeds, mean difference a task with one over tasks, in how many tasks its mean is ahead or behind, and,"
        f" from {FEWEST} seeds on, the tasks whose own interval lies above 0, or below."
    )
    header = ["other method", "seeds", "tasks", "difference of the sum", "difference a task", "ahead", "behind"]
    return [(text, [*header, "won", "lost"], rows)] if rows else []


def _interval(of: dict[str, float]) -> str:
    return f"{of['value']:.3f} [{of['low']:.3f}, {of['high']:.3f}]"


def _gates(found: list[dict[str, Any]]) -> Part:
    rows = [
        [result["method"], gate, f"{seen['value']:.3f}", f"{seen['limit']:g}", "yes" if seen["holds"] else "no"]
        for result in found
        for gate, seen in result["runs"][0]["gates"].items()
    ]
    return "Gates of a prior, by the first seed.", ["prior", "gate", "value", "limit", "holds"], rows
