"""The states of a query as a machine: every act in every state, and any story of a laboratory against the fold."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, precondition, rule

from seiko.campaign.checkpoint import kept, restored
from seiko.campaign.errors import LabelConflict
from seiko.campaign.ledger import Event
from seiko.campaign.lifecycle import CHARGED, RANK, TRANSITIONS, WAITING, Act, Forbidden, Record, State, act_of, after
from seiko.campaign.state import RunState, fold
from seiko.campaign.taking import as_labels, label_rows, new_labels, to_abandon, to_retract
from seiko.oracles import Label

BROKEN, REPEAT = Label.failed("broke"), Label.failed("broke", retry=True)


def test_the_table_is_whole_and_closed() -> None:
    assert set(TRANSITIONS) == set(State)
    assert set(RANK) == set(State) - {State.PROPOSED}
    reached = {State.PROPOSED}
    for _ in State:
        reached |= {end for state in reached for end in TRANSITIONS[state].values()}
    assert reached == set(State), "every state can be reached"


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("act", Act)
def test_every_act_in_every_state_is_allowed_or_refused_in_words(state: State, act: Act) -> None:
    if act in TRANSITIONS[state]:
        assert after(state, act) in State
    else:
        with pytest.raises(Forbidden, match=f"'{act.value}' cannot happen to a query that is {state.value}; what can:"):
            after(state, act)


def test_what_is_decided_about_the_budget() -> None:
    assert {state for state in State if state not in CHARGED} == {
        State.PROPOSED,
        State.ABANDONED,
        State.FAILED_FOR_GOOD,
    }
    assert WAITING < CHARGED
    paid = {State.LABELLED, State.INFEASIBLE, State.RETRACTED}
    for state in paid:
        ends = {end for act, end in TRANSITIONS[state].items() if act is not Act.UNTELL}
        assert ends <= paid, "what was paid stays paid"


def test_no_label_is_overwritten_and_none_is_turned_away() -> None:
    answers = {Act.VALUE, Act.INFEASIBLE, Act.FAIL, Act.GIVE_UP}
    for state in State:
        stands = state in (State.LABELLED, State.INFEASIBLE, State.PROPOSED)
        assert (answers & set(TRANSITIONS[state]) == set()) == stands


@pytest.mark.parametrize(
    ("label", "act"),
    [
        (Label(value=1.0), Act.VALUE),
        (Label.infeasible("no"), Act.INFEASIBLE),
        (REPEAT, Act.FAIL),
        (BROKEN, Act.GIVE_UP),
    ],
)
def test_what_telling_a_label_is(label: Label, act: Act) -> None:
    assert act_of(label) is act


def told(*labels: Label | None) -> Record:
    """Return a record of labels at events 1, 2, ...; None retracts what stands."""
    record = Record()
    for seq, label in enumerate(labels, start=1):
        if label is None:
            record.retract(seq, "wrong")
        else:
            record.label(seq, label)
    return record


def test_the_query_is_in_the_best_state_of_its_measurements() -> None:
    second = Label(value=2.0, replicate=2)
    assert told(BROKEN, second).state is State.LABELLED
    assert told(REPEAT, Label(status="infeasible", replicate=2)).state is State.INFEASIBLE
    assert told(REPEAT, Label(status="failed", replicate=2)).state is State.FAILED
    assert told(Label(value=1.0), second, None).state is State.RETRACTED
    assert told(Label(value=1.0), None, Label(status="failed", retry=True, replicate=2)).state is State.RETRACTED
    assert [label.replicate for label in told(Label(value=1.0), second).standing()] == [1, 2]


def test_one_replicate_can_be_retracted() -> None:
    record = told(Label(value=1.0), Label(value=9.0, replicate=2))
    record.retract(3, "edge of the plate", 2)
    assert record.standing() == [Label(value=1.0)]
    assert record.standing(up_to=2) == [Label(value=1.0), Label(value=9.0, replicate=2)]
    assert record.state is State.LABELLED
    with pytest.raises(Forbidden, match="'retract' cannot happen to a query that is pending"):
        record.retractable(3)


def test_the_same_file_again_brings_nothing_back_that_was_retracted() -> None:
    record = told(Label(value=1.0), None)
    assert record.knows(Label(value=1.0))
    assert not record.knows(Label(value=1.5))
    record.label(2, BROKEN)
    assert record.knows(Label(value=1.0)), "that the second try broke does not make the first one right"
    record.label(3, Label(value=1.5))
    assert not record.knows(Label(value=1.0)), "now it contradicts the label that stands"
    assert record.standing() == [Label(value=1.5)]
    assert record.standing(up_to=1) == [Label(value=1.0)]
    assert record.standing(up_to=2) == []


def test_what_is_taken_back_at_once_was_never_told() -> None:
    record = told(Label(value=1.0))
    record.untell(2)
    assert record.state is State.PENDING
    assert not record.knows(Label(value=1.0))
    record.label(3, Label(value=1.0))
    assert record.state is State.LABELLED


def test_what_is_abandoned_waits_for_nothing_and_takes_what_comes_after_all() -> None:
    record = told(REPEAT)
    record.abandon(2, "the sample is lost")
    assert record.state is State.ABANDONED
    record.label(3, Label.failed("broke again", retry=True))
    assert record.state is State.ABANDONED
    record.label(4, Label(value=1.0))
    assert record.state is State.LABELLED
    with pytest.raises(Forbidden, match="labelled"):
        record.abandon(5, "no")


# -------------------------------------------------- any story against the fold

BUDGET = 12
LABELS = st.one_of(
    st.builds(Label, value=st.integers(0, 3).map(float), replicate=st.integers(1, 2)),
    st.builds(Label, status=st.just("infeasible"), reason=st.sampled_from(["a", "b"]), replicate=st.integers(1, 2)),
    st.builds(
        Label,
        status=st.just("failed"),
        reason=st.sampled_from(["a", "b"]),
        retry=st.booleans(),
        replicate=st.integers(1, 2),
    ),
)


class Laboratory(RuleBasedStateMachine):
    """A laboratory's story as events, folded; beside it a book kept by hand, which knows nothing of the table."""

    ids = Bundle("ids")

    @initialize()
    def open(self) -> None:
        self.events: list[tuple[str, Any]] = []
        self.state = RunState()
        self.stands: dict[str, dict[int, Label]] = {}
        self.paid: set[str] = set()
        self.free: set[str] = set()  # given back: broken for good, or abandoned
        self.late = 0  # labels of what had been given back
        self.then: dict[int, list[Any]] = {}  # what the fold said of the values at each advance
        self.append("opened", {"recipe": {"budget": BUDGET}})

    def append(self, kind: str, payload: Any) -> None:
        self.events.append((kind, json.loads(json.dumps(payload))))
        fold(self.state, Event(len(self.events), *self.events[-1], "2026-01-01T00:00:00+00:00"))

    @rule(target=ids, content=st.text("ACGT", min_size=4, max_size=4))
    def ask(self, content: str) -> str:
        id = f"{self.state.round}-{len(self.state.queries):04d}"
        if self.state.charged >= BUDGET:
            return next(iter(self.state.queries))
        row = {"id": id, "content": content, "kind": "dna", "source": "fresh", "mean": None, "std": None}
        self.append("asked", {"round": self.state.round, "batch": 1, "queries": [row]})
        self.stands[id] = {}
        return id

    @rule(target=ids, label=LABELS.filter(lambda label: label.status != "failed"))
    def attach(self, label: Label) -> str:
        id = f"0-{len(self.state.queries):04d}"
        row = {"id": id, "content": id, "kind": "dna", "labels": label_rows([label])}
        self.append("attached", {"designs": [row]})
        self.stands[id] = {label.replicate: label}
        return id

    @rule(id=ids, label=LABELS, twice=st.booleans())
    def tell(self, id: str, label: Label, twice: bool) -> None:
        charged = self.state.charged
        try:
            new = new_labels(self.state, {id: as_labels(id, label)})
        except LabelConflict:
            assert self.stands[id].get(label.replicate) not in (None, label)
            return
        if not new:
            return
        assert label.replicate not in self.stands[id], "a label that stands is never overwritten"
        self.append("told", {"labels": {id: label_rows(found) for id, found in new.items()}})
        if label.status != "failed":
            self.stands[id][label.replicate] = label
            self.paid.add(id)
            self.free.discard(id)
        self.late += max(0, self.state.charged - charged)
        if twice:
            assert new_labels(self.state, {id: as_labels(id, label)}) == {}

    @rule(id=ids, replicate=st.sampled_from([None, 1, 2]))
    def retract(self, id: str, replicate: int | None) -> None:
        try:
            ids = to_retract(self.state, [id], replicate)
        except LabelConflict:
            assert not self.stands[id] or replicate not in self.stands[id]
            return
        if ids:
            self.append("retracted", {"ids": ids, "reason": "wrong", "replicate": replicate})
        for r in [replicate] if replicate else list(self.stands[id]):
            self.stands[id].pop(r, None)

    @rule(id=ids)
    def abandon(self, id: str) -> None:
        try:
            ids = to_abandon(self.state, [id])
        except LabelConflict:
            assert self.stands[id] or id in self.paid or not self.state.queries[id].own
            return
        if ids:
            self.append("abandoned", {"ids": ids, "reason": "lost"})
        assert self.state.stage(id) is State.ABANDONED

    @precondition(lambda self: self.state.round < 4)
    @rule()
    def advance(self) -> None:
        seq = self.state.last_seq
        self.then[seq] = self.state.judged()
        report = dict.fromkeys(
            (
                "feasible",
                "batch_mean",
                "best",
                "alpha",
                "beta",
                "kl_previous",
                "believed_mean",
                "prequential",
                "held_out",
            )
        )
        numbers = {"round": self.state.round, "labels_used": 0, "kl_pretrained": 0.0, "diversity": 0.0}
        report |= {**numbers, "distinct": 0.0, "samples": [], "seconds": 0.0}
        self.append("advanced", {"report": report, "weights": None, "fitted_to": seq})

    @rule()
    def reopen(self) -> None:
        again = RunState()
        for seq, (kind, payload) in enumerate(self.events, start=1):
            fold(again, Event(seq, kind, payload, "2026-01-01T00:00:00+00:00"))
        assert again == self.state

    @rule()
    def reopen_from_a_checkpoint(self) -> None:
        self.state = restored(kept(self.state))

    @invariant()
    def the_fold_is_the_book(self) -> None:
        for id, stands in self.stands.items():
            assert self.state.standing(id) == [stands[r] for r in sorted(stands)]
            values = any(label.status == "value" for label in stands.values())
            assert (self.state.stage(id) is State.LABELLED) == values
            assert (self.state.stage(id) is State.INFEASIBLE) == (bool(stands) and not values)

    @invariant()
    def what_was_paid_stays_paid_and_no_more_is_asked_than_there_is(self) -> None:
        own = {query.id for query in self.state.queries.values() if query.own}
        charged = {id for id in own if self.state.stage(id) in CHARGED}
        assert self.paid & own <= charged
        assert self.state.charged == len(charged) <= BUDGET + self.late
        assert self.state.answered == len(self.paid & own)
        waiting = {query.id for query in self.state.pending()}
        assert waiting <= charged - self.paid
        assert charged == waiting | (self.paid & own)

    @invariant()
    def the_past_does_not_change(self) -> None:
        for seq, judged in self.then.items():
            assert self.state.judged(seq) == judged


Laboratory.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestLaboratory = Laboratory.TestCase
