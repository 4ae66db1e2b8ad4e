"""A clock that goes back, and answers that come twice and in any order."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

from seiko.campaign import Campaign, run
from seiko.campaign.ledger import Ledger
from seiko.oracles import Label
from seiko_bench.faults import Outcome
from seiko_bench.faults_kills import bought_twice, run_at, story
from seiko_bench.tiny import answer, make_model, tiny

__all__ = ["answers", "clock"]

TRIALS, FEW = 10, 1
COPIES = 3  # of each answer, at most


def clock(folder: Path, server: str, quick: bool) -> Iterator[Outcome]:
    """Run with a clock that jumps back and forth by years at each event."""
    model, jumps = make_model(folder / "model"), random.Random(0)
    expected = _alone(folder, server, model)

    def now() -> str:
        return (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=jumps.uniform(-4000, 4000))).isoformat()

    trials, lost, twice, same, back = FEW if quick else TRIALS, 0, 0, 0, 0
    for trial in range(trials):
        place = run_at(folder, server, f"clock-{trial}")
        with patch("seiko.campaign.ledger.base._now", now), Campaign.open(place, tiny(model)) as campaign:
            run(campaign, answer)
        with Ledger.open(place) as ledger:
            times = [event.created_at for event in ledger]
        back += sum(later < earlier for earlier, later in pairwise(times))
        found = story(place)
        lost += len(expected["labels"]) - len(found["labels"])
        twice += bought_twice(place)
        same += found == expected
    yield Outcome(
        fault="the clock goes back and forth by years",
        where="PostgreSQL" if server else "SQLite",
        trials=trials,
        lost=lost,
        twice=twice,
        same=same,
        remark=f"{back} events are dated before the one they follow",
    )


def answers(folder: Path, server: str, quick: bool) -> Iterator[Outcome]:
    """Tell each batch's answers in any order, in parts of any size, up to three times each."""
    model, order = make_model(folder / "model"), random.Random(0)
    expected = _alone(folder, server, model)
    trials, lost, twice, same, told = FEW if quick else TRIALS, 0, 0, 0, 0
    for trial in range(trials):
        place = run_at(folder, server, f"answers-{trial}")
        with Campaign.open(place, tiny(model)) as campaign:
            while not campaign.done:
                queries = campaign.ask()
                labels = answer([query.design for query in queries])
                mail = [pair for pair in zip(queries, labels, strict=True) for _ in range(order.randint(1, COPIES))]
                order.shuffle(mail)
                new = 0
                while mail:
                    part: dict[str, Label] = {query.id: label for query, label in mail[: order.randint(1, 6)]}
                    del mail[: len(part)]
                    told += len(part)
                    new += campaign.tell(part)
                twice += max(0, new - len(queries))
                lost += max(0, len(queries) - new)
                campaign.advance()
        twice += bought_twice(place)
        same += story(place) == expected
    yield Outcome(
        fault="answers come in any order, up to three times",
        where="PostgreSQL" if server else "SQLite",
        trials=trials,
        lost=lost,
        twice=twice,
        same=same,
        remark=f"{told} answers for {trials * len(expected['labels'])} labels",
    )


def _alone(folder: Path, server: str, model: Path) -> dict[str, Any]:
    """Return the story of a run that nothing disturbs."""
    place = run_at(folder, server, "alone")
    with Campaign.open(place, tiny(model)) as campaign:
        run(campaign, answer)
    return story(place)
