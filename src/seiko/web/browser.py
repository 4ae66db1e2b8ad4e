"""Finding designs: filter, search, sort, page. All of it is a function of the state and of what was asked for.

A run with several objectives has a column for each property, sorted by as `of.NAME`: a property may be called like one
of our own columns, and in a downloaded table it then stands in that one's place.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from seiko.campaign import RunState, State
from seiko.campaign.state import Query
from seiko.oracles import Label
from seiko.web.fields import whole

__all__ = ["COLUMNS", "OF", "Filter", "Found", "Line", "find", "harmless", "lines_of", "to_csv"]

OF = "of."
COLUMNS = (
    "id", "design", "kind", "prompt", "round", "source", "state", "status", "value", "noise", "reason",
    "predicted_mean", "predicted_std",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What is looked for.

    Args:
        text: Part of the design or of its id, in any case; empty for all.
        state: State of the query; empty for all.
        round: Round that asked, 0 for what was not asked for; None for all.
        source: Where the candidate came from; empty for all.
        sort: Column, or `of.` and a property.
        descending: Largest first; what has no value always comes last.
        page: From 1.
        size: Lines of a page.
    """

    text: str = ""
    state: str = ""
    round: int | None = None
    source: str = ""
    sort: str = "id"
    descending: bool = False
    page: int = 1
    size: int = 50

    @classmethod
    def read(cls, values: Any, properties: Iterable[str] = ()) -> Filter:
        """Read a filter from the query of an address; what makes no sense there is as if it were not there."""
        state, sort = values.get("state", ""), values.get("sort", "id")
        return cls(
            text=values.get("text", "").strip()[:200],
            state=state if state in set(State) else "",
            round=whole(values.get("round"), 0, 10**9),
            source=values.get("source", "")[:100],
            sort=sort if sort in {*_KEYS, *(OF + name for name in properties)} else "id",
            descending=values.get("down", "") == "1",
            page=whole(values.get("page"), 1, 10**9) or 1,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A query with its state and its label, if it has one."""

    query: Query
    state: State
    label: Label | None

    @property
    def value(self) -> float | None:
        """The label's value, if it has one."""
        return self.label.value if self.label is not None else None

    @property
    def error(self) -> float | None:
        """Measured less predicted, in predicted standard deviations; None where either is missing."""
        if self.value is None or self.query.mean is None or not self.query.std:
            return None
        return (self.value - self.query.mean) / self.query.std

    def of(self, name: str) -> float | None:
        """A property's label, if it has one."""
        return dict(self.label.values).get(name) if self.label is not None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A page of what was found.

    Args:
        lines: Those of the page.
        count: How many were found in all.
        page: This page, from 1.
        pages: How many there are.
    """

    lines: list[Line]
    count: int
    page: int
    pages: int


def lines_of(state: RunState) -> list[Line]:
    """Return all queries with their labels, in the order asked."""
    return [
        Line(query=query, state=state.stage(query.id), label=state.labels.get(query.id))
        for query in state.queries.values()
    ]


def find(lines: Iterable[Line], wanted: Filter) -> Found:
    """Return the page that was asked for; a page beyond the last is the last."""
    kept = _sorted([line for line in lines if _fits(line, wanted)], wanted)
    pages = max(1, math.ceil(len(kept) / wanted.size))
    page = min(wanted.page, pages)
    first = (page - 1) * wanted.size
    return Found(lines=kept[first : first + wanted.size], count=len(kept), page=page, pages=pages)


def to_csv(lines: Iterable[Line], wanted: Filter, properties: Iterable[str] = ()) -> str:
    """Return all that was found as a table that can be filled in and told."""
    text = io.StringIO()
    names = list(properties)
    own = [name for name in COLUMNS if name not in names]
    columns = [*own[: own.index("value")], *names, *own[own.index("value") :]]
    if names:
        columns.remove("value")  # it follows from the others, and is refused where it is not what they make it
    writer = csv.DictWriter(text, columns, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for line in _sorted([line for line in lines if _fits(line, wanted)], wanted):
        query, label = line.query, line.label
        design = query.design
        cells: list[Any] = [query.id, design.content, design.kind, harmless(design.prompt)]
        cells += [query.round, query.source, line.state]
        cells += [None] * 4 if label is None else [label.status, label.value, label.noise, harmless(label.reason)]
        cells += [query.mean, query.std]
        row = dict(zip(COLUMNS, cells, strict=True)) | {name: line.of(name) for name in names}
        writer.writerow({name: "" if cell is None else cell for name, cell in row.items()})
    return text.getvalue()


def harmless(text: str | None) -> str | None:
    """Return what somebody wrote so that no spreadsheet takes it for a formula."""
    return f"'{text}" if text and text[0] in "=+-@\t\r" else text


def _fits(line: Line, wanted: Filter) -> bool:
    query = line.query
    text = wanted.text.lower()
    return (
        (
            not text
            or text in query.design.content.lower()
            or text in query.id
            or text in (query.design.prompt or "").lower()
        )
        and wanted.state in ("", line.state)
        and wanted.round in (None, query.round)
        and wanted.source in ("", query.source)
    )


_KEYS: dict[str, Callable[[Line], Any]] = {
    "id": lambda line: None,
    "value": lambda line: line.value,
    "predicted": lambda line: line.query.mean,
    "error": lambda line: line.error,
    "round": lambda line: line.query.round,
    "source": lambda line: line.query.source,
    "design": lambda line: line.query.design.content,
}


def _sorted(lines: list[Line], wanted: Filter) -> list[Line]:
    if wanted.sort == "id":  # the order asked: an id of five digits would come before one of four
        return lines[::-1] if wanted.descending else lines
    name = wanted.sort.removeprefix(OF)
    key = _KEYS[wanted.sort] if wanted.sort in _KEYS else lambda line: line.of(name)
    known = [line for line in lines if key(line) is not None]
    return sorted(known, key=key, reverse=wanted.descending) + [line for line in lines if key(line) is None]
