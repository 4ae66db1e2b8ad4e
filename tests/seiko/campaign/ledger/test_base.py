"""Every ledger only grows, in order, all or nothing, wherever it is kept: each test runs on both backends."""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seiko.campaign.ledger import (
    Checkpoint,
    Event,
    Ledger,
    LedgerConflict,
    LedgerCorrupted,
    LedgerError,
    NewEvent,
    RunExists,
)
from seiko.campaign.ledger import base as module


@pytest.fixture
def ledger(place: str) -> Iterator[Ledger]:
    with Ledger.create(place) as ledger:
        yield ledger


def notes(*numbers: int) -> list[NewEvent]:
    return [NewEvent("noted", {"n": n}) for n in numbers]


def numbers(ledger: Ledger, after: int = 0) -> list[int]:
    return [event.payload["n"] for event in ledger.read(after)]


def test_append_and_read(ledger: Ledger) -> None:
    assert (len(ledger), ledger.last_seq, list(ledger)) == (0, 0, [])
    assert ledger.append([NewEvent("opened", {"b": [1, None, "é", 0.1], "a": {"x": True}})], expected=0) == 1
    assert ledger.append(notes(2, 3), expected=1) == 3
    assert ledger.append([], expected=3) == 3
    first, *rest = ledger
    assert (first.seq, first.kind, first.payload) == (1, "opened", {"a": {"x": True}, "b": [1, None, "é", 0.1]})
    assert [event.seq for event in rest] == [2, 3]
    assert len(ledger) == ledger.last_seq == 3
    age = datetime.now(UTC) - datetime.fromisoformat(first.created_at)
    assert timedelta(0) <= age < timedelta(minutes=1)
    assert first.created_at.endswith("+00:00")
    assert isinstance(first, Event)


def test_read_after(ledger: Ledger) -> None:
    ledger.append(notes(*range(1, 8)), expected=0)
    assert numbers(ledger, after=0) == [1, 2, 3, 4, 5, 6, 7]
    assert numbers(ledger, after=5) == [6, 7]
    assert numbers(ledger, after=7) == numbers(ledger, after=99) == []
    with pytest.raises(ValueError, match="got -1"):
        ledger.read(-1)


def test_reading_in_batches(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger.append(notes(*range(25)), expected=0)
    for batch in (1, 7, 25, 100):
        monkeypatch.setattr(module, "READ_BATCH", batch)
        assert numbers(ledger) == list(range(25))
        assert numbers(ledger, after=10) == list(range(10, 25))


def test_reading_sees_one_instant_while_others_write(place: str, ledger: Ledger) -> None:
    ledger.append(notes(1, 2), expected=0)
    events = ledger.read()
    next(events)
    with Ledger.open(place) as other:
        assert other.append(notes(3), expected=2) == 3
    assert [event.seq for event in events] == [2]
    assert ledger.last_seq == 3


def test_reopened_ledger_holds_the_same(place: str, ledger: Ledger) -> None:
    ledger.append(notes(1, 2), expected=0)
    before = list(ledger)
    sha = ledger.artifacts.put(b"abc")
    ledger.close()
    with Ledger.open(place) as again:
        assert list(again) == before
        assert again.artifacts.get(sha) == b"abc"
        assert again.name == ledger.name


def test_the_digest_is_the_documented_one(ledger: Ledger) -> None:
    """Runs keep it: another formula would orphan them."""
    ledger.append([NewEvent("opened", {"b": 1, "a": "é\\"}), NewEvent("noted", {})], expected=0)
    rows = list(ledger.rows())
    digest = "0" * 64
    for seq, *texts, stored in rows:
        kind, payload, created_at = (text.decode() for text in texts)
        digest = hashlib.sha256(f"{digest}\n{seq}\n{kind}\n{payload}\n{created_at}".encode()).hexdigest()
        assert stored == digest.encode()
        assert ledger.digest_of(seq) == digest
    assert rows[0].payload == b'{"a":"\\u00e9\\\\","b":1}'
    assert ledger.digest_of(3) is None


def test_conflict_writes_nothing(place: str, ledger: Ledger) -> None:
    ledger.append(notes(1), expected=0)
    with Ledger.open(place) as other:
        other.append(notes(2), expected=1)
    for expected in (0, 1, 3):
        with pytest.raises(LedgerConflict, match=f"its last event is 2, not {expected}"):
            ledger.append(notes(9, 9), expected=expected)
    with pytest.raises(LedgerConflict):
        ledger.append([], expected=1)
    assert numbers(ledger) == [1, 2]


@pytest.mark.parametrize("payload", [{"x": math.nan}, {"x": [{1, 2}]}, {"x": b"abc"}, {"x": [{1: 2}]}, {"x": 2**64}])
def test_a_payload_that_cannot_be_kept_keeps_nothing(ledger: Ledger, payload: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="x"):
        ledger.append([*notes(1), NewEvent("noted", payload)], expected=0)
    assert len(ledger) == 0


@pytest.mark.parametrize("kind", ["", "Noted", "a b", "a\nb", "a" * 65, "é", "'; DROP TABLE events; --"])
def test_kinds_are_names(ledger: Ledger, kind: str) -> None:
    with pytest.raises(ValueError, match="kind must be a lower-case name"):
        ledger.append([*notes(1), NewEvent(kind, {})], expected=0)
    assert len(ledger) == 0


PAYLOADS = st.dictionaries(
    st.text(max_size=4),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**63 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        # lone surrogates too: they are legal in JSON text, not in UTF-8
        | st.text(st.characters(), max_size=4),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=5,
    ),
    max_size=3,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PAYLOADS, max_size=4))
def test_any_json_comes_back(ledger: Ledger, payloads: list[dict[str, Any]]) -> None:
    start = ledger.last_seq
    ledger.append([NewEvent("noted", payload) for payload in payloads], expected=start)
    assert [event.payload for event in ledger.read(start)] == payloads


def test_threads_share_a_ledger(ledger: Ledger) -> None:
    def write(name: int) -> None:
        for n in range(5):
            while True:
                try:
                    ledger.append([NewEvent("noted", {"n": n, "by": name})], expected=ledger.last_seq)
                    break
                except LedgerConflict:
                    continue

    threads = [threading.Thread(target=write, args=(name,)) for name in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events = [(event.payload["by"], event.payload["n"]) for event in ledger]
    assert sorted(events) == [(name, n) for name in range(3) for n in range(5)]
    assert all([n for by, n in events if by == name] == list(range(5)) for name in range(3))


def test_closed_ledger_says_so(ledger: Ledger) -> None:
    ledger.close()
    ledger.close()
    for use in (lambda: len(ledger), lambda: list(ledger), lambda: ledger.append(notes(1), expected=0)):
        with pytest.raises(LedgerError, match="is closed: open it again"):
            use()


def test_create_refuses_a_run_that_is_there(place: str, ledger: Ledger) -> None:
    ledger.append(notes(1), expected=0)
    with pytest.raises(RunExists, match="holds a run already"):
        Ledger.create(place)
    assert numbers(ledger) == [1]


def test_one_of_many_creators_wins(place: str) -> None:
    outcomes: list[type] = []

    def create() -> None:
        try:
            Ledger.create(place).close()
            outcomes.append(Ledger)
        except RunExists:
            outcomes.append(RunExists)

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(kind.__name__ for kind in outcomes) == ["Ledger", "RunExists", "RunExists", "RunExists"]


def test_payloads_belong_to_the_reader(ledger: Ledger) -> None:
    payload = {"list": [1]}
    ledger.append([NewEvent("noted", payload)], expected=0)
    payload["list"].append(2)
    (event,) = ledger
    event.payload["list"].append(3)
    (again,) = ledger
    assert json.dumps(again.payload) == '{"list": [1]}'


def test_databases_say_that_they_are_sound(ledger: Ledger) -> None:
    assert ledger.faults() == []


def test_a_checkpoint_is_kept_and_replaced(place: str, ledger: Ledger) -> None:
    assert ledger.checkpoint() is None
    ledger.append(notes(1, 2, 3), expected=0)
    for seq in (2, 3, 1):  # the last one comes too late
        ledger.keep_checkpoint(
            Checkpoint(seq=seq, digest=ledger.digest_of(seq) or "", maker="test", data=b"\0" * 10 + bytes([seq]))
        )
    with Ledger.open(place) as again:
        found = again.checkpoint()
    assert found is not None
    assert (found.seq, found.maker, found.data) == (3, "test", b"\0" * 10 + b"\3")
    assert found.digest == ledger.digest_of(3)


def test_a_checkpoint_of_another_past_is_none(ledger: Ledger) -> None:
    ledger.append(notes(1, 2), expected=0)
    ledger.keep_checkpoint(Checkpoint(seq=2, digest=ledger.digest_of(1) or "", maker="test", data=b"x"))
    assert ledger.checkpoint() is None
    ledger.keep_checkpoint(Checkpoint(seq=9, digest="0" * 64, maker="test", data=b"x"))
    assert ledger.checkpoint() is None


def test_rows_restore_a_ledger_bit_for_bit(ledger: Ledger, tmp_path: Path) -> None:
    ledger.append([NewEvent("opened", {"a": "é", "x": [0.1, -0.0, 1e22]}), *notes(2, 3)], expected=0)
    with Ledger.create(tmp_path / "copy") as copy:
        assert copy.restore(ledger.rows()) == 3
        assert list(copy.rows()) == list(ledger.rows())
        assert list(copy) == list(ledger)
        with pytest.raises(LedgerConflict, match="holds 3 events already"):
            copy.restore(ledger.rows())


@pytest.mark.parametrize("damage", [{"payload": b"{}"}, {"seq": 4}, {"kind": None}, {"digest": b"0" * 64}])
def test_rows_that_do_not_chain_restore_nothing(ledger: Ledger, damage: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder, Ledger.create(f"{folder}/other") as other:
        other.append(notes(1, 2, 3), expected=0)
        rows = list(other.rows())
    rows[1] = rows[1]._replace(**damage)
    with pytest.raises(LedgerCorrupted, match="at event 2"):
        ledger.restore(rows)
    assert ledger.last_seq == 0
    assert ledger.append(notes(1), expected=0) == 1
