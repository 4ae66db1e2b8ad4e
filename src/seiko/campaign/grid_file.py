"""A plate-shaped result file, as readers of plates write it: columns 1 to 12 (or 24) across, rows A to H (or P) down.

    P1,1,2,3,...        the first cell: name of the plate, anything else, or empty
    A,0.12,,0.31,...    a number; empty for what was not measured; infeasible, failed or retry in words

It is turned into rows with a well and a value each, which are then read like any others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from seiko.campaign.plates import SIZES, Plate
from seiko.campaign.table_file import LabelFileError, Row, cells_of

__all__ = ["grid_rows", "is_grid"]

WORDS = ("infeasible", "failed", "retry")


def is_grid(text: str) -> bool:
    """Whether a table's header is that of a plate."""
    try:
        _, header = next(cells_of(text, ""))
    except (StopIteration, LabelFileError):
        return False
    return len(header) > 6 and [cell.strip().lstrip("0") for cell in header[1:4]] == ["1", "2", "3"]


def grid_rows(text: str, name: str | Path, plates: Mapping[str, Plate]) -> Iterator[Row]:
    """Yield a row for each filled well; its columns are well, value, status, retry, and plate if the file names one.

    Raises:
        LabelFileError: If a row or column is none of a plate's, or a cell cannot be meant.
    """
    lines = cells_of(text, name)
    line, header = next(lines)
    across = len(header) - 1 - sum(1 for cell in reversed(header[1:]) if not cell.strip())
    wells = next((wells for wells, (_, columns) in SIZES.items() if columns == across), None)
    if wells is None or [cell.strip().lstrip("0") for cell in header[1 : across + 1]] != [
        str(column) for column in range(1, across + 1)
    ]:
        raise LabelFileError(name, line, None, "a plate has the columns 1 to 12 or 1 to 24, one cell before them")
    corner = header[0].strip()
    named = {"plate": corner} if corner in plates else {}
    seen: dict[str, int] = {}
    for line, cells in lines:
        letter = cells[0].strip().upper()
        if not re.fullmatch("[A-Z]", letter, re.ASCII) or ord(letter) - ord("A") >= SIZES[wells][0]:
            last = chr(ord("A") + SIZES[wells][0] - 1)
            raise LabelFileError(
                name, line, None, f"the rows of a plate of {wells} are A to {last}, got {letter!r:.20}"
            )
        if letter in seen:
            raise LabelFileError(name, line, None, f"row {letter} is on line {seen[letter]} already")
        seen[letter] = line
        if len(cells) > across + 1 and any(cell.strip() for cell in cells[across + 1 :]):
            raise LabelFileError(
                name, line, None, f"{len(cells) - 1} cells where the plate has {across} columns (a decimal comma? "
                "write numbers with a point)"
            )  # fmt: skip
        for column, cell in enumerate(cells[1 : across + 1], start=1):
            if cell.strip():
                yield Row(line, {"well": f"{letter}{column:02d}", **_meant(cell.strip()), **named}, name, str(column))


def _meant(cell: str) -> dict[str, Any]:
    word = cell.lower()
    if word not in WORDS:
        return {"value": cell}
    return {"status": "failed", "retry": True} if word == "retry" else {"status": word}
