"""The states of a query, and what may happen in each.

    proposed --ask--> pending --value--> labelled     --retract--> retracted --value--> labelled
                          | --infeasible--> infeasible --retract--> retracted
                          | --fail--> failed --value, infeasible, fail, give up, abandon--> ...
                          | --give up--> failed for good
                          | --abandon--> abandoned

A label is never lost: what was given up or abandoned still takes a value that comes after all. A label that stands can
only be taken away in words (retract), never overwritten.

    charged      pending, labelled, infeasible, failed, retracted
    not charged  failed for good, abandoned; and, whatever its state, what was attached or is a control
    waiting      pending, failed: these hold the round, and are asked for again

An infeasible design costs its label, for the world was asked and has answered. So does a retracted one: it was paid.
A measurement that broke and is to be repeated keeps the label reserved for it; one that broke for good gives it back.
The budget limits what is asked, never what is told: a label of what was given up is charged though nothing is left.

Each *measurement* of a query (replicate 1, 2, ...) goes through these states; the query's own is the first of `RANK`
that one of them is in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from seiko.oracles import Label

__all__ = ["CHARGED", "RANK", "TRANSITIONS", "WAITING", "Act", "Forbidden", "Record", "State", "act_of", "after"]


class State(StrEnum):
    """Where a measurement of a query, or the query itself, stands."""

    PROPOSED = "proposed"
    PENDING = "pending"
    LABELLED = "labelled"
    INFEASIBLE = "infeasible"
    FAILED = "failed"
    FAILED_FOR_GOOD = "failed for good"
    ABANDONED = "abandoned"
    RETRACTED = "retracted"


class Act(StrEnum):
    """What can happen to it."""

    ASK = "ask"
    VALUE = "value"
    INFEASIBLE = "infeasible"
    FAIL = "fail"
    GIVE_UP = "give up"
    RETRACT = "retract"
    ABANDON = "abandon"
    UNTELL = "untell"  # somebody takes back at once what they have said: the query waits as if nothing had been told


_ANSWERS = {
    Act.VALUE: State.LABELLED,
    Act.INFEASIBLE: State.INFEASIBLE,
    Act.FAIL: State.FAILED,
    Act.GIVE_UP: State.FAILED_FOR_GOOD,
}
_STANDS = {Act.RETRACT: State.RETRACTED, Act.UNTELL: State.PENDING}

TRANSITIONS: Mapping[State, Mapping[Act, State]] = {
    State.PROPOSED: {Act.ASK: State.PENDING},
    State.PENDING: {**_ANSWERS, Act.ABANDON: State.ABANDONED},
    State.LABELLED: _STANDS,
    State.INFEASIBLE: _STANDS,
    State.FAILED: {**_ANSWERS, Act.ABANDON: State.ABANDONED},
    State.FAILED_FOR_GOOD: {**_ANSWERS, Act.ABANDON: State.ABANDONED},
    State.ABANDONED: {
        **_ANSWERS,
        Act.FAIL: State.ABANDONED,  # that it broke does not make anybody wait for it again
        Act.GIVE_UP: State.ABANDONED,
        Act.ABANDON: State.ABANDONED,
    },
    State.RETRACTED: {
        **_ANSWERS,
        Act.FAIL: State.RETRACTED,  # it was paid once, and stays paid
        Act.GIVE_UP: State.RETRACTED,
        Act.RETRACT: State.RETRACTED,
    },
}
"""What may happen in each state, and the state after; anything else is `Forbidden`."""

CHARGED = frozenset({State.PENDING, State.LABELLED, State.INFEASIBLE, State.FAILED, State.RETRACTED})
"""States that count against the budget."""

WAITING = frozenset({State.PENDING, State.FAILED})
"""States in which a label is still expected."""

RANK = (
    State.LABELLED,
    State.INFEASIBLE,
    State.RETRACTED,
    State.FAILED,
    State.PENDING,
    State.ABANDONED,
    State.FAILED_FOR_GOOD,
)
"""A query is in the first of these states that one of its measurements is in: what was paid once waits for nothing."""


class Forbidden(ValueError):
    """This cannot happen in this state."""


def after(state: State, act: Act) -> State:
    """Return the state after an act.

    Raises:
        Forbidden: If it cannot happen in this state; says what can.
    """
    try:
        return TRANSITIONS[state][act]
    except KeyError:
        can = ", ".join(TRANSITIONS[state])
        raise Forbidden(f"{act.value!r} cannot happen to a query that is {state.value}; what can: {can}") from None


def act_of(label: Label) -> Act:
    """Return what telling a label is."""
    match label.status:
        case "value":
            return Act.VALUE
        case "infeasible":
            return Act.INFEASIBLE
        case "failed":
            return Act.FAIL if label.retry else Act.GIVE_UP


@dataclass(frozen=True)
class _Measurement:
    state: State
    told: tuple[Label, ...] = ()  # all that was ever told of it, whether it stands or not, the last one last


@dataclass
class Record:
    """All that happened to one query since it was asked, in order; changed by the fold only.

    `label`, `retract` and `abandon` raise `Forbidden` before they change anything.
    """

    _acts: list[tuple[int, Act, int, Label | None]] = field(default_factory=list)  # (event, act, replicate, label)
    _now: dict[int, _Measurement] = field(default_factory=dict)
    _asked: State = State.PENDING  # of the measurements that nothing was told of
    state: State = State.PENDING
    reason: str | None = None  # why it was retracted or abandoned, in the words of who did

    def measurement(self, replicate: int) -> State:
        """Return the state of one of its measurements."""
        return self._now[replicate].state if replicate in self._now else self._asked

    def knows(self, label: Label) -> bool:
        """Whether it says nothing new: it is the label that stands, or none stands and it was told before.

        So a file that was told once can be told again whole, and brings nothing back that was retracted since.
        """
        now = self._now.get(label.replicate)
        if now is None or not now.told:
            return False
        return label == now.told[-1] if now.state in _LABELS else label in now.told

    def standing(self, up_to: int | None = None) -> list[Label]:
        """Return the labels that stand, by replicate; as of event `up_to` if given."""
        now = self._now if up_to is None else self._replay(up_to)
        return [now[r].told[-1] for r in sorted(now) if now[r].state in _LABELS]

    def last_words(self) -> list[tuple[State, Label, int]]:
        """Return where each replicate stands that anything was told of, what was told last, and the event that did."""
        at = {replicate: seq for seq, _, replicate, label in self._acts if label is not None}
        return [(now.state, now.told[-1], at[r]) for r, now in sorted(self._now.items()) if now.told]

    def failures(self) -> list[Label]:
        """Return the failures that nothing has followed, by replicate."""
        broke = (State.FAILED, State.FAILED_FOR_GOOD)
        return [measurement.told[-1] for _, measurement in sorted(self._now.items()) if measurement.state in broke]

    @property
    def first(self) -> int:
        """The event at which anything was told first; 0 if nothing was."""
        return next((seq for seq, _, _, label in self._acts if label is not None), 0)

    def last(self, *acts: Act) -> int:
        """Return the event at which one of these acts happened last; 0 for never."""
        return max((seq for seq, act, _, _ in self._acts if act in acts), default=0)

    @property
    def story(self) -> list[tuple[int, Act, int, Label | None]]:
        """All that happened, in order: event, act, replicate (0: those that nothing was told of), label if one came."""
        return list(self._acts)

    def replicates(self) -> list[int]:
        """Return the replicates that anything was told of."""
        return sorted(self._now)

    def label(self, seq: int, label: Label) -> None:
        """Take a label."""
        self._take(seq, act_of(label), label.replicate, label)

    def retract(self, seq: int, reason: str, replicate: int | None = None) -> None:
        """Take the standing labels of all replicates, or of one, away."""
        for r in self.retractable(replicate):
            self._take(seq, Act.RETRACT, r, None)
        self.reason = reason

    def retractable(self, replicate: int | None = None) -> list[int]:
        """Return the replicates that a retraction would concern.

        Raises:
            Forbidden: If there is none, and none that was retracted before.
        """
        among = self.replicates() if replicate is None else [replicate]
        found = [r for r in among if self.measurement(r) in _LABELS]
        if not found and not any(self.measurement(r) is State.RETRACTED for r in among):
            after(self.state if replicate is None else self.measurement(replicate), Act.RETRACT)
        return found

    def abandon(self, seq: int, reason: str) -> None:
        """Stop waiting for it."""
        after(self.state, Act.ABANDON)
        for r in self.replicates():
            if Act.ABANDON in TRANSITIONS[self._now[r].state]:
                self._take(seq, Act.ABANDON, r, None)
        self._take(seq, Act.ABANDON, 0, None)
        self.reason = reason

    def untell(self, seq: int) -> None:
        """Take all standing labels back as if they had never been told."""
        for r in [r for r in self.replicates() if self.measurement(r) in _LABELS]:
            self._take(seq, Act.UNTELL, r, None)

    def _take(self, seq: int, act: Act, replicate: int, label: Label | None) -> None:
        self._asked = self._apply(self._now, self._asked, act, replicate, label)
        self._acts.append((seq, act, replicate, label))
        states = [measurement.state for measurement in self._now.values()] or [self._asked]
        self.state = min(states, key=RANK.index)

    def _replay(self, up_to: int) -> dict[int, _Measurement]:
        now: dict[int, _Measurement] = {}
        asked = State.PENDING
        for seq, act, replicate, label in self._acts:
            if seq <= up_to:
                asked = self._apply(now, asked, act, replicate, label)
        return now

    @staticmethod
    def _apply(now: dict[int, _Measurement], asked: State, act: Act, replicate: int, label: Label | None) -> State:
        if replicate == 0:  # those that nothing was told of
            return after(asked, act)
        before = now.get(replicate, _Measurement(asked))
        told = () if act is Act.UNTELL else before.told if label is None else (*before.told, label)
        now[replicate] = _Measurement(after(before.state, act), told)
        return asked


_LABELS = (State.LABELLED, State.INFEASIBLE)
