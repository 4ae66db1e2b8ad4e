"""One row a measurement: what a laboratory keeps, and can tell again without telling anything new."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from seiko.campaign.ledger import Ledger, NewEvent
from seiko.cli.measurements import MEASUREMENT_COLUMNS, as_measurements

Invoke = Callable[..., Result]

DESIGN = {"kind": "dna", "source": "fresh", "mean": 0.25, "std": 0.5}


def plate(name: str, at: dict[str, Any]) -> dict[str, Any]:
    return {"plates": [{"name": name, "wells": 96, "seed": 0, "at": at}], "controls": []}


STORY: list[tuple[str, dict[str, Any]]] = [
    ("opened", {"recipe": {"type": "seiko.campaign.Recipe", "budget": 20, "rounds": 2}, "digest": "d"}),
    ("asked", {"round": 1, "queries": [{"id": f"1-{i}", "content": "ACGT"[i] * 4, **DESIGN} for i in range(4)]}),
    ("plated", plate("P1", {"A01": ["1-0", 1], "A02": ["1-0", 2], "B01": ["1-1", 1], "C01": ["1-2", 1]})),
    ("told", {"labels": {"1-0": [{"value": 0.5, "noise": 0.1}, {"value": 0.75, "replicate": 2}]}}),
    ("told", {"labels": {"1-1": {"status": "failed", "reason": "spilt", "retry": True}}}),
    ("plated", plate("P2", {"A01": ["1-1", 1]})),
    ("told", {"labels": {"1-1": {"value": 2.0}}}),
    ("told", {"labels": {"1-2": {"status": "infeasible", "reason": "no synthesis"}}}),
    ("retracted", {"ids": ["1-0"], "reason": "contaminated", "replicate": 2}),
    ("abandoned", {"ids": ["1-3"], "reason": "lost"}),
    ("attached", {"designs": [{"id": "0-0001", "content": "TTTT", "kind": "dna", "labels": {"value": -1.0}}]}),
]


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    with Ledger.create(tmp_path / "lab") as ledger:
        for seq, (kind, payload) in enumerate(STORY):
            ledger.append([NewEvent(kind, payload)], expected=seq)
    return tmp_path / "lab"


def rows(seiko: Invoke, lab: Path, *more: str) -> list[dict[str, Any]]:
    result = seiko("export", str(lab), "--labels", "--replicates", *more)
    assert result.exit_code == 0, result.output
    assert result.stderr.startswith("5 measurements")
    if "jsonl" in more:
        return [json.loads(line) for line in result.stdout.splitlines()]
    return list(csv.DictReader(io.StringIO(result.stdout)))


def test_one_row_a_measurement(seiko: Invoke, lab: Path) -> None:
    with Ledger.open(lab) as ledger:
        times = [event.created_at for event in ledger]
    found = rows(seiko, lab, "--format", "jsonl")
    kept = ("id", "replicate", "plate", "well", "value", "noise", "status", "state", "reason", "taken_back", "told_at")
    assert [tuple(row[name] for name in kept) for row in found] == [
        ("1-0", 1, "P1", "A01", 0.5, 0.1, "value", "labelled", None, None, times[3]),
        ("1-0", 2, "P1", "A02", 0.75, None, "value", "retracted", None, "contaminated", times[3]),
        ("1-1", 1, "P2", "A01", 2.0, None, "value", "labelled", None, None, times[6]),
        ("1-2", 1, "P1", "C01", None, None, "infeasible", "infeasible", "no synthesis", None, times[7]),
        ("0-0001", 1, None, None, -1.0, None, "value", "labelled", None, None, times[10]),
    ]
    assert [row["batch"] for row in found] == [1, 1, 1, 1, None]
    assert found[0]["predicted_mean"] == 0.25


def test_the_table_has_the_columns_of_a_label_file(seiko: Invoke, lab: Path) -> None:
    found = rows(seiko, lab)
    assert list(found[0]) == list(MEASUREMENT_COLUMNS)
    assert (found[1]["replicate"], found[1]["value"], found[1]["taken_back"]) == ("2", "0.75", "contaminated")
    several = as_measurements([{**found[0], "kd": 3.5}, found[1]], "csv")
    assert [row["kd"] for row in csv.DictReader(io.StringIO(several))] == ["3.5", ""]


def test_what_was_exported_says_nothing_new(seiko: Invoke, lab: Path, tmp_path: Path) -> None:
    result = seiko("export", str(lab), "--labels", "--replicates", "--out", str(tmp_path / "all.csv"))
    assert result.exit_code == 0
    again = seiko("tell", str(lab), str(tmp_path / "all.csv"), "--dry-run")
    assert again.exit_code == 0, again.output
    assert again.stdout.count("\n") == 1, "the header alone"


@pytest.mark.parametrize("more", [["--model"], ["--labels", "--format", "sdf"]])
def test_other_tables_have_no_replicates(seiko: Invoke, lab: Path, more: list[str]) -> None:
    result = seiko("export", str(lab), "--replicates", *more)
    assert result.exit_code == 2
    assert "one row a measurement" in result.stderr
