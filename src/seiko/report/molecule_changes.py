"""What tuning changed: properties and set metrics of the samples before and after, and the drift alarm in words.

Alarms watch the ends of a property that are worth a word: QED below, synthetic accessibility and rings above the range
of the pretrained model's samples, logP, weight and polar surface on both sides. That good values become more frequent
is what the labels were bought for.
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from markupsafe import Markup

from seiko.report.data import MoleculeData
from seiko.report.molecule_grids import valid
from seiko.report.panels import Panel
from seiko.report.style import draw_svg
from seiko.report.tables import MISSING, number, percent

if TYPE_CHECKING:
    from seiko.metrics.drift import Drift, Side

__all__ = ["TableLine", "TableRows", "change_table", "drift_alarms", "has_rdkit", "histogram_panel"]

LEAST = 20
"""Valid samples of the pretrained model below which there is no range to leave."""

_WATCHED: dict[str, tuple[str, Side]] = {
    "qed": ("QED", "low"),
    "logp": ("logP", "both"),
    "sa": ("Synthetic accessibility", "high"),
    "weight": ("Molecular weight", "both"),
    "tpsa": ("Polar surface", "both"),
    "largest_ring": ("Largest ring", "high"),
}

TableLine = tuple[str, str, str]
"""Name of a quantity, before, after."""

TableRows = tuple[TableLine, ...]


def has_rdkit() -> bool:
    """Whether molecules can be read at all."""
    return importlib.util.find_spec("rdkit") is not None


def drift_alarms(molecules: MoleculeData) -> tuple[str, ...]:
    """Return a sentence for each property that has left the range of the pretrained model's samples."""
    if not has_rdkit():
        return ()
    return tuple(f"Drift. {found.sentence}" for found in _drift(molecules) if found.alarm)


def _drift(molecules: MoleculeData) -> tuple[Drift, ...]:
    before, after = valid(molecules.before), valid(molecules.after)
    if len(before) < LEAST or not after:
        return ()
    from seiko.chemistry import properties
    from seiko.metrics.drift import PropertyRange, drift

    columns = properties(before, tuple(_WATCHED)).T
    ranges = [
        PropertyRange.fit(name, column, side=side)
        for (name, side), column in zip(_WATCHED.values(), columns, strict=True)
    ]
    return drift(ranges, properties(after, tuple(_WATCHED)))


def histogram_panel(molecules: MoleculeData, title: str) -> Panel:
    """Draw the properties of the samples before and after, and say whether they drifted."""
    from seiko.report.chemical_space import draw_histograms

    before, after = valid(molecules.before), valid(molecules.after)
    if not before or not after:
        words = "There are no valid samples to compare." if molecules.after else "No round has been finished yet."
        return Panel(title=title, caption="", words=words)
    drifts = _drift(molecules)
    caption = f"{len(before)} samples of the pretrained model and {len(after)} of the current one."
    if alarms := [found.sentence for found in drifts if found.alarm]:
        caption += f" Drift: {' '.join(alarms)}"
    elif drifts:
        caption += f" No drift in any of the {len(drifts)} properties watched."
    svg = draw_svg(
        lambda figure: draw_histograms(figure, before, after),
        (4.5, 4.1),
        prefix="properties",
        alt="Histograms of QED, logP, synthetic accessibility and weight, before and after.",
    )
    return Panel(title=title, caption=caption, wide=Markup(svg))


def change_table(molecules: MoleculeData) -> TableRows:
    """Return metrics of the samples before and after; empty before the first finished round.

    Both are compared with the known molecules; without any, those after with those before.
    """
    before, after = valid(molecules.before), valid(molecules.after)
    if not before or not after:
        return ()
    from seiko.chemistry import properties
    from seiko.metrics.molecules import summarise
    from seiko.report.chemical_space import HISTOGRAMS

    known = valid(molecules.known)
    a, b = summarise(molecules.before, known), summarise(molecules.after, known or before)
    rows = [
        ("valid", percent(a.validity), percent(b.validity)),
        ("distinct", percent(a.uniqueness), percent(b.uniqueness)),
        ("new", percent(a.novelty), percent(b.novelty)),
        ("internal diversity", number(a.internal_diversity, 2), number(b.internal_diversity, 2)),
        ("scaffolds", f"{a.scaffolds:,}", f"{b.scaffolds:,}"),
        ("with a ring above six atoms", percent(a.large_rings), percent(b.large_rings)),
        ("similarity to the nearest", number(a.nearest_similarity, 2), number(b.nearest_similarity, 2)),
        ("similarity of fragments", number(a.fragment_similarity, 2), number(b.fragment_similarity, 2)),
    ]
    means = [properties(texts, tuple(HISTOGRAMS)).double().mean(dim=0).tolist() for texts in (before, after)]
    for words, x, y in zip(HISTOGRAMS.values(), *means, strict=True):
        decimals = 0 if words.startswith("weight") else 2
        rows.append((f"mean {words}", number(x, decimals), number(y, decimals)))
    return tuple(row for row in rows if row[1:] != (MISSING, MISSING))
