"""What the page shows of a run on molecules: the best ones, fresh ones, where they lie, and what tuning changed.

RDKit is asked for when a run on molecules is drawn, and by nothing else on the page; where it is missing, words say so.
"""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from seiko.report.data import MoleculeData, ReportData
from seiko.report.molecule_changes import TableRows, change_table, has_rdkit, histogram_panel
from seiko.report.molecule_grids import Grid, best_grid, fresh_grid, labelled, valid
from seiko.report.panels import Panel
from seiko.report.style import draw_svg

__all__ = ["MAPPED", "MoleculeSection", "molecule_section"]

MAPPED = 1000
"""Labelled molecules on the map at most; more are thinned evenly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MoleculeSection:
    """The part of the page that is about molecules."""

    best: Grid
    fresh: Grid
    space: Panel
    histograms: Panel
    table: TableRows = ()
    after: str = "current model"
    under: str = ""


def molecule_section(data: ReportData, molecules: MoleculeData) -> MoleculeSection:
    """Return grids, map, histograms and table of a run on molecules; words in place of what cannot be drawn."""
    best, fresh = "Best labelled molecules", "Fresh samples of the current model"
    space, histograms = "Chemical space", "Properties before and after"
    if not has_rdkit():
        words = "Molecules are drawn by RDKit: pip install 'seiko[molecules]' and write the report again."
        return MoleculeSection(
            best=Grid(title=best, words=words),
            fresh=Grid(title=fresh, words=words),
            space=Panel(title=space, caption="", words=words),
            histograms=Panel(title=histograms, caption="", words=words),
        )
    return MoleculeSection(
        best=best_grid(data, molecules, best),
        fresh=fresh_grid(data, molecules, fresh),
        space=_space(data, molecules, space),
        histograms=histogram_panel(molecules, histograms),
        table=change_table(molecules),
        after=f"after round {data.rounds[-1].round}" if data.rounds else "current model",
        under=_under(molecules),
    )


def _space(data: ReportData, molecules: MoleculeData, title: str) -> Panel:
    from seiko.report.chemical_space import draw_map

    before, after = valid(molecules.before), valid(molecules.after)
    points = list(labelled(data).items())
    points = points[:: max(1, -(-len(points) // MAPPED))]
    if len({*before, *after, *(text for text, _ in points)}) < 3:
        return Panel(title=title, caption="", words="A map needs at least three different molecules.")
    caption = (
        "Each point is a molecule; points that are near have similar fingerprints (Morgan counts). Colour is the "
        f"measured value of the {len(points):,} labelled ones."
    )
    svg = draw_svg(
        lambda figure: draw_map(figure.subplots(), before, points, after, data.reward_name[:40]),
        (4.5, 4.1),
        prefix="space",
        alt=f"Map of {len(before)} samples before, {len(points)} labelled molecules and {len(after)} samples after.",
    )
    return Panel(title=title, caption=caption, wide=Markup(svg))


def _under(molecules: MoleculeData) -> str:
    what = f"{len(molecules.known):,} {molecules.known_name}" if molecules.known else "the pretrained model's samples"
    return (
        f"Of {len(molecules.before)} and {len(molecules.after)} samples; all but the first line is of the valid ones. "
        f"New, nearest and fragments are against {what}. Internal diversity is 1 − mean pairwise Tanimoto similarity "
        "of Morgan bits."
    )
