"""An older ledger is read and written as it is, and taken forward with a copy, all or nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from seiko.campaign.ledger import Checkpoint, Ledger, LedgerError, NewEvent, migration
from seiko.campaign.ledger.base import SCHEMA
from seiko.campaign.ledger.events import GENESIS, chained
from seiko.campaign.ledger.migration import migrate
from seiko.campaign.ledger.sqlite import SQLiteLedger

# As the first version wrote it.
SCHEMA_1 = """
PRAGMA journal_mode = WAL;
CREATE TABLE events (seq INTEGER NOT NULL, kind TEXT NOT NULL, payload TEXT NOT NULL, created_at TEXT NOT NULL,
    digest TEXT NOT NULL, PRIMARY KEY (seq));
CREATE TRIGGER events_no_update BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events are never updated'); END;
CREATE TRIGGER events_no_delete BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events are never deleted'); END;
CREATE TRIGGER events_at_end BEFORE INSERT ON events \
WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM events) \
BEGIN SELECT RAISE(ABORT, 'events are only appended'); END;
PRAGMA application_id = 1578896817;
PRAGMA user_version = 1;
"""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    root = tmp_path / "run"
    (root / "artifacts").mkdir(parents=True)
    with closing(sqlite3.connect(root / "ledger.sqlite", isolation_level=None)) as connection:
        connection.executescript(SCHEMA_1)
        digest = GENESIS.encode()
        for n in (1, 2):
            digest = chained(digest, n, b"noted", b"{}", b"2026-01-01T00:00:00.000000+00:00")
            row = (n, "noted", "{}", "2026-01-01T00:00:00.000000+00:00", digest.decode())
            connection.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?)", row)
    return root


def layout(path: Path) -> set[tuple[str, str]]:
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    return {(name, "".join(sql.split())) for name, sql in rows}


def test_an_old_ledger_works_as_it_is(old: Path) -> None:
    with Ledger.open(old) as ledger:
        assert ledger.schema == 1
        assert ledger.append([NewEvent("noted", {})], expected=2) == 3
        ledger.keep_checkpoint(Checkpoint(seq=3, digest=ledger.digest_of(3) or "", maker="test", data=b"x"))
        assert ledger.checkpoint() is None
        assert len(list(ledger)) == 3
        assert ledger.faults() == []


def test_it_is_taken_forward_with_a_copy(old: Path, tmp_path: Path) -> None:
    with Ledger.open(old) as ledger:
        rows = list(ledger.rows())
    before = layout(old / "ledger.sqlite")
    copy = migrate(old)
    assert copy is not None
    assert copy.parent == old
    assert layout(copy) == before
    with SQLiteLedger.create(tmp_path / "new") as new:
        assert layout(old / "ledger.sqlite") == layout(new.root / "ledger.sqlite")
    with Ledger.open(old) as ledger:
        assert ledger.schema == SCHEMA
        assert list(ledger.rows()) == rows
        assert ledger.faults() == []
    assert migrate(old) is None
    (tmp_path / "restored" / "artifacts").mkdir(parents=True)
    copy.rename(tmp_path / "restored" / "ledger.sqlite")
    with Ledger.open(tmp_path / "restored") as restored:
        assert (restored.schema, list(restored.rows())) == (1, rows)


def test_a_step_that_fails_changes_nothing(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = layout(old / "ledger.sqlite")
    monkeypatch.setitem(migration.STEPS, 1, (*migration.STEPS[1], "CREATE TABLE events (again)"))
    with pytest.raises(sqlite3.OperationalError):
        migrate(old)
    assert layout(old / "ledger.sqlite") == before
    with Ledger.open(old) as ledger:
        assert (ledger.schema, len(list(ledger))) == (1, 2)


def test_the_copy_never_replaces_a_file(old: Path, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("x")
    with pytest.raises(LedgerError, match="there exists: name another file for the copy; nothing was changed"):
        migrate(old, tmp_path / "there")
    with pytest.raises(LedgerError, match=r"cannot copy the ledger to .*; nothing was changed"):
        migrate(old, tmp_path / "no" / "folder")
    with Ledger.open(old) as ledger:
        assert ledger.schema == 1


def test_servers_have_the_newest_schema(server: str) -> None:
    place = f"{server}&run=migrated"
    Ledger.create(place).close()
    assert migrate(place) is None
