"""What was acknowledged survives kills, races, full disks and damaged bytes, or the damage is found."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

import seiko
from seiko.campaign.artifacts import ArtifactCorrupted
from seiko.campaign.ledger import Ledger, LedgerCorrupted, LedgerError, NewEvent

KILLS = 12
EVENTS_AN_APPEND = 3

# Imports once, then forks one process for each line read: "PATH NAME COUNT" appends events until it is killed or has
# appended COUNT times. Each append writes an artifact, names it in the first event, and is then acknowledged.
WORKER = f"""
import os, sys
from contextlib import suppress
from seiko.campaign.ledger import Ledger, LedgerConflict, NewEvent, postgres, sqlite

with suppress(ImportError):
    import psycopg, sqlalchemy.dialects.postgresql.psycopg  # in each fork they would cost more time than it has

def work(path, name, count):
    ledger, done = Ledger.open(path), 0
    while done < count:
        expected = ledger.last_seq
        sha = ledger.artifacts.put(f"{{name}} {{done}}".encode() * 1000)
        events = [NewEvent("noted", {{"by": name, "n": done, "part": part, "sha": sha}})
                  for part in range({EVENTS_AN_APPEND})]
        try:
            last = ledger.append(events, expected=expected)
        except LedgerConflict:
            continue
        os.write(1, f"{{name}} {{done}} {{last}}\\n".encode())
        done += 1
    ledger.close()

for line in sys.stdin:
    path, name, count = line.strip().rsplit(" ", 2)
    child = os.fork()
    if child == 0:
        try:
            work(path, name, int(count))
        finally:
            os._exit(0)
    os.write(1, f"started {{child}}\\n".encode())
    os.waitpid(child, 0)
    os.write(1, b"ended\\n")
"""


@contextmanager
def workers() -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "PYTHONPATH": str(Path(seiko.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def start(process: subprocess.Popen[str], path: str, name: str, count: int = 10**9) -> int:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{path} {name} {count}\n")
    process.stdin.flush()
    word, child = process.stdout.readline().split()
    assert word == "started"
    return int(child)


def acknowledged(process: subprocess.Popen[str]) -> list[tuple[str, int, int]]:
    assert process.stdout is not None
    rows = []
    while (line := process.stdout.readline()) != "ended\n":
        assert line, "the worker died"
        name, n, last = line.split()
        rows.append((name, int(n), int(last)))
    return rows


def check_whole(ledger: Ledger) -> dict[tuple[str, int], int]:
    """Read everything, verifying chain and artifacts; return the last event of each append, which must be whole."""
    events = list(ledger)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    appends: dict[tuple[str, int], int] = {}
    for first in range(0, len(events), EVENTS_AN_APPEND):
        group = [event.payload for event in events[first : first + EVENTS_AN_APPEND]]
        key = (group[0]["by"], group[0]["n"])
        assert [(p["by"], p["n"], p["part"]) for p in group] == [(*key, part) for part in range(EVENTS_AN_APPEND)]
        assert key not in appends, "appended twice"
        appends[key] = events[first].seq + EVENTS_AN_APPEND - 1
        assert ledger.artifacts.get(group[0]["sha"]) == f"{key[0]} {key[1]}".encode() * 1000
    return appends


def test_kill_at_any_instant(place: str) -> None:
    Ledger.create(place).close()
    promised: dict[tuple[str, int], int] = {}
    moments = random.Random(0)
    with workers() as process:
        for kill in range(KILLS):
            child = start(process, place, f"w{kill}")
            time.sleep(moments.uniform(0, 0.5))
            os.kill(child, signal.SIGKILL)
            promised |= {(name, n): last for name, n, last in acknowledged(process)}
            with Ledger.open(place) as ledger:
                kept = check_whole(ledger)
                assert promised.items() <= kept.items(), "an acknowledged event is lost or elsewhere"
                assert len(kept) <= len(promised) + kill + 1, "at most one append a kill was taken and not acknowledged"
                sha = ledger.artifacts.put(f"me {kill}".encode() * 1000)
                mine = [{"by": "me", "n": kill, "part": part, "sha": sha} for part in range(EVENTS_AN_APPEND)]
                last = ledger.append([NewEvent("noted", payload) for payload in mine], expected=ledger.last_seq)
                promised["me", kill] = last
    assert len(promised) > 2 * KILLS, "the workers were killed before they did anything"


def test_two_processes_lose_and_double_nothing(place: str) -> None:
    Ledger.create(place).close()
    with workers() as one, workers() as two:
        start(one, place, "one", 30)
        start(two, place, "two", 30)
        rows = acknowledged(one) + acknowledged(two)
    with Ledger.open(place) as ledger:
        kept = check_whole(ledger)
    assert kept == {(name, n): last for name, n, last in rows}
    assert kept.keys() == {(name, n) for name in ("one", "two") for n in range(30)}
    for name in ("one", "two"):
        own = [n for (by, n), _ in sorted(kept.items(), key=lambda item: item[1]) if by == name]
        assert own == list(range(30))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    with Ledger.create(tmp_path / "run") as ledger:
        ledger.append([NewEvent("noted", {"n": n, "text": f"needle {n:03}"}) for n in range(20)], expected=0)
    assert not (tmp_path / "run" / "ledger.sqlite-wal").exists(), "all of it is in the one file"
    return tmp_path / "run"


def damage(path: Path, change: Callable[[bytearray], object]) -> None:
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)


@pytest.mark.parametrize("bit", [0, 1, 7])
def test_flipped_bit_in_a_payload_is_found(run: Path, bit: int) -> None:
    def flip(data: bytearray) -> None:
        assert data.count(b"needle 011") == 1
        data[data.index(b"needle 011")] ^= 1 << bit

    damage(run / "ledger.sqlite", flip)
    with Ledger.open(run) as ledger:
        events = ledger.read()
        assert [next(events).payload["n"] for _ in range(11)] == list(range(11))
        with pytest.raises(LedgerCorrupted, match=r"damaged at event 12 \(its digest differs\): restore"):
            next(events)
        assert [event.payload["n"] for event in ledger.read(after=12)] == list(range(12, 20)), "the rest can be saved"


def test_any_flipped_byte_is_found_or_harmless(run: Path) -> None:
    """Wherever a byte flips, what is read is what was written, or an error of the ledger: never another value."""
    with Ledger.open(run) as ledger:
        written = list(ledger)
    whole = (run / "ledger.sqlite").read_bytes()
    moments, found = random.Random(0), 0
    for _ in range(120):
        place, bit = moments.randrange(len(whole)), 1 << moments.randrange(8)
        (run / "ledger.sqlite").write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
        try:
            with Ledger.open(run) as ledger:
                read = list(ledger)
        except LedgerError:
            found += 1
        else:
            assert read == written[: len(read)]
            # The count of rows on a page may shrink by a flip; a chain cannot tell a shorter past from this one.
            assert len(read) == len(written) or place % 4096 < 110
        for name in ("ledger.sqlite-wal", "ledger.sqlite-shm"):
            (run / name).unlink(missing_ok=True)
    assert found > 10


def test_truncated_database_is_found(run: Path) -> None:
    damage(run / "ledger.sqlite", lambda data: data.__delitem__(slice(len(data) // 2, None)))
    with pytest.raises(LedgerCorrupted), Ledger.open(run) as ledger:
        list(ledger)


@pytest.mark.parametrize(
    ("statement", "refusal"),
    [
        ("UPDATE events SET payload = '{}' WHERE seq = 3", "events are never updated"),
        ("UPDATE events SET seq = 99 WHERE seq = 20", "events are never updated"),
        ("DELETE FROM events WHERE seq = 20", "events are never deleted"),
        ("DELETE FROM events", "events are never deleted"),
        (
            "REPLACE INTO events SELECT 3, kind, payload, created_at, digest FROM events WHERE seq = 4",
            "appended",
        ),
        ("INSERT INTO events SELECT 99, kind, payload, created_at, digest FROM events WHERE seq = 3", "appended"),
        ("INSERT INTO events SELECT 0, kind, payload, created_at, digest FROM events WHERE seq = 3", "appended"),
    ],
)
def test_the_past_cannot_be_changed(run: Path, statement: str, refusal: str) -> None:
    with closing(sqlite3.connect(run / "ledger.sqlite")) as connection:
        with pytest.raises(sqlite3.IntegrityError, match=refusal):
            connection.execute(statement)
        connection.rollback()
    with Ledger.open(run) as ledger:
        assert [event.payload["n"] for event in ledger] == list(range(20))


OTHER_DIGIT = "(CASE substr(digest, 1, 1) WHEN '0' THEN '1' ELSE '0' END)"


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("UPDATE events SET payload = '{}' WHERE seq = 3", "event 3 .its digest differs"),
        ("UPDATE events SET kind = 'told' WHERE seq = 3", "event 3 .its digest differs"),
        ("UPDATE events SET created_at = '2001-01-01' WHERE seq = 3", "event 3 .its digest differs"),
        (f"UPDATE events SET digest = {OTHER_DIGIT} || substr(digest, 2) WHERE seq = 3", "event 3 .its digest differs"),
        ("UPDATE events SET payload = x'00ff' WHERE seq = 3", "event 3 .its digest differs"),
        ("DELETE FROM events WHERE seq = 3", "event 3 .it is missing, the next is 4"),
        ("DELETE FROM events WHERE seq <= 3", "event 1 .it is missing, the next is 4"),
        ("DROP TABLE events", "has no table of events"),
    ],
)
def test_who_gets_past_the_triggers_is_found(run: Path, statement: str, why: str) -> None:
    with closing(sqlite3.connect(run / "ledger.sqlite", isolation_level=None)) as connection:
        for trigger in ("events_no_update", "events_no_delete"):
            connection.execute(f"DROP TRIGGER {trigger}")
        connection.execute(statement)
    with pytest.raises(LedgerCorrupted, match=why), Ledger.open(run) as ledger:
        list(ledger)


def test_damaged_artifacts_are_found(run: Path) -> None:
    with Ledger.open(run) as ledger:
        sha = ledger.artifacts.put(bytes(range(256)))
        path = ledger.artifacts.path(sha)
        whole = path.read_bytes()
        for place in (0, 100, 255):
            path.write_bytes(whole)
            damage(path, lambda data, place=place: data.__setitem__(place, data[place] ^ 16))  # type: ignore[misc]
            with pytest.raises(ArtifactCorrupted, match=sha):
                ledger.artifacts.get(sha)
        for length in (0, 255):
            path.write_bytes(whole[:length])
            with pytest.raises(ArtifactCorrupted, match=rf"\({length} bytes\)"):
                ledger.artifacts.get(sha)


def test_full_disk_takes_nothing(run: Path) -> None:
    """The limit on file sizes stands in for a full disk: the system refuses the write in the middle of an append."""
    big = [NewEvent("noted", {"text": "x" * 50_000}) for _ in range(100)]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Ledger.open(run) as ledger:
        before = list(ledger)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
        try:
            with pytest.raises(LedgerError, match="nothing was written"):
                ledger.append(big, expected=20)
            assert list(ledger) == before
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert ledger.append(big, expected=20) == 120
    with Ledger.open(run) as ledger:
        assert list(ledger)[:20] == before
        assert len(ledger) == 120


def test_a_copy_with_its_log_is_whole(run: Path, tmp_path: Path) -> None:
    """A run copied while it is held, as after a kill, is whole where its log is copied with it."""
    with Ledger.open(run) as ledger:
        ledger.append([NewEvent("noted", {"n": 20})], expected=20)
        shutil.copytree(run, tmp_path / "copy")
    with Ledger.open(tmp_path / "copy") as copy:
        assert [event.payload["n"] for event in copy] == list(range(21))
