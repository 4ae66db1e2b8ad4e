"""Draw PMO's figure from its result files: the area under the curve of the ten best, task by task and method by method.

python -m seiko_bench.molecules.figures benchmarks/results docs

    pmo     a row a task, a dot a method at its mean over seeds, a bar from its least to its largest seed; tasks are in
            the order of seiko's lead over the best of the others
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any, TypeAlias

from matplotlib.figure import Figure

from seiko.report.style import LIGHT, SOURCES, draw_png
from seiko_bench.molecules.compare import KEY, OURS

__all__ = ["figures"]

Values: TypeAlias = Mapping[str, Mapping[str, list[float]]]  # of each seed, by method and task
DPI = 150


def figures(results: Path, out: Path) -> list[Path]:
    """Draw what the result files in a folder allow: nothing without seiko's and one other method's.

    Returns:
        The PNG files written.
    """
    found: dict[str, dict[str, list[float]]] = {}
    for path in sorted(results.glob("pmo-*.json")):
        result = json.loads(path.read_text())
        found[result["method"]] = _by_task(result["runs"])
    if OURS not in found or len(found) < 2:
        return []
    size = (1100, 190 + 40 * len(found[OURS]))
    return [draw_png(lambda figure: _draw(figure, found), size, DPI, out / "pmo.png")]


def _by_task(runs: list[dict[str, Any]]) -> dict[str, list[float]]:
    values: dict[str, list[float]] = {}
    for run in runs:
        for task, record in run["tasks"].items():
            values.setdefault(task, []).append(record[KEY])
    return values


def _draw(figure: Figure, found: Values) -> None:
    axes = figure.subplots()
    methods = [OURS, *(name for name in found if name != OURS)]
    tasks = sorted(found[OURS], key=lambda task: _lead(found, task))
    height = 0.8 / len(methods)
    for which, method in enumerate(methods):
        colour = LIGHT[SOURCES[which % len(SOURCES)]]
        rows = [(at, found[method][task]) for at, task in enumerate(tasks) if task in found[method]]
        places = [at + 0.4 - height * (which + 0.5) for at, _ in rows]
        for place, (_, values) in zip(places, rows, strict=True):
            axes.plot([min(values), max(values)], [place, place], color=colour, lw=2.0, alpha=0.5)
        means = [fmean(values) for _, values in rows]
        axes.plot(means, places, "o", ms=5 if method == OURS else 3.5, color=colour, label=method)
    axes.set_yticks(range(len(tasks)), tasks)
    axes.set_xlim(0, 1)
    axes.grid(axis="x")
    axes.set_xlabel("area under the curve of the ten best")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.01), ncols=len(methods))


def _lead(found: Values, task: str) -> float:
    others = [fmean(values[task]) for method, values in found.items() if method != OURS and task in values]
    return fmean(found[OURS][task]) - max(others, default=0.0)


if __name__ == "__main__":
    for written in figures(Path(sys.argv[1]), Path(sys.argv[2])):
        print(written)
