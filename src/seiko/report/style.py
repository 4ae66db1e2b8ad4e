"""How figures look, and how they become one deterministic string.

Every colour is a named token with a light and a dark value. Figures are drawn in the light values; in the page's SVG
each one is replaced by `var(--name)`, so one drawing follows the reader's colour scheme. Text stays text and takes the
page's font. Data colours are the palette of Okabe and Ito, which the colour-blind can tell apart; on dark ground the
darker ones are lightened at the same hue.

References:
    Okabe, Ito, "Color Universal Design", 2008, https://jfly.uni-koeln.de/color/
"""

from __future__ import annotations

import io
import os
import re
import threading
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

__all__ = ["DARK", "LIGHT", "SOURCES", "draw_png", "draw_svg", "replace_bytes"]

LIGHT = {
    "ground": "#ffffff",
    "ink": "#1a2027",
    "muted": "#59636e",
    "rule": "#d5dae0",
    "blue": "#0072b2",
    "orange": "#e69f00",
    "green": "#009e73",
    "vermilion": "#d55e00",
    "purple": "#cc79a7",
    "sky": "#56b4e9",
}
DARK = {
    "ground": "#171c22",
    "ink": "#e8ebee",
    "muted": "#a3adb8",
    "rule": "#353d47",
    "blue": "#3a9ad9",
    "orange": "#f0b02e",
    "green": "#22b78d",
    "vermilion": "#f07a2a",
    "purple": "#dc93bb",
    "sky": "#8fd0f5",
}

SOURCES = ("blue", "orange", "green", "purple", "sky", "vermilion")
"""Colours of candidate sources, in order of appearance; they repeat after six."""

_RC: dict[Any, Any] = {
    "svg.hashsalt": "seiko",
    "svg.fonttype": "none",
    # A design or source named "$x$" is a name, not mathematics.
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "axes.titlesize": 9.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlecolor": LIGHT["ink"],
    "axes.labelsize": 8.5,
    "axes.labelcolor": LIGHT["muted"],
    "axes.edgecolor": LIGHT["muted"],
    "axes.facecolor": "none",
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": LIGHT["rule"],
    "grid.linewidth": 0.6,
    "text.color": LIGHT["ink"],
    "xtick.color": LIGHT["muted"],
    "ytick.color": LIGHT["muted"],
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.0,
    "xtick.major.size": 3.0,
    "ytick.major.size": 0.0,
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "legend.handlelength": 1.5,
    "legend.columnspacing": 1.4,
    "legend.borderaxespad": 0.0,
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "figure.constrained_layout.use": True,
}

_lock = threading.Lock()


@contextmanager
def _drawing() -> Iterator[None]:
    """Hold the library's defaults, whatever the user's own configuration says; its settings are global to a process."""
    with _lock, matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_RC)
        yield


def draw_svg(draw: Callable[[Figure], None], size: tuple[float, float], *, prefix: str, alt: str) -> str:
    """Draw a figure and return it as an `<svg>` element for a page, the same bytes every time.

    Args:
        draw: Fills the empty figure.
        size: Width and height, inches; only the ratio and the size of the text against it matter in the page.
        prefix: Made part of every id, so that figures do not collide in one page.
        alt: What the figure shows, in words, for those who cannot see it.
    """
    with _drawing():
        figure = Figure(figsize=size)
        draw(figure)
        buffer = io.StringIO()
        nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
        figure.savefig(buffer, format="svg", metadata=nothing)
    return _for_page(buffer.getvalue(), prefix, alt)


def _for_page(svg: str, prefix: str, alt: str) -> str:
    view_box = re.search(r'viewBox="([-\d. ]+)"', svg)
    if view_box is None:
        raise RuntimeError("the figure has no viewBox; please report the matplotlib version")
    body = svg[svg.index(">", view_box.end()) + 1 :].strip()
    body = re.sub(r"<!--.*?-->", "", body, flags=re.DOTALL)
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = body.replace("xlink:href", "href")
    referenced = set(re.findall(r'(?:href="|url\()#([\w.-]+)', body))
    body = re.sub(r' id="([^"]*)"', lambda m: f' id="{prefix}-{m[1]}"' if m[1] in referenced else "", body)
    body = re.sub(r'(href="|url\()#', rf"\g<1>#{prefix}-", body)
    body = re.sub(r'style="([^"<>]*)"', lambda m: f'style="{_themed(m[1])}"', body)
    body = re.sub(r"\n\s*", "\n", body)
    return f'<svg viewBox="{view_box[1]}" role="img" aria-label="{escape(alt)}">{body}'


def _themed(style: str) -> str:
    """Give a style attribute the page's colours and font; user text outside of attributes is never touched."""
    for name, colour in LIGHT.items():
        style = style.replace(colour, f"var(--{name})")
    style = re.sub(r"font: ([^;]*?)([\d.]+)px [^;]*", _long_font, style)
    return re.sub(r"font-family: [^;]*;? ?", "", style)


def _long_font(shorthand: re.Match[str]) -> str:
    weight = shorthand[1].strip()
    return f"font-weight: {weight}; font-size: {shorthand[2]}px" if weight else f"font-size: {shorthand[2]}px"


def draw_png(draw: Callable[[Figure], None], pixels: tuple[int, int], dpi: int, path: Path) -> Path:
    """Draw a figure on light ground and write it as a PNG of the given size, the same bytes every time."""
    with _drawing():
        figure = Figure(figsize=(pixels[0] / dpi, pixels[1] / dpi), facecolor=LIGHT["ground"])
        draw(figure)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=dpi, facecolor=LIGHT["ground"], metadata={"Software": None})
    return replace_bytes(path, buffer.getvalue())


def replace_bytes(path: Path, content: bytes) -> Path:
    """Write a file whole or not at all: beside it first, flushed to disk, then moved over it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with beside.open("xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    return path
