"""The queries of a long run up to some event, column by column: what is asked of all of them is asked of arrays.

    row i    query i in the order asked, its label (a blank where there is none), the event that the label came with

It is what a checkpoint holds of queries and labels, and is never changed: what later events change lies in the shelves
over it, and the rows concerned are named by whoever asks.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from seiko.campaign.columns import Objects, Patched, column, pack
from seiko.campaign.lifecycle import State, act_of, after
from seiko.campaign.shelf import Keys, Shelf, in_order
from seiko.campaign.vectors import Column, Reader, Rows, Writer
from seiko.designs import Design
from seiko.oracles import Label

if TYPE_CHECKING:
    from seiko.campaign.state import Query, RunState

__all__ = ["Register"]

_BLANK = Label(status="failed")

_ANSWERS = (
    Label(value=0.0),
    Label(status="infeasible"),
    Label(status="failed", retry=True),
    Label(status="failed"),
)
"""One label of each kind that matters to the state of a query."""


class Register:
    """Queries and labels in columns.

    Args:
        queries: The queries.
        labels: Their labels.
        at: The event that each label came with; 0 where there is none.
        by_id: Orders the rows by the queries' ids.
        by_content: Orders them by the designs' contents.
    """

    def __init__(
        self, queries: Objects[Query], labels: Objects[Label], at: NDArray[Any], by_id: Rows, by_content: Rows
    ) -> None:
        self.queries, self.labels, self.at = queries, labels, at
        designs = queries.columns["design"]
        assert isinstance(designs, Objects)
        self.designs: Objects[Design] = designs
        self.ids = Keys(queries.vector("id"), by_id)
        self.contents = Keys(designs.vector("content"), by_content)
        self.own: NDArray[np.bool_] = queries.vector("round").numbers() > 0

    def __len__(self) -> int:
        return len(self.queries)

    @staticmethod
    def packed(state: RunState, query: type[Query], writer: Writer) -> Any:
        """Keep the queries and labels of a state; return where, as JSON."""
        register = state.register
        others, touched = ([*state.queries.items()], []) if register is None else register.others(state)
        told = state.labels.fresh if isinstance(state.labels, Shelf) else state.labels
        if any(id != query.id for id, query in others) or not all(id in state.queries for id in told):
            raise ValueError("a query is kept under another name than its own, or a label without a query")
        now = [(query, state.labels.get(id, _BLANK), state.labelled_at.get(id, 0)) for id, query in others]

        def patched(part: int, of: Column[Any] | None) -> Patched:
            values = [row[part] for row in now]
            return Patched(of, dict(zip(touched, values, strict=False)), values[len(touched) :])

        queries = patched(0, None if register is None else register.queries)
        orders = (None, None) if register is None else (register.ids.order, register.contents.order)
        ids, contents = queries.field("id"), queries.field("design").field("content")
        return {
            "queries": pack(queries, query, writer),
            "labels": pack(patched(1, None if register is None else register.labels), Label, writer),
            "at": writer.put(
                np.array(patched(2, None if register is None else Numbers(register.at)).all(), dtype="<i8")
            ),
            "by_id": writer.put(in_order(ids.all(), orders[0])),
            "by_content": writer.put(in_order(contents.all(), orders[1])),
        }

    @classmethod
    def read(cls, tree: Any, query: type[Query], reader: Reader) -> Register:
        """Return what `packed` kept."""
        queries, labels = column(tree["queries"], query, reader), column(tree["labels"], Label, reader)
        assert isinstance(queries, Objects)
        assert isinstance(labels, Objects)
        return cls(queries, labels, *(reader.array(tree[name]) for name in ("at", "by_id", "by_content")))

    def shelves(self) -> tuple[Shelf[Query], Shelf[Label], Shelf[int]]:
        """Return mappings from ids to queries, labels, and the events that these came with."""
        there = self.at > 0
        return (
            Shelf(self.ids, self.queries),
            Shelf(self.ids, self.labels, there),
            Shelf(self.ids, Numbers(self.at), there),
        )

    def others(self, state: RunState) -> tuple[list[tuple[str, Query]], list[int]]:
        """Return the queries that are not as they are here, in the order asked, and the rows of those that are here."""
        names: dict[str, None] = dict.fromkeys(dict.keys(state.records))
        for shelf in (state.labels, state.labelled_at, state.queries):
            assert isinstance(shelf, Shelf)
            names.update(dict.fromkeys(shelf.changed()))
        assert isinstance(state.queries, Shelf)
        rows = {id: row for id in names if (row := self.ids.row(id)) is not None}
        touched = sorted(rows, key=rows.__getitem__)
        new = [id for id in state.queries.fresh if id not in rows]
        return [(id, state.queries[id]) for id in [*touched, *new]], sorted(rows.values())

    def stages(self, but: Collection[int]) -> tuple[dict[State, int], list[int]]:
        """Return how many own queries are in each state, and the rows of those that nobody has told anything of.

        Args:
            but: Rows that do not count.
        """
        counts = self.own & self._kept(but)
        waiting = counts & (self.at == 0)
        found = {State.PENDING: int(waiting.sum())}
        rows = [waiting]
        status, retry = self.labels.vector("status"), self.labels.vector("retry")
        for label in _ANSWERS:
            of = counts & (self.at > 0) & status.equal(label.status) & retry.equal(label.retry)
            stage = after(State.PENDING, act_of(label))
            found[stage] = found.get(stage, 0) + int(of.sum())
            if stage is State.FAILED:
                rows.append(of)
        return found, np.flatnonzero(np.logical_or.reduce(rows)).tolist()

    def rounds(self) -> dict[int, tuple[int, int]]:
        """Return how many queries each round has asked, and the number of its last batch."""
        rounds, batches = self.queries.vector("round").numbers(), self.queries.vector("batch").numbers()
        return {
            int(round): (int((rounds == round).sum()), int(batches[rounds == round].max()))
            for round in np.unique(rounds)
        }

    def judged(self, up_to: int | None, but: Collection[int], *, values: bool) -> Rows:
        """Return the rows whose label stands: a value, or (without `values`) infeasible.

        Args:
            up_to: Labels that came with a later event do not count; None for all.
            but: Rows that do not count.
            values: Whether infeasible ones are left out.
        """
        status = self.labels.vector("status")
        found = status.equal("value") if values else ~status.equal("failed")
        found = found & (self.at > 0) & self._kept(but)
        return np.flatnonzero(found if up_to is None else found & (self.at <= up_to))

    def _kept(self, but: Collection[int]) -> NDArray[np.bool_]:
        kept = np.ones(len(self), dtype=bool)
        kept[list(but)] = False
        return kept


class Numbers:
    """An array as a column of integers."""

    def __init__(self, array: NDArray[Any]) -> None:
        self._array = array

    def __len__(self) -> int:
        return len(self._array)

    def __getitem__(self, at: int) -> int:
        return int(self._array[at])

    def take(self, rows: Rows | None = None) -> list[int]:
        found: list[int] = (self._array if rows is None else self._array[rows]).tolist()
        return found
