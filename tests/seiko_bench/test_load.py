"""A long ledger is a sound one, opens from its checkpoint, and says where the seconds went."""

from __future__ import annotations

import json
from pathlib import Path

from seiko.campaign import Campaign
from seiko.campaign.ledger import Ledger
from seiko.campaign.verification import verify
from seiko_bench.ledger_tables import ledger_tables
from seiko_bench.load import load
from seiko_bench.long_ledger import BATCH, LETTERS, design, write
from seiko_bench.tiny import make_model, tiny


def test_designs_are_distinct() -> None:
    assert len({design(number) for number in range(0, 4**LETTERS, 997)}) == len(range(0, 4**LETTERS, 997))
    assert {len(design(number)) for number in range(100)} == {LETTERS}


def test_a_long_ledger_is_a_run(tmp_path: Path) -> None:
    recipe = tiny(make_model(tmp_path / "model", LETTERS), budget=10_000, rounds=10, same=None)
    assert write(str(tmp_path / "run"), recipe, 2_001) == 2_001
    with Campaign.open(tmp_path / "run", recipe) as campaign:
        state = campaign.state
        assert (len(state.queries), len(state.labels), len(state.reports)) == (2 * BATCH, 2 * BATCH, 2)
        assert state.charged == state.answered == 2 * BATCH
        assert state.pending() == []
        assert len(state.values()) == 2 * BATCH
    with Ledger.open(tmp_path / "run") as ledger:
        assert verify(ledger).faults == []


def test_the_benchmark_runs(tmp_path: Path) -> None:
    result = json.loads(load(tmp_path, "seiko bench load --quick", True).read_text())
    assert result["faults"] == []
    seconds = result["seconds"]
    assert seconds["open"]["processor"] < seconds["open, all events folded"]["processor"]
    assert seconds["ask"]["wall"] >= seconds["ask, the rest"]["wall"] >= 0
    ((_, header, rows, _),) = ledger_tables(tmp_path)
    assert all(len(row) == len(header) for row in rows)
