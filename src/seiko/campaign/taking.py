"""Which of the labels that come are new, and which cannot be taken: decided before anything is written.

A label is taken if `seiko.campaign.lifecycle` lets it happen to that measurement; the same label again says nothing
new. All of what comes is taken, or nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any, TypeAlias, TypeVar

from seiko.campaign.errors import LabelConflict, UnknownQuery
from seiko.campaign.lifecycle import Act, Forbidden, Record, State, act_of, after
from seiko.campaign.state import RunState
from seiko.campaign.units import Units
from seiko.oracles import Label

__all__ = [
    "LabelLike",
    "as_labels",
    "check_known",
    "check_sense",
    "in_words",
    "label_rows",
    "new_labels",
    "to_abandon",
    "to_retract",
]

LabelLike: TypeAlias = Label | float | None
T = TypeVar("T")


def as_labels(id: str, given: LabelLike | Sequence[LabelLike]) -> list[Label]:
    """Return what was given for a query as labels: several are its replicates 1, 2, ..., if not numbered otherwise.

    Raises:
        ValueError: If a value is not finite, or two replicates have one number.
    """
    if given is None or isinstance(given, (Label, float, int, str)) or not isinstance(given, Sequence):
        return [_as_label(id, given, 1)]
    labels = [_as_label(id, label, number) for number, label in enumerate(given, start=1)]
    if all(label.replicate == 1 for label in given if isinstance(label, Label)):
        labels = [replace(label, replicate=number) for number, label in enumerate(labels, start=1)]
    numbers = [label.replicate for label in labels]
    if twice := sorted({number for number in numbers if numbers.count(number) > 1}):
        raise ValueError(f"query {id!r}: replicate {twice[0]} is there twice; nothing was taken")
    return labels


def new_labels(state: RunState, given: Mapping[str, Sequence[Label]]) -> dict[str, list[Label]]:
    """Return the labels that the run does not know yet, by query.

    Raises:
        UnknownQuery: If an id was never asked.
        LabelConflict: If a label differs from the one that stands for the same measurement.
    """
    new: dict[str, list[Label]] = {}
    check_known(state, given)
    for id, labels in given.items():
        record = _record(state, id)
        for label in labels:
            if record.knows(label):
                continue
            try:
                after(record.measurement(label.replicate), act_of(label))
            except Forbidden:
                stands = next(known for known in record.standing() if known.replicate == label.replicate)
                which = f" (replicate {label.replicate})" if len(labels) > 1 or label.replicate > 1 else ""
                raise LabelConflict(
                    f"query {id!r}{which} has the label {in_words(stands)} already, got {in_words(label)}; nothing was "
                    "taken (retract the first one, or number this one as another replicate)"
                ) from None
            new.setdefault(id, []).append(label)
    return new


def to_retract(state: RunState, ids: Sequence[str], replicate: int | None) -> list[str]:
    """Return the queries whose label stands and is to be taken away.

    Raises:
        UnknownQuery: If an id was never asked.
        LabelConflict: If a query has no label, and none was retracted before.
    """
    check_known(state, ids)
    return [id for id in dict.fromkeys(ids) if _allowed(id, partial(_record(state, id).retractable, replicate))]


def to_abandon(state: RunState, ids: Sequence[str]) -> list[str]:
    """Return the queries that nobody is to wait for any longer.

    Raises:
        UnknownQuery: If an id was never asked.
        LabelConflict: If a query has a label.
    """
    check_known(state, ids)
    waiting = [id for id in dict.fromkeys(ids) if state.stage(id) is not State.ABANDONED]
    for id in waiting:
        _allowed(id, partial(after, state.stage(id), Act.ABANDON))
    return waiting


def _allowed(id: str, act: Callable[[], T]) -> T:
    try:
        return act()
    except Forbidden as error:
        raise LabelConflict(f"query {id!r}: {error}; nothing was changed") from None


def check_sense(state: RunState, units: Units | None) -> None:
    """Raise `LabelConflict` if labels made with these units cannot stand beside those that the run has."""
    if units is not None and state.units is not None and not units.same_sense(state.units):
        raise LabelConflict(
            f"the labels of this run were made with {state.units.in_words()}, these would be with {units.in_words()}: "
            "use the same options"
        )


def check_known(state: RunState, ids: Iterable[str]) -> None:
    """Raise `UnknownQuery` at the first id that was never asked."""
    for id in ids:
        if id not in state.queries:
            raise UnknownQuery(f"query {id!r} was never asked in this run; nothing was taken")


def label_rows(labels: Sequence[Label]) -> dict[str, Any] | list[dict[str, Any]]:
    """Return the labels of a query as the ledger keeps them: fields of later versions only where they say something."""
    rows = [
        {
            name: value
            for name, value in asdict(label).items()
            if (name, value) not in (("retry", False), ("replicate", 1), ("values", ()))
        }
        for label in labels
    ]
    return rows[0] if len(rows) == 1 else rows


def in_words(label: Label) -> str:
    """Return a label for an error message."""
    return f"{label.value!r}" if label.status == "value" else label.status


def _record(state: RunState, id: str) -> Record:
    if id in state.records:
        return state.records[id]
    record = Record()
    if id in state.labels:  # a state that was not folded
        record.label(0, state.labels[id])
    return record


def _as_label(id: str, given: LabelLike, replicate: int) -> Label:
    if isinstance(given, Label):
        return given
    if given is None:
        return Label(status="infeasible", reason="told as None", replicate=replicate)
    try:
        return Label(value=float(given), replicate=replicate)
    except (TypeError, ValueError) as error:
        raise ValueError(f"query {id!r}: {error}; nothing was taken") from error
