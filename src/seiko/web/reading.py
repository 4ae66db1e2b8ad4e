"""How a file is to be read: which of its columns is which of ours, and what makes labels of its numbers.

A form names one of the file's columns for each of ours; where nothing is chosen, a column of our own name is read. What
a person chose for the last file that was taken is chosen for the next one, as far as that has the same columns. Before
the first one, the run itself knows whether its labels are logarithms and whether smaller numbers were better.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from seiko.campaign.grid_file import is_grid
from seiko.campaign.label_file import LabelFileError, Reading
from seiko.campaign.state import RunState
from seiko.campaign.table_file import cells_of, decode, is_json
from seiko.campaign.units import Units

if TYPE_CHECKING:
    from seiko.campaign import Objectives

__all__ = ["formula", "guess", "header_of", "offered", "reading_of"]

MOST = 200  # columns of a file that may be chosen
LONGEST = 200  # characters of a column's name


def header_of(data: bytes) -> list[str]:
    """Return the names of a file's columns; none for a plate in its own shape, or what is no table."""
    try:
        text = decode(data, "")
        if is_json(text):
            found = json.loads(next(line for line in text.split("\n") if line.strip()))
            names = list(found) if isinstance(found, dict) else []
        elif is_grid(text):
            names = []
        else:
            names = next(cells_of(text, ""))[1]
    except (LabelFileError, ValueError, RecursionError, StopIteration):
        return []
    return [name for name in dict.fromkeys(str(name).strip() for name in names) if 0 < len(name) <= LONGEST][:MOST]


def offered(objectives: Objectives | None, state: RunState, attach: bool) -> list[str]:
    """Return the columns of ours that a file may name otherwise."""
    values = ["value", "noise"] if objectives is None else list(objectives.names)
    if attach:
        return ["design", *values, "status", "reason", "replicate"]
    wells = ["well"] if state.plates else []
    return ["id", *wells, *values, "status", "reason", "retry", "replicate"]


def reading_of(form: Mapping[str, object], columns: list[str]) -> Reading:
    """Return what a form chose.

    Args:
        form: Its fields: `column.OURS`, scale, log10, minimise, plate.
        columns: Those of ours that may be chosen.

    Raises:
        ValueError: If the factor is no positive number; says so.
    """
    chosen = {}
    for ours in columns:
        theirs = form.get(f"column.{ours}")
        if isinstance(theirs, str) and theirs.strip() and theirs.strip().lower() != ours:
            chosen[ours] = theirs.strip()[:LONGEST]
    plate = form.get("plate")
    units = Units(
        scale=_factor(form.get("scale")), log10=form.get("log10") == "1", minimise=form.get("minimise") == "1"
    )
    return Reading(columns=chosen, units=units, plate=plate[:100] if isinstance(plate, str) and plate else None)


def guess(header: list[str], state: RunState, objectives: Objectives | None, last: Reading | None) -> Reading:
    """Return how a new file is probably to be read: like the last one, if it has the same columns."""
    there = {name.lower() for name in header}
    if last is not None and all(theirs.lower() in there for theirs in last.columns.values()):
        return replace(last, plate=None)
    known = None if objectives is not None else state.units if last is None else last.units
    # the factor belongs to a file, its sense to the run
    return Reading() if known is None else Reading(units=replace(known, scale=1.0))


def formula(reading: Reading) -> str:
    """Return in words how a number of the file becomes a label."""
    units, theirs = reading.units, reading.columns.get("value", "value")
    number = theirs if units.scale == 1 else f"{units.scale:g} × {theirs}"
    number = f"log10({number})" if units.log10 else number
    return f"label = {'−' if units.minimise else ''}{number}"


def _factor(text: object) -> float:
    if not isinstance(text, str) or not text.strip():
        return 1.0
    try:
        factor = float(text)
    except ValueError:
        factor = math.nan
    if not (math.isfinite(factor) and factor > 0):
        raise ValueError(f"the factor must be a positive number, written with a point, got {text[:40]!r}")
    return factor
