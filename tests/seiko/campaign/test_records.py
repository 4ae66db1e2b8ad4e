"""A query that was told one label has no record until somebody asks; the tally is what counting anew gives."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from seiko.campaign.ledger import Event, LedgerCorrupted
from seiko.campaign.lifecycle import CHARGED, WAITING
from seiko.campaign.state import RunState, fold

ROWS = [
    {"id": f"1-{n}", "content": "ACGT"[n % 4] * n, "kind": "dna", "source": "fresh", "mean": None, "std": None}
    for n in range(6)
]
VALUE = {"status": "value", "value": 0.5, "noise": None, "reason": None}
IDS = st.sampled_from([row["id"] for row in ROWS])
LABELS = st.sampled_from(
    [
        VALUE,
        VALUE | {"value": 0.7, "replicate": 2},
        {"status": "infeasible", "value": None, "noise": None, "reason": "no"},
        {"status": "failed", "value": None, "noise": None, "reason": "spilt", "retry": True},
        {"status": "failed", "value": None, "noise": None, "reason": "gone"},
        [VALUE, VALUE | {"value": 0.1, "replicate": 2}],
    ]
)
EVENTS = st.one_of(
    st.tuples(
        st.just("told"), st.dictionaries(IDS, LABELS, min_size=1, max_size=3).map(lambda labels: {"labels": labels})
    ),
    st.tuples(st.just("retracted"), IDS.map(lambda id: {"ids": [id], "reason": "wrong"})),
    st.tuples(st.just("abandoned"), IDS.map(lambda id: {"ids": [id], "reason": "late"})),
    st.tuples(
        st.just("compared"),
        st.tuples(IDS, IDS)
        .filter(lambda pair: pair[0] != pair[1])
        .map(lambda pair: {"comparisons": [{"winner": pair[0], "loser": pair[1], "rater": ""}]}),
    ),
)


def told(state: RunState, kind: str, payload: dict[str, Any]) -> bool:
    try:
        fold(state, Event(state.last_seq + 1, kind, payload, ""))
    except LedgerCorrupted:
        return False
    return True


@given(st.lists(EVENTS, max_size=12))
def test_the_tally_is_what_counting_anew_gives(events: list[tuple[str, dict[str, Any]]]) -> None:
    state = RunState()
    told(state, "asked", {"round": 1, "queries": ROWS})
    for kind, payload in events:
        if not told(state, kind, payload):
            return  # a ledger never holds it
        stages = {id: state.stage(id) for id in state.queries}
        assert state.charged == sum(stage in CHARGED for stage in stages.values())
        waiting = [id for id, stage in stages.items() if stage in WAITING and not state.comparisons.names(id)]
        assert [query.id for query in state.pending()] == waiting, "in the order asked"
        assert [query.id for query, _ in state.judged()] == [id for id in stages if state.standing(id)]
        kept = dict(state._tally.stages)
        state.recount()
        assert {stage: count for stage, count in kept.items() if count} == state._tally.stages


@given(st.lists(EVENTS, max_size=8))
def test_a_record_made_late_is_the_record(events: list[tuple[str, dict[str, Any]]]) -> None:
    """One state is asked for every record after every event, the other never before the end."""
    states = RunState(), RunState()
    for state in states:
        told(state, "asked", {"round": 1, "queries": ROWS})
    for kind, payload in events:
        taken = [told(state, kind, payload) for state in states]
        if not all(taken):
            return
        for id in states[0].queries:
            states[0].records.get(id)
    assert states[0] == states[1]
    for id in states[0].queries:
        assert states[0].records.get(id) == states[1].records.get(id)
        assert states[0].standing(id, 2) == states[1].standing(id, 2)


def test_one_label_makes_no_record() -> None:
    state = RunState()
    told(state, "asked", {"round": 1, "queries": ROWS})
    told(state, "told", {"labels": {"1-0": VALUE, "1-1": [VALUE]}})
    assert set(dict.keys(state.records)) == {"1-1"}
    assert "1-0" in state.records
    assert "1-2" not in state.records
    assert state.records.get("1-2") is None
    assert state.records["1-0"] == state.records["1-1"]
