"""From the bytes of a file that people made to its rows: a table (commas, semicolons or tabs) or JSON lines.

Whatever cannot be meant is refused with file, line, column and value. A table's separator is the commonest of the
three in its first line. Columns go by lower-case names; one of somebody's own can be read in place of ours
(`Columns(value="Readout")`), others are not read, unless they look like a misspelt one of ours.
"""

from __future__ import annotations

import csv
import difflib
import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seiko.campaign.errors import CampaignError
from seiko.config import ConfigError, read_json

__all__ = ["Columns", "LabelFileError", "Row", "cells_of", "decode", "is_json", "number_in", "read_rows"]

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)
_SEPARATORS = ",;\t"
_GUARDED = ("id", "value", "noise", "status", "reason", "design", "replicate")  # "cell" is no misspelt "well"
_YES, _NO = ("yes", "true", "1", "y"), ("no", "false", "0", "n", "")


class LabelFileError(CampaignError, ValueError):
    """A label file is not what it must be; nothing of it was taken.

    Args:
        path: Name of the file.
        line: Line in it, from 1; None if the file as a whole is meant.
        column: Name of the column; None if the line as a whole is meant.
        message: What is wrong, with the value, and the way out.
    """

    def __init__(self, path: str | Path, line: int | None, column: str | None, message: str) -> None:
        self.path, self.line, self.message = str(path), line, _short(message, 800)
        self.column = None if column is None else _short(column, 100)
        where = [str(path)] + ([f"line {line}"] if line else []) + ([f"column {self.column}"] if column else [])
        super().__init__(f"{', '.join(where)}: {self.message}; nothing was taken")


def _short(text: str, most: int) -> str:
    """Return a text without its middle where it is too long to be read: files hold anything."""
    return text if len(text) <= most else f"{text[: most // 2]} ... {text[-most // 2 + 5 :]}"


@dataclass(frozen=True)
class Columns:
    """Which columns are read.

    Args:
        read: Names of ours.
        needed: Groups of them; of each group one column must be there.
        theirs: The file's own name for some of ours, as ``{"value": "Readout"}``.

    Raises:
        ValueError: If a column is renamed that is not read, or two of ours are read from one.
    """

    read: tuple[str, ...]
    needed: tuple[tuple[str, ...], ...]
    theirs: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if unknown := sorted(set(self.theirs) - set(self.read)):
            raise ValueError(f"there is no column {unknown[0]!r} to be read; those that are: {', '.join(self.read)}")
        names = [name.strip().lower() for name in self.theirs.values()]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"the column {twice[0]!r} is named for two of {', '.join(sorted(self.theirs))}")

    def ours(self, columns: Sequence[str], line: int, name: str | Path) -> list[str]:
        """Return a header with the file's own names replaced by ours.

        Raises:
            LabelFileError: If a column is missing, there twice, or looks like a misspelt one.
        """
        ours = {theirs.strip().lower(): our for our, theirs in self.theirs.items()}
        if absent := [theirs for theirs in ours if theirs not in columns]:
            raise LabelFileError(name, line, absent[0], f"the column is missing, there are {', '.join(columns)}")
        # a column of the name that another one is read as is somebody's own
        found = [ours.get(column, f"({column})" if column in ours.values() else column) for column in columns]
        for column in found:
            if column and found.count(column) > 1:
                raise LabelFileError(name, line, column, "the column is there twice")
            meant = difflib.get_close_matches(column, _GUARDED, n=1, cutoff=0.75)
            if column not in self.read and meant and meant[0] in self.read and meant[0] not in found:
                raise LabelFileError(name, line, column, f"there is no such column, is {meant[0]!r} meant? rename it")
        for group in self.needed:
            if not any(column in found for column in group):
                rest = [column for column in self.read if not any(column in group for group in self.needed)]
                needed = " and ".join(" or ".join(group) for group in self.needed)
                raise LabelFileError(
                    name,
                    line,
                    group[0],
                    f"the column is missing, there are {', '.join(columns)}; needed are {needed}, "
                    f"{', '.join(rest[:-1])} and {rest[-1]} may follow",
                )
        return found


@dataclass(frozen=True)
class Row:
    """One row of a file.

    Args:
        line: Where it starts, from 1.
        cells: By column: text from a table; from JSON also numbers, booleans and None.
        name: The file.
        cell: Column of the one cell that it is, for a row that was a cell of a grid.
    """

    line: int
    cells: Mapping[str, Any]
    name: str | Path
    cell: str | None = None

    def error(self, column: str | None, message: str) -> LabelFileError:
        """Return the error that this row's column makes."""
        return LabelFileError(self.name, self.line, self.cell or column, message)

    def text(self, column: str) -> str:
        """Return a cell's text without blanks around it; empty if there is none."""
        cell = self.cells.get(column)
        if cell is None:
            return ""
        if not isinstance(cell, str):
            raise self.error(column, f"must be text, got {cell!r}")
        return cell.strip()

    def number(self, column: str) -> float | None:
        """Return a cell's number; None if it is empty."""
        cell = self.cells.get(column)
        if isinstance(cell, str):
            try:
                return number_in(cell)
            except ValueError as error:
                raise self.error(column, str(error)) from None
        if cell is None:
            return None
        if isinstance(cell, bool) or not isinstance(cell, (int, float)):
            raise self.error(column, f"must be a number, got {cell!r}")
        try:
            number = float(cell)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise self.error(column, f"must be a finite number, got {cell!r:.40}")
        return number

    def count(self, column: str) -> int | None:
        """Return a cell's whole number of at least 1; None if it is empty."""
        number = self.number(column)
        if number is None:
            return None
        if number != int(number) or not 1 <= number <= 1_000_000:
            raise self.error(column, f"must be a whole number from 1, got {number:g}")
        return int(number)

    def flag(self, column: str) -> bool:
        """Return a cell that says yes or no; empty is no."""
        cell = self.cells.get(column)
        if isinstance(cell, bool):
            return cell
        word = self.text(column).lower()
        if word not in _YES + _NO:
            raise self.error(column, f"must be yes or no, got {word!r}")
        return word in _YES


def number_in(text: str) -> float | None:
    """Return the number that a text is; None for blanks.

    Raises:
        ValueError: If it is no finite number, written with a point.
    """
    text = text.strip()
    if not text:
        return None
    if text.lower().lstrip("+-") in ("nan", "inf", "infinity"):
        raise ValueError(f"must be a finite number, got {text!r}")
    if not _NUMBER.fullmatch(text):
        hint = " (write decimals with a point)" if _NUMBER.fullmatch(text.replace(",", ".")) else ""
        raise ValueError(f"must be a number, got {text!r:.60}{hint}")
    if not math.isfinite(float(text)):
        raise ValueError(f"must be a finite number, got {text!r:.60}")
    return float(text)


def decode(data: bytes, name: str | Path) -> str:
    """Return the text of a file, UTF-8 with or without a byte order mark.

    Raises:
        LabelFileError: If it is no such text, or there is none.
    """
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


def is_json(text: str) -> bool:
    """Whether it is meant as JSON lines."""
    return text.lstrip().startswith(("{", "["))


def read_rows(text: str, name: str | Path, columns: Columns) -> Iterator[Row]:
    """Yield the rows of a table or of JSON lines.

    Raises:
        LabelFileError: At the first thing that cannot be meant.
    """
    return _json_rows(text, name, columns) if is_json(text) else _table_rows(text, name, columns)


def cells_of(text: str, name: str | Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the lines of a table that are not blank as (number, cells).

    Raises:
        LabelFileError: If it is not a table.
    """
    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(_SEPARATORS, key=first.count)  # a tie, no separator at all, is a comma
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    line = 1
    try:
        for cells in reader:
            start, line = line, reader.line_num + 1
            if any(cell.strip() for cell in cells):
                yield start, cells
    except csv.Error as error:
        raise LabelFileError(name, line, None, f"not a table: {error}") from error


def _table_rows(text: str, name: str | Path, columns: Columns) -> Iterator[Row]:
    header: list[str] | None = None
    for line, cells in cells_of(text, name):
        if header is None:
            header = columns.ours([cell.strip().lower() for cell in cells], line, name)
        elif len(cells) != len(header):
            comma = " (a decimal comma? write numbers with a point)" if len(cells) > len(header) else ""
            raise LabelFileError(
                name, line, None, f"{len(cells)} cells where the header has {len(header)} columns{comma}"
            )
        else:
            yield Row(line, dict(zip(header, cells, strict=True)), name)


def _json_rows(text: str, name: str | Path, columns: Columns) -> Iterator[Row]:
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
        names = columns.ours([column.strip().lower() for column in cells], line, name)
        yield Row(line, dict(zip(names, cells.values(), strict=True)), name)
