"""Check everything that a run remembers, and say in words what is wrong.

The chain is followed past the first break, so that all damage is named; every artifact is read and hashed; those that
the events name must be there; the events must make sense one after another; and what was made of them earlier (the
checkpoint) must be what they say now.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from seiko.campaign.artifacts import LedgerError
from seiko.campaign.ledger import Event, Ledger, LedgerCorrupted
from seiko.campaign.ledger.base import SCHEMA
from seiko.campaign.ledger.events import GENESIS, Row, chained
from seiko.campaign.state import RunState, fold

__all__ = ["Verdict", "verify"]

SHOWN = 20


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What was found.

    Args:
        events: Events in the ledger.
        artifacts: Artifacts in the ledger.
        digest: Digest of the last event; noted elsewhere, it tells whether events were cut off since.
        faults: What is wrong, a sentence each.
        remarks: What is not wrong but worth knowing.
    """

    events: int
    artifacts: int
    digest: str
    faults: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def verify(ledger: Ledger, expect: str | None = None) -> Verdict:
    """Check chain, database, artifacts and sense of a run.

    Args:
        ledger: The run.
        expect: A digest noted earlier: one of the events must have it.
    """
    faults = _Faults()
    state, events, last, digest, met = _events(ledger, faults, expect)
    artifacts = _artifacts(ledger, state, faults)
    try:
        head = ledger.head()
        if head is not None and head != (last, digest):
            faults.add(
                f"event {head[0]} was noted as the last, of digest {head[1]:.64}; the last that is there is {last}"
            )
        for fault in ledger.faults():
            faults.add(fault)
    except LedgerError as error:
        faults.add(str(error))
    if expect is not None and not met:
        faults.add(
            f"no event has the digest {expect:.64}: events were cut off at the end, or this is another run's past"
        )
    remarks = []
    if ledger.schema < SCHEMA:
        remarks.append(f"the ledger has schema {ledger.schema}: `seiko ledger migrate` takes it to {SCHEMA}")
    return Verdict(events=events, artifacts=artifacts, digest=digest, faults=faults.shown(), remarks=remarks)


class _Faults:
    def __init__(self) -> None:
        self.found: list[str] = []

    def add(self, fault: str) -> None:
        self.found.append(fault)

    def shown(self) -> list[str]:
        more = len(self.found) - SHOWN
        return self.found if more <= 0 else [*self.found[:SHOWN], f"{more} faults more"]


def _events(ledger: Ledger, faults: _Faults, expect: str | None) -> tuple[RunState | None, int, int, str, bool]:
    """Follow the chain; return the state (None once it is broken), how many events, the last and its digest, if met."""
    state: RunState | None = RunState()
    checkpoint = ledger.checkpoint()
    seq, previous, count, met = 0, GENESIS.encode(), 0, expect == GENESIS
    try:
        for row in ledger.rows():
            count += 1
            if row.seq != seq + 1:
                missing = f"event {seq + 1} is" if row.seq == seq + 2 else f"events {seq + 1} to {row.seq - 1} are"
                faults.add(f"{missing} missing")
                state = None
            elif why := _broken(previous, row):
                faults.add(f"event {row.seq} is damaged: {why}")
                state = None
            seq, previous = row.seq, row.digest or b""
            met = met or (expect is not None and previous == expect.encode())
            state = _folded(state, row, faults)
            if state is not None and checkpoint is not None and checkpoint.seq == seq:
                _compare(state, checkpoint.data, checkpoint.maker, faults)
    except LedgerError as error:
        faults.add(str(error))
        state = None
    return state, count, seq, previous.decode(errors="replace"), met


def _broken(previous: bytes, row: Row) -> str:
    _, kind, payload, created_at, digest = row
    if kind is None or payload is None or created_at is None or digest is None:
        return "a part of it is empty"
    if chained(previous, row.seq, kind, payload, created_at) != digest:
        return "its digest does not follow from its contents and the event before"
    return ""


def _folded(state: RunState | None, row: Row, faults: _Faults) -> RunState | None:
    if state is None:
        return None
    try:
        payload = json.loads(row.payload or b"")
        if not isinstance(payload, dict):
            raise ValueError("it is not an object")
        fold(state, Event(row.seq, (row.kind or b"").decode(), payload, (row.created_at or b"").decode()))
    except LedgerCorrupted as error:
        faults.add(str(error))
        return None
    except (ValueError, RecursionError) as error:
        faults.add(f"event {row.seq} holds no JSON object ({error})")
        return None
    return state


def _artifacts(ledger: Ledger, state: RunState | None, faults: _Faults) -> int:
    names: set[str] = set()
    try:
        names.update(ledger.artifacts.names())
    except (LedgerError, OSError) as error:
        faults.add(f"the artifacts cannot be listed: {error}")
    for sha in sorted(names):
        try:
            ledger.artifacts.get(sha)
        except LedgerError as error:
            faults.add(str(error))
    for sha in sorted(_named(state) - names):
        faults.add(f"artifact {ledger.artifacts.where(sha)} is missing, and events name it")
    return len(names)


def _named(state: RunState | None) -> set[str]:
    """Return the artifacts that the events name: weights, designs that are images, and pairs kept with a report."""
    if state is None:
        return set()
    images = {query.design.content for query in state.queries.values() if query.design.kind == "image"}
    pairs = {sha for report in state.reports for pair in report.images for sha in (pair.before, pair.after)}
    return images | pairs | {sha for sha in state.weights if sha is not None}


def _compare(state: RunState, data: bytes, maker: str, faults: _Faults) -> None:
    from seiko.campaign.checkpoint import MAKER, restored

    if maker == MAKER and restored(data) != state:
        faults.add(f"the checkpoint at event {state.last_seq} is not what the events say: delete it")
