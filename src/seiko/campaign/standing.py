"""Which labels of a run stand, and what they say: of all its queries, without making one that is not asked for.

    of one told once       its label, read from the columns of the checkpoint where it lies there
    of one told often      its replicates as one label, with the noise that they show (`seiko.campaign.replicates`)

Both ways give the same, in the order asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from seiko.campaign.lifecycle import WAITING
from seiko.campaign.replicates import combine_all
from seiko.campaign.shelf import Shelf
from seiko.designs import Design
from seiko.oracles import Label

if TYPE_CHECKING:
    from seiko.campaign.register import Register
    from seiko.campaign.state import Query, RunState

__all__ = ["Designs", "Measured", "count", "judged", "measured"]


@dataclass(frozen=True)
class Measured:
    """Designs that have a value.

    Args:
        designs: In the order asked.
        values: `[n]`, oracle's units.
        noise: `[n]` standard deviations, same units; NaN where it is not known.
    """

    designs: list[Design]
    values: NDArray[np.float64]
    noise: NDArray[np.float64]


def judged(state: RunState, up_to: int | None) -> list[tuple[Query, Label]]:
    """Return queries with a value or found infeasible, in the order asked; as of event `up_to` if given."""
    register = state.register
    if register is None:
        return _told(state, state.queries.items(), up_to)
    others, touched = register.others(state)
    rows = register.judged(up_to, touched, values=False)
    pairs = list(zip(register.queries.take(rows), register.labels.take(rows), strict=True))
    return _merged(rows, pairs, register, _told(state, others, up_to))


def measured(state: RunState, up_to: int | None) -> Measured:
    """Return designs with a value, in the order asked, and their values; as of event `up_to` if given."""
    register = state.register
    if register is None:
        return _measured([pair for pair in _told(state, state.queries.items(), up_to) if pair[1].status == "value"])
    others, touched = register.others(state)
    rows = register.judged(up_to, touched, values=True)
    rest = [pair for pair in _told(state, others, up_to) if pair[1].status == "value"]
    of_rest = _measured(rest)
    values, noise = (register.labels.vector(name).numbers()[rows] for name in ("value", "noise"))
    at = np.argsort(np.concatenate([rows, _places(register, rest)]), kind="stable")
    designs = _merged(rows, register.designs.take(rows), register, rest, of_rest.designs)
    return Measured(designs, np.concatenate([values, of_rest.values])[at], np.concatenate([noise, of_rest.noise])[at])


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


def _places(register: Register, pairs: Sequence[tuple[Query, Any]]) -> NDArray[np.int64]:
    """Return where queries stand among the rows; those that have none come after all."""
    found = (register.ids.row(query.id) for query, _ in pairs)
    return np.array([len(register) if row is None else row for row in found], dtype=np.int64)


def _merged(
    rows: NDArray[Any], items: list[Any], register: Register, rest: list[tuple[Query, Label]], new: Any = None
) -> list[Any]:
    """Return the items of rows and those of other queries, in the order asked."""
    every = [*items, *(rest if new is None else new)]
    places = _places(register, rest)
    if not len(places) or not len(rows) or rows[-1] <= places[0]:
        return every
    return [every[at] for at in np.argsort(np.concatenate([rows, places]), kind="stable").tolist()]


def _measured(pairs: list[tuple[Query, Label]]) -> Measured:
    return Measured(
        [query.design for query, _ in pairs],
        np.array([label.value for _, label in pairs], dtype=np.float64),
        np.array([np.nan if label.noise is None else label.noise for _, label in pairs], dtype=np.float64),
    )
