"""A run on a PostgreSQL server, beside other runs of the same database; artifacts are rows too.

An append takes the advisory lock of its run for the length of its transaction, then looks at the last event; the key
(run, seq) and a trigger refuse what gets past the lock. A transaction takes one lock, so there is no deadlock. Whoever
is killed or loses its connection has either appended or not. Passwords never reach a message; they belong into
``~/.pgpass`` or PGPASSWORD, not into the URL.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from seiko.campaign.artifacts import LedgerError, LedgerReadOnly
from seiko.campaign.ledger import base
from seiko.campaign.ledger import postgres_schema as schema
from seiko.campaign.ledger.artifact_table import ArtifactTable
from seiko.campaign.ledger.base import SCHEMA, Ledger
from seiko.campaign.ledger.errors import (
    LedgerBusy,
    LedgerConflict,
    LedgerCorrupted,
    LedgerVersionError,
    NoRun,
    RunExists,
)
from seiko.campaign.ledger.events import GENESIS
from seiko.campaign.ledger.place import server_run, shown_place

__all__ = ["PostgresLedger"]

CONNECT_SECONDS = 10
SHOWN_RUNS = 10


class PostgresLedger(Ledger):
    """The ledger of a run on a server.

    Args:
        place: Its URL.
        engine: Connections to its database.
        run: Its name.
    """

    def __init__(self, place: str, engine: sa.Engine, run: str) -> None:
        shown = shown_place(place)
        url, _ = server_run(place)
        secrets = {url.password, *(value for key, value in url.query.items() if "password" in key)}
        self._secrets = [str(secret) for secret in secrets if secret]
        super().__init__(
            name=run,
            where=shown,
            place=shown,
            artifacts=ArtifactTable(run, shown, self._for_artifacts),
            engine=engine,
            events=schema.EVENTS,
            checkpoints=schema.CHECKPOINTS,
            head=schema.RUNS,
            mine={"run": run},
            writable=True,
        )

    @classmethod
    def create(cls, place: Path | str) -> PostgresLedger:
        """Make an empty run, and the tables if the database has none.

        Raises:
            RunExists: If there is a run of this name already.
            LedgerReadOnly: If the user may not write.
            LedgerError: If the server cannot be reached.
        """
        ledger = cls._connect(place)
        try:
            with ledger._transaction(write=True) as connection:
                connection.execute(schema.LOCK_TABLES)
                if not ledger._check_tables(connection):
                    schema.make(connection, SCHEMA)
                known = connection.execute(sa.select(schema.RUNS).where(schema.RUNS.c.run == ledger.name))
                if known.first() is not None:
                    raise RunExists(f"{ledger.place} holds a run already: open it, or choose another name")
                new = {"run": ledger.name, "last_seq": 0, "last_digest": GENESIS}
                connection.execute(sa.insert(schema.RUNS), new)
        except BaseException:
            ledger.close()
            raise
        return ledger

    @classmethod
    def open(cls, place: Path | str) -> PostgresLedger:
        """Open a run; for reading only, if the user may not insert or the server takes no writes.

        Raises:
            NoRun: If there is none of this name.
            LedgerVersionError: If a newer version of the library made the tables.
            LedgerError: If the server cannot be reached.
        """
        ledger = cls._connect(place)
        try:
            with ledger._transaction() as connection:
                if not ledger._check_tables(connection):
                    raise NoRun(f"no run at {ledger.place}: the database holds no runs; start one with `seiko run`")
                runs = sorted(connection.execute(sa.select(schema.RUNS.c.run)).scalars())
                if ledger.name not in runs:
                    others = ", ".join(runs[:SHOWN_RUNS]) + (", ..." if len(runs) > SHOWN_RUNS else "")
                    raise NoRun(f"no run at {ledger.place}: the runs of this database are {others or 'none'}")
                ledger._writable = bool(connection.execute(_MAY_WRITE).scalar_one())
        except BaseException:
            ledger.close()
            raise
        return ledger

    @classmethod
    def _connect(cls, place: Path | str) -> PostgresLedger:
        url, run = server_run(place)
        try:
            engine = sa.create_engine(
                url,
                hide_parameters=True,
                pool_pre_ping=True,  # a laboratory keeps a run open over the server's restarts
                isolation_level="READ COMMITTED",
                connect_args={} if "connect_timeout" in url.query else {"connect_timeout": CONNECT_SECONDS},
            )
        except ImportError as error:
            raise LedgerError("runs on a server need psycopg: pip install 'seiko[postgres]'") from error
        sa.event.listen(engine, "connect", _prepare)
        return cls(str(place), engine, run)

    def require_writable(self) -> None:
        """Raise before anything is spent if the run could not remember it.

        Raises:
            LedgerReadOnly: If the user may not insert, or the server takes no writes now.
        """
        with self._transaction() as connection:
            self._writable = bool(connection.execute(_MAY_WRITE).scalar_one())
        if not self._writable:
            raise LedgerReadOnly(
                f"cannot write to {self.place}: the server takes no writes, or this user may not insert into "
                "seiko_events and seiko_artifacts or update seiko_runs; ask whoever runs the server"
            )

    def faults(self) -> list[str]:
        """Say in words what is wrong with the database itself, beside its events; empty for nothing."""
        triggers = "SELECT tgname FROM pg_trigger WHERE tgrelid IN (to_regclass('seiko_events'), "
        triggers += "to_regclass('seiko_artifacts')) AND NOT tgisinternal AND tgenabled IN ('O', 'A')"
        functions = "SELECT proname, prosrc FROM pg_proc WHERE oid IN (SELECT tgfoid FROM pg_trigger WHERE tgrelid IN "
        functions += "(to_regclass('seiko_events'), to_regclass('seiko_artifacts')) AND NOT tgisinternal)"
        with self._transaction() as connection:
            kept = set(connection.exec_driver_sql(triggers).scalars())
            bodies = {row.proname: row.prosrc for row in connection.exec_driver_sql(functions)}
        found = [name for name in schema.TRIGGERS if name not in kept]
        found += [name for name, body in schema.FUNCTIONS.items() if bodies.get(name) != body]
        return [f"{name}, which keeps the past from being changed, is missing, disabled or altered" for name in found]

    @contextmanager
    def _for_artifacts(self, write: bool) -> Iterator[sa.Connection]:
        with self._transaction(write=write) as connection:
            yield connection

    def _lock(self, connection: sa.Connection) -> None:
        connection.execute(schema.LOCK_RUN, {"run": self.name})

    def _bytes(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        # Not a cast, which would take the backslashes of JSON for escapes.
        return sa.func.convert_to(column, "UTF8", type_=sa.LargeBinary)

    def _check_tables(self, connection: sa.Connection) -> bool:
        """Whether the tables are there, of a schema that this version of the library knows."""
        if connection.exec_driver_sql("SELECT to_regclass('seiko_schema')").scalar_one() is None:
            return False
        version = connection.exec_driver_sql("SELECT max(version) FROM seiko_schema").scalar_one()
        if version is None:
            raise LedgerCorrupted(f"{self.place}: the table seiko_schema is empty: restore the database from a backup")
        if version > SCHEMA:
            raise LedgerVersionError(
                f"{self.place} has schema {version}; this version of seiko reads up to {SCHEMA}: upgrade seiko"
            )
        self.schema = version
        return True

    def _explain(self, error: sa.exc.DBAPIError) -> LedgerError:
        state = getattr(error.orig, "sqlstate", None) or ""
        diagnosis = getattr(getattr(error.orig, "diag", None), "message_primary", None)
        why = str(diagnosis or error.orig or "").strip()
        for secret in self._secrets:
            why = why.replace(secret, "***")
        why, place = "; ".join(why.splitlines()), self.place
        if state == "55P03":
            return LedgerBusy(f"{place} has been held by another process for {base.BUSY_SECONDS} s: wait, or end it")
        if state in ("23505", "40001", "40P01", "SK002"):
            return LedgerConflict(f"{place} was written by another process: fold the new events and decide anew")
        if state in ("42501", "25006"):
            return LedgerReadOnly(f"cannot write to {place} ({why}): ask whoever runs the server for the right to")
        if state == "SK001":
            return LedgerError(f"{place}: {why}")
        if state in ("XX001", "XX002", "42P01", "42703", "22021"):
            return LedgerCorrupted(f"{place} is not a sound ledger ({why}): restore the database from a backup")
        if state.startswith("53"):
            return LedgerError(f"cannot use {place} ({why}): the server needs space or memory; nothing was written")
        if error.connection_invalidated or not state or state[:2] in ("08", "57"):
            return LedgerError(
                f"cannot reach {place} ({why}): repeat the command when the server answers; what it took is kept, and "
                "nothing is taken twice"
            )
        return LedgerError(f"cannot use {place} ({why})")


_MAY_WRITE = sa.text(
    "SELECT NOT pg_is_in_recovery() AND current_setting('transaction_read_only') = 'off'"
    " AND has_table_privilege('seiko_events', 'INSERT') AND has_table_privilege('seiko_artifacts', 'INSERT')"
    " AND has_table_privilege('seiko_runs', 'UPDATE')"
)


def _prepare(connection: Any, _: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = on")  # what was acknowledged survives a power cut
        cursor.execute(f"SET lock_timeout = '{int(base.BUSY_SECONDS * 1000)}ms'")
        cursor.execute("SET client_encoding = 'UTF8'")
    connection.commit()  # else the first rollback takes the settings back
