"""Read comparisons from a table that people made (commas, semicolons or tabs).

    winner,loser[,rater][,choice][,tie]        winner and loser must be there; tie is yes or no

Rows with the same choice are one answer, "the best of these": they share winner and rater. The file is taken whole or
not at all; whatever cannot be meant is refused with file, line, column and value. A row twice is no error, for the same
comparison is taken once; nor are contradictions, for people contradict each other and themselves.
"""

from __future__ import annotations

import csv
import difflib
import io
from pathlib import Path

from seiko.campaign.comparisons import Comparison
from seiko.campaign.label_file import LabelFileError
from seiko.campaign.state import RunState

__all__ = ["is_comparison_file", "parse_comparisons", "read_comparisons"]

_COLUMNS = ("winner", "loser", "rater", "choice", "tie")
_YES, _NO = ("yes", "true", "1"), ("", "no", "false", "0")
_SEPARATORS = ",;\t"


def is_comparison_file(data: bytes) -> bool:
    """Whether a table's header speaks of winners or losers, and so is no table of labels."""
    first = next((line for line in data.decode("utf-8-sig", "replace").splitlines() if line.strip()), "")
    names = {cell.strip().strip('"').lower() for cell in first.replace(";", ",").replace("\t", ",").split(",")}
    return "id" not in names and bool(names & {"winner", "loser"})


def read_comparisons(path: str | Path, state: RunState) -> list[Comparison]:
    """Read and check a file of comparisons against a run.

    Args:
        path: The file, UTF-8 with or without a byte order mark.
        state: The run that its queries belong to.

    Returns:
        One comparison a row; those that the run knows already are among them.

    Raises:
        LabelFileError: At the first thing that is wrong.
        OSError: If the file cannot be read.
    """
    return parse_comparisons(Path(path).read_bytes(), state, path)


def parse_comparisons(data: bytes, state: RunState, name: str | Path = "comparisons") -> list[Comparison]:
    """Check the bytes of a file of comparisons against a run; see `read_comparisons`."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise LabelFileError(name, line, None, "this is not UTF-8; save the file as CSV UTF-8") from error
    if "\0" in text:
        raise LabelFileError(name, text.count("\n", 0, text.index("\0")) + 1, None, "there is a zero byte")
    rows = _rows(text, name)
    comparisons: list[Comparison] = []
    chosen: dict[str, tuple[tuple[str, str], int]] = {}
    for line, cells in rows:
        comparison = _comparison(cells, line, state, name)
        if comparison.choice is not None:
            by = (comparison.winner, comparison.rater)
            first, at = chosen.setdefault(comparison.choice, (by, line))
            if first != by:
                raise LabelFileError(
                    name,
                    line,
                    "choice",
                    f"choice {comparison.choice!r} has the winner {first[0]!r} of rater {first[1]!r} on line {at}, "
                    f"here {by[0]!r} of {by[1]!r}; a choice has one of each",
                )
        comparisons.append(comparison)
    if not comparisons:
        raise LabelFileError(name, None, None, "the file has a header but no rows")
    return comparisons


def _rows(text: str, name: str | Path) -> list[tuple[int, dict[str, str]]]:
    first = next((line for line in text.splitlines() if line.strip()), None)
    if first is None:
        raise LabelFileError(name, None, None, "the file is empty; it needs a header with winner and loser, and rows")
    separator = max(_SEPARATORS, key=first.count)  # a tie, no separator at all, is a comma
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    header: list[str] | None = None
    found = []
    line = 1
    try:
        for cells in reader:
            start, line = line, reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if header is None:
                header = _header([cell.strip().lower() for cell in cells], start, name)
            elif len(cells) != len(header):
                raise LabelFileError(
                    name, start, None, f"{len(cells)} cells where the header has {len(header)} columns"
                )
            else:
                found.append((start, {k: cell.strip() for k, cell in zip(header, cells, strict=True)}))
    except csv.Error as error:
        raise LabelFileError(name, line, None, f"not a table: {error}") from error
    return found


def _header(columns: list[str], line: int, name: str | Path) -> list[str]:
    for column in columns:
        if column and columns.count(column) > 1:
            raise LabelFileError(name, line, column, "the column is there twice")
        meant = difflib.get_close_matches(column, _COLUMNS, n=1, cutoff=0.75)
        if column not in _COLUMNS and meant and meant[0] not in columns:
            raise LabelFileError(name, line, column, f"there is no such column, is {meant[0]!r} meant? rename it")
    if missing := [column for column in ("winner", "loser") if column not in columns]:
        raise LabelFileError(
            name,
            line,
            missing[0],
            f"the column is missing, there are {', '.join(columns)}; needed are winner and loser, rater, choice and "
            "tie may follow",
        )
    return columns


def _comparison(cells: dict[str, str], line: int, state: RunState, name: str | Path) -> Comparison:
    for column in ("winner", "loser"):
        id = cells[column]
        if not id:
            raise LabelFileError(name, line, column, "the id is empty")
        if id not in state.queries:
            near = difflib.get_close_matches(id, state.queries, n=1)
            hint = f"; the nearest that was asked is {near[0]!r}" if near else ""
            raise LabelFileError(name, line, column, f"{id!r} was never asked in this run{hint}")
    tie = cells.get("tie", "").lower()
    if tie not in (*_YES, *_NO):
        raise LabelFileError(name, line, "tie", f"must be yes or no, got {cells['tie']!r}")
    try:
        return Comparison(
            winner=cells["winner"],
            loser=cells["loser"],
            rater=cells.get("rater", ""),
            choice=cells.get("choice") or None,
            tie=tie in _YES,
        )
    except ValueError as error:
        raise LabelFileError(name, line, "tie" if tie in _YES else "loser", str(error)) from error
