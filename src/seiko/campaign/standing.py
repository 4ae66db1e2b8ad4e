"""Which labels of a run stand, and what they say: of all its queries, without making one that is not asked for.

    of one told once       its label, read from the columns of the checkpoint where it lies there
    of one told often      its replicates as one label, with the noise that they show (`seiko.campaign.replicates`)

Both ways give the same, in the order asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from seiko.campaign.lifecycle import WAITING
from seiko.campaign.replicates import combine_all
from seiko.campaign.shelf import Shelf
from seiko.campaign.vectors import Column, Rows
from seiko.designs import IMAGE, Design
from seiko.oracles import Label

if TYPE_CHECKING:
    from seiko.campaign.state import Query, RunState

__all__ = ["Designs", "Made", "Measured", "count", "judged", "measured"]

AT_ONCE = 4096
_LAST = 2**62


@dataclass(frozen=True)
class Measured:
    """Designs that have a value.

    Args:
        designs: In the order asked; made as they are read.
        values: `[n]`, oracle's units.
        noise: `[n]` standard deviations, same units; NaN where it is not known.
        images: Whether there is an image among them.
    """

    designs: Sequence[Design]
    values: NDArray[np.float64]
    noise: NDArray[np.float64]
    images: bool


class Made(Sequence[Design]):
    """Designs of some rows of a column and others after them, in an order; none is kept.

    Args:
        column: The column.
        rows: Its rows that count.
        others: Designs that are not in it.
        order: Positions among all of these.
    """

    def __init__(self, column: Column[Design], rows: Rows, others: Sequence[Design], order: Rows) -> None:
        self._column, self._rows, self._others, self._order = column, rows, others, order

    def __len__(self) -> int:
        return len(self._order)

    @overload
    def __getitem__(self, at: int) -> Design: ...
    @overload
    def __getitem__(self, at: slice) -> list[Design]: ...
    def __getitem__(self, at: int | slice) -> Design | list[Design]:
        """Return one, or several."""
        if isinstance(at, int):
            return self[at : at + 1 or None][0]
        places, first = self._order[at], len(self._rows)
        old = places < first
        made = iter(self._column.take(self._rows[places[old]]))
        return [
            next(made) if known else self._others[place - first]
            for known, place in zip(old.tolist(), places.tolist(), strict=True)
        ]

    def __iter__(self) -> Iterator[Design]:
        for start in range(0, len(self), AT_ONCE):
            yield from self[start : start + AT_ONCE]


def judged(state: RunState, up_to: int | None) -> list[tuple[Query, Label]]:
    """Return queries with a value or found infeasible, in the order asked; as of event `up_to` if given."""
    register = state.register
    if register is None:
        return _told(state, state.queries.items(), up_to)
    others, touched = register.others(state)
    rows, rest = register.judged(up_to, touched, values=False), _told(state, others, up_to)
    pairs = [*zip(register.queries.take(rows), register.labels.take(rows), strict=True), *rest]
    return [pairs[at] for at in _order(rows, others, touched, rest).tolist()]


def measured(state: RunState, up_to: int | None) -> Measured:
    """Return designs with a value, in the order asked, and their values; as of event `up_to` if given."""
    register = state.register
    if register is None:
        return _measured([pair for pair in _told(state, state.queries.items(), up_to) if pair[1].status == "value"])
    others, touched = register.others(state)
    rows = register.judged(up_to, touched, values=True)
    rest = [pair for pair in _told(state, others, up_to) if pair[1].status == "value"]
    new, order = _measured(rest), _order(rows, others, touched, rest)
    values, noise = (register.labels.vector(name).numbers()[rows] for name in ("value", "noise"))
    return Measured(
        Made(register.designs, rows, new.designs, order),
        np.concatenate([values, new.values])[order],
        np.concatenate([noise, new.noise])[order],
        new.images or bool(register.designs.vector("kind").equal(IMAGE)[rows].any()),
    )


def count(state: RunState) -> None:
    """Count the own queries of a state anew: by where they stand, and by round."""
    register, tally = state.register, state._tally
    if register is None:
        tally.count(((id, state.stage(id) if query.own else None) for id, query in state.queries.items()), WAITING)
        tally.count_rounds((query.round, query.batch) for query in state.queries.values())
        return
    others, touched = register.others(state)
    stages, waiting = register.stages(touched)
    ids = register.ids.text
    tally.count(((id, state.stage(id) if query.own else None) for id, query in others), WAITING)
    tally.known = len(state.queries)
    for stage, number in stages.items():
        tally.stages[stage] = tally.stages.get(stage, 0) + number
    rows = {ids[row]: row for row in [*waiting, *touched]}
    among = [ids[row] for row in waiting] + list(tally.waiting)
    tally.waiting = dict.fromkeys(sorted(among, key=lambda id: rows.get(id, len(register))))
    tally.count_rounds((query.round, query.batch) for id, query in others if register.ids.row(id) is None)
    for round, (number, batch) in register.rounds().items():
        tally.add_round(round, number, batch)


class Designs:
    """Which query has a design: looked up in the register, and in a table of the queries that came since."""

    def __init__(self) -> None:
        self._ids: dict[Design, str] = {}
        self._seen = 0

    def find(self, state: RunState, design: Design) -> str | None:
        """Return the query of a state that has a design, the first of several; None if none has it."""
        register = state.register
        if register is not None:
            for row in sorted(register.contents.rows(design.content)):
                if register.designs[row] == design:
                    return register.ids.text[row]
        fresh = state.queries.fresh if isinstance(state.queries, Shelf) else state.queries
        if self._seen != len(fresh):
            for query in islice(fresh.values(), self._seen, None):
                self._ids.setdefault(query.design, query.id)
            self._seen = len(fresh)
        return self._ids.get(design)


def _told(state: RunState, queries: Iterable[tuple[str, Query]], up_to: int | None) -> list[tuple[Query, Label]]:
    found: list[tuple[Query, Label]] = []
    several: list[tuple[int, list[Label]]] = []
    made, told, labelled_at = state.records.made, state.labels.get, state.labelled_at
    for id, query in queries:
        if made(id) is None:  # as `standing` says, but for a million
            label = told(id)
            if label is not None and label.status != "failed" and (up_to is None or labelled_at[id] <= up_to):
                found.append((query, label))
        elif labels := state.standing(id, up_to):
            several.append((len(found), labels))
            found.append((query, labels[0]))
    for (at, _), label in zip(several, combine_all([labels for _, labels in several]), strict=True):
        found[at] = (found[at][0], label)
    return found


def _order(
    rows: Rows, others: Sequence[tuple[str, Query]], touched: Sequence[int], rest: Sequence[tuple[Query, Any]]
) -> Rows:
    """Return how rows, and after them the rest of some other queries, follow each other in the order asked.

    Args:
        rows: Rows of the register, ascending.
        others: Queries that are not as it has them: those of `touched`, then those that it does not have.
        touched: Rows of the first of these.
        rest: Those of the other queries that count.
    """
    place = {id: row for (id, _), row in zip(others, touched, strict=False)}
    among = np.array([place.get(query.id, _LAST) for query, _ in rest], dtype=np.int64)
    return np.argsort(np.concatenate([rows, among]), kind="stable")


def _measured(pairs: list[tuple[Query, Label]]) -> Measured:
    return Measured(
        [query.design for query, _ in pairs],
        np.array([label.value for _, label in pairs], dtype=np.float64),
        np.array([np.nan if label.noise is None else label.noise for _, label in pairs], dtype=np.float64),
        any(query.design.kind == IMAGE for query, _ in pairs),
    )
