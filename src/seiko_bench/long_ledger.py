"""A ledger as long as a laboratory's in many years, written at once: what the bench for load opens.

Batch after batch of one round: one event that asks for `BATCH` designs, then as many events that each tell one label.
The designs are distinct DNA of twelve letters, the labels are made up. No round is finished: a fit on a million labels
would measure the reward model.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice
from typing import Any

from seiko import config
from seiko.campaign import Recipe
from seiko.campaign.ledger import Ledger, NewEvent
from seiko.campaign.ledger.events import GENESIS, Row, chained
from seiko.config import canonical_json

__all__ = ["BATCH", "goes_on", "write"]

BATCH = 999
LETTERS = 12


def write(place: str, recipe: Recipe, events: int) -> int:
    """Write a run with so many events (one that opens it, whole batches of `BATCH` + 1); return how many."""
    with Ledger.create(place) as ledger:
        return ledger.restore(_chain(_events(recipe, events)))


def goes_on(ledger: Ledger, written: int, events: int) -> None:
    """Append so many events to a run that `write` wrote with so many."""
    new = islice(_batches((written - 1) // (BATCH + 1)), events)
    ledger.append([NewEvent(kind, payload) for kind, payload in new], expected=written)


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
    yield from islice(_batches(0), (events - 1) // (BATCH + 1) * (BATCH + 1))


def _batches(first: int) -> Iterator[tuple[str, dict[str, Any]]]:
    for batch in count(first):
        numbers = range(batch * BATCH, (batch + 1) * BATCH)
        yield "asked", {"round": 1, "batch": batch + 1, "queries": [_query(number) for number in numbers]}
        for number in numbers:
            yield "told", {"labels": {_id(number): _label(value(number))}}


def _id(number: int) -> str:
    return f"1-{number + 1:04d}"


def _query(number: int) -> dict[str, Any]:
    where = {"id": _id(number), "content": design(number), "kind": "dna", "source": "fresh"}
    return {**where, "mean": None, "std": None}


def _label(value: float) -> dict[str, Any]:
    return {"value": value, "noise": None, "status": "value", "reason": None}


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
