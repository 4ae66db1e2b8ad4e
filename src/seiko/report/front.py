"""Several objectives on the page: the designs in the plane of two properties with their front, and its hypervolume.

The front is over all properties, seen in the plane of the first two. The hypervolume is that beyond the references, in
units of the properties; where the recipe names no references, beyond the worst value that was measured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from seiko.report.data import FrontData
from seiko.report.panels import Panel
from seiko.report.style import LIGHT, SOURCES, draw_svg

if TYPE_CHECKING:
    from seiko.campaign import Objectives, RunState

__all__ = ["draw_front", "draw_hypervolume", "front_data", "front_panels"]

_SIZE = (4.5, 2.9)


def front_data(state: RunState, objectives: Objectives) -> FrontData | None:
    """Return what a run has measured; None before the first label.

    Raises:
        ImportError: If BoTorch is not installed; the message names the extra.
    """
    from seiko.campaign.properties import outcomes
    from seiko.metrics.pareto import hypervolume_curve, pareto_front

    found = outcomes(state, objectives)
    if found is None:
        return None
    return FrontData(
        names=objectives.names,
        larger=tuple(part.goal == "max" for part in objectives.properties),
        values=tuple(map(tuple, found.values.tolist())),
        rounds=tuple(query.round for query, _ in found.pairs),
        front=tuple(pareto_front(found.gains).tolist()),
        hypervolume=tuple(hypervolume_curve(found.gains, found.reference)),
    )


def draw_front(axes: Axes, data: FrontData) -> None:
    """Plot the first two properties of each design, and ring those on the front."""
    values, rounds = np.array(data.values), np.array(data.rounds)
    for index, round in enumerate(sorted(set(data.rounds))):
        x, y = values[rounds == round, :2].T
        name = "attached" if round == 0 else f"round {round}"
        colour = LIGHT[SOURCES[index % len(SOURCES)]]
        axes.plot(x, y, "o", ms=3.2, mew=0, color=colour, alpha=0.7, label=name)
    x, y = values[np.array(data.front), :2].T
    axes.plot(x, y, "o", ms=6, mew=1.1, mec=LIGHT["ink"], mfc="none", label="front")
    for axis, name, larger in zip((axes.xaxis, axes.yaxis), data.names, data.larger, strict=False):
        axis.set_label_text(f"{name} ({'more' if larger else 'less'} is better)")
    if len(set(data.rounds)) <= 6:
        axes.legend(loc="best", fontsize=7)


def draw_hypervolume(axes: Axes, data: FrontData) -> None:
    """Plot the hypervolume against the number of labels."""
    labels, volumes = zip(*data.hypervolume, strict=True)
    axes.step([*labels], [*volumes], where="post", color=LIGHT["ink"], lw=1.4)
    axes.set_xlabel("labels")
    axes.set_ylabel("hypervolume")
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))


def front_panels(data: FrontData) -> tuple[Panel, Panel]:
    """Return both figures with their words."""
    on_front, volume = sum(data.front), data.hypervolume[-1][1]
    plane = f"{data.names[0]} and {data.names[1]}"
    seen = "" if len(data.names) == 2 else f", of {', '.join(data.names)} seen in the plane of the first two"
    return (
        Panel(
            title=f"{plane[:1].upper()}{plane[1:]}",
            caption=f"Each dot is a labelled design; rings: the {on_front} that no other dominates{seen}.",
            wide=Markup(
                draw_svg(
                    lambda figure: draw_front(figure.subplots(), data),
                    _SIZE,
                    prefix="front",
                    alt=f"{len(data.values)} designs by {plane}; {on_front} on the Pareto front.",
                )
            ),
        ),
        Panel(
            title="How far the front is out",
            caption="Volume between the references and the front of the designs labelled so far, in units of the "
            "properties. It only grows; where it is flat, labels bring nothing new.",
            wide=Markup(
                draw_svg(
                    lambda figure: draw_hypervolume(figure.subplots(), data),
                    _SIZE,
                    prefix="hypervolume",
                    alt=f"Hypervolume against labels; {volume:.3g} after {len(data.values)}.",
                )
            ),
        ),
    )
