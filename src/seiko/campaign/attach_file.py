"""Read measurements that were not asked for: `design,value[,noise][,status][,reason][,replicate][,kind]`.

Rows of the same design are its replicates, numbered in the order of the file unless a column numbers them. In a run
with several objectives a column a property stands in place of `value`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from seiko.campaign.label_file import Reading, check_reading, label_of, rows_of
from seiko.campaign.property_file import label_of_several
from seiko.designs import Design
from seiko.oracles import Label

if TYPE_CHECKING:
    from seiko.campaign.objectives import Objectives

__all__ = ["ATTACH_COLUMNS", "parse_measured"]

ATTACH_COLUMNS = ("design", "value", "noise", "status", "reason", "replicate", "kind")
"""Columns of such a file that are read."""


def parse_measured(
    data: bytes,
    kind: str,
    name: str | Path = "measurements",
    reading: Reading | None = None,
    readable: Callable[[Design], bool] = lambda design: True,
    objectives: Objectives | None = None,
) -> dict[Design, list[Label]]:
    """Return the labels of each design of a file.

    Args:
        data: The file.
        kind: Kind of the designs, where no column says so.
        name: The file's name.
        reading: How to read it.
        readable: Whether a design is one of the model's.
        objectives: Of the run, if it has several.

    Raises:
        LabelFileError: At the first thing that is wrong, with its line.
    """
    reading = reading or Reading()
    measured: dict[Design, list[Label]] = {}
    lines: dict[tuple[Design, int], int] = {}
    check_reading(name, reading, objectives)
    properties = () if objectives is None else objectives.names
    needed = (("design",), *((column,) for column in properties or ("value",)))
    for row in rows_of(data, name, reading, {}, (*ATTACH_COLUMNS, *properties), needed):
        content = row.text("design")
        if not content:
            raise row.error("design", "the design is empty")
        label = label_of(row, reading.units) if objectives is None else label_of_several(row, content, objectives)
        if label.status == "failed":
            raise row.error("status", "a failed measurement says nothing: leave the row out")
        design = Design(content, row.text("kind") or kind)
        if design not in measured and not readable(design):
            raise row.error("design", f"{content!r:.200} is no design of this run's model")
        number = row.count("replicate") or len(measured.get(design, [])) + 1
        if (design, number) in lines:
            raise row.error(
                "replicate", f"replicate {number} of {content!r:.80} is on line {lines[design, number]} already"
            )
        lines[design, number] = row.line
        measured.setdefault(design, []).append(replace(label, replicate=number))
    return measured
