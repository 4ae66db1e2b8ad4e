"""How a design is shown: an image as it is, a molecule drawn by RDKit, a sequence in coloured letters.

Drawings are files of their own, shown by `<img>`: inside a file an SVG may carry its styles without an exception in the
page's security policy, and nothing in it can reach the page. Their colours follow the reader's colour scheme.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Literal

from seiko.designs import IMAGE, Design
from seiko.report.style import DARK, LIGHT

__all__ = ["Shown", "letters", "molecule_svg", "shown_as", "svg_file"]

Shown = Literal["image", "molecule", "letters", "text"]

_AMINO_ACIDS = {
    **dict.fromkeys("AVLIMC", "greasy"),
    **dict.fromkeys("FWYH", "ring"),
    **dict.fromkeys("KR", "plus"),
    **dict.fromkeys("DE", "minus"),
    **dict.fromkeys("STNQ", "polar"),
    **dict.fromkeys("GP", "bend"),
}
"""Amino acids by the nature of their side chain, which is what their colour says."""

_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_TOKENS = 8
LONGEST = 600
"""Letters that are coloured at most; what is longer is shown as plain text."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One letter or token, with the class that colours it."""

    text: str
    name: str


def shown_as(design: Design) -> Shown:
    """Return how a design is to be shown."""
    if design.kind == IMAGE:
        return "image"
    if design.kind == "smiles":
        return "molecule"
    return (
        "letters" if design.kind in ("dna", "rna", "protein", "tokens") and len(design.content) <= LONGEST else "text"
    )


def letters(design: Design) -> list[Letter]:
    """Return the letters of a sequence with their colour classes."""
    if design.kind == "protein":
        return [Letter(text, _AMINO_ACIDS.get(text, "none")) for text in design.content]
    if design.kind in ("dna", "rna"):
        return [Letter(text, text if text in "ACGTU" else "none") for text in design.content]
    tokens = design.content.split() if " " in design.content else list(design.content)
    names = {token: f"t{index % _TOKENS}" for index, token in enumerate(sorted(set(tokens)))}
    return [Letter(token, names[token]) for token in tokens]


@functools.lru_cache(maxsize=2000)
def molecule_svg(smiles: str) -> bytes | None:
    """Return a molecule as an SVG file; None if the text is no molecule or RDKit is not installed."""
    from seiko.report.depiction import depict

    try:
        return svg_file(depict(smiles, (320, 240)))
    except (ValueError, ImportError):
        return None


def svg_file(drawing: str) -> bytes:
    """Return an `<svg>` element of the report as a file that stands alone, with its colours and its font.

    Raises:
        ValueError: If it does not begin with `<svg`.
    """
    drawing = str(drawing)  # markup would escape what it is put together with
    if not drawing.startswith("<svg "):
        raise ValueError(f"a drawing must begin with <svg, got {drawing[:20]!r}")
    style = (
        f":root {{ {_variables(LIGHT)} font-family: {_FONT}; }}"
        f"@media (prefers-color-scheme: dark) {{ :root {{ {_variables(DARK)} }} }}"
    )
    end = drawing.index(">") + 1
    head = drawing[:end].replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    return f"{head}<style>{style}</style>{drawing[end:]}".encode()


def _variables(colours: dict[str, str]) -> str:
    return " ".join(f"--{name}: {value};" for name, value in colours.items())
