"""The tables of a database that keeps runs: every run's rows beside the others', told apart by the column `run`.

Events can only be inserted, each at the end of its run; an artifact's bytes must have the SHA-256 that names them. Both
are held by the server, whoever writes. The advisory lock of a run is what appends wait for; two runs whose names share
a hash wait for each other, no more.
"""

from __future__ import annotations

import sqlalchemy as sa

__all__ = ["ARTIFACTS", "CHECKPOINTS", "EVENTS", "FUNCTIONS", "LOCK_RUN", "LOCK_TABLES", "RUNS", "TRIGGERS", "make"]

_metadata = sa.MetaData()
RUNS = sa.Table(
    "seiko_runs",
    _metadata,
    sa.Column("run", sa.Text, primary_key=True),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Column("last_seq", sa.BigInteger, nullable=False),
    sa.Column("last_digest", sa.Text, nullable=False),
)
_VERSION = sa.Table("seiko_schema", _metadata, sa.Column("version", sa.Integer, nullable=False))


def _run() -> sa.Column[str]:
    return sa.Column("run", sa.Text, sa.ForeignKey("seiko_runs.run"), primary_key=True)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


EVENTS = sa.Table(
    "seiko_events",
    _metadata,
    _run(),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    *(_text(name) for name in ("kind", "payload", "created_at", "digest")),
)
ARTIFACTS = sa.Table(
    "seiko_artifacts",
    _metadata,
    _run(),
    sa.Column("sha", sa.Text, primary_key=True),
    sa.Column("data", sa.LargeBinary, nullable=False),
    sa.CheckConstraint("sha = encode(sha256(data), 'hex')", name="seiko_artifacts_named_by_content"),
)
CHECKPOINTS = sa.Table(
    "seiko_checkpoints",
    _metadata,
    _run(),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    *(_text(name) for name in ("digest", "maker", "sha")),
    sa.Column("data", sa.LargeBinary, nullable=False),
)

LOCK_TABLES = sa.text("SELECT pg_advisory_xact_lock(6795240152501723137)")  # any number, always the same
LOCK_RUN = sa.text("SELECT pg_advisory_xact_lock(hashtextextended('seiko ' || :run, 0))")

FUNCTIONS = {
    "seiko_refuse": """
BEGIN
  RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || ': rows are never changed or deleted', ERRCODE = 'SK001';
END
""",
    "seiko_at_end": """
BEGIN
  IF NEW.seq IS DISTINCT FROM
    (SELECT seq FROM seiko_events WHERE run = NEW.run ORDER BY seq DESC LIMIT 1) + 1
    AND NOT (NEW.seq = 1 AND NOT EXISTS (SELECT FROM seiko_events WHERE run = NEW.run)) THEN
    RAISE EXCEPTION USING MESSAGE = 'events are only appended', ERRCODE = 'SK002';
  END IF;
  RETURN NEW;
END
""",
}
TRIGGERS = {
    "seiko_events_kept": "BEFORE UPDATE OR DELETE ON seiko_events FOR EACH ROW EXECUTE FUNCTION seiko_refuse()",
    "seiko_events_whole": "BEFORE TRUNCATE ON seiko_events FOR EACH STATEMENT EXECUTE FUNCTION seiko_refuse()",
    "seiko_events_at_end": "BEFORE INSERT ON seiko_events FOR EACH ROW EXECUTE FUNCTION seiko_at_end()",
    "seiko_artifacts_kept": "BEFORE DELETE ON seiko_artifacts FOR EACH ROW EXECUTE FUNCTION seiko_refuse()",
    "seiko_artifacts_whole": "BEFORE TRUNCATE ON seiko_artifacts FOR EACH STATEMENT EXECUTE FUNCTION seiko_refuse()",
}


def make(connection: sa.Connection, version: int) -> None:
    """Make the tables, in the transaction of the connection."""
    _metadata.create_all(connection)
    connection.execute(sa.insert(_VERSION), {"version": version})
    # As they are: weights do not compress, and the server would try.
    connection.exec_driver_sql("ALTER TABLE seiko_artifacts ALTER COLUMN data SET STORAGE EXTERNAL")
    for name, body in FUNCTIONS.items():
        connection.exec_driver_sql(f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $${body}$$")
    for name, body in TRIGGERS.items():
        connection.exec_driver_sql(f"CREATE TRIGGER {name} {body}")
