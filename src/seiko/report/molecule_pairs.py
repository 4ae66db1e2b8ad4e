"""Molecules of the pretrained model beside those of the tuned one, as a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import FigureBase
from numpy.typing import NDArray

from seiko.report.data import MoleculeData
from seiko.report.molecule_changes import has_rdkit
from seiko.report.molecule_grids import valid

__all__ = ["draw_molecules", "drawable"]

ROWS, COLUMNS = 2, 4


def drawable(molecules: MoleculeData | None) -> bool:
    """Whether there are molecules of both models, and RDKit to draw them."""
    return molecules is not None and has_rdkit() and bool(valid(molecules.before) and valid(molecules.after))


def draw_molecules(figure: FigureBase, molecules: MoleculeData, *, after: str = "current model") -> None:
    """Draw the first distinct samples of both models side by side, as they came: nobody chose."""
    columns = figure.subplots(1, 2)
    for axes, texts, name in zip(
        columns, (molecules.before, molecules.after), ("pretrained model", after), strict=True
    ):
        axes.axis("off")
        axes.set_title(f"{name}: its first samples")
        axes.imshow(_tiles(list(dict.fromkeys(valid(texts)))), interpolation="antialiased")


def _tiles(smiles: Sequence[str]) -> NDArray[np.float32]:
    """Return the first molecules as one array of pixels, row by row; places that are left over stay clear."""
    from seiko.report.depiction import paint

    drawn = [paint(text, scale=3) for text in smiles[: ROWS * COLUMNS]]
    drawn += [np.zeros_like(drawn[0])] * (ROWS * COLUMNS - len(drawn))
    return np.concatenate([np.concatenate(drawn[i : i + COLUMNS], 1) for i in range(0, len(drawn), COLUMNS)])
