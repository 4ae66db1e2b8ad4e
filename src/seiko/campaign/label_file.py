"""Read labels from a file that people made: a table (commas, semicolons or tabs) or one JSON object a line.

    id,value[,noise][,status][,reason][,design]          id and value must be there; status: value, infeasible, failed

The file is taken whole or not at all. Whatever cannot be meant is refused with file, line, column and value: a second
row of the same query, an id that was never asked, a value that is text, empty or not finite, a design that is not the
one asked for. Numbers have a point, not a comma, for a decimal comma and a separator cannot be told apart. The columns
that `seiko ask` writes may stay; columns of somebody's own are not read, unless they look like a misspelt one of ours.
"""

from __future__ import annotations

import csv
import difflib
import io
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seiko.campaign.errors import CampaignError
from seiko.campaign.state import RunState
from seiko.config import ConfigError, read_json
from seiko.oracles import Label

__all__ = ["LabelFileError", "parse_labels", "read_labels"]

_READ = ("id", "value", "noise", "status", "reason", "design")
_REQUIRED = ("id", "value")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)
_SEPARATORS = ",;\t"


class LabelFileError(CampaignError, ValueError):
    """A label file is not what it must be; nothing of it was taken.

    Args:
        path: Name of the file.
        line: Line in it, from 1; None if the file as a whole is meant.
        column: Name of the column; None if the line as a whole is meant.
        message: What is wrong, with the value, and the way out.
    """

    def __init__(self, path: str | Path, line: int | None, column: str | None, message: str) -> None:
        self.path, self.line, self.column, self.message = str(path), line, column, message
        where = [str(path)] + ([f"line {line}"] if line else []) + ([f"column {column}"] if column else [])
        super().__init__(f"{', '.join(where)}: {message}; nothing was taken")


@dataclass(frozen=True)
class _Row:
    line: int
    cells: dict[str, Any]  # text from a table; from JSON also numbers and None


def read_labels(path: str | Path, state: RunState) -> dict[str, Label]:
    """Read and check a label file against a run.

    Args:
        path: The file, UTF-8 with or without a byte order mark.
        state: The run that its queries belong to.

    Returns:
        One label for each row, by query id; labels that the run knows already are among them if they are the same.

    Raises:
        LabelFileError: At the first thing that is wrong.
        OSError: If the file cannot be read.
    """
    return parse_labels(Path(path).read_bytes(), state, path)


def parse_labels(data: bytes, state: RunState, name: str | Path = "labels") -> dict[str, Label]:
    """Check the bytes of a label file against a run; see `read_labels`."""
    text = _decode(data, name)
    if not text.strip():
        raise LabelFileError(name, None, None, "the file is empty; it needs a header with id and value, and rows")
    rows = list(_json_rows(text, name) if text.lstrip().startswith(("{", "[")) else _table_rows(text, name))
    if not rows:
        raise LabelFileError(name, None, None, "the file has a header but no rows")
    labels: dict[str, Label] = {}
    lines: dict[str, int] = {}
    for row in rows:
        id = _text(row, "id", name)
        if not id:
            raise LabelFileError(name, row.line, "id", "the id is empty")
        if id in lines:
            raise LabelFileError(
                name, row.line, "id", f"{id!r} is on line {lines[id]} already; a query has one label: keep one of them"
            )
        lines[id] = row.line
        labels[id] = _checked(row, id, state, name)
    return labels


# ----------------------------------------------------------- file to rows


def _decode(data: bytes, name: str | Path) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise LabelFileError(name, None, None, "the file is UTF-16 (Excel calls it Unicode text); save it as CSV UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise LabelFileError(
            name, line, None, f"byte 0x{data[error.start]:02x} is not UTF-8; save the file as CSV UTF-8"
        ) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise LabelFileError(name, line, None, "there is a zero byte; this is not a text file")
    return text


def _table_rows(text: str, name: str | Path) -> Iterator[_Row]:
    first = next(line for line in text.splitlines() if line.strip())
    separator = max(_SEPARATORS, key=first.count)  # a tie, no separator at all, is a comma
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    header: list[str] | None = None
    line = 1
    try:
        for cells in reader:
            start, line = line, reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if header is None:
                header = _header(cells, start, name)
            elif len(cells) != len(header):
                raise LabelFileError(
                    name,
                    start,
                    None,
                    f"{len(cells)} cells where the header has {len(header)} columns"
                    + (" (a decimal comma? write numbers with a point)" if len(cells) > len(header) else ""),
                )
            else:
                yield _Row(start, dict(zip(header, cells, strict=True)))
    except csv.Error as error:
        raise LabelFileError(name, line, None, f"not a table: {error}") from error


def _header(cells: list[str], line: int, name: str | Path) -> list[str]:
    header = [cell.strip().lower() for cell in cells]
    for column in header:
        if header.count(column) > 1 and column:
            raise LabelFileError(name, line, column, "the column is there twice")
    _check_columns(header, line, name)
    return header


def _check_columns(columns: list[str], line: int, name: str | Path) -> None:
    for column in columns:
        meant = difflib.get_close_matches(column, _READ, n=1, cutoff=0.75)
        if column not in _READ and meant and meant[0] not in columns:
            raise LabelFileError(name, line, column, f"there is no such column, is {meant[0]!r} meant? rename it")
    if missing := [column for column in _REQUIRED if column not in columns]:
        raise LabelFileError(
            name,
            line,
            missing[0],
            f"the column is missing, there are {', '.join(columns)}; needed are id and value, "
            "noise, status, reason and design may follow",
        )


def _json_rows(text: str, name: str | Path) -> Iterator[_Row]:
    # not splitlines(), which also breaks at characters that may stand in a JSON string
    for line, part in enumerate(text.split("\n"), start=1):
        if not part.strip():
            continue
        try:
            cells = read_json(part)
        except ConfigError as error:
            raise LabelFileError(name, line, None, f"{error}; write one JSON object a line") from error
        if not isinstance(cells, dict):
            raise LabelFileError(name, line, None, f"write one JSON object a line, got {part.strip()[:40]}")
        _check_columns(list(cells), line, name)
        yield _Row(line, cells)


# --------------------------------------------------------- rows to labels


def _checked(row: _Row, id: str, state: RunState, name: str | Path) -> Label:
    query = state.queries.get(id)
    if query is None:
        near = difflib.get_close_matches(id, state.queries, n=1)
        hint = f"; the nearest that was asked is {near[0]!r}" if near else ""
        raise LabelFileError(name, row.line, "id", f"{id!r} was never asked in this run{hint}")
    design = _text(row, "design", name)
    if design and design != query.design.content:
        raise LabelFileError(
            name, row.line, "design", f"{design!r} is not what query {id} asked for, that is {query.design.content!r}"
        )
    label = _label(row, name)
    known = state.labels.get(id)
    if known is not None and known.status != "failed" and known != label:
        raise LabelFileError(
            name, row.line, "value", f"query {id} has the label {_words(known)} already, got {_words(label)}"
        )
    return label


def _label(row: _Row, name: str | Path) -> Label:
    status = (_text(row, "status", name) or "value").lower()
    value, noise = _number(row, "value", name), _number(row, "noise", name)
    reason = _text(row, "reason", name) or None
    if noise is not None and noise < 0:
        raise LabelFileError(name, row.line, "noise", f"must be a standard deviation of at least 0, got {noise}")
    if status == "value":
        if value is None:
            raise LabelFileError(
                name,
                row.line,
                "value",
                "it is empty; leave the row out while it is not measured, or give the status infeasible or failed",
            )
        return Label(value=value, noise=noise, reason=reason)
    if status not in ("infeasible", "failed"):
        raise LabelFileError(name, row.line, "status", f"must be value, infeasible or failed, got {status!r}")
    if value is not None:
        raise LabelFileError(name, row.line, "value", f"a row with status {status} has no value, got {value}")
    return Label.infeasible(reason or "") if status == "infeasible" else Label.failed(reason or "")


def _text(row: _Row, column: str, name: str | Path) -> str:
    cell = row.cells.get(column)
    if cell is None:
        return ""
    if not isinstance(cell, str):
        raise LabelFileError(name, row.line, column, f"must be text, got {cell!r}")
    return cell.strip()


def _number(row: _Row, column: str, name: str | Path) -> float | None:
    cell = row.cells.get(column)
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return None
    if isinstance(cell, str):
        text = cell.strip()
        if text.lower().lstrip("+-") in ("nan", "inf", "infinity"):
            raise LabelFileError(name, row.line, column, f"must be a finite number, got {text!r}")
        if not _NUMBER.fullmatch(text):
            hint = " (write decimals with a point)" if _NUMBER.fullmatch(text.replace(",", ".")) else ""
            raise LabelFileError(name, row.line, column, f"must be a number, got {text!r}{hint}")
        number = float(text)
    elif isinstance(cell, bool) or not isinstance(cell, (int, float)):
        raise LabelFileError(name, row.line, column, f"must be a number, got {cell!r}")
    else:
        number = float(cell)
    if not math.isfinite(number):
        raise LabelFileError(name, row.line, column, f"must be a finite number, got {cell!r}")
    return number


def _words(label: Label) -> str:
    words = label.status if label.status != "value" else repr(label.value)
    return (
        words
        + (f" ± {label.noise!r}" if label.noise is not None else "")
        + (f" ({label.reason})" if label.reason else "")
    )
