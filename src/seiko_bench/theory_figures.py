"""Draw the figures of the theory bench from its result files.

python -m seiko_bench.theory_figures benchmarks/results docs

    theory-fixed      distance to the optimum of A = r against the seconds of each update
    theory-tv         distance to the closed form by round
    theory-regret     mean regret beside its bound: by round, and at the end for all configurations
    theory-coverage   share of the space inside of the nominal 95 % interval, by round
    theory-share      share of the attainable gain a configuration, medians with bootstrap intervals
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from seiko.report.style import LIGHT, SOURCES, draw_png

__all__ = ["figures"]

Results: TypeAlias = Mapping[str, Any]  # result files by method
DPI = 150
STYLES = ("-", "--", ":", "-.")
MARKERS = ("o", "s", "^", "D", "v", "P")


def figures(results: Path, out: Path) -> list[Path]:
    """Draw what the result files in a folder allow.

    Returns:
        The PNG files written.
    """
    found = {}
    for path in sorted(results.glob("theory-*.json")):
        result = json.loads(path.read_text())
        found[result["method"]] = result
    groups: dict[str, dict[str, Any]] = {kind: {} for kind in ("fixed", "rounds", "ablation", "closed")}
    for method, result in found.items():
        kind, _, name = method.partition("-")
        groups[kind][name] = result
    in_rounds = {
        f"{kind}-{name}": groups[kind][name] for kind in ("rounds", "ablation", "closed") for name in groups[kind]
    }
    plans: tuple[tuple[str, Results, Callable[[Figure, Results], None], tuple[int, int]], ...] = (
        ("fixed", groups["fixed"], _draw_fixed, (1500, 620)),
        ("tv", groups["rounds"], _draw_tv, (1100, 700)),
        ("regret", in_rounds, _draw_regret, (1500, 700)),
        ("coverage", groups["rounds"], _draw_coverage, (1100, 700)),
        ("share", in_rounds, _draw_share, (1100, 240 + 42 * len(in_rounds))),
    )
    return [
        draw_png(lambda figure, draw=draw, of=of: draw(figure, of), pixels, DPI, out / f"theory-{name}.png")  # type: ignore[misc]
        for name, of, draw, pixels in plans
        if of
    ]


def _draw_fixed(figure: Figure, results: Results) -> None:
    """Plot total variation and J / J* of each seed against seconds; dotted: those of as many exact draws."""
    left, right = figure.subplots(1, 2)
    for axes, key, label, goal in ((left, "tv", "total variation to p*", 0.1), (right, "ratio", "J / J*", 0.98)):
        for at, result in enumerate(results.values()):
            for run in result["runs"]:
                seconds, reached = ([row[name] for row in run["checkpoints"]] for name in ("seconds", key))
                axes.plot(seconds, reached, marker="o", ms=3, lw=1.1, color=_colour(at))
                ideal = [row["floor" if key == "tv" else "floor_ratio"] for row in run["checkpoints"]]
                if None not in ideal:
                    axes.plot(seconds, ideal, lw=1.0, ls=":", color=_colour(at))
        axes.axhline(goal, color=LIGHT["muted"], lw=1.0, ls=(0, (1, 2)))
        axes.set_xlabel("seconds of one core")
        axes.set_ylabel(label)
    left.set_ylim(0, 1)
    handles = [Line2D([], [], marker="o", ms=3, color=_colour(at), label=name) for at, name in enumerate(results)]
    left.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1.03), ncols=6)


def _draw_tv(figure: Figure, results: Results) -> None:
    """Plot the median distance to the round's closed form: a colour an update, a line style a reward model."""
    axes = figure.subplots()
    _by_round(axes, results, "tv")
    axes.set_ylim(0, 1)
    axes.set_ylabel("total variation between model and closed form")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.02), ncols=4, handlelength=3)


def _draw_coverage(figure: Figure, results: Results) -> None:
    """Plot the median coverage of the nominal 95 % interval over the space."""
    axes = figure.subplots()
    _by_round(axes, results, "nominal")
    axes.axhline(0.95, color=LIGHT["muted"], lw=1.0, ls=(0, (1, 2)))
    axes.set_ylim(0, 1.02)
    axes.set_ylabel("share of all designs within ± 1.96 std")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.02), ncols=4, handlelength=3)


def _draw_regret(figure: Figure, results: Results) -> None:
    """Plot regret and bound by round for the first configurations of each kind, and both at the end for every run."""
    left, right = figure.subplots(1, 2)
    shown = [name for name in ("rounds-windows-ppo", "closed-windows", "closed-nominal") if name in results]
    for at, name in enumerate(shown or list(results)[:3]):
        for key, style in (("regret_so_far", "-"), ("bound_so_far", "--")):
            x, y = _medians(results[name], key)
            what = "regret" if style == "-" else "bound"
            left.plot(x, y, ls=style, marker=MARKERS[at], ms=4, color=_colour(at), label=f"{name}, {what}")
    left.set_ylim(bottom=0)
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    left.set_xlabel("round")
    left.set_ylabel("mean regret so far, reward units")
    left.legend(loc="lower left", bbox_to_anchor=(0, 1.03), ncols=1, handlelength=3)
    kinds = list(dict.fromkeys(name.partition("-")[0] for name in results))
    for name, result in results.items():
        colour = _colour(kinds.index(name.partition("-")[0]))
        for run in result["runs"]:
            if run["bound"] is not None:
                face = colour if run["holds"] else LIGHT["ground"]
                right.plot(run["bound"], run["regret"], "o", ms=5, mew=1.1, mec=colour, mfc=face)
    most = max([0.1, *right.get_xlim(), *right.get_ylim()])
    right.plot([0, most], [0, most], color=LIGHT["ink"], lw=1.0)
    right.set_xlabel("bound after the last round; filled: its conditions hold")
    right.set_ylabel("mean regret")
    handles = [Line2D([], [], ls="", marker="o", color=_colour(at), label=kind) for at, kind in enumerate(kinds)]
    right.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1.03), ncols=4)


def _draw_share(figure: Figure, results: Results) -> None:
    """Plot the share of the attainable gain, one row a configuration, the best one on top."""
    axes = figure.subplots()
    medians = {name: result["summary"]["share"]["median"] for name, result in results.items()}
    order = sorted(medians, key=lambda name: float(medians[name]["value"]))
    kinds = list(dict.fromkeys(name.partition("-")[0] for name in results))
    for at, name in enumerate(order):
        estimate, colour = medians[name], _colour(kinds.index(name.partition("-")[0]))
        axes.plot([estimate["low"], estimate["high"]], [at, at], color=colour, lw=2.2, alpha=0.5)
        axes.plot(estimate["value"], at, "o", ms=5, color=colour)
    axes.axvline(0, color=LIGHT["ink"], lw=1.0)
    axes.axvline(1, color=LIGHT["muted"], lw=1.0, ls=(0, (1, 2)))
    axes.set_yticks(range(len(order)), order)
    axes.grid(axis="x")
    axes.set_xlabel("share of the attainable gain, median and 95 % interval")


def _by_round(axes: Axes, results: Results, key: str) -> None:
    """Plot medians over seeds by round; names are REWARD-UPDATE, or one word."""
    rewards = list(dict.fromkeys(name.partition("-")[0] for name in results))
    updates = list(dict.fromkeys(name.partition("-")[2] for name in results))
    for name, result in results.items():
        reward, _, update = name.partition("-")
        x, y = _medians(result, key)
        axes.plot(x, y, ls=STYLES[rewards.index(reward) % len(STYLES)], color=_colour(updates.index(update)),
                  marker=MARKERS[rewards.index(reward) % len(MARKERS)], ms=4, label=name)  # fmt: skip
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("round")


def _medians(result: Any, key: str) -> tuple[list[int], list[float]]:
    """Return rounds, and the median over seeds of what is known there."""
    found: dict[int, list[float]] = {}
    for run in result["runs"]:
        for row in run["exact"]:
            if row[key] is not None:
                found.setdefault(row["round"], []).append(row[key])
    return list(found), [statistics.median(values) for values in found.values()]


def _colour(at: int) -> str:
    return LIGHT[SOURCES[at % len(SOURCES)]]


if __name__ == "__main__":
    for written in figures(Path(sys.argv[1]), Path(sys.argv[2])):
        print(written)
