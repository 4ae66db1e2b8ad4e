"""The page: one HTML file that carries everything it shows and asks nobody for anything.

No script, no external request (the page's own content security policy forbids both), every string of the user
escaped, the same bytes for the same record. What is missing is said in words.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from seiko.report.data import ReportData
from seiko.report.front import front_panels
from seiko.report.images import image_section
from seiko.report.molecules import molecule_section
from seiko.report.panels import logo_panel, reward_panel, small_panels
from seiko.report.style import DARK, LIGHT, replace_bytes
from seiko.report.summary import headline
from seiko.report.tables import round_table, tiles, top_rows

__all__ = ["render", "write"]

LONG_DESIGN = 40
"""Letters above which a design gets half of its table's width."""


def render(data: ReportData) -> str:
    """Return the page of a run as one HTML string; the same record gives the same bytes."""
    loader = FileSystemLoader(Path(__file__).with_name("templates"))
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True,
                              lstrip_blocks=True, keep_trailing_newline=True)  # fmt: skip
    top = headline(data)
    counts = Counter(row.status for row in data.designs if row.status not in ("value", "infeasible"))
    return environment.get_template("report.html").render(
        data=data,
        light=LIGHT,
        dark=DARK,
        tiles=tiles(data, top),
        reward=reward_panel(data, top),
        panels=small_panels(data, top),
        logo=logo_panel(data),
        front=None if data.front is None else front_panels(data.front),
        molecules=None if data.molecules is None else molecule_section(data, data.molecules),
        images=None if data.images is None else image_section(data, data.images),
        designs=top_rows(data),
        long=any(len(row.content) > LONG_DESIGN for row in data.designs),
        round_groups=round_table(data),
        counts=counts,
    )


def write(data: ReportData, path: Path | str) -> Path:
    """Write the page, whole or not at all, and return its path; folders are made where they are missing."""
    return replace_bytes(Path(path), render(data).encode())
