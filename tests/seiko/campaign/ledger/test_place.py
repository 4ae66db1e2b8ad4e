"""Places are folders or URLs, and no message holds a password."""

from __future__ import annotations

from pathlib import Path

import pytest

from seiko.campaign.ledger import Ledger, LedgerError, is_server, run_folder, shown_place
from seiko.campaign.ledger.place import server_run

SERVER = "postgresql://me:secret@host:5433/db?run=qed-1&sslpassword=secret"


def test_places_are_folders_or_sqlite_urls() -> None:
    for place in ("runs/qed", Path("runs/qed"), "sqlite:///runs/qed", "sqlite:///runs/qed/ledger.sqlite"):
        assert run_folder(place) == Path("runs/qed")
        assert not is_server(place)
    assert run_folder("sqlite:////runs/qed") == Path("/runs/qed")
    for place in ("sqlite://", "sqlite:///", "sqlite:///runs?mode=ro", "SQLite://host/run"):
        with pytest.raises(LedgerError, match="with three slashes and without options"):
            run_folder(place)
    with pytest.raises(LedgerError, match="mysql:// ledgers are not supported: use a folder, sqlite:///FOLDER or"):
        run_folder("mysql://me:secret@host/db")


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg", "PostgreSQL"])
def test_a_server_is_named_by_url(scheme: str) -> None:
    place = f"{scheme}{SERVER.removeprefix('postgresql')}"
    assert is_server(place)
    url, run = server_run(place)
    assert (url.drivername, url.password, url.database, run) == ("postgresql+psycopg", "secret", "db", "qed-1")
    assert "run" not in url.query
    with pytest.raises(LedgerError, match="a run on a server has no folder"):
        run_folder(place)


def test_a_shown_place_has_no_password() -> None:
    assert shown_place(SERVER) == "postgresql://me@host:5433/db?run=qed-1"
    assert shown_place("postgresql:///db?host=/run/pg&run=a&password=secret") == "postgresql:///run/pg/db?run=a"
    assert shown_place("postgresql://me:secret@host/") == "postgresql://..."
    assert shown_place("runs/qed") == "runs/qed"


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("postgresql://me:secret@host/db", "names the run"),
        ("postgresql://me:secret@host?run=a", "names a database"),
        ("postgresql://me:secret@host:port/db?run=a", "write postgresql://USER@HOST/DATABASE"),
        ("postgresql://me:secret@host/db?run=a&run=b", "names 2 runs"),
        ("postgresql://me:secret@host/db?run=../a", r"got '\.\./a'"),
        (Path("postgresql://me:secret@host/db?run=a"), "must be text"),
    ],
)
def test_urls_that_name_no_run(place: str | Path, why: str) -> None:
    for use in (Ledger.create, Ledger.open):
        with pytest.raises(LedgerError, match=why) as caught:
            use(place)
        assert "secret" not in str(caught.value)
