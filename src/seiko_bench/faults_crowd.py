"""Many processes that ask and tell in one run at once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from seiko.campaign import Campaign
from seiko.campaign.ledger import Ledger
from seiko_bench.faults import Outcome
from seiko_bench.faults_kills import Worker, bought_twice, run_at, worker
from seiko_bench.faults_worker import CROWD
from seiko_bench.tiny import make_model, tiny

__all__ = ["crowd"]

PROCESSES, OPERATIONS = 8, 500
FEW = (3, 12)


def crowd(folder: Path, server: str, quick: bool) -> Iterator[Outcome]:
    """Let processes ask and tell, then hold what each was promised against what the ledger holds."""
    processes, operations = FEW if quick else (PROCESSES, OPERATIONS)
    model, place = make_model(folder / "model", letters=12), run_at(folder, server, "crowd")
    Campaign.open(place, tiny(model, **CROWD)).close()
    told: dict[str, float] = {}
    tellers: Counter[str] = Counter()
    done = finished = 0
    with worker(model) as process:
        process.start(f"crowd {place} {processes} {operations}")
        process.start("reap")
        for words in _said(process):
            done += words[0] in ("asked", "told", "looked")
            finished += words[0] == "whole"
            if words[0] == "told":
                told[words[1]] = float(words[2])
                tellers[words[1]] += 1
    with Campaign.open(place) as campaign:
        state = campaign.state
        lost = sum(1 for id, value in told.items() if id not in state.labels or state.labels[id].value != value)
        unknown = sum(1 for id in state.labels if id not in told)
        numbered = sorted(int(id.split("-")[1]) for id in state.queries) == list(range(1, len(state.queries) + 1))
    with Ledger.open(place) as ledger:
        kinds = Counter(event.kind for event in ledger)
        labels = [id for event in ledger if event.kind == "told" for id in event.payload["labels"]]
    whole = finished == processes and done == processes * operations and numbered and not unknown
    yield Outcome(
        fault=f"{processes} processes at once, {operations} operations each",
        where="PostgreSQL" if server else "SQLite",
        trials=processes,
        lost=lost,
        twice=bought_twice(place) + len(labels) - len(set(labels)),
        same=finished if whole else 0,
        remark=f"{kinds['asked']} batches, {len(state.queries)} queries, {len(labels)} labels; "
        f"{sum(count > 1 for count in tellers.values())} labels told by more than one",
    )


def _said(process: Worker) -> Iterator[list[str]]:
    while (line := process.line()) != "ended":
        if re.match("asked|told|looked|whole", line):
            yield line.split()
