"""Artifacts of a run on a server: rows named by SHA-256, so that every machine that reaches the run has them.

The server itself refuses bytes that do not have the SHA-256 they are named by. A row travels whole, through the memory
of both sides: hence a limit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from seiko.campaign.artifacts import ArtifactCorrupted, ArtifactMissing, Artifacts, LedgerError, checked_sha
from seiko.campaign.ledger.postgres_schema import ARTIFACTS

__all__ = ["LIMIT", "ArtifactTable"]

LIMIT = 256 * 2**20
"""Bytes of an artifact, at most; PostgreSQL's own limit is four times as much."""


class ArtifactTable(Artifacts):
    """Content-addressed rows of one run.

    Args:
        run: The run.
        place: How messages name it.
        transaction: Opens a transaction; its argument is whether it writes.
    """

    def __init__(self, run: str, place: str, transaction: Callable[[bool], AbstractContextManager[sa.Connection]]):
        self._run, self._place, self._transaction = run, place, transaction

    def put(self, data: bytes) -> str:
        """Keep the bytes and return their SHA-256; on return they survive a power cut.

        Putting the same bytes again changes nothing, and repairs the row if it was damaged.

        Raises:
            LedgerReadOnly: If the user may not insert.
            LedgerError: If the artifact is larger than `LIMIT`, or the server refuses it; nothing was written.
        """
        if len(data) > LIMIT:
            raise LedgerError(
                f"an artifact of {len(data) / 2**20:.0f} MiB is too large for a run on a server, which takes "
                f"{LIMIT // 2**20} MiB: tune fewer weights, or keep the run in a folder"
            )
        sha = hashlib.sha256(data).hexdigest()
        statement = insert(ARTIFACTS).values(run=self._run, sha=sha, data=data)
        with self._transaction(True) as connection:
            if not self._holds(connection, sha):
                connection.execute(
                    statement.on_conflict_do_update(
                        index_elements=["run", "sha"],
                        set_={"data": statement.excluded.data},
                        where=ARTIFACTS.c.data != statement.excluded.data,
                    )
                )
        return sha

    def get(self, sha: str) -> bytes:
        """Return the bytes of an artifact after checking them against its name.

        Raises:
            ValueError: If the name is not a SHA-256.
            ArtifactMissing: If there is no such row.
            ArtifactCorrupted: If its bytes have another SHA-256.
            LedgerError: If it cannot be read.
        """
        query = sa.select(ARTIFACTS.c.data).where(self._named(checked_sha(sha)))
        with self._transaction(False) as connection:
            data: bytes | None = connection.execute(query).scalar_one_or_none()
        if data is None:
            raise ArtifactMissing(
                f"artifact {self.where(sha)} is missing: restore it from a backup, or repeat the stage that wrote it"
            )
        found = hashlib.sha256(data).hexdigest()
        if found != sha:
            raise ArtifactCorrupted(
                f"artifact {self.where(sha)} is damaged: its bytes have SHA-256 {found} ({len(data)} bytes); "
                "restore it from a backup, or repeat the stage that wrote it"
            )
        return data

    def names(self) -> Iterator[str]:
        """Yield the names of all artifacts of the run, in order."""
        with self._transaction(False) as connection:
            query = sa.select(ARTIFACTS.c.sha).where(ARTIFACTS.c.run == self._run).order_by(ARTIFACTS.c.sha)
            found = connection.execute(query).scalars().all()
        yield from found

    def where(self, sha: str) -> str:
        """Name run and artifact."""
        return f"{sha} of {self._place}"

    def _named(self, sha: str) -> sa.ColumnElement[bool]:
        return sa.and_(ARTIFACTS.c.run == self._run, ARTIFACTS.c.sha == sha)

    def _holds(self, connection: sa.Connection, sha: str) -> bool:
        """Whether the server has these bytes, by its own reckoning: they need not travel again."""
        whole = sa.func.encode(sa.func.sha256(ARTIFACTS.c.data), "hex") == sha
        return bool(connection.execute(sa.select(whole).where(self._named(sha))).scalar_one_or_none())
