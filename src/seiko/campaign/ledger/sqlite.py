"""A run folder: `ledger.sqlite` and `artifacts/`.

SQLite in WAL mode lets others read while one writes; triggers refuse updates, deletions and insertions elsewhere than
at the end. What is committed waits in a log until it is moved into the database, and SQLite takes a damaged log, or one
that was not copied along, for a shorter one. So the last event is also noted in a small file, after each append: the
note may lag behind, and says which events must be there. A run folder is not to be put on a network file system.
"""

from __future__ import annotations

import os
import re
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import sqlalchemy as sa

from seiko.campaign.artifacts import ArtifactStore, LedgerError, LedgerReadOnly, can_write, sync_folder
from seiko.campaign.ledger import base
from seiko.campaign.ledger.base import SCHEMA, Ledger
from seiko.campaign.ledger.errors import LedgerBusy, LedgerCorrupted, LedgerVersionError, NoRun, RunExists
from seiko.campaign.ledger.events import GENESIS
from seiko.campaign.ledger.place import run_folder

__all__ = ["APPLICATION_ID", "CHECKPOINTS", "FILE", "TRIGGERS", "SQLiteLedger"]

FILE = "ledger.sqlite"
NOTE = "ledger.head"
_NOTE = re.compile(r"([0-9]{1,18}) ([0-9a-f]{64})\n", re.ASCII)
APPLICATION_ID = 0x5E1C0DB1  # marks the file as ours, in the header of the database

_metadata = sa.MetaData()
_events = sa.Table(
    "events",
    _metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("payload", sa.Text, nullable=False),
    sa.Column("created_at", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
)
CHECKPOINTS = sa.Table(
    "checkpoints",
    _metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("maker", sa.Text, nullable=False),
    sa.Column("sha", sa.Text, nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
)
_head = sa.Table(
    "head",
    _metadata,
    sa.Column("one", sa.Integer, sa.CheckConstraint("one = 1"), primary_key=True, autoincrement=False),
    sa.Column("last_seq", sa.Integer, nullable=False),
    sa.Column("last_digest", sa.Text, nullable=False),
)
TRIGGERS = {
    "events_no_update": "CREATE TRIGGER events_no_update BEFORE UPDATE ON events "
    "BEGIN SELECT RAISE(ABORT, 'events are never updated'); END",
    "events_no_delete": "CREATE TRIGGER events_no_delete BEFORE DELETE ON events "
    "BEGIN SELECT RAISE(ABORT, 'events are never deleted'); END",
    # INSERT OR REPLACE deletes without firing the trigger above.
    "events_at_end": "CREATE TRIGGER events_at_end BEFORE INSERT ON events "
    "WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM events) "
    "BEGIN SELECT RAISE(ABORT, 'events are only appended'); END",
}


class SQLiteLedger(Ledger):
    """The ledger of a run folder.

    Args:
        root: The folder.
        engine: Connections to its database.
        writable: Whether this process may append.
    """

    def __init__(self, root: Path, engine: sa.Engine, *, writable: bool) -> None:
        self.root = root
        super().__init__(
            name=root.absolute().name,
            where=str(root / FILE),
            place=str(root),
            artifacts=ArtifactStore(root / "artifacts"),
            engine=engine,
            events=_events,
            checkpoints=CHECKPOINTS,
            head=_head,
            mine={},
            writable=writable,
        )

    @classmethod
    def create(cls, place: Path | str) -> SQLiteLedger:
        """Make a run folder with an empty ledger; a creation that was killed is finished.

        Raises:
            RunExists: If there is a run already.
            LedgerReadOnly: If the folder cannot be made or written.
            LedgerCorrupted: If another database is there.
        """
        root = run_folder(place)
        if root.exists() and not root.is_dir():
            raise NoRun(f"{root} is a file, not a run folder: name a folder")
        try:
            (root / "artifacts").mkdir(parents=True, exist_ok=True)
        except PermissionError as error:
            raise LedgerReadOnly(f"cannot make the run folder {root} ({error.strerror}): choose another") from error
        except OSError as error:
            raise LedgerError(f"cannot make the run folder {root} ({error.strerror})") from error
        if not can_write(root):
            raise LedgerReadOnly(f"cannot write into the run folder {root}: choose another, or give yourself access")
        ledger = cls(root, _engine(root / FILE, "mode=rwc"), writable=True)
        try:
            with ledger._transaction(write=True) as connection:
                if not _is_blank(connection):
                    ledger._check_header(connection)
                    raise RunExists(f"{root} holds a run already: open it, or choose another folder")
                _metadata.create_all(connection)
                connection.execute(sa.insert(_head), {"one": 1, "last_seq": 0, "last_digest": GENESIS})
                for trigger in TRIGGERS.values():
                    connection.exec_driver_sql(trigger)
                connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA}")
        except BaseException:
            ledger.close()
            raise
        for folder in (root, root.absolute().parent):
            with suppress(OSError):  # the parent may belong to somebody else
                sync_folder(folder)
        return ledger

    @classmethod
    def open(cls, place: Path | str) -> SQLiteLedger:
        """Open the run in a folder; for reading only, if the folder cannot be written.

        Raises:
            NoRun: If there is none.
            LedgerCorrupted: If the database is not a ledger.
            LedgerVersionError: If a newer version of the library wrote it.
        """
        root = run_folder(place)
        if root.exists() and not root.is_dir():
            raise NoRun(f"{root} is a file, not a run folder: name a folder")
        path = root / FILE
        if not path.is_file():
            missing = "there is no such folder" if not root.exists() else f"the folder has no {FILE}"
            raise NoRun(f"no run at {root}: {missing}; start one with `seiko run` or check the name")
        writable = can_write(path) and can_write(root)
        ledger = cls(root, _engine(path, "mode=rw" if writable else _read_only_mode(path)), writable=writable)
        try:
            with ledger._transaction() as connection:
                if _is_blank(connection):
                    raise NoRun(f"no run at {root}: its {FILE} is blank, its creation was cut short; start anew")
                ledger._check_header(connection)
        except BaseException:
            ledger.close()
            raise
        return ledger

    def require_writable(self) -> None:
        """Raise before anything is spent if the run could not remember it.

        Raises:
            LedgerReadOnly: If the run folder, its database or its artifacts cannot be written.
        """
        places = (self.root, self.root / FILE, self.root / "artifacts")
        locked = [str(place) for place in places if place.exists() and not can_write(place)]
        if locked or not self._writable:
            raise LedgerReadOnly(
                f"cannot write to {', '.join(locked) or self.root}: give yourself write access or copy the run folder"
            )

    def faults(self) -> list[str]:
        """Say in words what is wrong with the database itself, beside its events; empty for nothing."""
        with self._transaction() as connection:
            found = [f"SQLite: {row[0]}" for row in connection.exec_driver_sql("PRAGMA integrity_check(20)")]
            rows = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
            kept = {row.name: row.sql for row in rows}
        found = [] if found == ["SQLite: ok"] else found
        for name, sql in TRIGGERS.items():
            if kept.get(name) != sql:
                found.append(f"the trigger {name}, which keeps the past from being changed, is missing or altered")
        return found

    def _why_missing(self) -> str:
        return f"; {FILE}-wal, where they may be, was not copied along or is damaged; without them, delete {NOTE}"

    def _noted(self, seq: int, digest: bytes) -> None:
        temporary = self.root / f".{NOTE}-{secrets.token_hex(8)}.tmp"
        with suppress(OSError):  # a note that is missing is only one safeguard less
            try:
                temporary.write_bytes(b"%d %b\n" % (seq, digest))
                os.replace(temporary, self.root / NOTE)
            finally:
                temporary.unlink(missing_ok=True)

    def _kept_head(self, connection: sa.Connection) -> tuple[int, str] | None:
        try:
            noted = _NOTE.fullmatch((self.root / NOTE).read_text("ascii"))
        except (OSError, ValueError):
            noted = None
        kept = super()._kept_head(connection)
        if self._head is None or kept is None or noted is None or int(noted[1]) <= kept[0]:
            return kept
        return int(noted[1]), noted[2]

    def _explain(self, error: sa.exc.DBAPIError) -> LedgerError:
        path, why = self.where, str(error.orig)
        code = getattr(error.orig, "sqlite_errorcode", None)
        primary = None if code is None else code & 0xFF  # the low byte is the class of the error
        if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return LedgerBusy(f"{path} has been held by another process for {base.BUSY_SECONDS} s: wait, or end it")
        if primary == sqlite3.SQLITE_READONLY:
            return LedgerReadOnly(f"cannot write to {path} ({why}): give yourself write access or copy the run folder")
        if primary == sqlite3.SQLITE_CANTOPEN:
            return LedgerError(f"cannot open {path} ({why}): copy the run folder to where you can write, and open that")
        if primary in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM):
            return LedgerError(f"cannot use {path} ({why}): free some space or repair the disk; nothing was written")
        if primary is None:
            return LedgerError(f"cannot use {path} ({why})")
        return LedgerCorrupted(f"{path} is not a sound ledger ({why}): restore the run folder from a backup")

    def _check_header(self, connection: sa.Connection) -> None:
        version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        if connection.exec_driver_sql("PRAGMA application_id").scalar_one() != APPLICATION_ID:
            raise LedgerCorrupted(f"{self.where} is a SQLite database, but not a seiko ledger: choose another folder")
        if version > SCHEMA:
            raise LedgerVersionError(
                f"{self.where} has schema {version}; this version of seiko reads up to {SCHEMA}: upgrade seiko"
            )
        tables = sa.inspect(connection)
        if not tables.has_table(_events.name):
            raise LedgerCorrupted(f"{self.where} has no table of events: restore the run folder from a backup")
        self.schema = version
        if version < 2:  # it has all that matters
            self._checkpoints = self._head = None

    @contextmanager
    def driver(self) -> Iterator[sqlite3.Connection]:
        """Give the driver's own connection, for a copy of the database or a change of its schema."""
        connection = sqlite3.connect(_uri(self.root / FILE, "mode=rw"), uri=True, timeout=base.BUSY_SECONDS)
        connection.isolation_level = None
        try:
            yield connection
        finally:
            connection.close()


def _is_blank(connection: sa.Connection) -> bool:
    tables = connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one()
    return not tables and not connection.exec_driver_sql("PRAGMA application_id").scalar_one()


def _engine(path: Path, mode: str) -> sa.Engine:
    uri = _uri(path, mode)
    engine = sa.create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(uri, uri=True, timeout=base.BUSY_SECONDS, check_same_thread=False),
        poolclass=sa.QueuePool,
    )
    sa.event.listen(engine, "connect", _prepare if mode.startswith("mode=rw") else _prepare_reader)
    sa.event.listen(engine, "begin", _begin)
    return engine


def _read_only_mode(path: Path) -> str:
    # Without a log beside it the database is complete in itself. SQLite would still want to make the log's index, which
    # it cannot in a folder that is read-only; `immutable` tells it to do without.
    log = path.with_name(f"{path.name}-wal")
    return "mode=ro" if log.exists() and log.stat().st_size else "mode=ro&immutable=1"


def _prepare(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # else the driver starts transactions by itself, and later than asked
    with suppress(sqlite3.OperationalError):  # two processes switching at once: the other one does it
        connection.execute("PRAGMA journal_mode = WAL").close()
    connection.execute("PRAGMA synchronous = FULL").close()
    connection.execute("PRAGMA foreign_keys = ON").close()


def _prepare_reader(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA query_only = ON").close()


def _begin(connection: sa.Connection) -> None:
    # IMMEDIATE takes the write lock before the last event is read, so that what was read stays true until the commit.
    write = connection.get_execution_options().get("seiko_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _uri(path: Path, mode: str) -> str:
    return f"{path.absolute().as_uri()}?{mode}"
