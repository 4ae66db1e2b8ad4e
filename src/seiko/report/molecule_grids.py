"""Grids of molecules: the best labelled ones and fresh ones, each with its value and how new it is.

Similarity is Tanimoto's of Morgan bits, to the nearest known molecule if the record has any, else to the nearest
sample of the pretrained model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from seiko.report.data import MoleculeData, ReportData
from seiko.report.summary import ranked
from seiko.report.tables import decimals_for, number

__all__ = ["GRID", "Cell", "Grid", "best_grid", "fresh_grid", "labelled", "valid"]

GRID = 12
"""Molecules in a grid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One molecule of a grid: its drawing, its value and its nearest known molecule, in words or empty."""

    drawing: Markup
    value: str
    nearest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Molecules side by side, or words where there are none."""

    title: str
    caption: str = ""
    cells: tuple[Cell, ...] = ()
    words: str = ""


def valid(smiles: Sequence[str]) -> list[str]:
    """Return the canonical SMILES of those texts that are molecules."""
    from seiko.chemistry import canonical

    return [text for text in map(canonical, smiles) if text is not None]


def labelled(data: ReportData) -> dict[str, float]:
    """Return the measured value of each valid molecule, oracle's units, best first."""
    values: dict[str, float] = {}
    for design in ranked(data):
        for text in valid([design.row.content]):
            values.setdefault(text, design.value)
    return values


def best_grid(data: ReportData, molecules: MoleculeData, title: str) -> Grid:
    """Draw the best labelled molecules."""
    top = dict(list(labelled(data).items())[:GRID])
    if not top:
        return Grid(title=title, words="No molecule has a measured value yet.")
    decimals = decimals_for(top.values())
    caption = f"{data.reward_name}, mean of a molecule's labels"
    caption = caption[:1].upper() + caption[1:]
    if molecules.known or molecules.before:
        caption += f"; below it the {_compared(molecules)} (Tanimoto, Morgan bits of radius 2)"
    cells = _cells(molecules, list(top), [number(value, decimals) for value in top.values()])
    return Grid(title=title, caption=f"{caption}.", cells=cells)


def fresh_grid(data: ReportData, molecules: MoleculeData, title: str) -> Grid:
    """Draw the first samples of the current model, not the best ones: what it writes when nobody chooses."""
    distinct = list(dict.fromkeys(valid(molecules.after)))[:GRID]
    if not distinct:
        words = (
            "No sample of the current model is a molecule." if molecules.after else "No round has been finished yet."
        )
        return Grid(title=title, words=words)
    known = labelled(data)
    decimals = decimals_for(known.values())
    values = [number(known[text], decimals) if text in known else "" for text in distinct]
    caption = (
        f"The first {len(distinct)} distinct samples as they were drawn, not the best ones; the value where it has "
        f"been measured, and the {_compared(molecules)}."
    )
    return Grid(title=title, caption=caption, cells=_cells(molecules, distinct, values))


def _cells(molecules: MoleculeData, smiles: Sequence[str], values: Sequence[str]) -> tuple[Cell, ...]:
    from seiko.report.depiction import depict

    return tuple(
        Cell(drawing=depict(text), value=value, nearest=nearest)
        for text, value, nearest in zip(smiles, values, _nearest(molecules, smiles), strict=True)
    )


def _nearest(molecules: MoleculeData, smiles: Sequence[str]) -> list[str]:
    """Return the similarity to the nearest molecule to compare with, in words; empty where there is none."""
    from seiko.metrics.similarity import nearest_similarity

    reference = valid(molecules.known or molecules.before)
    if not reference:
        return [""] * len(smiles)
    return [f"similarity {number(value, 2)}" for value in nearest_similarity(smiles, reference).tolist()]


def _compared(molecules: MoleculeData) -> str:
    if molecules.known:
        return f"similarity to the nearest of {len(molecules.known):,} {molecules.known_name}"
    return f"similarity to the nearest of {len(molecules.before):,} samples of the pretrained model"
