"""Take an older schema forward: a copy first, then every step in one transaction.

    1 -> 2    beside the events, checkpoints and a note of which is the last (SQLite; servers began with schema 2)

An older ledger is read and written as it is; it only lacks what came later. The events are never touched.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from seiko.campaign.artifacts import LedgerError, sync_folder
from seiko.campaign.ledger.base import SCHEMA, Ledger
from seiko.campaign.ledger.sqlite import FILE, SQLiteLedger

__all__ = ["migrate"]

STEPS = {
    1: (
        "CREATE TABLE checkpoints (seq INTEGER NOT NULL, digest TEXT NOT NULL, maker TEXT NOT NULL, sha TEXT NOT NULL, "
        "data BLOB NOT NULL, PRIMARY KEY (seq))",
        "CREATE TABLE head (one INTEGER NOT NULL CHECK (one = 1), last_seq INTEGER NOT NULL, "
        "last_digest TEXT NOT NULL, PRIMARY KEY (one))",
        "INSERT INTO head SELECT 1, coalesce(max(seq), 0), "
        "coalesce((SELECT digest FROM events ORDER BY seq DESC LIMIT 1), printf('%064d', 0)) FROM events",
    ),
}


def migrate(place: Path | str, backup: Path | None = None) -> Path | None:
    """Bring a ledger to the schema of this version.

    Args:
        place: The run.
        backup: Where the copy goes; None names one beside the database, after schema and time.

    Returns:
        The copy; None if there was nothing to do, and so no copy.

    Raises:
        LedgerReadOnly: If the run cannot be written.
        LedgerError: If the copy cannot be made or exists; nothing was changed.
    """
    with Ledger.open(place) as ledger:
        if ledger.schema == SCHEMA:
            return None
        ledger.require_writable()
        assert isinstance(ledger, SQLiteLedger)  # the only backend that ever had another
        copy = backup or ledger.root / f"{FILE}.schema{ledger.schema}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
        with ledger.driver() as connection:
            _copy(connection, copy)
            connection.execute("BEGIN IMMEDIATE")
            try:
                (version,) = connection.execute("PRAGMA user_version").fetchone()
                for step in range(version, SCHEMA):  # nothing, if another process was faster
                    for statement in STEPS[step]:
                        connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {SCHEMA}")
                connection.execute("COMMIT")
            except BaseException:
                connection.execute("ROLLBACK")
                raise
    return copy


def _copy(connection: sqlite3.Connection, to: Path) -> None:
    try:
        with to.open("xb"):
            pass
        with closing(sqlite3.connect(to)) as target:
            connection.backup(target)
            (verdict,) = target.execute("PRAGMA integrity_check(1)").fetchone()
        descriptor = os.open(to, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        sync_folder(to.absolute().parent)
    except FileExistsError as error:
        raise LedgerError(f"{to} exists: name another file for the copy; nothing was changed") from error
    except (OSError, sqlite3.Error) as error:
        to.unlink(missing_ok=True)
        raise LedgerError(f"cannot copy the ledger to {to} ({error}); nothing was changed") from error
    if verdict != "ok":
        raise LedgerError(f"the copy {to} is not sound ({verdict}): see `seiko ledger verify`; nothing was changed")
