"""Read labels from a file that people made: a table, JSON lines, or a grid in the shape of a plate.

    id,value[,noise][,status][,reason][,retry][,replicate][,design]     status: value, infeasible, failed
    well,value[,plate]...                                               for what `seiko ask --plate` has laid out
    id,qed,sa...                               properties in place of value, for several objectives

The file is taken whole or not at all. Whatever cannot be meant is refused with file, line, column and value: a second
row of the same measurement, an id that was never asked, a well that is empty, a value that is text, empty or not
finite, a design that is not the one asked for. Numbers have a point, not a comma, for a decimal comma and a separator
cannot be told apart. The columns that `seiko ask` writes may stay; columns of somebody's own are not read.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from seiko.campaign.errors import LabelConflict
from seiko.campaign.grid_file import grid_rows, is_grid
from seiko.campaign.plates import Measurement, Plate, well_name
from seiko.campaign.property_file import label_of_several, objectives_of
from seiko.campaign.state import RunState
from seiko.campaign.table_file import Columns, LabelFileError, Row, decode, is_json, read_rows
from seiko.campaign.taking import check_sense, new_labels
from seiko.campaign.units import Units
from seiko.oracles import Label

if TYPE_CHECKING:
    from seiko.campaign.objectives import Objectives

__all__ = [
    "LABEL_COLUMNS",
    "LabelFileError",
    "Reading",
    "check_reading",
    "label_of",
    "parse_labels",
    "read_labels",
    "rows_of",
]

LABEL_COLUMNS = ("id", "value", "noise", "status", "reason", "design", "retry", "replicate", "well", "plate")
"""Columns of a label file that are read."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a label file is to be read.

    Args:
        columns: The file's own name for some of our columns, as ``{"value": "Readout"}``.
        units: What makes labels of its numbers.
        plate: Plate that its wells are of; None if there is one only, or the file says so.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    units: Units = field(default_factory=Units)
    plate: str | None = None


def read_labels(path: str | Path, state: RunState, reading: Reading | None = None) -> dict[str, list[Label]]:
    """Read and check a label file against a run.

    Args:
        path: The file, UTF-8 with or without a byte order mark.
        state: The run that its queries belong to.
        reading: How to read it.

    Returns:
        The labels of each query, one a replicate; labels that the run knows already are among them if they are the
        same.

    Raises:
        LabelFileError: At the first thing that is wrong.
        OSError: If the file cannot be read.
    """
    return parse_labels(Path(path).read_bytes(), state, path, reading)


def parse_labels(
    data: bytes, state: RunState, name: str | Path = "labels", reading: Reading | None = None
) -> dict[str, list[Label]]:
    """Check the bytes of a label file against a run; see `read_labels`."""
    reading = reading or Reading()
    if reading.plate is not None and reading.plate not in state.plates:
        known = ", ".join(state.plates) or "none"
        raise LabelFileError(name, None, None, f"there is no plate {reading.plate!r} in this run; there is {known}")
    try:
        check_sense(state, reading.units)
    except LabelConflict as error:
        raise LabelFileError(name, None, None, str(error)) from None
    labels: dict[str, list[Label]] = {}
    lines: dict[Measurement, int] = {}
    objectives = objectives_of(state)
    check_reading(name, reading, objectives)
    for row in rows_of(data, name, reading, state.plates, *_columns_of(objectives)):
        measurement = _measurement(row, state, reading)
        if measurement is None:
            continue
        id, replicate = measurement
        if measurement in lines:
            what = f"{id!r}" if replicate == 1 else f"replicate {replicate} of {id!r}"
            raise row.error(
                "id", f"{what} is on line {lines[measurement]} already; number replicates in a column replicate"
            )
        lines[measurement] = row.line
        label = label_of(row, reading.units) if objectives is None else label_of_several(row, id, objectives)
        labels.setdefault(id, []).append(_checked(row, id, replace(label, replicate=replicate), state))
    return labels


def check_reading(name: str | Path, reading: Reading, objectives: Objectives | None) -> None:
    """Raise `LabelFileError` if a file of a run with several objectives is to be read in units."""
    if objectives is not None and reading.units != Units():
        raise LabelFileError(
            name,
            None,
            None,
            "scale, log10 and minimise are for one number; a property's goal and unit are the recipe's",
        )


def _columns_of(objectives: Objectives | None) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Return the columns that are read, and those that must be there."""
    if objectives is None:
        return LABEL_COLUMNS, (("id", "well"), ("value",))
    return (*LABEL_COLUMNS, *objectives.names), (("id", "well"), *((name,) for name in objectives.names))


def rows_of(
    data: bytes,
    name: str | Path,
    reading: Reading,
    plates: Mapping[str, Plate],
    read: tuple[str, ...] = LABEL_COLUMNS,
    needed: tuple[tuple[str, ...], ...] = (("id", "well"), ("value",)),
) -> Iterable[Row]:
    """Return the rows of a file of any of the three shapes.

    Raises:
        LabelFileError: If there are none.
    """
    text = decode(data, name)
    if not text.strip():
        what = " and ".join(group[0] for group in needed)
        raise LabelFileError(name, None, None, f"the file is empty; it needs a header with {what}, and rows")
    try:
        columns = Columns(read=read, needed=needed, theirs=reading.columns)
    except ValueError as error:
        raise LabelFileError(name, None, None, str(error)) from None
    grid = "well" in read and not is_json(text) and is_grid(text)
    rows = list(grid_rows(text, name, plates) if grid else read_rows(text, name, columns))
    if not rows:
        raise LabelFileError(name, None, None, "the file has a header but no rows")
    return rows


def label_of(row: Row, units: Units) -> Label:
    """Return the label that a row says, in the run's units.

    Raises:
        LabelFileError: If its cells contradict each other.
    """
    status = (row.text("status") or "value").lower()
    value, noise, retry = row.number("value"), row.number("noise"), row.flag("retry")
    reason = row.text("reason") or None
    if noise is not None and noise < 0:
        raise row.error("noise", f"must be a standard deviation of at least 0, got {noise}")
    if status not in ("value", "infeasible", "failed"):
        raise row.error("status", f"must be value, infeasible or failed, got {status!r:.40}")
    if retry and status != "failed":
        raise row.error("retry", f"only a failed measurement is repeated, the status is {status}")
    if status != "value":
        if value is not None:
            raise row.error("value", f"a row with status {status} has no value, got {value}")
        return Label.infeasible(reason or "") if status == "infeasible" else Label.failed(reason or "", retry=retry)
    if value is None:
        raise row.error(
            "value", "it is empty; leave the row out while it is not measured, or give the status infeasible or failed"
        )
    try:
        return units(Label(value=value, noise=noise, reason=reason))
    except ValueError as error:
        raise row.error("value", str(error)) from None


def _measurement(row: Row, state: RunState, reading: Reading) -> Measurement | None:
    """Return the query and replicate that a row is about; None for a control that is no design."""
    id, at = row.text("id"), _in_layout(row, state, reading)
    if not id and at is None:
        raise row.error("id", "the id is empty")
    if at is None:
        return _asked(row, id, state), row.count("replicate") or 1
    query, replicate = at
    if id and id != query:
        raise row.error("well", f"there is {query!r} in {row.text('well')}, not {id!r}")
    if (given := row.count("replicate")) is not None and given != replicate:
        raise row.error("replicate", f"replicate {replicate} of {query!r} is in {row.text('well')}, not {given}")
    return (query, replicate) if query in state.queries else None


def _in_layout(row: Row, state: RunState, reading: Reading) -> Measurement | None:
    """Return what is in a row's well; None if there are no plates, or it names none beside its id."""
    text = row.text("well")
    if not text or (row.text("id") and not state.plates):
        return None
    if not state.plates:
        raise row.error("well", "this run has no plates, so it has no wells: give the column id")
    name = row.text("plate") or reading.plate or (next(iter(state.plates)) if len(state.plates) == 1 else "")
    if name not in state.plates:
        which = f"there is no plate {name!r}" if name else "which plate is it?"
        raise row.error("plate", f"{which} (--plate NAME, or a column plate); there are {', '.join(state.plates)}")
    well, plate = well_name(text), state.plates[name]
    if well is None or well not in plate.at:
        raise row.error("well", f"there is nothing in {text!r:.20} of plate {name}")
    return plate.at[well]


def _asked(row: Row, id: str, state: RunState) -> str:
    if id not in state.queries:
        near = difflib.get_close_matches(id, state.queries, n=1)
        hint = f"; the nearest that was asked is {near[0]!r}" if near else ""
        raise row.error("id", f"{id!r:.80} was never asked in this run{hint}")
    return id


def _checked(row: Row, id: str, label: Label, state: RunState) -> Label:
    query, replicate = state.queries[id], label.replicate
    design = row.text("design")
    if design and design != query.design.content:
        raise row.error("design", f"{design!r:.200} is not what query {id} asked for, that is {query.design.content!r}")
    try:
        new_labels(state, {id: [label]})
    except LabelConflict:
        known = next(known for known in state.standing(id) if known.replicate == replicate)
        which = f"replicate {replicate} of query {id}" if replicate > 1 else f"query {id}"
        raise row.error("value", f"{which} has the label {_words(known)} already, got {_words(label)}") from None
    return label


def _words(label: Label) -> str:
    words = label.status if label.status != "value" else repr(label.value)
    return (
        words
        + (f" ± {label.noise!r}" if label.noise is not None else "")
        + (f" ({label.reason})" if label.reason else "")
    )
