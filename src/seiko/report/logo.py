"""Sequence logos: which letters a model puts where, and how sure it is of them.

    R_l = log2(V) - H_l,    H_l = -sum_v f_lv log2(f_lv),    height of letter v at position l = f_lv * R_l    (bits)

V letters, f_lv their share at position l. A position fixed on one letter is log2(V) bits high, a uniform one 0. There
is no small-sample correction: it is below .01 bits for 256 samples of DNA. Above `LOGO_LETTERS` letters or
`LOGO_POSITIONS` positions a stack cannot be read any more, and a heat map of the shares takes its place.

References:
    Schneider, Stephens, "Sequence logos: a new way to display consensus sequences", 1990,
    https://doi.org/10.1093/nar/18.20.6097
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.font_manager import FontProperties
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path as Outline
from matplotlib.textpath import TextPath
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Affine2D
from numpy.typing import NDArray

from seiko.report.data import LogoData
from seiko.report.style import LIGHT

__all__ = [
    "LOGO_LETTERS",
    "LOGO_POSITIONS",
    "draw_heat_map",
    "draw_logo",
    "draw_pair",
    "information",
    "is_logo",
    "letter_colour",
    "letter_heights",
    "pair_size",
]

LOGO_LETTERS = 20
LOGO_POSITIONS = 120

Floats = NDArray[np.float64]
Matrix = Sequence[Sequence[float]]

_NUCLEOTIDES = {"A": "green", "C": "blue", "G": "orange", "T": "vermilion", "U": "vermilion"}
_RESIDUES = {"DE": "vermilion", "KRH": "blue", "STNQ": "green", "AVLIMFWY": "ink", "GPC": "purple"}
_CYCLE = ("blue", "vermilion", "green", "orange", "purple", "sky", "ink")


def information(frequencies: Matrix) -> Floats:
    """Return the information of each position, `[L]` bits, between 0 and log2(V)."""
    shares = np.asarray(frequencies, dtype=np.float64)
    logs = np.log2(shares, out=np.zeros_like(shares), where=shares > 0)
    bits: Floats = math.log2(shares.shape[1]) + (shares * logs).sum(axis=1)
    return bits.clip(min=0.0)


def letter_heights(frequencies: Matrix) -> Floats:
    """Return the height of each letter, `[L, V]` bits."""
    return np.asarray(frequencies, dtype=np.float64) * information(frequencies)[:, None]


def letter_colour(letter: str, kind: str, alphabet: Sequence[str]) -> str:
    """Return the colour token of a letter: by nucleotide, by the residue's chemistry, or by its place."""
    if kind == "dna" and letter.upper() in _NUCLEOTIDES:
        return _NUCLEOTIDES[letter.upper()]
    if kind == "protein":
        return next((colour for group, colour in _RESIDUES.items() if letter.upper() in group), "muted")
    return _CYCLE[list(alphabet).index(letter) % len(_CYCLE)]


def is_logo(logos: LogoData) -> bool:
    """Whether the letters are few and the positions short enough for a logo."""
    return len(logos.alphabet) <= LOGO_LETTERS and max(len(logos.before), len(logos.after)) <= LOGO_POSITIONS


@cache
def _outline(letter: str) -> TextPath | None:
    # Outlines of blanks are empty, and some matplotlib versions fail on them.
    if not letter.strip() or not letter.isprintable():
        return None
    outline = TextPath((0, 0), letter, size=1, prop=FontProperties(family="DejaVu Sans", weight="bold"))
    return outline if len(outline.vertices) else None


def _glyph(letter: str, x: float, y: float, height: float) -> Outline | None:
    """Stretch a letter to a column of width .94 and the given height; None for a blank."""
    outline = _outline(letter)
    if outline is None:
        return None
    box = outline.get_extents()
    # An I or a 1 stretched to the full width would be a slab that nobody reads as a letter.
    width = 0.94 if box.width > 0.4 * box.height else 0.4
    fit = Affine2D().translate(-box.x0, -box.y0).scale(width / box.width, height / box.height)
    return fit.translate(x - width / 2, y).transform_path(outline)


def draw_logo(axes: Axes, frequencies: Matrix, alphabet: Sequence[str], kind: str, first: int = 1) -> None:
    """Stack the letters of each position, the most frequent on top; `first` is the number of the first position."""
    top = math.log2(len(alphabet)) if len(alphabet) > 1 else 1.0
    for position, heights in enumerate(letter_heights(frequencies), start=first):
        floor = 0.0
        for column in np.argsort(heights, kind="stable"):
            height = float(heights[column])
            glyph = _glyph(alphabet[column], position, floor, height) if height > top * 2e-3 else None
            if glyph is not None:
                colour = LIGHT[letter_colour(alphabet[column], kind, alphabet)]
                axes.add_patch(PathPatch(glyph, facecolor=colour, linewidth=0))
            floor += height
    axes.set_ylim(0, top * 1.02)
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10], integer=len(alphabet) > 2))
    axes.set_ylabel("bits")


def draw_heat_map(axes: Axes, frequencies: Matrix, alphabet: Sequence[str], first: int = 1) -> None:
    """Shade each position and token by its share, in steps of 5 %, by opacity so that it works on any ground."""
    steps: dict[int, list[Outline]] = {}
    for position, row in enumerate(frequencies, start=first):
        for column, share in enumerate(row):
            if share >= 0.005:
                cell = Rectangle((position - 0.5, column - 0.5), 1, 1)
                steps.setdefault(math.ceil(share * 20 - 1e-9), []).append(
                    cell.get_transform().transform_path(cell.get_path())
                )
    for step, cells in sorted(steps.items()):
        whole = Outline.make_compound_path(*cells)
        axes.add_patch(PathPatch(whole, facecolor=LIGHT["blue"], alpha=min(step / 20, 1.0), linewidth=0))
    every = math.ceil(len(alphabet) / 33)
    axes.set_yticks(range(0, len(alphabet), every), alphabet[::every], fontsize=6.5)
    axes.set_ylim(len(alphabet) - 0.5, -0.5)
    axes.set_ylabel("token")
    axes.grid(visible=False)


def _rows(length: int, narrow: bool) -> Iterator[tuple[int, int]]:
    """Cut the positions into nearly equal rows, `(start, stop)` from 0."""
    count = max(1, math.ceil(length / (24 if narrow else 60)))
    for row in range(count):
        yield row * length // count, (row + 1) * length // count


def _plan(logos: LogoData, narrow: bool) -> tuple[bool, list[tuple[int, int]]]:
    """Return whether the two models stand side by side, and the rows of positions."""
    length = max(len(logos.before), len(logos.after), 1)
    rows = list(_rows(length, narrow)) if is_logo(logos) else [(0, length)]
    return length <= (30 if is_logo(logos) else 40) and not narrow, rows


def pair_size(logos: LogoData, *, narrow: bool = False) -> tuple[float, float]:
    """Return the figure's width and height, inches."""
    side_by_side, rows = _plan(logos, narrow)
    panels = 1 if side_by_side else 2 * len(rows)
    height = 1.45 if is_logo(logos) else max(1.6, 0.105 * min(len(logos.alphabet), 33))
    return (4.3 if narrow else 10.4), 0.25 + (height + 0.45) * panels


def draw_pair(figure: FigureBase, logos: LogoData, *, narrow: bool = False, after: str = "current model") -> None:
    """Draw the pretrained and the current model on the same scale, side by side where the positions are few."""
    side_by_side, rows = _plan(logos, narrow)
    grid = figure.subplots(1 if side_by_side else 2 * len(rows), 2 if side_by_side else 1, squeeze=False)
    panels = [
        (name, matrix[start:stop], start + 1)
        for start, stop in rows
        for name, matrix in (("pretrained model", logos.before), (after, logos.after))
        if matrix[start:stop]
    ]
    for axes, (name, matrix, first) in zip(grid.flat, panels, strict=True):
        if is_logo(logos):
            draw_logo(axes, matrix, logos.alphabet, logos.kind, first)
        else:
            draw_heat_map(axes, matrix, logos.alphabet, first)
        axes.set_title(name if len(rows) == 1 else f"{name}, positions {first}–{first + len(matrix) - 1}")
        axes.set_xlim(first - 0.55, first + len(matrix) - 0.45)
        if len(matrix) <= 12:
            axes.set_xticks(range(first, first + len(matrix)))
        else:
            axes.xaxis.set_major_locator(MaxNLocator(12, integer=True))
        axes.tick_params(axis="x", length=0)
        axes.set_xlabel("position")
