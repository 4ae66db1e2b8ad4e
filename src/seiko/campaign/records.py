"""What happened to each query, kept small: of one that was told a single label, the label says it all.

    record of such a query = Record() + its label, at the event that told it

and it is made when somebody asks for it; most queries of a long run never need one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from seiko.campaign.lifecycle import Record, State
from seiko.oracles import Label

__all__ = ["Records", "Tally"]


class Records(dict[str, Record]):
    """Records by query; `in`, `[]` and `get` also know those that were not made yet, iteration does not.

    Args:
        labels: Label of each query that has one; whoever owns it takes it further.
        labelled_at: The event that it came with.
        made: Records to begin with.
    """

    def __init__(self, labels: Mapping[str, Label], labelled_at: Mapping[str, int], made: Mapping[str, Record]) -> None:
        super().__init__(made)
        self._labels, self._labelled_at = labels, labelled_at

    def made(self, id: str) -> Record | None:
        """Return a record if it was made already: without one there was a single label, or nothing."""
        return super().get(id)

    def __contains__(self, id: object) -> bool:
        return super().__contains__(id) or id in self._labels

    def __missing__(self, id: str) -> Record:
        record = Record()
        record.label(self._labelled_at.get(id, 0), self._labels[id])
        self[id] = record
        return record

    def get(self, id: str, default: Any = None) -> Any:
        """Return a record, or the default for a query that nothing happened to."""
        return self[id] if id in self else default  # noqa: SIM401 - this is what `get` is

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Records):
            return NotImplemented
        ids = {*self, *other}
        return all(id in self and id in other and self[id] == other[id] for id in ids)

    __hash__ = None


class Tally:
    """How many own queries are in each state, and which of them wait: counted once, then kept up event by event."""

    def __init__(self) -> None:
        self.stages: dict[State, int] = {}
        self.waiting: dict[str, None] = {}
        self.known = 0  # queries of any kind that were counted
        self.rounds: dict[int, tuple[int, int]] = {}  # by round: queries, and the number of the last batch

    def count(self, stages: Iterable[tuple[str, State | None]], waits: frozenset[State]) -> None:
        """Count anew.

        Args:
            stages: Query and state, None for those that the run did not ask for; in the order asked.
            waits: States in which a query waits.
        """
        self.__init__()  # type: ignore[misc]
        for id, stage in stages:
            self.known += 1
            if stage is not None:
                self.stages[stage] = self.stages.get(stage, 0) + 1
                if stage in waits:
                    self.waiting[id] = None

    def count_rounds(self, asked: Iterable[tuple[int, int]]) -> None:
        """Count queries by round, given the round and the batch of each."""
        for round, batch in asked:
            self.add_round(round, 1, batch)

    def add_round(self, round: int, number: int, batch: int) -> None:
        """Take note of queries that a round has asked, in batches up to this one."""
        before, last = self.rounds.get(round, (0, 0))
        self.rounds[round] = before + number, max(last, batch)

    def move(self, id: str, before: State | None, stage: State, waits: frozenset[State]) -> bool:
        """Take a query from one state to another; return whether the order of those that wait is lost.

        Args:
            id: The query.
            before: Its state before; None for a new one.
            stage: Its state now.
            waits: States in which a query waits.
        """
        if before is stage:
            return False
        if before is None:
            self.known += 1
        else:
            self.stages[before] -= 1
        self.stages[stage] = self.stages.get(stage, 0) + 1
        if stage not in waits:
            self.waiting.pop(id, None)
        elif id not in self.waiting:
            self.waiting[id] = None
            return before is not None
        return False
