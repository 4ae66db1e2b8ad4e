"""The ledger only grows, in order, all or nothing, and says clearly what is wrong with a place."""

from __future__ import annotations

import hashlib
import json
import math
import os
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seiko.campaign import ledger as module
from seiko.campaign.ledger import (
    Event,
    Ledger,
    LedgerBusy,
    LedgerConflict,
    LedgerCorrupted,
    LedgerError,
    LedgerReadOnly,
    LedgerVersionError,
    NewEvent,
    NoRun,
    RunExists,
    run_folder,
)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.create(tmp_path / "run") as ledger:
        yield ledger


@contextmanager
def raw(ledger: Ledger) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(ledger.root / "ledger.sqlite", isolation_level=None)) as connection:
        yield connection


@contextmanager
def unprivileged() -> Iterator[None]:
    """Give up root's right to write everywhere, where the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Return a folder that other users may read; pytest's own are closed to them."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)
        for path in (Path(name), *Path(name).rglob("*")):
            path.chmod(0o755)


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


def test_reading_sees_one_instant_while_others_write(ledger: Ledger) -> None:
    ledger.append(notes(1, 2), expected=0)
    events = ledger.read()
    next(events)
    with Ledger.open(ledger.root) as other:
        assert other.append(notes(3), expected=2) == 3
    assert [event.seq for event in events] == [2]
    assert ledger.last_seq == 3


def test_reopened_ledger_holds_the_same(ledger: Ledger) -> None:
    ledger.append(notes(1, 2), expected=0)
    before = list(ledger)
    sha = ledger.artifacts.put(b"abc")
    ledger.close()
    for place in (ledger.root, str(ledger.root), f"sqlite:///{ledger.root}", f"sqlite:///{ledger.root}/ledger.sqlite"):
        with Ledger.open(place) as again:
            assert list(again) == before
            assert again.artifacts.get(sha) == b"abc"


def test_the_digest_is_the_documented_one(ledger: Ledger) -> None:
    """Run folders keep it: another formula would orphan them."""
    ledger.append([NewEvent("opened", {"b": 1, "a": "é"}), NewEvent("noted", {})], expected=0)
    with raw(ledger) as connection:
        rows = connection.execute("SELECT seq, kind, payload, created_at, digest FROM events ORDER BY seq").fetchall()
    digest = "0" * 64
    for seq, kind, payload, created_at, stored in rows:
        digest = hashlib.sha256(f"{digest}\n{seq}\n{kind}\n{payload}\n{created_at}".encode()).hexdigest()
        assert stored == digest
    assert rows[0][2] == '{"a":"\\u00e9","b":1}'


def test_the_database_is_set_up_for_safety(ledger: Ledger) -> None:
    with ledger._transaction() as connection:
        pragma = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys", "user_version")
        }
    assert pragma == {
        "journal_mode": "wal",
        "synchronous": 2,
        "busy_timeout": 30_000,
        "foreign_keys": 1,
        "user_version": 1,
    }


def test_conflict_writes_nothing(ledger: Ledger) -> None:
    ledger.append(notes(1), expected=0)
    with Ledger.open(ledger.root) as other:
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


def test_create_refuses_a_run_that_is_there(ledger: Ledger) -> None:
    ledger.append(notes(1), expected=0)
    with pytest.raises(RunExists, match="holds a run already"):
        Ledger.create(ledger.root)
    assert numbers(ledger) == [1]


def test_create_finishes_what_was_cut_short(tmp_path: Path) -> None:
    root = tmp_path / "deep" / "run"
    root.mkdir(parents=True)
    (root / "ledger.sqlite").touch()
    with pytest.raises(NoRun, match="its creation was cut short"):
        Ledger.open(root)
    with Ledger.create(root) as ledger:
        assert ledger.append(notes(1), expected=0) == 1


def test_one_of_many_creators_wins(tmp_path: Path) -> None:
    outcomes: list[type] = []

    def create() -> None:
        try:
            Ledger.create(tmp_path / "run").close()
            outcomes.append(Ledger)
        except RunExists:
            outcomes.append(RunExists)

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(kind.__name__ for kind in outcomes) == ["Ledger", "RunExists", "RunExists", "RunExists"]


def test_places_that_hold_no_run(tmp_path: Path) -> None:
    with pytest.raises(NoRun, match="there is no such folder"):
        Ledger.open(tmp_path / "absent")
    assert not (tmp_path / "absent").exists(), "looking must not make a folder"
    with pytest.raises(NoRun, match=r"the folder has no ledger\.sqlite"):
        Ledger.open(tmp_path)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("x")
    for use in (Ledger.open, Ledger.create):
        with pytest.raises(NoRun, match="is a file, not a run folder: name a folder"):
            use(tmp_path / "file")
    with pytest.raises(LedgerError, match="cannot make the run folder"):
        Ledger.create(tmp_path / "file" / "run")
    assert issubclass(NoRun, FileNotFoundError)


def test_databases_that_are_not_ledgers(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"this is not a database " * 100)
    for use in (Ledger.open, Ledger.create):
        with pytest.raises(LedgerCorrupted, match=r"ledger\.sqlite is not a sound ledger .*restore"):
            use(tmp_path)
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE events (seq)")
    for use in (Ledger.open, Ledger.create):
        with pytest.raises(LedgerCorrupted, match="a SQLite database, but not a seiko ledger"):
            use(tmp_path)


def test_newer_ledgers_are_refused(ledger: Ledger) -> None:
    with raw(ledger) as connection:
        connection.execute("PRAGMA user_version = 2")
    ledger.close()
    with pytest.raises(LedgerVersionError, match=r"has schema 2; this version of seiko reads up to 1: upgrade seiko"):
        Ledger.open(ledger.root)


def test_places_are_folders_or_sqlite_urls() -> None:
    for place in ("runs/qed", Path("runs/qed"), "sqlite:///runs/qed", "sqlite:///runs/qed/ledger.sqlite"):
        assert run_folder(place) == Path("runs/qed")
    assert run_folder("sqlite:////runs/qed") == Path("/runs/qed")
    for place in ("sqlite://", "sqlite:///", "sqlite:///runs?mode=ro", "SQLite://host/run"):
        with pytest.raises(LedgerError, match="with three slashes and without options"):
            run_folder(place)
    for url in ("postgresql://me:secret@host/db", Path("postgresql://me:secret@host/db"), "postgresql+psycopg://h/d"):
        with pytest.raises(LedgerError, match="ledgers are not supported in this version") as caught:
            Ledger.create(url)
        assert "secret" not in str(caught.value)


def test_odd_folder_names(tmp_path: Path) -> None:
    root = tmp_path / "50% done? #1 é'"
    with Ledger.create(root) as ledger:
        ledger.append(notes(1), expected=0)
    with Ledger.open(root) as ledger:
        assert numbers(ledger) == [1]
    assert {path.name for path in root.iterdir()} == {"ledger.sqlite", "artifacts"}


@pytest.mark.parametrize("left_open", [False, True])
def test_read_only_folder_can_be_read(open_folder: Path, left_open: bool) -> None:
    """With its log beside it (another process holds the run) and without."""
    with Ledger.create(open_folder / "run") as ledger:
        ledger.append(notes(1, 2), expected=0)
        if not left_open:
            ledger.close()
        for path in (ledger.root, *ledger.root.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
        before = {path.name for path in ledger.root.iterdir()}
        with unprivileged(), Ledger.open(ledger.root) as reader:
            assert numbers(reader) == [1, 2]
            assert len(reader) == 2
            assert not reader.writable
            for use in (reader.require_writable, lambda: reader.append(notes(3), expected=2)):
                with pytest.raises(LedgerReadOnly, match=r"cannot write to .*run.*copy the run folder"):
                    use()
        assert {path.name for path in ledger.root.iterdir()} == before


def test_what_is_not_writable_is_found_before_anything_is_spent(open_folder: Path) -> None:
    with Ledger.create(open_folder / "run") as ledger:
        ledger.require_writable()
        assert ledger.writable
        ledger.root.chmod(0o777)
        (ledger.root / "ledger.sqlite").chmod(0o666)
        ledger.artifacts.root.chmod(0o555)
        with unprivileged(), pytest.raises(LedgerReadOnly, match=r"cannot write to [^,]*/run/artifacts: "):
            ledger.require_writable()
    open_folder.chmod(0o555)
    with unprivileged():
        with pytest.raises(LedgerReadOnly, match="cannot make the run folder"):
            Ledger.create(open_folder / "other")
        (ledger.root / "x").touch()


def test_a_ledger_held_too_long_is_busy(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.1)
    with Ledger.open(ledger.root) as impatient, raw(ledger) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerBusy, match="held by another process"):
            impatient.append(notes(1), expected=0)
        assert impatient.last_seq == 0, "reading goes on"
        holder.execute("ROLLBACK")
        assert impatient.append(notes(1), expected=0) == 1


def test_payloads_belong_to_the_reader(ledger: Ledger) -> None:
    payload = {"list": [1]}
    ledger.append([NewEvent("noted", payload)], expected=0)
    payload["list"].append(2)
    (event,) = ledger
    event.payload["list"].append(3)
    (again,) = ledger
    assert json.dumps(again.payload) == '{"list": [1]}'
