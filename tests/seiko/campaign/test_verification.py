"""Whatever is wrong with a run is said in words, all of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from seiko.campaign.ledger import Ledger, LedgerCorrupted, LedgerError, NewEvent
from seiko.campaign.verification import SHOWN, verify


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.create(tmp_path / "run") as ledger:
        sha = ledger.artifacts.put(b"weights")
        ledger.append([NewEvent("opened", {"recipe": {"type": "x"}})], expected=0)
        ledger.append([NewEvent("told", {"labels": {}})] * 3, expected=1)
        ledger.append([NewEvent("advanced", {"report": REPORT, "weights": sha, "fitted_to": 4})], expected=4)
        yield ledger


NONE = ("feasible", "batch_mean", "best", "alpha", "beta", "kl_previous", "believed_mean", "prequential", "held_out")
REPORT = {
    **{"round": 1, "labels_used": 0, "kl_pretrained": 0.0, "diversity": 0.0, "distinct": 1.0, "samples": []},
    **{"seconds": 0.0, **dict.fromkeys(NONE)},
}


def tamper(tmp_path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(tmp_path / "run" / "ledger.sqlite", isolation_level=None)) as connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)
        for _, sql in triggers:
            connection.execute(sql)


def test_a_sound_run(ledger: Ledger) -> None:
    verdict = verify(ledger)
    assert (verdict.events, verdict.artifacts, verdict.digest) == (5, 1, ledger.digest_of(5))
    assert verdict.faults == verdict.remarks == []
    assert verify(ledger, ledger.digest_of(3)).faults == []


def test_the_same_on_a_server(server: str) -> None:
    with Ledger.create(f"{server}&run=verified") as ledger:
        ledger.append([NewEvent("opened", {"recipe": {}})], expected=0)
        sha = ledger.artifacts.put(b"weights")
        assert (verify(ledger).faults, verify(ledger).artifacts) == ([], 1)
        assert sha in list(ledger.artifacts.names())


def test_every_break_is_named(ledger: Ledger, tmp_path: Path) -> None:
    tamper(
        tmp_path,
        "UPDATE events SET payload = replace(payload, 'x', 'y') WHERE seq = 1",
        "DELETE FROM events WHERE seq IN (3, 4)",
    )
    assert verify(ledger).faults == [
        "event 1 is damaged: its digest does not follow from its contents and the event before",
        "events 3 to 4 are missing",
    ]


def test_events_cut_off_are_found_by_a_digest_noted_elsewhere(ledger: Ledger, tmp_path: Path) -> None:
    noted = verify(ledger).digest
    tamper(tmp_path, "DELETE FROM events WHERE seq = 5")
    (fault,) = verify(ledger).faults
    assert fault.startswith("event 5 was noted as the last")
    (tmp_path / "run" / "ledger.head").unlink()
    for use in (lambda: list(ledger), lambda: ledger.last_seq, lambda: ledger.append([], expected=4)):
        with pytest.raises(LedgerCorrupted, match=r"event 5 .it is missing, and so are all to 5, which were written; "):
            use()
    tamper(tmp_path, "UPDATE head SET last_seq = 4, last_digest = (SELECT digest FROM events WHERE seq = 4)")
    assert verify(ledger).faults == []
    (fault,) = verify(ledger, noted).faults
    assert fault.startswith(f"no event has the digest {noted}: events were cut off")


def test_artifacts_that_are_damaged_or_missing(ledger: Ledger) -> None:
    (sha,) = ledger.artifacts.names()
    path = ledger.artifacts.path(sha)
    path.write_bytes(b"weighty")
    (fault,) = verify(ledger).faults
    assert f"{sha} is damaged" in fault
    path.unlink()
    (fault,) = verify(ledger).faults
    assert fault.endswith(f"{sha} is missing, and events name it")


def test_events_that_make_no_sense(ledger: Ledger) -> None:
    ledger.append([NewEvent("told", {"labels": {"9-0001": {"value": 1.0}}}), NewEvent("told", {})], expected=5)
    (fault,) = verify(ledger).faults
    assert fault.startswith("event 6 (told) makes no sense: '9-0001'")


def test_a_missing_guard(ledger: Ledger, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "run" / "ledger.sqlite", isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER events_no_update")
    (fault,) = verify(ledger).faults
    assert "events_no_update" in fault


def test_a_torn_database(ledger: Ledger, tmp_path: Path) -> None:
    ledger.close()
    path = tmp_path / "run" / "ledger.sqlite"
    whole = path.read_bytes()
    for pages in range(len(whole) // 4096):
        path.write_bytes(whole[: pages * 4096 + 3])
        assert faults_of(tmp_path / "run"), pages
    path.write_bytes(whole)
    assert faults_of(tmp_path / "run") == []


def faults_of(root: Path) -> list[str]:
    try:
        with Ledger.open(root) as ledger:
            return verify(ledger).faults
    except LedgerError as error:
        return [str(error)]


def test_many_faults_are_counted(ledger: Ledger, tmp_path: Path) -> None:
    ledger.append([NewEvent("told", {"labels": {}})] * 50, expected=5)
    tamper(tmp_path, "UPDATE events SET created_at = 'x' WHERE seq > 5")
    faults = verify(ledger).faults
    assert len(faults) == SHOWN + 1
    assert faults[-1] == "30 faults more"
