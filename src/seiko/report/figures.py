"""The report's figures, each drawn on axes that it is given: reward, KL, diversity, calibration, and the overview.

Dots are labels, coloured by the source of the candidate; rounds are already told apart by the axis. Every function
draws what the record holds and is only called when it holds something (see `seiko.report.page`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, PercentFormatter

from seiko.report.data import ReportData, RoundRow
from seiko.report.logo import draw_pair
from seiko.report.molecule_pairs import draw_molecules, drawable
from seiko.report.style import LIGHT, SOURCES, draw_png
from seiko.report.summary import answered, coverage_at, finite, headline, predictions, round_labels

__all__ = [
    "DOTS",
    "LEVELS",
    "draw_coverage",
    "draw_diversity",
    "draw_kl",
    "draw_predictions",
    "draw_reward",
    "overview_png",
    "source_colours",
]

DOTS = 2000
"""Labels drawn at most; more are thinned evenly, the lines use all of them."""

LEVELS = tuple(level / 100 for level in range(10, 100, 5))
"""Nominal levels of the coverage curve."""


def source_colours(data: ReportData) -> dict[str, str]:
    """Return the colour token of each candidate source, in order of first appearance."""
    names = dict.fromkeys(row.source for row in answered(data))
    return {name: SOURCES[index % len(SOURCES)] for index, name in enumerate(names)}


def draw_reward(axes: Axes, data: ReportData, *, columns: int = 8) -> None:
    """Plot every label against its number: running best, each round's mean and 10-90 % band, infeasible as ticks."""
    rows = answered(data)
    groups = round_labels(data)
    handles: list[Line2D | Patch] = []

    stride = -(-len(rows) // DOTS)
    for name, token in source_colours(data).items():
        dots = [(n, row.value) for n, row in enumerate(rows, 1) if row.source == name and row.value is not None]
        if dots:
            x, y = zip(*dots[::stride], strict=True)
            axes.plot(x, y, "o", ms=3.2, mew=0, color=LIGHT[token], alpha=0.6, zorder=3)
        handles.append(Line2D([], [], ls="", marker="o", ms=5, mew=0, color=LIGHT[token], label=_short(name)))

    for group in groups:
        low, mean, high = group.quantile(0.1), group.mean, group.quantile(0.9)
        left, right = group.first - 0.5, group.last + 0.5
        if low is not None and mean is not None and high is not None:
            axes.fill_between([left, right], low, high, color=LIGHT["muted"], alpha=0.16, lw=0)
            axes.plot([left, right], [mean, mean], color=LIGHT["ink"], lw=2.6, solid_capstyle="butt")
        if group is not groups[0]:
            axes.axvline(left, color=LIGHT["rule"], lw=0.8, zorder=0.5)

    numbers = np.array([n for n, row in enumerate(rows, 1) if row.value is not None])
    best = np.maximum.accumulate([row.value for row in rows if row.value is not None])
    # Only the steps: one vertex a new best, and the end of the run.
    steps = np.append(np.flatnonzero(np.diff(best, prepend=-np.inf) > 0), len(best) - 1)
    axes.step([*numbers[steps], len(rows) + 0.5], [*best[steps], best[-1]], where="post", color=LIGHT["ink"], lw=1.1)

    infeasible = [n for n, row in enumerate(rows, 1) if row.status == "infeasible"]
    axes.plot(infeasible, [0.02] * len(infeasible), "|", ms=7, mew=0.9, color=LIGHT["vermilion"], alpha=0.8,
              transform=axes.get_xaxis_transform())  # fmt: skip

    believed = [
        (group.last + 0.5, row.believed_mean)
        for group in groups
        for row in data.rounds
        if row.round == group.round and finite(row.believed_mean) is not None
    ]
    if believed:
        x, y = zip(*believed, strict=True)
        axes.plot(x, y, "D", ms=5.5, mew=1.3, mec=LIGHT["ink"], mfc=LIGHT["ground"], clip_on=False, zorder=4)

    handles += [
        Line2D([], [], color=LIGHT["ink"], lw=1.1, label="best so far"),
        Line2D([], [], color=LIGHT["ink"], lw=2.6, label="batch mean"),
        Patch(color=LIGHT["muted"], alpha=0.22, lw=0, label="10–90 % of the batch"),
    ]
    if believed:
        handles.append(Line2D([], [], ls="", marker="D", ms=5, mew=1.3, mec=LIGHT["ink"], mfc=LIGHT["ground"],
                              label="model mean, believed"))  # fmt: skip
    if infeasible:
        handles.append(Line2D([], [], ls="", marker="|", ms=7, mew=1.2, color=LIGHT["vermilion"], label="infeasible"))
    low, high = axes.get_ylim()
    axes.set_ylim(low - 0.05 * (high - low) * bool(infeasible), high + 0.07 * (high - low))
    axes.set_xlim(0, (len(rows) + 0.5) * 1.004)
    every = -(-len(groups) // (2 * columns if columns > 2 else 5))
    for group in groups[::every]:
        name = f"round {group.round}" if len(groups) <= 12 else str(group.round)
        axes.text((group.first + group.last) / 2, 0.985, name, transform=axes.get_xaxis_transform(), ha="center",
                  va="top", color=LIGHT["muted"], fontsize=8)  # fmt: skip
    axes.xaxis.set_major_locator(MaxNLocator(10 if columns >= 8 else 6, integer=True, steps=[1, 2, 5, 10]))
    axes.set_xlabel("labels")
    axes.set_ylabel(_short(data.reward_name))
    axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1.03), ncols=columns)


def _short(name: str) -> str:
    """Cut a user's name to what an axis can hold; the page's text has it whole."""
    return name if len(name) <= 40 else f"{name[:39]}…"


def _by_round(data: ReportData, read: Callable[[RoundRow], float | None]) -> tuple[list[int], list[float]]:
    points = [(row.round, value) for row in data.rounds if (value := finite(read(row))) is not None]
    return [index for index, _ in points], [value for _, value in points]


def _round_axis(axes: Axes, data: ReportData) -> None:
    first, last = data.rounds[0].round, data.rounds[-1].round
    axes.set_xlim(first - 0.35, last + 0.35)
    if last - first < 12:
        axes.set_xticks(range(first, last + 1))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    axes.set_xlabel("round")


def draw_kl(axes: Axes, data: ReportData) -> None:
    """Plot the path KL from the pretrained and from the previous model by round, with the budget where there is one."""
    series: tuple[tuple[str, str, str, Callable[[RoundRow], float | None]], ...] = (
        ("from pretrained", "blue", "o", lambda row: row.kl_pretrained),
        ("from previous", "orange", "s", lambda row: row.kl_previous),
    )
    for label, token, marker, read in series:
        x, y = _by_round(data, read)
        if x:
            axes.plot(x, y, marker=marker, ms=5, color=LIGHT[token], label=label)
    budget = finite(data.kl_budget)
    if budget is not None:
        axes.axhline(budget, color=LIGHT["vermilion"], lw=1.2, ls=(0, (4, 3)), label=f"budget {budget:g}")
    axes.set_ylim(0, max(axes.get_ylim()[1], (budget or 0) * 1.12, 1e-6))
    _round_axis(axes, data)
    axes.set_ylabel("KL, nats")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.03), ncols=3, handlelength=1.2, columnspacing=1.0)


def draw_diversity(axes: Axes, data: ReportData) -> None:
    """Plot the mean pairwise distance between fresh samples by round."""
    x, y = _by_round(data, lambda row: row.diversity)
    if x:
        axes.plot(x, y, marker="o", ms=5, color=LIGHT["green"])
    most = finite(data.diversity_max)
    if most is not None:
        axes.axhline(most, color=LIGHT["muted"], lw=1.0, ls=(0, (1, 2)))
        text = f"all {most:g} differ" if data.diversity_unit == "positions" else "nothing in common"
        axes.annotate(text, (0.99, most), xycoords=("axes fraction", "data"), xytext=(0, -3),
                      textcoords="offset points", ha="right", va="top", fontsize=8, color=LIGHT["muted"])  # fmt: skip
    axes.set_ylim(0, max(axes.get_ylim()[1], 1.05 * max([*y, most or 0]), 1e-6))
    _round_axis(axes, data)
    axes.set_ylabel(f"diversity,\n{_short(data.diversity_unit)}")


def draw_predictions(axes: Axes, data: ReportData) -> None:
    """Plot each label against the mean that was predicted before it came, with one predictive standard deviation."""
    pairs = predictions(data)
    last = int(pairs.round.max())
    stride = -(-len(pairs) // DOTS)
    for name, token, chosen in (
        ("earlier rounds", "muted", pairs.round < last),
        (f"round {last}", "blue", pairs.round == last),
    ):
        if chosen.any():
            mean, std, label = pairs.mean[chosen][::stride], pairs.std[chosen][::stride], pairs.label[chosen][::stride]
            axes.hlines(label, mean - std, mean + std, color=LIGHT[token], lw=0.7, alpha=0.22)
            axes.plot(mean, label, "o", ms=3.4, mew=0, color=LIGHT[token], alpha=0.65, label=name)
    low = float(min(pairs.label.min(), (pairs.mean - pairs.std).min()))
    high = float(max(pairs.label.max(), (pairs.mean + pairs.std).max()))
    margin = 0.04 * (high - low) or 0.5
    axes.plot([low - margin, high + margin], [low - margin, high + margin], color=LIGHT["ink"], lw=1.0, zorder=1.5)
    axes.set_xlim(low - margin, high + margin)
    axes.set_ylim(low - margin, high + margin)
    axes.grid(axis="both")
    axes.set_xlabel(f"predicted {_short(data.reward_name)}, ± 1 std")
    axes.set_ylabel(f"measured {_short(data.reward_name)}")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.03), ncols=2, handletextpad=0.3)


def draw_coverage(axes: Axes, data: ReportData) -> None:
    """Plot observed against nominal coverage, with the 95 % range that chance alone would give at that many labels."""
    pairs = predictions(data)
    last = int(pairs.round.max())
    nominal = np.array(LEVELS)
    chance = 1.96 * np.sqrt(nominal * (1 - nominal) / len(pairs))
    axes.fill_between(nominal, np.maximum(nominal - chance, 0), np.minimum(nominal + chance, 1), color=LIGHT["muted"],
                      alpha=0.18, lw=0, label="chance alone")  # fmt: skip
    axes.plot([0, 1], [0, 1], color=LIGHT["ink"], lw=1.0)
    if pairs.round.min() < last:
        axes.plot(nominal, coverage_at(pairs, LEVELS), marker="o", ms=3.4, color=LIGHT["blue"], label="all rounds")
    axes.plot(nominal, coverage_at(pairs.of_round(last), LEVELS), marker="s", ms=3, lw=1.1, ls=(0, (3, 2)),
              color=LIGHT["orange"], label=f"round {last}")  # fmt: skip
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    axes.grid(axis="both")
    axes.set_xlabel("nominal level of the interval")
    axes.set_ylabel("labels inside")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.03), ncols=3)


def overview_png(data: ReportData, path: Path) -> Path:
    """Write the whole run as one picture, 1600 x 900 pixels on light ground; the same bytes every time.

    Raises:
        ValueError: If the run has no label with a value, or no finished round, to draw yet.
    """
    top = headline(data)
    if top.best is None or not data.rounds:
        raise ValueError("the overview needs at least one label with a value and one finished round")

    def draw(figure: Figure) -> None:
        figure.set_layout_engine("constrained", w_pad=0.14, h_pad=0.1)
        figure.suptitle(data.title, x=0.0155, ha="left", fontsize=12, fontweight="bold")
        with_logos = data.logos is not None and bool(data.logos.before and data.logos.after)
        with_molecules = drawable(data.molecules)
        lower = 1.0 if with_logos else 1.65 if with_molecules else 0.0
        outer = figure.add_gridspec(2 if lower else 1, 1, height_ratios=[2.35, lower] if lower else None)
        upper = figure.add_subfigure(outer[0])
        grid = upper.add_gridspec(2, 2, width_ratios=[1.9, 1])
        tuned = f"after round {data.rounds[-1].round}"
        draw_reward(upper.add_subplot(grid[:, 0]), data, columns=4)
        draw_kl(upper.add_subplot(grid[0, 1]), data)
        draw_diversity(upper.add_subplot(grid[1, 1]), data)
        if with_logos and data.logos is not None:
            draw_pair(figure.add_subfigure(outer[1]), data.logos, after=tuned)
        elif with_molecules and data.molecules is not None:
            draw_molecules(figure.add_subfigure(outer[1]), data.molecules, after=tuned)

    return draw_png(draw, (1600, 900), 150, Path(path))
