"""A run folder says clearly what is wrong with it, and can be read where it cannot be written."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from seiko.campaign.ledger import (
    Ledger,
    LedgerBusy,
    LedgerCorrupted,
    LedgerError,
    LedgerReadOnly,
    LedgerVersionError,
    NewEvent,
    NoRun,
)
from seiko.campaign.ledger import base as module
from seiko.campaign.ledger.sqlite import SQLiteLedger


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SQLiteLedger]:
    with SQLiteLedger.create(tmp_path / "run") as ledger:
        yield ledger


@contextmanager
def raw(ledger: SQLiteLedger) -> Iterator[sqlite3.Connection]:
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


def test_the_database_is_set_up_for_safety(ledger: SQLiteLedger) -> None:
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
        "user_version": 2,
    }


def test_create_finishes_what_was_cut_short(tmp_path: Path) -> None:
    root = tmp_path / "deep" / "run"
    root.mkdir(parents=True)
    (root / "ledger.sqlite").touch()
    with pytest.raises(NoRun, match="its creation was cut short"):
        Ledger.open(root)
    with Ledger.create(root) as ledger:
        assert ledger.append(notes(1), expected=0) == 1


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


def test_newer_ledgers_are_refused(ledger: SQLiteLedger) -> None:
    with raw(ledger) as connection:
        connection.execute("PRAGMA user_version = 3")
    ledger.close()
    with pytest.raises(LedgerVersionError, match=r"has schema 3; this version of seiko reads up to 2: upgrade seiko"):
        Ledger.open(ledger.root)


def test_odd_folder_names(tmp_path: Path) -> None:
    root = tmp_path / "50% done? #1 é'"
    with Ledger.create(root) as ledger:
        ledger.append(notes(1), expected=0)
    with Ledger.open(root) as ledger:
        assert numbers(ledger) == [1]
    assert {path.name for path in root.iterdir()} == {"ledger.sqlite", "ledger.head", "artifacts"}


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


def test_a_ledger_held_too_long_is_busy(ledger: SQLiteLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.1)
    with Ledger.open(ledger.root) as impatient, raw(ledger) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerBusy, match="held by another process"):
            impatient.append(notes(1), expected=0)
        assert impatient.last_seq == 0, "reading goes on"
        holder.execute("ROLLBACK")
        assert impatient.append(notes(1), expected=0) == 1


def test_urls_name_the_same_run(ledger: SQLiteLedger) -> None:
    ledger.append(notes(1), expected=0)
    for place in (ledger.root, str(ledger.root), f"sqlite:///{ledger.root}", f"sqlite:///{ledger.root}/ledger.sqlite"):
        with Ledger.open(place) as again:
            assert numbers(again) == [1]
            assert again.name == "run"


@pytest.mark.parametrize("name", ["events_no_update", "events_no_delete", "events_at_end"])
def test_a_missing_trigger_is_a_fault(ledger: SQLiteLedger, name: str) -> None:
    with raw(ledger) as connection:
        connection.execute(f"DROP TRIGGER {name}")
    assert [name in fault for fault in ledger.faults()] == [True]


def test_a_checkpoint_that_was_damaged_is_none(ledger: SQLiteLedger) -> None:
    ledger.append(notes(1), expected=0)
    ledger.keep_checkpoint(module.Checkpoint(seq=1, digest=ledger.digest_of(1) or "", maker="test", data=b"abc"))
    assert ledger.checkpoint() is not None
    with raw(ledger) as connection:
        connection.execute("UPDATE checkpoints SET data = x'616264'")
    assert ledger.checkpoint() is None


def test_a_log_that_was_not_copied_is_missed(ledger: SQLiteLedger, tmp_path: Path) -> None:
    ledger.append(notes(1), expected=0)
    ledger.append(notes(2), expected=1)
    shutil.copytree(ledger.root, tmp_path / "copy")
    assert (tmp_path / "copy" / "ledger.sqlite-wal").stat().st_size > 0
    (tmp_path / "copy" / "ledger.sqlite-wal").write_bytes(b"")
    shutil.copyfile(old_database(tmp_path), tmp_path / "copy" / "ledger.sqlite")
    with Ledger.open(tmp_path / "copy") as copy:
        for use in (lambda: list(copy), lambda: copy.last_seq, lambda: copy.append(notes(9), expected=0)):
            with pytest.raises(LedgerCorrupted, match=r"event 1 .it is missing, and so are all to 2.*-wal.*not copied"):
                use()
        (tmp_path / "copy" / "ledger.head").unlink()
        assert copy.append(notes(9), expected=0) == 1, "who knows better goes on"


def old_database(tmp_path: Path) -> Path:
    SQLiteLedger.create(tmp_path / "old").close()
    return tmp_path / "old" / "ledger.sqlite"


@pytest.mark.parametrize("note", [b"", b"x", b"1 \xff", b"0 " + b"0" * 64 + b"\n", b"9" * 5000])
def test_a_note_that_lags_or_is_torn_is_passed_over(ledger: SQLiteLedger, note: bytes) -> None:
    ledger.append(notes(1), expected=0)
    (ledger.root / "ledger.head").write_bytes(note)
    assert numbers(ledger) == [1]
    assert ledger.append(notes(2), expected=1) == 2
    assert (ledger.root / "ledger.head").read_text() == f"2 {ledger.digest_of(2)}\n"
