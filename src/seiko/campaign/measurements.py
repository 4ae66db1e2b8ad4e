"""Every measurement that a run was told, one by one: what a laboratory keeps, where the reward model sees means.

A measurement is a query and the number of a replicate. What was said of it last counts, whether it stands or was taken
back since; where it was on a plate is the last place that it was given before the answer came.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from seiko.campaign.lifecycle import State
from seiko.campaign.state import Query, RunState
from seiko.oracles import Label

__all__ = ["Told", "measurements"]


@dataclass(frozen=True, kw_only=True)
class Told:
    """One measurement.

    Args:
        query: What was measured.
        label: What was told of it last; its `replicate` is the measurement's number.
        state: Where it stands now: labelled, infeasible, failed, failed for good, retracted or abandoned.
        back: Why it was retracted or given up; None if it was not. What was told has a reason of its own.
        seq: The event that told it.
        at: When that was, UTC, ISO 8601.
        plate: Plate that it was on; None if it was on none.
        well: Well of that plate.
    """

    query: Query
    label: Label
    state: State
    back: str | None
    seq: int
    at: str
    plate: str | None
    well: str | None


def measurements(state: RunState, when: Callable[[int], str]) -> Iterator[Told]:
    """Yield all measurements, in the order asked and by replicate.

    Args:
        state: The run.
        when: Returns the time of an event.
    """
    places: dict[tuple[str, int], list[tuple[int, str, str]]] = {}
    for plate in state.plates.values():
        for well, measurement in plate.at.items():
            places.setdefault(measurement, []).append((plate.seq, plate.name, well))
    for id, query in state.queries.items():
        record = state.records.made(id)
        words = [] if record is None else record.last_words()
        if record is None and (label := state.labels.get(id)) is not None:
            words = [(state.stage(id), label, state.labelled_at[id])]
        for stage, label, seq in words:
            before = [place for place in places.get((id, label.replicate), ()) if place[0] < seq]
            _, plate_name, well_name = max(before, default=(0, None, None))
            back = record is not None and stage in (State.RETRACTED, State.ABANDONED)
            why = record.reason if back and record is not None else None
            yield Told(
                query=query,
                label=label,
                state=stage,
                back=why,
                seq=seq,
                at=when(seq),
                plate=plate_name,
                well=well_name,
            )
