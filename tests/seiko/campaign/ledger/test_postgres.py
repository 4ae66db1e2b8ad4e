"""A server keeps several runs apart, refuses changes to the past, and tells no password."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from seiko.campaign.artifacts import ArtifactCorrupted, ArtifactMissing
from seiko.campaign.ledger import (
    Ledger,
    LedgerBusy,
    LedgerCorrupted,
    LedgerError,
    LedgerReadOnly,
    LedgerVersionError,
    NewEvent,
    NoRun,
    artifact_table,
)
from seiko.campaign.ledger import base as module

psycopg = pytest.importorskip("psycopg")


@pytest.fixture
def database(server: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """Yield the URL of a database of its own."""
    name = f"db{abs(hash(request.node.nodeid))}"
    with raw(server) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield server.replace("/postgres?", f"/{name}?")
    with raw(server) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def raw(url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(url.split("&run=")[0], autocommit=True) as connection:
        yield connection


@contextmanager
def unguarded(url: str, table: str) -> Iterator[psycopg.Connection]:
    """Connect as somebody who has switched the triggers of a table off."""
    with raw(url) as connection:
        connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        yield connection
        connection.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def notes(*numbers: int) -> list[NewEvent]:
    return [NewEvent("noted", {"n": n}) for n in numbers]


def test_runs_of_one_database_are_apart(database: str) -> None:
    with Ledger.create(f"{database}&run=a") as a, Ledger.create(f"{database}&run=b") as b:
        a.append(notes(1, 2), expected=0)
        b.append(notes(7), expected=0)
        sha = a.artifacts.put(b"abc")
        assert [event.payload["n"] for event in b] == [7]
        assert [event.payload["n"] for event in a] == [1, 2]
        assert list(a.artifacts.names()) == [sha]
        assert list(b.artifacts.names()) == []
        with pytest.raises(ArtifactMissing, match=rf"{sha} of postgresql://.*run=b is missing"):
            b.artifacts.get(sha)
    with pytest.raises(NoRun, match=r"run=c: the runs of this database are a, b$"):
        Ledger.open(f"{database}&run=c")


def test_databases_that_hold_no_runs(database: str) -> None:
    with pytest.raises(NoRun, match="the database holds no runs"):
        Ledger.open(f"{database}&run=a")
    Ledger.create(f"{database}&run=a").close()
    with raw(database) as connection:
        connection.execute("UPDATE seiko_schema SET version = 3")
    for use in (lambda: Ledger.open(f"{database}&run=a"), lambda: Ledger.create(f"{database}&run=b")):
        with pytest.raises(LedgerVersionError, match="has schema 3; this version of seiko reads up to 2"):
            use()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE seiko_events SET payload = '{}' WHERE seq = 2",
        "DELETE FROM seiko_events WHERE seq = 3",
        "TRUNCATE seiko_events",
        "INSERT INTO seiko_events SELECT run, 9, kind, payload, created_at, digest FROM seiko_events WHERE seq = 3",
        "INSERT INTO seiko_events SELECT run, 0, kind, payload, created_at, digest FROM seiko_events WHERE seq = 3",
        "INSERT INTO seiko_events SELECT run, 3, kind, payload, created_at, digest FROM seiko_events WHERE seq = 2 "
        "ON CONFLICT (run, seq) DO UPDATE SET payload = excluded.payload",
        "DELETE FROM seiko_artifacts",
        "TRUNCATE seiko_artifacts",
        "UPDATE seiko_artifacts SET data = 'x'",
        "INSERT INTO seiko_artifacts SELECT run, repeat('0', 64), data FROM seiko_artifacts",
        "DELETE FROM seiko_runs",
    ],
)
def test_the_past_cannot_be_changed(database: str, statement: str) -> None:
    with Ledger.create(f"{database}&run=a") as ledger:
        ledger.append(notes(1, 2, 3), expected=0)
        sha = ledger.artifacts.put(b"abc")
        with raw(database) as connection, pytest.raises(psycopg.Error, match=r"never|appended|violates"):
            connection.execute(statement)
        assert [event.payload["n"] for event in ledger] == [1, 2, 3]
        assert ledger.artifacts.get(sha) == b"abc"


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("UPDATE seiko_events SET payload = '{}' WHERE seq = 2", "event 2 .its digest differs"),
        ("UPDATE seiko_events SET created_at = '2001' WHERE seq = 2", "event 2 .its digest differs"),
        ("DELETE FROM seiko_events WHERE seq = 2", "event 2 .it is missing, the next is 3"),
        ("DELETE FROM seiko_events WHERE seq = 1", "event 1 .it is missing, the next is 2"),
    ],
)
def test_who_gets_past_the_triggers_is_found(database: str, statement: str, why: str) -> None:
    with Ledger.create(f"{database}&run=a") as ledger:
        ledger.append(notes(1, 2, 3), expected=0)
        with unguarded(database, "seiko_events") as connection:
            connection.execute(statement)
            assert any("seiko_events_kept" in fault for fault in ledger.faults())
        assert ledger.faults() == []
        with pytest.raises(LedgerCorrupted, match=why):
            list(ledger)


def test_an_altered_guard_is_a_fault(database: str) -> None:
    with Ledger.create(f"{database}&run=a") as ledger, raw(database) as connection:
        connection.execute(
            "CREATE OR REPLACE FUNCTION seiko_refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"
        )
        assert [fault.split(",")[0] for fault in ledger.faults()] == ["seiko_refuse"]


def test_damaged_artifacts_are_found_and_repaired(database: str) -> None:
    with Ledger.create(f"{database}&run=a") as ledger:
        sha = ledger.artifacts.put(b"abc")
        with raw(database) as connection:
            connection.execute("ALTER TABLE seiko_artifacts DROP CONSTRAINT seiko_artifacts_named_by_content")
            connection.execute("UPDATE seiko_artifacts SET data = 'abd'")
        with pytest.raises(ArtifactCorrupted, match=f"{sha} of .* is damaged"):
            ledger.artifacts.get(sha)
        assert ledger.artifacts.put(b"abc") == sha
        assert ledger.artifacts.get(sha) == b"abc"


def test_large_artifacts_are_refused_at_once(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifact_table, "LIMIT", 2**20)
    with Ledger.create(f"{database}&run=a") as ledger:
        ledger.artifacts.put(bytes(2**20))
        with pytest.raises(LedgerError, match="takes 1 MiB: tune fewer weights"):
            ledger.artifacts.put(bytes(2**20 + 1))


def test_who_may_only_read_reads(database: str) -> None:
    with Ledger.create(f"{database}&run=a") as ledger:
        ledger.append(notes(1), expected=0)
    with raw(database) as connection:
        connection.execute("DROP ROLE IF EXISTS reader")
        connection.execute("CREATE ROLE reader LOGIN")
        connection.execute("GRANT SELECT ON seiko_schema, seiko_runs, seiko_events, seiko_artifacts TO reader")
        connection.execute("GRANT SELECT ON seiko_checkpoints TO reader")
    with Ledger.open(f"{database.replace('seiko@', 'reader@')}&run=a") as ledger:
        assert not ledger.writable
        assert [event.payload["n"] for event in ledger] == [1]
        for use in (ledger.require_writable, lambda: ledger.append(notes(2), expected=1)):
            with pytest.raises(LedgerReadOnly, match="may not insert into"):
                use()
        with pytest.raises(LedgerReadOnly, match="cannot write"):
            ledger.artifacts.put(b"abc")
    with raw(database) as connection:
        connection.execute("DROP OWNED BY reader")
        connection.execute("DROP ROLE reader")


def test_a_run_held_too_long_is_busy(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.1)
    with Ledger.create(f"{database}&run=a") as ledger, Ledger.create(f"{database}&run=b") as other:
        with psycopg.connect(database) as holder:
            holder.execute("SELECT pg_advisory_xact_lock(hashtextextended('seiko a', 0))")
            with pytest.raises(LedgerBusy, match=r"held by another process for 0.1 s"):
                ledger.append(notes(1), expected=0)
            assert ledger.last_seq == 0, "reading goes on"
            assert other.append(notes(1), expected=0) == 1, "other runs are not held"
        assert ledger.append(notes(1), expected=0) == 1


def test_the_connection_may_break(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that restarts is found again; an append in the middle of it is an error, not a traceback."""
    with Ledger.create(f"{database}&run=a") as ledger:
        ledger.append(notes(1), expected=0)

        def end_sessions() -> None:
            with raw(database) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )

        end_sessions()
        assert ledger.append(notes(2), expected=1) == 2
        monkeypatch.setattr(ledger, "_lock", lambda connection: end_sessions())
        with pytest.raises(LedgerError, match=r"cannot reach .* repeat the command"):
            ledger.append(notes(3), expected=2)
        assert len(ledger) == 2


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hush1@127.0.0.1:1/db?run=a",
        "postgresql://me@127.0.0.1:1/db?run=a&password=hush1",
        "postgresql://me:hush1@127.0.0.1:1/db?run=a&no_such_option=hush1",
    ],
)
def test_no_error_tells_a_password(url: str) -> None:
    with pytest.raises(LedgerError) as caught:
        Ledger.open(url)
    assert "hush1" not in str(caught.value)


def test_a_wrong_password_is_not_told(server: str) -> None:
    place = f"{server.replace('seiko@', 'locked:hush1@')}&run=a"
    with pytest.raises(LedgerError, match="password authentication failed") as caught:
        Ledger.open(place)
    assert not re.search("hush1", str(caught.value))


def test_settings_that_make_it_durable(database: str) -> None:
    with Ledger.create(f"{database}&run=a") as ledger, ledger._transaction() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
        assert connection.exec_driver_sql("SHOW lock_timeout").scalar() == "30s"
        assert connection.exec_driver_sql("SHOW transaction_isolation").scalar() == "read committed"


def test_two_runs_append_side_by_side(database: str) -> None:
    def write(name: str) -> None:
        with Ledger.open(f"{database}&run={name}") as ledger:
            for n in range(20):
                ledger.append(notes(n), expected=n)

    for name in ("a", "b"):
        Ledger.create(f"{database}&run={name}").close()
    threads = [threading.Thread(target=write, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in ("a", "b"):
        with Ledger.open(f"{database}&run={name}") as ledger:
            assert [event.payload["n"] for event in ledger] == list(range(20))
