"""`seiko tell` with comparisons."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from typer.testing import Result

from seiko.campaign import Ledger

Invoke = Callable[..., Result]


def test_comparisons_are_checked_taken_and_known_again(seiko: Invoke, tmp_path: Path) -> None:
    assert seiko("init", "plate:by_hand", "--out", "r").exit_code == 0
    assert seiko("ask", "r").exit_code == 0
    path = tmp_path / "c.csv"
    path.write_text("winner,loser,rater\n1-0001,1-0002,ada\n1-0001,1-0003,ada\n1-0001,1-0002,ada\n")
    dry = seiko("tell", "r", "c.csv", "--dry-run")
    assert dry.stdout.splitlines() == ["winner,loser,rater,choice,tie", "1-0001,1-0002,ada,,", "1-0001,1-0003,ada,,"]
    assert "nothing was taken" in dry.stderr
    told = seiko("tell", "r", "c.csv")
    assert json.loads(told.stdout) == {"taken": 2, "known": 1, "pending": 1}
    assert "LastLayer, does not learn from comparisons" in told.stderr
    assert json.loads(seiko("tell", "r", "c.csv").stdout)["taken"] == 0
    path.write_text("winner,loser\n1-0001,1-0001\n")
    wrong = seiko("tell", "r", "c.csv")
    assert wrong.exit_code == 2
    assert "line 2, column loser" in wrong.stderr
    with Ledger.open(tmp_path / "r") as ledger:
        assert [event.kind for event in ledger] == ["opened", "asked", "compared"]


def test_a_choice_with_another_winner_than_the_run_knows_is_refused(seiko: Invoke, tmp_path: Path) -> None:
    assert seiko("init", "plate:by_hand", "--out", "r").exit_code == 0
    assert seiko("ask", "r").exit_code == 0
    path = tmp_path / "c.csv"
    path.write_text("winner,loser,choice\n1-0001,1-0002,x\n")
    assert seiko("tell", "r", "c.csv").exit_code == 0
    path.write_text("winner,loser,choice\n1-0003,1-0002,x\n")
    for more in ([], ["--dry-run"]):
        refused = seiko("tell", "r", "c.csv", *more)
        assert refused.exit_code == 2
        assert "a choice has one of each" in refused.stderr
