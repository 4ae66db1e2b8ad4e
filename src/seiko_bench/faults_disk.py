"""A disk that is full at each write of a campaign.

On a small file system of its own (tmpfs) a file is left so large that ever more bytes are free: so the write that fails
is another each time. Where no file system can be mounted, the system's limit on the size of a file stands in for it.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seiko.campaign import Campaign, run
from seiko.campaign.artifacts import LedgerError
from seiko.campaign.ledger import Ledger
from seiko.campaign.verification import verify
from seiko_bench.faults import Outcome
from seiko_bench.faults_kills import bought_twice, labels_of, run_at, story
from seiko_bench.server import private_server, resume
from seiko_bench.tiny import answer, make_model, tiny

__all__ = ["full_disk", "small_disk"]

STEPS, FEW = 40, 3
ON_SERVER = 8
STEP = 6 * 1024  # bytes more that are free at each trial
DISK = 8 * 2**20
SERVER_DISK = 160 * 2**20
SERVER_STEP = 32 * 1024


def full_disk(folder: Path, server: str, quick: bool) -> Iterator[Outcome]:
    """Run until the disk is full, make room, go on; compare with a run that had room."""
    model = make_model(folder / "model")
    expected_at = run_at(folder, "", "alone")
    with Campaign.open(expected_at, tiny(model)) as campaign:
        run(campaign, answer)
    expected = story(expected_at)
    disk = Path(tempfile.mkdtemp(prefix="seiko-disk-"))
    disk.chmod(0o755)  # a server runs as somebody else
    with small_disk(disk, SERVER_DISK if server else DISK) as mounted:
        if server:
            if mounted:
                with private_server(under=disk) as url:
                    yield _filled(disk, url, model, expected, FEW if quick else ON_SERVER, SERVER_STEP, mounted)
        else:
            yield _filled(disk, "", model, expected, FEW if quick else STEPS, STEP, mounted)


def _filled(
    disk: Path, server: str, model: Path, expected: dict[str, object], trials: int, step: int, mounted: bool
) -> Outcome:
    lost = twice = same = failed = broken = 0
    for trial in range(trials):
        place = run_at(disk, server, f"full-{trial}")
        promised: dict[str, float | None] = {}
        with _room_for(disk, step * trial, mounted):
            try:
                _go(place, model, promised)
            except LedgerError:
                failed += 1
        if server:
            resume(server)  # a server that cannot write its log stops; it mends itself when it starts
        kept = labels_of(place)
        lost += sum(1 for id, value in promised.items() if kept.get(id) != value)
        _go(place, model, promised)
        with Ledger.open(place) as ledger:
            broken += bool(verify(ledger).faults)
        twice += bought_twice(place)
        same += story(place) == expected
    how = "a small tmpfs" if mounted else "a limit on file sizes in place of a small disk"
    return Outcome(
        fault="the disk is full",
        where=f"{'PostgreSQL' if server else 'SQLite'}, {how}",
        trials=trials,
        lost=lost,
        twice=twice,
        same=same,
        silent=broken,
        remark=f"{failed} runs met it and said so",
    )


def _go(place: str, model: Path, promised: dict[str, float | None]) -> None:
    with Campaign.open(place, tiny(model)) as campaign:
        while not campaign.done:
            queries = campaign.ask()
            for query, label in zip(queries, answer([query.design for query in queries]), strict=True):
                campaign.tell({query.id: label})
                promised[query.id] = label.value
            campaign.advance()


@contextmanager
def _room_for(disk: Path, free: int, mounted: bool) -> Iterator[None]:
    """Leave so many bytes while the block runs."""
    if not mounted:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (free, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            signal.signal(signal.SIGXFSZ, before)
        return
    filler, stats = disk / "filler", os.statvfs(disk)
    size = max(0, stats.f_bavail * stats.f_frsize - free)
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, size))
    try:
        yield
    finally:
        filler.unlink()


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[bool]:
    """Mount a small file system on a folder while the block runs; yield whether it could be."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0755", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], capture_output=True, check=False)
        shutil.rmtree(folder, ignore_errors=True)
