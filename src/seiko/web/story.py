"""One design: where it stands, what happened to it, and what its owner can say of it now."""

from __future__ import annotations

from dataclasses import dataclass

from seiko.campaign.lifecycle import TRANSITIONS, Act, Record, State
from seiko.campaign.state import Query, RunState
from seiko.oracles import Label

__all__ = ["Happened", "Story", "story_of"]

WORDS = {
    Act.VALUE: "measured",
    Act.INFEASIBLE: "infeasible",
    Act.FAIL: "failed, to be measured again",
    Act.GIVE_UP: "failed for good",
    Act.RETRACT: "retracted",
    Act.ABANDON: "abandoned",
    Act.UNTELL: "taken back by who had said it",
}
MOST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """One thing that happened.

    Args:
        seq: Event of the ledger.
        what: In words.
        replicate: Measurement; None for all of them.
        label: What was told, if something was.
    """

    seq: int
    what: str
    replicate: int | None
    label: Label | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """All that is known of a query.

    Args:
        query: It.
        state: Where it stands.
        label: What its labels say together.
        reason: Why it was retracted or abandoned.
        happened: What happened, the last first.
        scores: What people said: name and score, None for a skip.
        places: Plate, well and replicate.
        standing: Measurements whose label can be retracted.
        open: Measurements that can be said to have failed.
        abandonable: Whether it can be waited for no longer.
        fitted: Whether a finished round was fitted to its label.
    """

    query: Query
    state: State
    label: Label | None
    reason: str | None
    happened: list[Happened]
    scores: list[tuple[str, float | None]]
    places: list[tuple[str, str, int]]
    standing: list[int]
    open: list[int]
    abandonable: bool
    fitted: bool


def story_of(state: RunState, query: Query) -> Story:
    """Return all that is known of a query."""
    record: Record = state.records.get(query.id, Record())
    stage = state.stage(query.id)
    places = [
        (plate.name, well, replicate)
        for plate in state.plates.values()
        for well, (id, replicate) in plate.at.items()
        if id == query.id
    ]
    measured = sorted({1, *record.replicates(), *(replicate for _, _, replicate in places)})
    waits = query.own and Act.ABANDON in TRANSITIONS[stage] and stage is not State.ABANDONED
    return Story(
        query=query,
        state=stage,
        label=state.labels.get(query.id),
        reason=record.reason if stage in (State.RETRACTED, State.ABANDONED) else None,
        happened=[
            Happened(seq=seq, what=WORDS[act], replicate=replicate or None, label=label)
            for seq, act, replicate, label in reversed(record.story[-MOST:])
        ],
        scores=[(name, rating.score) for name, rating in sorted(state.ratings.of(query.id).items())],
        places=places,
        standing=[label.replicate for label in state.standing(query.id)],
        open=[r for r in measured if Act.FAIL in TRANSITIONS[record.measurement(r)]] if waits else [],
        abandonable=waits,
        fitted=0 < record.first <= state.fitted_to,
    )
