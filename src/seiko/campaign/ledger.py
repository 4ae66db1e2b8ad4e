"""What a run remembers: one table of events that only ever grows.

A run folder holds ``ledger.sqlite`` and ``artifacts/``. The past is append-only, the present is a fold over it. Events
are numbered 1, 2, ... without gaps and chained:

    digest_n = SHA-256(digest_(n-1), n, kind, payload, created_at),     digest_0 = 64 zeros

so an edited, torn or missing row is found by whoever reads. The chain finds accidents and careless edits, not a forger
who computes it anew, nor events cut off at the very end; triggers refuse updates, deletions and insertions elsewhere
than at the end. `append` is all or nothing and optimistic: it says which event it believes to be the last one. What the
events mean is not decided here.
"""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import sqlalchemy as sa

from seiko.campaign.artifacts import ArtifactStore, LedgerError, LedgerReadOnly, can_write, sync_folder
from seiko.config import JSON, canonical_json

__all__ = [
    "Event",
    "Ledger",
    "LedgerBusy",
    "LedgerConflict",
    "LedgerCorrupted",
    "LedgerError",
    "LedgerReadOnly",
    "LedgerVersionError",
    "NewEvent",
    "NoRun",
    "RunExists",
    "run_folder",
]

SCHEMA = 1
APPLICATION_ID = 0x5E1C0DB1  # marks the file as ours, in the header of the database
BUSY_SECONDS = 30
READ_BATCH = 2000
_GENESIS = "0" * 64
_KIND = re.compile(r"[a-z][a-z0-9_.-]{0,63}", re.ASCII)
_URL = re.compile(r"([a-z][a-z0-9+.-]+):/(.*)", re.ASCII | re.IGNORECASE | re.DOTALL)  # one slash: Path eats the other

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
_TRIGGERS = (
    "CREATE TRIGGER events_no_update BEFORE UPDATE ON events "
    "BEGIN SELECT RAISE(ABORT, 'events are never updated'); END",
    "CREATE TRIGGER events_no_delete BEFORE DELETE ON events "
    "BEGIN SELECT RAISE(ABORT, 'events are never deleted'); END",
    # INSERT OR REPLACE deletes without firing the trigger above.
    "CREATE TRIGGER events_at_end BEFORE INSERT ON events "
    "WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM events) "
    "BEGIN SELECT RAISE(ABORT, 'events are only appended'); END",
)


class NoRun(LedgerError, FileNotFoundError):
    """There is no run at this place."""


class RunExists(LedgerError, FileExistsError):
    """There is a run at this place already."""


class LedgerConflict(LedgerError):
    """Another process appended first; fold again and decide anew."""


class LedgerCorrupted(LedgerError):
    """The database is not what was written."""


class LedgerVersionError(LedgerError):
    """The ledger was written by a newer version of the library."""


class LedgerBusy(LedgerError):
    """Another process held the ledger for too long."""


@dataclass(frozen=True, slots=True)
class NewEvent:
    """Something that happened and is to be remembered.

    Args:
        kind: Lower-case name, for example ``"labelled"``.
        payload: Plain JSON; copied into the ledger, never referred to.
    """

    kind: str
    payload: Mapping[str, JSON]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that is remembered.

    Args:
        seq: Its number, from 1 without gaps.
        kind: Its name.
        payload: Plain JSON; the caller owns it.
        created_at: When it was appended, UTC, ISO 8601.
    """

    seq: int
    kind: str
    payload: dict[str, Any]
    created_at: str


def run_folder(place: Path | str) -> Path:
    """Return the run folder that a path or a ``sqlite:///`` URL names.

    ``sqlite:///runs/qed``, ``sqlite:///runs/qed/ledger.sqlite`` and ``runs/qed`` are the same run.

    Raises:
        LedgerError: If it is a URL of another kind. The message holds the scheme only, for a URL may hold a password.
    """
    url = _URL.fullmatch(str(place))
    if url is None:
        return Path(place)
    # sqlite:///relative, sqlite:////absolute
    scheme, rest = url[1].lower(), url[2].removeprefix("/")
    if scheme != "sqlite":
        raise LedgerError(f"{scheme}:// ledgers are not supported in this version: use a folder or sqlite:///FOLDER")
    if not rest.startswith("/") or rest == "/" or "?" in rest:
        raise LedgerError("a SQLite ledger is named sqlite:///FOLDER, with three slashes and without options")
    path = Path(rest[1:])
    return path.parent if path.name == "ledger.sqlite" else path


class Ledger:
    """The events and artifacts of one run folder.

    Several processes may hold the same run; SQLite in WAL mode lets them read while one writes. A ledger is not to be
    carried over a fork, nor to be put on a network file system. Make one with `create` or `open`.
    """

    def __init__(self, root: Path, engine: sa.Engine, *, writable: bool) -> None:
        self.root = root
        self.artifacts = ArtifactStore(root / "artifacts")
        self._engine = engine
        self._writable = writable
        self._closed = False

    @classmethod
    def create(cls, root: Path | str) -> Ledger:
        """Make a run folder with an empty ledger; a creation that was killed is finished.

        Raises:
            RunExists: If there is a run already.
            LedgerReadOnly: If the folder cannot be made or written.
            LedgerCorrupted: If another database is there.
        """
        root = run_folder(root)
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
        ledger = cls(root, _engine(root / "ledger.sqlite", "mode=rwc"), writable=True)
        try:
            with ledger._transaction(write=True) as connection:
                if not ledger._is_blank(connection):
                    ledger._check_header(connection)
                    raise RunExists(f"{root} holds a run already: open it, or choose another folder")
                _metadata.create_all(connection)
                for trigger in _TRIGGERS:
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
    def open(cls, root: Path | str) -> Ledger:
        """Open the run in a folder; for reading only, if the folder cannot be written.

        Raises:
            NoRun: If there is none.
            LedgerCorrupted: If the database is not a ledger.
            LedgerVersionError: If a newer version of the library wrote it.
        """
        root = run_folder(root)
        if root.exists() and not root.is_dir():
            raise NoRun(f"{root} is a file, not a run folder: name a folder")
        path = root / "ledger.sqlite"
        if not path.is_file():
            missing = "there is no such folder" if not root.exists() else "the folder has no ledger.sqlite"
            raise NoRun(f"no run at {root}: {missing}; start one with `seiko run` or check the name")
        writable = can_write(path) and can_write(root)
        ledger = cls(root, _engine(path, "mode=rw" if writable else _read_only_mode(path)), writable=writable)
        try:
            with ledger._transaction() as connection:
                if ledger._is_blank(connection):
                    raise NoRun(f"no run at {root}: its ledger.sqlite is blank, its creation was cut short; start anew")
                ledger._check_header(connection)
        except BaseException:
            ledger.close()
            raise
        return ledger

    @property
    def writable(self) -> bool:
        """Whether this process may append."""
        return self._writable

    def require_writable(self) -> None:
        """Raise before anything is spent if the run could not remember it.

        Raises:
            LedgerReadOnly: If the run folder, its database or its artifacts cannot be written.
        """
        places = (self.root, self.root / "ledger.sqlite", self.artifacts.root)
        locked = [str(place) for place in places if place.exists() and not can_write(place)]
        if locked or not self._writable:
            raise LedgerReadOnly(
                f"cannot write to {', '.join(locked) or self.root}: give yourself write access or copy the run folder"
            )

    @property
    def last_seq(self) -> int:
        """Number of the last event, 0 if there is none."""
        with self._transaction() as connection:
            return connection.execute(sa.select(sa.func.max(_events.c.seq))).scalar_one() or 0

    def __len__(self) -> int:
        return self.last_seq

    def __iter__(self) -> Iterator[Event]:
        return self.read()

    def append(self, events: Sequence[NewEvent], *, expected: int) -> int:
        """Append all of the events if the last one is still `expected`, else none; on return they survive a power cut.

        Args:
            events: What happened, in order.
            expected: Number of the last event that the caller has folded, 0 for an empty ledger.

        Returns:
            Number of the last event now.

        Raises:
            LedgerConflict: If another process appended meanwhile; nothing was written.
            LedgerReadOnly: If the run folder cannot be written.
            LedgerError: If the disk is full or fails; nothing was written.
            ValueError: If a kind or a payload cannot be kept; nothing was written.
        """
        bodies = [(_checked_kind(event.kind), canonical_json(dict(event.payload))) for event in events]
        if not self._writable:
            self.require_writable()
        created_at = datetime.now(UTC).isoformat(timespec="microseconds")
        with self._transaction(write=True) as connection:
            newest = sa.select(_events.c.seq, _events.c.digest).order_by(_events.c.seq.desc()).limit(1)
            seq, digest = connection.execute(newest).one_or_none() or (0, _GENESIS)
            if seq != expected:
                raise LedgerConflict(
                    f"{self.root} was written by another process: its last event is {seq}, not {expected}; "
                    "fold the new events and decide anew"
                )
            rows = []
            for seq, (kind, payload) in enumerate(bodies, start=expected + 1):
                link = (digest.encode(), seq, kind.encode(), payload.encode(), created_at.encode())
                digest = _chained(*link).decode()
                rows.append({"seq": seq, "kind": kind, "payload": payload, "created_at": created_at, "digest": digest})
            if rows:
                connection.execute(sa.insert(_events), rows)
        return expected + len(rows)

    def read(self, after: int = 0) -> Iterator[Event]:
        """Yield the events that follow number `after`, verifying the chain; the view is that of one instant.

        Raises:
            ValueError: If `after` is negative.
            LedgerCorrupted: At the first event that is not what was written; it is named.
        """
        if after < 0:
            raise ValueError(f"after must be the number of an event, or 0 for all, got {after}")
        return self._read(after)

    def close(self) -> None:
        """Let go of the database; the ledger cannot be used afterwards. Closing twice does nothing."""
        self._closed = True
        self._engine.dispose()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read(self, after: int) -> Iterator[Event]:
        # As bytes: they are what was hashed, and damaged text cannot be decoded before it is found to be damaged.
        seqs, *texts = _events.c
        query = sa.select(seqs, *(sa.cast(text, sa.LargeBinary) for text in texts)).where(seqs > after).order_by(seqs)
        with self._transaction() as connection:
            connection = connection.execution_options(yield_per=READ_BATCH)
            seq, digest = 0, _GENESIS
            if after:
                before = sa.select(seqs, _events.c.digest).where(seqs <= after).order_by(seqs.desc())
                seq, digest = connection.execute(before.limit(1)).one_or_none() or (0, _GENESIS)
            previous = digest.encode()
            for found, kind, payload, created_at, stored in connection.execute(query):
                seq += 1
                if found != seq:
                    raise self._corrupted(seq, f"it is missing, the next is {found}")
                if None in (kind, payload, created_at) or _chained(previous, seq, kind, payload, created_at) != stored:
                    raise self._corrupted(seq, "its digest differs")
                previous = stored
                yield Event(seq, kind.decode(), self._parsed(seq, payload.decode()), created_at.decode())

    def _parsed(self, seq: int, payload: str) -> dict[str, Any]:
        try:
            value = json.loads(payload)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise self._corrupted(seq, "its payload is not a JSON object")
        return value

    def _corrupted(self, seq: int, why: str) -> LedgerCorrupted:
        return LedgerCorrupted(
            f"{self.root / 'ledger.sqlite'} is damaged at event {seq} ({why}): restore the run folder from a backup; "
            f"the events before {seq} are sound"
        )

    @contextmanager
    def _transaction(self, *, write: bool = False) -> Iterator[sa.Connection]:
        if self._closed:
            raise LedgerError(f"the ledger of {self.root} is closed: open it again")
        try:
            with self._engine.execution_options(seiko_write=write).begin() as connection:
                yield connection
        except sa.exc.DBAPIError as error:
            raise self._explain(error) from error
        except UnicodeDecodeError as error:  # a damaged schema comes back as the text of an error, and fails there
            raise LedgerCorrupted(
                f"{self.root / 'ledger.sqlite'} is not a sound ledger ({error}): restore the run folder from a backup"
            ) from error

    def _explain(self, error: sa.exc.DBAPIError) -> LedgerError:
        path, why = self.root / "ledger.sqlite", str(error.orig)
        code = getattr(error.orig, "sqlite_errorcode", None)
        primary = None if code is None else code & 0xFF  # the low byte is the class of the error
        if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return LedgerBusy(f"{path} has been held by another process for {BUSY_SECONDS} s: wait for it, or end it")
        if primary == sqlite3.SQLITE_READONLY:
            return LedgerReadOnly(f"cannot write to {path} ({why}): give yourself write access or copy the run folder")
        if primary == sqlite3.SQLITE_CANTOPEN:
            return LedgerError(f"cannot open {path} ({why}): copy the run folder to where you can write, and open that")
        if primary in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM):
            return LedgerError(f"cannot use {path} ({why}): free some space or repair the disk; nothing was written")
        if primary is None:
            return LedgerError(f"cannot use {path} ({why})")
        return LedgerCorrupted(f"{path} is not a sound ledger ({why}): restore the run folder from a backup")

    def _is_blank(self, connection: sa.Connection) -> bool:
        tables = connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one()
        return not tables and not connection.exec_driver_sql("PRAGMA application_id").scalar_one()

    def _check_header(self, connection: sa.Connection) -> None:
        path = self.root / "ledger.sqlite"
        version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        if connection.exec_driver_sql("PRAGMA application_id").scalar_one() != APPLICATION_ID:
            raise LedgerCorrupted(f"{path} is a SQLite database, but not a seiko ledger: choose another folder")
        if version > SCHEMA:
            raise LedgerVersionError(
                f"{path} has schema {version}; this version of seiko reads up to {SCHEMA}: upgrade seiko"
            )
        if not sa.inspect(connection).has_table("events"):
            raise LedgerCorrupted(f"{path} has no table of events: restore the run folder from a backup")


def _engine(path: Path, mode: str) -> sa.Engine:
    uri = f"{path.absolute().as_uri()}?{mode}"
    engine = sa.create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, check_same_thread=False),
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


def _checked_kind(kind: str) -> str:
    if not _KIND.fullmatch(kind):
        raise ValueError(f"kind must be a lower-case name of at most 64 characters, got {kind!r:.80}")
    return kind


def _chained(previous: bytes, seq: int, kind: bytes, payload: bytes, created_at: bytes) -> bytes:
    return hashlib.sha256(b"%b\n%d\n%b\n%b\n%b" % (previous, seq, kind, payload, created_at)).hexdigest().encode()
