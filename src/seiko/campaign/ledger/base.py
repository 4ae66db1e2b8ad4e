"""What every ledger does: append, read, keep a checkpoint.

Events are numbered 1, 2, ... without gaps and chained (`events`). `append` is all or nothing and optimistic: it says
which event it believes to be the last one. Reading verifies the chain. Number and digest of the last event are kept in
a second place, written in the same transaction, so that events that vanish at the very end are missed too. A checkpoint
is what somebody made of the events up to one of them, with that event's digest, so that a long past need not be folded
again; it decides nothing, may be absent, and does not outlive a change to the event that it names. Where rows are and
how they are locked is decided by the backends.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import sqlalchemy as sa

from seiko.campaign.artifacts import Artifacts, LedgerError
from seiko.campaign.ledger.errors import LedgerConflict, LedgerCorrupted
from seiko.campaign.ledger.events import GENESIS, Event, NewEvent, Row, chained, checked_kind
from seiko.campaign.ledger.place import is_server
from seiko.config import canonical_json

__all__ = ["SCHEMA", "Checkpoint", "Ledger"]

SCHEMA = 2
BUSY_SECONDS = 30
READ_BATCH = 2000


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What was made of the events up to one of them.

    Args:
        seq: Number of the last event that it covers.
        digest: Digest of that event, 64 hexadecimal digits.
        maker: What made it and in which version; nobody else can read `data`.
        data: Whatever its maker wrote.
    """

    seq: int
    digest: str
    maker: str
    data: bytes


class Ledger(ABC):
    """The events and artifacts of one run.

    Several processes may hold the same run. A ledger is not to be carried over a fork. Make one with `create` or
    `open`.

    Args:
        name: Name of the run.
        where: The database, as messages name it.
        place: The run, as messages name it.
        artifacts: The large things that events name.
        engine: Connections to the database.
        events: Table of events.
        checkpoints: Table of checkpoints; None where the schema has none yet.
        head: Table whose columns `last_seq` and `last_digest` are those of the last event; None likewise.
        mine: Columns that tell this run's rows from others'.
        writable: Whether this process may append.
        schema: Schema that the database has.
    """

    def __init__(
        self,
        *,
        name: str,
        where: str,
        place: str,
        artifacts: Artifacts,
        engine: sa.Engine,
        events: sa.Table,
        checkpoints: sa.Table | None,
        head: sa.Table | None,
        mine: Mapping[str, str],
        writable: bool,
        schema: int = SCHEMA,
    ) -> None:
        self.name, self.where, self.place, self.artifacts, self.schema = name, where, place, artifacts, schema
        self._engine, self._events, self._checkpoints, self._head = engine, events, checkpoints, head
        self._mine = dict(mine)
        self._writable = writable
        self._closed = False

    @classmethod
    def create(cls, place: Path | str) -> Ledger:
        """Make an empty ledger; a creation that was killed is finished.

        Raises:
            RunExists: If there is a run already.
            LedgerReadOnly: If it cannot be made or written.
            LedgerCorrupted: If something else is there.
        """
        return _backend(place).create(place)

    @classmethod
    def open(cls, place: Path | str) -> Ledger:
        """Open a run; for reading only, if it cannot be written.

        Raises:
            NoRun: If there is none.
            LedgerCorrupted: If the database is not a ledger.
            LedgerVersionError: If a newer version of the library wrote it.
        """
        return _backend(place).open(place)

    # ------------------------------------------------------- left to the backends

    @abstractmethod
    def require_writable(self) -> None:
        """Raise before anything is spent if the run could not remember it.

        Raises:
            LedgerReadOnly: If it cannot be written; says what.
        """

    @abstractmethod
    def faults(self) -> list[str]:
        """Say in words what is wrong with the database itself, beside its events; empty for nothing."""

    @abstractmethod
    def _explain(self, error: sa.exc.DBAPIError) -> LedgerError:
        """Return the database's error in words of ours, without anything secret."""

    def _lock(self, connection: sa.Connection) -> None:  # noqa: B027 - SQLite has no need of it
        """Hold off others that append to this run until the end of the transaction, if its begin does not."""

    def _why_missing(self) -> str:
        """Say what may be the reason that events at the end are missing."""
        return ""

    def _noted(self, seq: int, digest: bytes) -> None:  # noqa: B027 - servers have no need of it
        """Note outside of the database which event is the last, now that it is safely there."""

    def _bytes(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """Return text as bytes: they are what was hashed, and damaged text cannot be decoded before it is found."""
        return sa.cast(column, sa.LargeBinary)

    # --------------------------------------------------------------- the events

    @property
    def writable(self) -> bool:
        """Whether this process may append."""
        return self._writable

    @property
    def last_seq(self) -> int:
        """Number of the last event, 0 if there is none."""
        with self._transaction() as connection:
            return self._newest(connection)[0]

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
            LedgerReadOnly: If the run cannot be written.
            LedgerError: If the disk is full or fails; nothing was written.
            ValueError: If a kind or a payload cannot be kept; nothing was written.
        """
        bodies = [(checked_kind(event.kind), canonical_json(dict(event.payload))) for event in events]
        if not self._writable:
            self.require_writable()
        created_at = _now()
        with self._transaction(write=True) as connection:
            self._lock(connection)
            seq, digest = self._newest(connection)
            if seq != expected:
                raise LedgerConflict(
                    f"{self.place} was written by another process: its last event is {seq}, not {expected}; "
                    "fold the new events and decide anew"
                )
            rows = []
            for seq, (kind, payload) in enumerate(bodies, start=expected + 1):
                digest = chained(digest, seq, kind.encode(), payload.encode(), created_at.encode())
                rows.append(self._values(seq, kind, payload, created_at, digest.decode()))
            if rows:
                connection.execute(sa.insert(self._events), rows)
                self._set_head(connection, seq, digest)
        self._noted(seq, digest)
        return expected + len(rows)

    def restore(self, rows: Iterable[Row]) -> int:
        """Take rows of another ledger as they are into this empty one: all of them, or none if the chain breaks.

        Returns:
            Number of the last event now.

        Raises:
            LedgerConflict: If there are events already.
            LedgerCorrupted: If a row does not follow from the one before it.
        """
        self.require_writable()
        with self._transaction(write=True) as connection:
            self._lock(connection)
            last, previous = self._newest(connection)
            if last:
                raise LedgerConflict(f"{self.place} holds {last} events already: choose another place")
            batch: list[dict[str, Any]] = []
            for row in rows:
                if row.seq != last + 1 or (why := _broken(previous, row)):
                    raise self.corrupted(last + 1, "it is missing" if row.seq != last + 1 else why)
                last, previous = row.seq, row.digest or b""
                batch.append(self._values(row.seq, *(part.decode() for part in row[1:] if part is not None)))
                if len(batch) == READ_BATCH:
                    connection.execute(sa.insert(self._events), batch)
                    batch = []
            if batch:
                connection.execute(sa.insert(self._events), batch)
            self._set_head(connection, last, previous)
        self._noted(last, previous)
        return last

    def read(self, after: int = 0) -> Iterator[Event]:
        """Yield the events that follow number `after`, verifying the chain; the view is that of one instant.

        Raises:
            ValueError: If `after` is negative.
            LedgerCorrupted: At the first event that is not what was written; it is named.
        """
        if after < 0:
            raise ValueError(f"after must be the number of an event, or 0 for all, got {after}")
        return self._read(after)

    def rows(self, after: int = 0) -> Iterator[Row]:
        """Yield the rows that follow number `after` as they are, unverified."""
        for batch in self._batches(after):
            yield from batch

    def head(self) -> tuple[int, str] | None:
        """Return number and digest of the last event as they are kept beside the events; None where they are not."""
        with self._transaction() as connection:
            return self._kept_head(connection)

    def digest_of(self, seq: int) -> str | None:
        """Return the digest that is kept with an event, None if there is no such event."""
        with self._transaction() as connection:
            query = sa.select(self._bytes(self._events.c.digest)).where(self._is_mine(), self._events.c.seq == seq)
            found: bytes | None = connection.execute(query).scalar_one_or_none()
        return None if found is None else found.decode("ascii", "replace")

    # ---------------------------------------------------------- the checkpoint

    def checkpoint(self) -> Checkpoint | None:
        """Return the newest checkpoint; None without one, or if it is damaged or the event that it names has changed.

        The events before are not read, so damage to them is not found here; `seiko ledger verify` finds it.
        """
        table = self._checkpoints
        if table is None:
            return None
        query = sa.select(table).where(self._is_mine(table)).order_by(table.c.seq.desc()).limit(1)
        with self._transaction() as connection:
            row = connection.execute(query).mappings().one_or_none()
        if row is None or hashlib.sha256(row["data"]).hexdigest() != row["sha"] or not row["digest"]:
            return None
        if self.digest_of(row["seq"]) != row["digest"]:
            return None
        return Checkpoint(seq=row["seq"], digest=row["digest"], maker=row["maker"], data=row["data"])

    def keep_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint in place of older ones; does nothing where there is a newer one, or no room for any."""
        table = self._checkpoints
        if table is None or not self._writable:
            return
        values = {
            **self._mine,
            "seq": checkpoint.seq,
            "digest": checkpoint.digest,
            "maker": checkpoint.maker,
            "sha": hashlib.sha256(checkpoint.data).hexdigest(),
            "data": checkpoint.data,
        }
        with self._transaction(write=True) as connection:
            self._lock(connection)
            newest = connection.execute(sa.select(sa.func.max(table.c.seq)).where(self._is_mine(table))).scalar_one()
            if newest is None or newest <= checkpoint.seq:
                connection.execute(sa.delete(table).where(self._is_mine(table)))
                connection.execute(sa.insert(table), values)

    # ----------------------------------------------------------- life and death

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

    def corrupted(self, seq: int, why: str) -> LedgerCorrupted:
        """Return the error of an event that is not what was written."""
        return LedgerCorrupted(
            f"{self.where} is damaged at event {seq} ({why}): restore the run from a backup; "
            f"the events before {seq} are sound"
        )

    # ---------------------------------------------------------------- the insides

    def _is_mine(self, table: sa.Table | None = None) -> sa.ColumnElement[bool]:
        table = self._events if table is None else table
        return sa.and_(sa.true(), *(table.c[column] == value for column, value in self._mine.items()))

    def _values(self, seq: int, kind: str, payload: str, created_at: str, digest: str) -> dict[str, Any]:
        return {**self._mine, "seq": seq, "kind": kind, "payload": payload, "created_at": created_at, "digest": digest}

    def _newest(self, connection: sa.Connection, up_to: int | None = None) -> tuple[int, bytes]:
        """Return number and digest of the last event, of those up to a number if that is given."""
        events = self._events.c
        query = sa.select(events.seq, self._bytes(events.digest)).where(self._is_mine())
        if up_to is not None:
            query = query.where(events.seq <= up_to)
        head = self._kept_head(connection) if up_to is None else None  # first: there may be more events, never fewer
        row = connection.execute(query.order_by(events.seq.desc()).limit(1)).one_or_none()
        seq, digest = (0, GENESIS.encode()) if row is None else (row[0], row[1] or b"")
        if up_to is None:
            self._check_head(seq, digest, head)
        return seq, digest

    def _kept_head(self, connection: sa.Connection) -> tuple[int, str] | None:
        if self._head is None:
            return None
        query = sa.select(self._head.c.last_seq, self._head.c.last_digest).where(self._is_mine(self._head))
        row = connection.execute(query).one_or_none()
        return None if row is None else (row[0], row[1])

    def _set_head(self, connection: sa.Connection, seq: int, digest: bytes) -> None:
        if self._head is not None:
            values = {"last_seq": seq, "last_digest": digest.decode()}
            connection.execute(sa.update(self._head).where(self._is_mine(self._head)).values(values))

    def _check_head(self, seq: int, digest: bytes, head: tuple[int, str] | None) -> None:
        """Raise if this last event, read after the head was, is not what the head says."""
        if self._head is None:
            return
        if head is None:
            raise self.corrupted(seq + 1, "the note of which event is the last is missing")
        if seq < head[0]:
            raise self.corrupted(
                seq + 1, f"it is missing, and so are all to {head[0]}, which were written{self._why_missing()}"
            )
        if seq == head[0] and digest.decode(errors="replace") != head[1]:
            raise self.corrupted(seq, "it is not the event that was noted as the last")

    def _batches(self, after: int, *, checked: bool = False) -> Iterator[list[Row]]:
        seq, *texts = (self._events.c[name] for name in Row._fields)
        query = sa.select(seq, *(self._bytes(text) for text in texts)).where(self._is_mine(), seq > after).order_by(seq)
        last, digest = after, b""
        with self._transaction() as connection:
            head = self._kept_head(connection) if checked else None  # before the rows: there may be more, never fewer
            found = connection.execute(query, execution_options={"yield_per": READ_BATCH})
            for part in found.partitions():
                batch = [Row(*row) for row in part]
                last, digest = batch[-1].seq, batch[-1].digest or b""
                yield batch
        if checked and (last > after or head is None or head[0] > after):
            self._check_head(last, digest, head)

    def _read(self, after: int) -> Iterator[Event]:
        seq, previous = 0, GENESIS.encode()
        if after:
            with self._transaction() as connection:
                seq, previous = self._newest(connection, after)
        for batch in self._batches(after, checked=True):
            sound: list[Row] = []
            damage: LedgerCorrupted | None = None
            for row in batch:
                seq += 1
                if row.seq != seq:
                    damage = self.corrupted(seq, f"it is missing, the next is {row.seq}")
                elif why := _broken(previous, row):
                    damage = self.corrupted(seq, why)
                if damage is not None:
                    break
                sound.append(row)
                previous = row.digest or b""
            for row, payload in zip(sound, self._payloads(sound), strict=True):
                yield Event(row.seq, (row.kind or b"").decode(), payload, (row.created_at or b"").decode())
            if damage is not None:
                raise damage

    def _payloads(self, rows: list[Row]) -> Iterator[dict[str, Any]]:
        """Yield the parsed payloads; as one text where that is what they make, which is several times faster."""
        try:
            values = json.loads(b"[" + b",".join(row.payload or b"" for row in rows) + b"]")
        except (ValueError, RecursionError):
            values = []
        if len(values) == len(rows) and all(type(value) is dict for value in values):
            yield from values
            return
        for row in rows:
            try:
                value = json.loads(row.payload or b"")
            except (ValueError, RecursionError):
                value = None
            if not isinstance(value, dict):
                raise self.corrupted(row.seq, "its payload is not a JSON object")
            yield value

    @contextmanager
    def _transaction(self, *, write: bool = False) -> Iterator[sa.Connection]:
        if self._closed:
            raise LedgerError(f"the ledger of {self.place} is closed: open it again")
        try:
            with self._engine.execution_options(seiko_write=write).begin() as connection:
                yield connection
        except sa.exc.DBAPIError as error:
            raise self._explain(error) from error
        except UnicodeDecodeError as error:  # a damaged schema comes back as the text of an error, and fails there
            raise LedgerCorrupted(
                f"{self.where} is not a sound ledger ({error}): restore the run from a backup"
            ) from error


def _broken(previous: bytes, row: Row) -> str:
    """Say why a row does not follow from the digest before it; nothing if it does."""
    _, kind, payload, created_at, digest = row
    if kind is None or payload is None or created_at is None:
        return "its digest differs"
    return "" if chained(previous, row.seq, kind, payload, created_at) == digest else "its digest differs"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _backend(place: Path | str) -> type[Ledger]:
    if is_server(place):
        from seiko.campaign.ledger.postgres import PostgresLedger

        return PostgresLedger
    from seiko.campaign.ledger.sqlite import SQLiteLedger

    return SQLiteLedger
