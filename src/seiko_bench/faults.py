"""`seiko bench faults`: what is lost when a campaign is killed, starved, damaged, confused or shared.

Each row of the table is one kind of fault, done so many times. What is counted is the same in every row:

    lost       labels that were acknowledged and are not in the ledger afterwards
    twice      designs, or measurements, that were bought more than once
    same       trials that ended in the state that they would have reached undisturbed
    silent     damage that was read as if it were nothing

All of them must be 0, but `same`, which must be all.
"""

from __future__ import annotations

import json
import platform
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import seiko
from seiko_bench.server import NoServer, private_server

__all__ = ["Outcome", "faults", "save"]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one kind of fault did.

    Args:
        fault: What was done.
        where: Where the ledger was, and how it was done.
        trials: How many times.
        lost: Labels that were acknowledged and are gone.
        twice: Designs or labels bought more than once.
        same: Trials that ended in the state that they would have reached undisturbed.
        silent: Damage that was read as if it were nothing; None where nothing was damaged.
        remark: What else was counted.
        seconds: Wall-clock time.
    """

    fault: str
    where: str
    trials: int
    lost: int
    twice: int
    same: int
    silent: int | None = None
    remark: str = ""
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        """Whether nothing was lost, bought twice, silently wrong or different."""
        return not self.lost and not self.twice and not self.silent and self.same == self.trials


def faults(quick: bool, only: Sequence[str] = (), said: Callable[[str], None] = lambda text: None) -> Iterator[Outcome]:
    """Do all faults, or some, and yield what each did.

    Args:
        quick: A few of each: does it run?
        only: Names of those to do; empty for all.
        said: Called with what is skipped, and why.

    Raises:
        ValueError: If a name is unknown.
    """
    kinds = _kinds()
    for name in only:
        if name not in dict(kinds):
            raise ValueError(f"faults has no {name!r}; there are: {', '.join(dict(kinds))}")
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="seiko-faults-")))
        server = ""
        try:
            server = stack.enter_context(private_server())
        except NoServer as error:
            said(f"nothing is tried on PostgreSQL: {error}")
        for name, inject in kinds:
            for place in ("sqlite", "postgres"):
                if (only and name not in only) or (place == "postgres" and not server):
                    continue
                folder = root / f"{name}-{place}"
                folder.mkdir()
                began = time.monotonic()
                for outcome in inject(folder, server if place == "postgres" else "", quick):
                    yield Outcome(**(asdict(outcome) | {"seconds": round(time.monotonic() - began, 1)}))
                    began = time.monotonic()


Inject = Callable[[Path, str, bool], Iterator[Outcome]]


def _kinds() -> list[tuple[str, Inject]]:
    from seiko_bench.faults_crowd import crowd
    from seiko_bench.faults_damage import damage
    from seiko_bench.faults_disk import full_disk
    from seiko_bench.faults_kills import kills
    from seiko_bench.faults_order import answers, clock

    return [
        ("kills", kills),
        ("disk", full_disk),
        ("damage", damage),
        ("clock", clock),
        ("answers", answers),
        ("crowd", crowd),
    ]


def save(outcomes: list[Outcome], out: Path, command: str) -> Path:
    """Write what was counted as JSON, in place of what the file said of the same faults, and return the file."""
    path = out / "faults.json"
    rows = (
        {(row["fault"], row["where"]): row for row in json.loads(path.read_text())["outcomes"]}
        if path.is_file()
        else {}
    )
    rows |= {(row.fault, row.where): asdict(row) | {"good": row.good} for row in outcomes}
    result: dict[str, Any] = {
        "benchmark": "Faults: labels lost, labels bought twice, runs that end in the same state",
        "command": command,
        "version": seiko.__version__,
        "system": f"{platform.system()}, Python {platform.python_version()}",
        "outcomes": list(rows.values()),
    }
    out.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")
    return path
