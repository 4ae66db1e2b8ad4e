"""Which run a folder or a URL names.

    runs/qed, sqlite:///runs/qed               a run folder
    postgresql://user@host/database?run=qed    the run `qed` in a database; other options are the driver's

A URL may hold a password: nothing here puts one into a message, and `shown_place` is how a place is printed.
"""

from __future__ import annotations

import re
from pathlib import Path

import sqlalchemy as sa

from seiko.campaign.artifacts import LedgerError

__all__ = ["checked_run", "is_server", "run_folder", "server_run", "shown_place"]

_URL = re.compile(r"([a-z][a-z0-9+.-]+):/(.*)", re.ASCII | re.IGNORECASE | re.DOTALL)  # one slash: Path eats the other
_SERVERS = ("postgresql", "postgres", "postgresql+psycopg")
_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
_FORM = "postgresql://USER@HOST/DATABASE?run=NAME"


def is_server(place: Path | str) -> bool:
    """Tell whether the place names a run on a server rather than a folder."""
    url = _URL.fullmatch(str(place))
    return url is not None and url[1].lower() in _SERVERS


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
    if scheme in _SERVERS:
        raise LedgerError("a run on a server has no folder: name the file or folder to write to")
    if scheme != "sqlite":
        raise LedgerError(f"{scheme}:// ledgers are not supported: use a folder, sqlite:///FOLDER or {_FORM}")
    if not rest.startswith("/") or rest == "/" or "?" in rest:
        raise LedgerError("a SQLite ledger is named sqlite:///FOLDER, with three slashes and without options")
    path = Path(rest[1:])
    return path.parent if path.name == "ledger.sqlite" else path


def server_run(place: Path | str) -> tuple[sa.URL, str]:
    """Return the driver's URL and the name of the run that a ``postgresql://`` URL names.

    Raises:
        LedgerError: If it is not of that form; the message never holds the URL.
    """
    if isinstance(place, Path):
        raise LedgerError("the URL of a server must be text: a Path has lost a slash of it")
    try:
        url = sa.make_url(place)
        runs = url.query.get("run", ())
    except (ValueError, TypeError, sa.exc.ArgumentError):
        raise LedgerError(f"this is not the URL of a run on a server: write {_FORM}") from None
    if not runs or not url.database:
        raise LedgerError(f"the URL of a run on a server names {'a database' if runs else 'the run'}: {_FORM}")
    if not isinstance(runs, str):
        raise LedgerError(f"the URL names {len(runs)} runs, it must name one: {_FORM}")
    return url.set(drivername="postgresql+psycopg").difference_update_query(["run"]), checked_run(runs)


def checked_run(name: str) -> str:
    """Return the name of a run on a server if it is one.

    Raises:
        LedgerError: If it is not.
    """
    if not _RUN.fullmatch(name):
        raise LedgerError(
            f"a run on a server is named by at most 100 letters, digits, dots, dashes and underscores, got {name!r:.80}"
        )
    return name


def shown_place(place: Path | str) -> str:
    """Return a place as it may be printed: without password, and without the driver's options, which may hold one."""
    if not is_server(place):
        return str(place)
    try:
        url, run = server_run(place)
    except LedgerError:
        return "postgresql://..."
    host = url.query.get("host", url.host or "")
    user = f"{url.username}@" if url.username else ""
    port = f":{url.port}" if url.port else ""
    return f"postgresql://{user}{host if isinstance(host, str) else ','.join(host)}{port}/{url.database}?run={run}"
