"""A state that was read from a checkpoint does all that the folded one does, whatever comes before and after."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seiko.campaign.checkpoint import kept, restored
from seiko.campaign.ledger import Event, LedgerCorrupted
from seiko.campaign.shelf import Shelf
from seiko.campaign.state import RunState, fold
from seiko.designs import Design

VALUE = {"status": "value", "value": 0.5, "noise": None, "reason": None}
CONTENTS = ("A", "AC", "é", "A")  # one design is asked for twice
IDS = st.sampled_from(["1-0", "1-1", "1-2", "1-3", "2-0", "0-1"])
LABELS = st.sampled_from(
    [
        VALUE,
        VALUE | {"value": 1, "noise": 0.1, "values": [["kd", 2.0]]},
        VALUE | {"value": -0.0, "replicate": 2},
        {"status": "infeasible", "value": None, "noise": None, "reason": "no"},
        {"status": "failed", "value": None, "noise": None, "reason": "spilt", "retry": True},
        {"status": "failed", "value": None, "noise": None, "reason": None},
        [VALUE, VALUE | {"value": 0.1, "replicate": 2}],
    ]
)


def asked(round: int, batch: int, *numbers: int) -> tuple[str, dict[str, Any]]:
    rows = [
        {"id": f"{round}-{n}", "content": CONTENTS[n], "kind": "dna", "source": "fresh", "mean": n / 3, "std": None}
        for n in numbers
    ]
    return "asked", {"round": round, "batch": batch, "queries": rows}


def attached(labels: Any) -> tuple[str, dict[str, Any]]:
    return "attached", {"designs": [{"id": "0-1", "content": "G", "kind": "dna", "labels": labels}]}


def rated(id: str) -> tuple[str, dict[str, Any]]:
    return "rated", {"ratings": [{"query": id, "rater": "a", "score": 1.0, "skipped": False}], "labels": [id]}


EVENTS = st.one_of(
    st.sampled_from([asked(1, 2, 3), asked(2, 1, 0), asked(1, 1, 1)]),
    st.tuples(st.just("told"), st.dictionaries(IDS, LABELS, min_size=1, max_size=3).map(lambda told: {"labels": told})),
    LABELS.map(attached),
    st.tuples(st.just("retracted"), IDS.map(lambda id: {"ids": [id], "reason": "wrong"})),
    st.tuples(st.just("abandoned"), IDS.map(lambda id: {"ids": [id], "reason": "late"})),
    IDS.map(rated),
    st.tuples(st.just("unrated"), IDS.map(lambda id: {"ratings": [{"query": id, "rater": "a"}]})),
    st.tuples(
        st.just("compared"),
        st.tuples(IDS, IDS)
        .filter(lambda pair: pair[0] != pair[1])
        .map(lambda pair: {"comparisons": [{"winner": pair[0], "loser": pair[1], "rater": ""}]}),
    ),
)


def folded(state: RunState, event: tuple[str, dict[str, Any]]) -> bool:
    try:
        fold(state, Event(state.last_seq + 1, *event, ""))
    except LedgerCorrupted:
        return False
    return True


def beginning() -> RunState:
    state = RunState()
    folded(state, ("opened", {"recipe": {"type": "x"}}))
    folded(state, asked(1, 1, 0, 1, 2))
    return state


def same(found: RunState, state: RunState) -> None:
    """Compare all that is asked of a state, in the order in which it answers."""
    assert found == state
    assert list(found.queries.items()) == list(state.queries.items())
    assert [(id, found.labels[id], found.labelled_at[id]) for id in state.labels] == [
        (id, label, state.labelled_at[id]) for id, label in state.labels.items()
    ]
    assert len(found.labels) == len(list(found.labels)) == len(state.labels)
    assert {id: type(label.value) for id, label in found.labels.items()} == {
        id: type(label.value) for id, label in state.labels.items()
    }
    for up_to in (None, *range(state.last_seq + 1)):
        assert found.judged(up_to) == state.judged(up_to)
        one, other = found.measured(up_to), state.measured(up_to)
        pairs = state.values(up_to)
        assert list(one.designs) == list(other.designs) == [query.design for query, _ in pairs]
        assert [one.designs[at] for at in range(-len(pairs), len(pairs))] == [query.design for query, _ in pairs] * 2
        assert one.images is other.images is False
        assert one.values.tolist() == other.values.tolist() == [label.value for _, label in pairs]
        assert np.array_equal(one.noise, other.noise, equal_nan=True)
    assert found.pending() == state.pending()
    assert (found.charged, found.answered, found.learnt_at) == (state.charged, state.answered, state.learnt_at)
    assert [found.batch_of(round) for round in range(3)] == [state.batch_of(round) for round in range(3)]
    for round in (1, 2):
        batches = [query.batch for query in state.asked(round)]
        assert state.batch_of(round) == (len(batches), max(batches, default=0))
    for id in state.queries:
        assert found.stage(id) is state.stage(id)
        assert found.records.get(id) == state.records.get(id)
    for content in {*CONTENTS, "G", "T"}:
        design = Design(content)
        first = next((id for id, query in state.queries.items() if query.design == design), None)
        assert found.find(design) == state.find(design) == first
    assert found.find(Design("A", prompt="red")) is None


@given(st.lists(EVENTS, max_size=8), st.lists(EVENTS, max_size=8), st.lists(EVENTS, max_size=4))
def test_a_checkpoint_anywhere_changes_nothing(
    before: list[tuple[str, dict[str, Any]]],
    between: list[tuple[str, dict[str, Any]]],
    after: list[tuple[str, dict[str, Any]]],
) -> None:
    state = beginning()
    for event in before:
        if folded(copy.deepcopy(state), event):  # a ledger never holds others
            folded(state, event)
    found = restored(kept(state))
    assert isinstance(found.queries, Shelf)
    for events in (between, after):
        for event in events:
            if folded(copy.deepcopy(state), event):
                assert folded(state, event)
                assert folded(found, event)
        same(found, state)
        found = restored(kept(found))  # of what was itself read from one
    same(found, state)


def test_looking_up_makes_one_query() -> None:
    state = beginning()
    found = restored(kept(state))
    assert found.register is not None
    made = []
    take = found.register.queries.take
    found.register.queries.take = lambda rows=None: made.append(rows) or take(rows)  # type: ignore[method-assign]
    assert found.queries["1-1"] == state.queries["1-1"]
    assert "1-7" not in found.queries
    assert found.charged == 3
    folded(found, ("told", {"labels": {"1-1": VALUE}}))
    assert found.pending() == [state.queries["1-0"], state.queries["1-2"]]
    assert found.find(Design("AC")) == "1-1"
    assert made == []
