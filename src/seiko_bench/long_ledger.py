"""A ledger as long as a laboratory's in many years, written at once: what the bench for load opens.

A round is one event that asks for `BATCH` designs, as many events that each tell one label, and one that advances. The
designs are distinct DNA of twelve letters; the labels are made up, the rounds moved no weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from seiko import config
from seiko.campaign import Recipe
from seiko.campaign.ledger import Ledger
from seiko.campaign.ledger.events import GENESIS, Row, chained
from seiko.campaign.state import RoundReport
from seiko.config import canonical_json

__all__ = ["BATCH", "write"]

BATCH = 998
LETTERS = 12


def write(place: str, recipe: Recipe, events: int) -> int:
    """Write a run with so many events (whole rounds of `BATCH` + 2, and one that opens it); return how many."""
    with Ledger.create(place) as ledger:
        return ledger.restore(_chain(_events(recipe, events)))


def design(number: int) -> str:
    """Return the design of a number, another for each below 4^12."""
    scattered = number * 7_000_003 % 4**LETTERS  # odd, so that no two are the same
    return "".join("ACGT"[scattered >> 2 * place & 3] for place in range(LETTERS))


def value(number: int) -> float:
    """Return the label of a number: the share of the letter A."""
    return design(number).count("A") / LETTERS


def _events(recipe: Recipe, events: int) -> Iterator[tuple[str, dict[str, Any]]]:
    written = config.to_json(recipe)
    yield "opened", {"recipe": written, "digest": config.digest(written)}
    seq, number = 1, 0
    for round in range(1, (events - 1) // (BATCH + 2) + 1):
        batch = range(number, number + BATCH)
        yield "asked", {"round": round, "queries": [_query(round, place, n) for place, n in enumerate(batch, 1)]}
        for place, n in enumerate(batch, 1):
            yield "told", {"labels": {_id(round, place): _label(value(n))}}
        seq, number = seq + BATCH + 1, number + BATCH
        yield "advanced", {"report": asdict(_report(round, number)), "weights": None, "fitted_to": seq}
        seq += 1


def _id(round: int, place: int) -> str:
    return f"{round}-{place:04d}"


def _query(round: int, place: int, number: int) -> dict[str, Any]:
    mean = None if round == 1 else 0.25 + number % 97 / 1000
    std = None if round == 1 else 0.1 + number % 89 / 1000
    where = {"id": _id(round, place), "content": design(number), "kind": "dna", "source": "fresh"}
    return {**where, "mean": mean, "std": std}


def _label(value: float) -> dict[str, Any]:
    return {"value": value, "noise": None, "status": "value", "reason": None}


def _report(round: int, labels: int) -> RoundReport:
    return RoundReport(
        round=round,
        labels_used=labels,
        feasible=1.0,
        batch_mean=0.25,
        best=1.0,
        alpha=0.1,
        beta=0.1,
        kl_pretrained=0.0,
        kl_previous=0.0,
        believed_mean=0.25,
        diversity=9.0,
        distinct=1.0,
        prequential=None,
        held_out=None,
        samples=(),
        seconds=1.0,
    )


def _chain(events: Iterator[tuple[str, dict[str, Any]]]) -> Iterator[Row]:
    previous, created_at = GENESIS.encode(), b"2026-01-01T00:00:00.000000+00:00"
    for seq, (kind, payload) in enumerate(events, start=1):
        name, text = kind.encode(), canonical_json(payload).encode()
        previous = chained(previous, seq, name, text, created_at)
        yield Row(seq, name, text, created_at, previous)


if __name__ == "__main__":
    import sys
    from pathlib import Path

    from seiko_bench.tiny import tiny

    print(
        write(sys.argv[1], tiny(Path(sys.argv[2]), letters=LETTERS, budget=2_000_000, rounds=5_000), int(sys.argv[3]))
    )
