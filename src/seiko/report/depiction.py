"""A molecule as an inline SVG that follows the page's colours; RDKit lays it out and draws it.

RDKit repeats a style of 120 characters on every bond. Paths of one style are merged into one, and colours become the
page's variables, so that a molecule costs two or three kilobytes and works on dark ground. Letters are outlines: no
text of a user reaches the drawing.
"""

from __future__ import annotations

import io
import re
from html import escape
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from seiko.report.style import LIGHT

__all__ = ["depict", "paint"]

_ATOMS = {-1: "ink", 7: "blue", 8: "vermilion", 9: "green", 15: "orange", 16: "orange", 17: "green", 35: "purple",
          53: "purple"}  # fmt: skip
"""Colour token by atomic number; -1 is everything else."""

_ELEMENT = re.compile(r"<(\w+)\s([^>]*?)\s*/>", re.DOTALL)
_ATTRIBUTE = re.compile(r"([\w-]+)='([^']*)'")


def depict(smiles: str, size: tuple[int, int] = (200, 150)) -> Markup:
    """Return the molecule as an `<svg>` element, the same bytes every time.

    Args:
        smiles: The molecule.
        size: Width and height of the view box; the page scales it.

    Raises:
        ValueError: If the text is no molecule.
    """
    from rdkit.Chem.Draw import rdMolDraw2D

    drawing = _drawn(rdMolDraw2D.MolDraw2DSVG(*size), smiles, scale=1)
    body = _compact(drawing[drawing.index("<!-- END OF HEADER -->") :])
    label = escape(f"Structure of {smiles}")
    return Markup(f'<svg viewBox="0 0 {size[0]} {size[1]}" role="img" aria-label="{label}">{body}</svg>')


def paint(smiles: str, size: tuple[int, int] = (200, 150), scale: int = 2) -> NDArray[np.float32]:
    """Return the molecule as pixels `[height, width, 4]` in [0, 1], coloured for light ground, which is clear.

    Args:
        smiles: The molecule.
        size: Width and height, as in `depict`.
        scale: Pixels to a unit of them.

    Raises:
        ValueError: If the text is no molecule.
    """
    from matplotlib.image import imread
    from rdkit.Chem.Draw import rdMolDraw2D

    drawer = rdMolDraw2D.MolDraw2DCairo(scale * size[0], scale * size[1])
    pixels: NDArray[np.float32] = imread(io.BytesIO(_drawn(drawer, smiles, scale)), format="png")
    return pixels


def _drawn(drawer: Any, smiles: str, scale: int) -> Any:
    """Return what RDKit wrote of a molecule."""
    from rdkit.Chem.Draw import rdMolDraw2D

    from seiko.chemistry import parse

    mol = parse(smiles)
    if mol is None:
        raise ValueError(f"only a molecule can be drawn, got {smiles!r}")
    options: Any = drawer.drawOptions()  # its published types are wrong
    options.clearBackground = False
    options.fixedBondLength = 20.0 * scale  # an upper limit: ethanol is not blown up to the size of a drug
    options.bondLineWidth = 1.6 * scale
    options.minFontSize = 8 * scale
    options.padding = 0.04
    options.setAtomPalette({number: _rgb(LIGHT[name]) for number, name in _ATOMS.items()})
    rdMolDraw2D.PrepareAndDrawMolecule(drawer, mol)
    drawer.FinishDrawing()
    return drawer.GetDrawingText()


def _rgb(colour: str) -> tuple[float, float, float]:
    # A quarter of a step up, for RDKit cuts off where it turns a share into one of 256 steps.
    red, green, blue = (min(1.0, (int(colour[i : i + 2], 16) + 0.25) / 255) for i in (1, 3, 5))
    return red, green, blue


def _compact(drawing: str) -> str:
    paths: dict[str, list[str]] = {}
    others = []
    for element in _ELEMENT.finditer(drawing):
        attributes = dict(_ATTRIBUTE.findall(element[2]))
        style = _themed(attributes.pop("style", "") or f"fill:{attributes.pop('fill', 'none')}")
        if element[1] == "path":
            paths.setdefault(style, []).append(re.sub(r"\s+", " ", attributes["d"]).strip())
        else:
            kept = "".join(f' {name}="{value}"' for name, value in attributes.items() if name != "class")
            others.append(f'<{element[1]}{kept} style="{style}"/>')
    merged = (f'<path style="{style}" d="{"".join(parts)}"/>' for style, parts in paths.items())
    return "".join([*merged, *others])


def _themed(style: str) -> str:
    names = {colour: name for name, colour in LIGHT.items()}
    style = re.sub(r"#[0-9A-Fa-f]{6}", lambda m: f"var(--{names.get(m[0].lower(), 'ink')})", style)
    return re.sub(r"(stroke-opacity|fill-opacity):1;?|stroke-line(cap|join):(butt|miter);?", "", style).strip("; ")
