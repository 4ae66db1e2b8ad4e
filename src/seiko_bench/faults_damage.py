"""Bytes that flip or are torn off, in the database, its log and the artifacts: found, or harmless, never another past.

A trial damages a copy of a finished run and reads everything. It is *silent* if what was read is neither an error of
the ledger nor exactly what was written.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from seiko.campaign import Campaign, RunState, run
from seiko.campaign.artifacts import LedgerError
from seiko.campaign.ledger import Ledger
from seiko.campaign.state import fold
from seiko_bench.faults import Outcome
from seiko_bench.faults_kills import run_at
from seiko_bench.server import folder_of, halt, resume
from seiko_bench.tiny import answer, make_model, tiny

__all__ = ["damage"]

FLIPS, FEW = 400, 40
RESTARTS, ONE = 12, 1
PAGE = 8192

Change = Callable[[bytes, random.Random], bytes]


def damage(folder: Path, server: str, quick: bool) -> Iterator[Outcome]:
    """Damage copies of a run, and read them."""
    place = run_at(folder, server, "whole")
    with Campaign.open(place, tiny(make_model(folder / "model"))) as campaign:
        run(campaign, answer)
    written, artifacts = _read(place), _artifacts(place)
    if server:
        yield _on_server(server, place, written, ONE if quick else RESTARTS)
        return
    trials = FEW if quick else FLIPS
    for name, what in (("ledger.sqlite", "the database"), ("ledger.sqlite-wal", "its log")):
        for how, change in (
            ("a bit flips in", _flipped),
            ("the end is torn off", _torn),
            ("a page is zeros in", _zeroed),
        ):
            yield _in_folder(Path(place), name, f"{how} {what}", change, written, trials if change is _flipped else FEW)
    yield _in_artifacts(Path(place), artifacts, trials // 4)


def _in_folder(root: Path, name: str, fault: str, change: Change, written: RunState, trials: int) -> Outcome:
    """Damage a file of copies of a run folder; the log is that of a run that is held open."""
    places, found, silent = random.Random(0), 0, 0
    copy = root.with_name("copy")
    with Ledger.open(root) as held:  # with its log beside it
        if name.endswith("-wal"):
            state = written
            source = _with_log(root, held)
        else:
            state, source = written, root
        for _ in range(trials):
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(source, copy)
            data = (copy / name).read_bytes()
            (copy / name).write_bytes(change(data, places))
            try:
                silent += _read(str(copy)) != state
            except LedgerError:
                found += 1
    return Outcome(
        fault=fault,
        where="SQLite",
        trials=trials,
        lost=0,
        twice=0,
        same=trials - silent,
        silent=silent,
        remark=f"{found} found, {trials - silent - found} harmless",
    )


def _with_log(root: Path, held: Ledger) -> Path:
    """Return a copy whose events are all in its log: a run folder as a power cut leaves it."""
    source = root.with_name("logged")
    if not source.exists():
        with Ledger.create(source) as fresh:
            fresh.restore(held.rows())
            kept = root.with_name("kept")
            shutil.copytree(source, kept)  # before it is closed, which would empty the log
        shutil.rmtree(source)
        kept.rename(source)
    return source


def _in_artifacts(root: Path, artifacts: dict[str, bytes], trials: int) -> Outcome:
    places, silent = random.Random(0), 0
    with Ledger.open(root) as ledger:
        for trial in range(trials):
            sha = places.choice(sorted(artifacts))
            path = root / "artifacts" / sha
            path.write_bytes((_torn if trial % 4 == 0 else _flipped)(artifacts[sha], places))
            with suppress(LedgerError):
                silent += ledger.artifacts.get(sha) != artifacts[sha]
            path.write_bytes(artifacts[sha])
    return Outcome(
        fault="a bit flips in an artifact, or its end is torn off",
        where="SQLite",
        trials=trials,
        lost=0,
        twice=0,
        same=trials - silent,
        silent=silent,
    )


def _on_server(server: str, place: str, written: RunState, restarts: int) -> Outcome:
    """Flip bits in the files of a server that is down, and read when it is up."""
    places, found, silent = random.Random(0), 0, 0
    with Ledger.open(place) as ledger, ledger._transaction() as connection:
        query = "SELECT pg_relation_filepath(name) FROM (VALUES ('seiko_events'), ('seiko_artifacts')) AS t (name)"
        files = list(connection.exec_driver_sql(query).scalars())
    artifacts = _artifacts(place)
    data = folder_of(server) / "data"
    for restart in range(restarts):
        path = data / files[restart % 2]
        halt(server)
        whole = path.read_bytes()
        path.write_bytes(_flipped(whole, places))
        resume(server)
        try:
            silent += _read(place) != written or _artifacts(place) != artifacts
        except LedgerError:
            found += 1
        halt(server)
        path.write_bytes(whole)
        resume(server)
    same = _read(place) == written
    return Outcome(
        fault="a bit flips in the server's files of events and artifacts",
        where="PostgreSQL",
        trials=restarts,
        lost=0,
        twice=0,
        same=restarts - silent if same else 0,
        silent=silent,
        remark=f"{found} found, {restarts - silent - found} harmless; page checksums on",
    )


def _read(place: str) -> RunState:
    state = RunState()
    with Ledger.open(place) as ledger:
        for event in ledger:
            fold(state, event)
    return state


def _artifacts(place: str) -> dict[str, bytes]:
    with Ledger.open(place) as ledger:
        return {sha: ledger.artifacts.get(sha) for sha in ledger.artifacts.names()}


def _flipped(data: bytes, places: random.Random) -> bytes:
    at = places.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << places.randrange(8)]) + data[at + 1 :]


def _torn(data: bytes, places: random.Random) -> bytes:
    return data[: places.randrange(len(data))]


def _zeroed(data: bytes, places: random.Random) -> bytes:
    at = places.randrange(len(data)) // 4096 * 4096
    return data[:at] + bytes(min(4096, len(data) - at)) + data[at + 4096 :]
