"""Draw the figures of the image benchmarks from their result files.

python -m seiko_bench.images.figures benchmarks/results docs

    digits-labels   a row a task: true reward, accuracy and shift of features of fresh images, by labels bought
    estimators      objective at the same KL by processor time, and as it stands by KL: a colour an update, a line a
                    seed, at its better rate
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seiko.report.style import LIGHT, SOURCES, draw_png
from seiko_bench.images.found import OURS, digits_found, estimators_found, tasks_of

__all__ = ["figures"]

DPI = 150
COLOURS = ("blue", "sky", "purple", "green", "muted", "vermilion", "orange")  # neighbours far from each other
SHOWN = {
    "mean": "mean true reward",
    "accuracy": "share taken for the digit asked for",
    "shift": "shift of features from the prior's images",
}


def figures(results: Path, out: Path) -> list[Path]:
    """Draw what the result files in a folder allow.

    Returns:
        The PNG files written.
    """
    made = []
    digits, updates = digits_found(results), estimators_found(results)
    tasks = tasks_of(digits)
    if tasks:
        size = (1650, 90 + 480 * len(tasks))
        made.append(draw_png(lambda figure: _draw_digits(figure, digits, tasks), size, DPI, out / "digits-labels.png"))
    if updates:
        size = (1500, 620)
        made.append(draw_png(lambda figure: _draw_estimators(figure, updates), size, DPI, out / "estimators.png"))
    return made


def _draw_digits(figure: Figure, found: list[dict[str, Any]], tasks: list[str]) -> None:
    """Plot medians over seeds, and bands from the least to the largest seed."""
    grid = figure.subplots(len(tasks), len(SHOWN), squeeze=False)
    for task, row in zip(tasks, grid, strict=True):
        for (key, words), axes in zip(SHOWN.items(), row, strict=True):
            for at, result in enumerate(found):
                curves = [run[task]["curve"] for run in result["runs"] if task in run]
                _by_labels(axes, curves, key, result["method"], at)
            axes.set_xlabel("labels bought")
            axes.set_ylabel(words)
        row[0].set_title(task)
    lines = {line.get_label(): line for axes in grid[:, 0] for line in axes.get_lines()}  # a task may lack methods
    figure.legend(list(lines.values()), list(lines), loc="outside upper left", ncols=len(lines))


def _by_labels(axes: Axes, curves: list[list[dict[str, Any]]], key: str, method: str, at: int) -> None:
    values: dict[int, list[float]] = {}
    for curve in curves:
        for row in curve:
            if row[key] is not None:
                values.setdefault(row["labels"], []).append(row[key])
    colour, labels = LIGHT[SOURCES[at % len(SOURCES)]], sorted(values)
    if not labels:
        return
    axes.fill_between(
        labels, [min(values[x]) for x in labels], [max(values[x]) for x in labels], color=colour, alpha=0.12, lw=0
    )
    width, size = (2.2, 4.5) if method == OURS else (1.3, 3)
    axes.plot(labels, [median(values[x]) for x in labels], "o-", ms=size, lw=width, color=colour, label=method)


def _draw_estimators(figure: Figure, found: list[dict[str, Any]]) -> None:
    left, right = figure.subplots(1, 2)
    for at, result in enumerate(found):
        colour = LIGHT[COLOURS[at % len(COLOURS)]]
        for which, run in enumerate(result["runs"]):
            curve = next(one["curve"] for one in run["runs"] if one["rate"] == run["rate"])
            for axes, key, objective in ((left, "seconds", "objective"), (right, "kl_before", "objective_before")):
                gained = [row[objective] - curve[0][objective] for row in curve]
                axes.plot([row[key] for row in curve], gained, "o-", ms=2.5, lw=1.1, color=colour, alpha=0.8,
                          label="" if which else result["method"])  # fmt: skip
    left.set_xlabel("processor seconds of the update")
    right.set_xlabel("path KL from the pretrained model, nats")
    left.set_title("led back to the KL budget", fontsize="medium")
    right.set_title("as it stands", fontsize="medium")
    left.set_ylabel("mean objective gained, reward standard deviations")
    handles, names = left.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper left", ncols=len(names))


if __name__ == "__main__":
    for written in figures(Path(sys.argv[1]), Path(sys.argv[2])):
        print(written)
