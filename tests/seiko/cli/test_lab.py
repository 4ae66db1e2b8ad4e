"""`ask`, `tell` and `advance`: files in and out, all or nothing, and no traceback."""

from __future__ import annotations

import csv
import io
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import Result

from seiko.campaign import Ledger

Invoke = Callable[..., Result]
FOUR = "1-0001,.1\n1-0002,.2\n1-0003,.3\n1-0004,.4\n"


def events(run: Path) -> list[str]:
    with Ledger.open(run) as ledger:
        return [event.kind for event in ledger]


@contextmanager
def unprivileged() -> Iterator[None]:
    """Give up root's right to write everywhere, where the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Return a folder that other users may read; pytest's own are closed to them."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)
        for path in (Path(name), *Path(name).rglob("*")):
            path.chmod(0o755)


def test_a_laboratory_goes_through_a_whole_run(seiko: Invoke, tmp_path: Path) -> None:
    assert seiko("init", "plate:by_hand", "--out", "r").exit_code == 0
    for round in (1, 2):
        asked = seiko("ask", "r", "--out", f"batch{round}.csv")
        assert asked.exit_code == 0
        assert asked.stdout == ""
        rows = list(csv.DictReader((tmp_path / f"batch{round}.csv").open()))
        assert list(rows[0]) == ["id", "design", "kind", "round", "source", "predicted_mean", "predicted_std"]
        assert [row["id"] for row in rows] == [f"{round}-{i:04d}" for i in range(1, 5)]
        assert all((row["predicted_mean"] == "") == (round == 1) for row in rows)
        answers = tmp_path / "answers.csv"
        with answers.open("w") as file:  # the asked file with a column more
            writer = csv.DictWriter(file, [*rows[0], "value"])
            writer.writeheader()
            writer.writerows({**row, "value": row["design"].count("A") / 4} for row in rows)
        told = seiko("tell", "r", "answers.csv")
        assert told.exit_code == 0, told.stderr
        assert json.loads(told.stdout) == {"taken": 4, "known": 0, "pending": 0}
        advanced = seiko("advance", "r")
        assert advanced.exit_code == 0, advanced.stderr
        report = json.loads(advanced.stdout)
        assert (report["round"], report["labels_used"]) == (round, 4 * round)
        assert "samples" not in report
        assert f"round {round} of 2" in advanced.stderr
    assert events(tmp_path / "r") == ["opened", *["asked", "told", "advanced"] * 2]
    over = seiko("ask", "r")
    assert over.exit_code == 0
    assert len(over.stdout.splitlines()) == 1
    assert "all 2 rounds are finished" in over.stderr
    assert seiko("advance", "r").exit_code == 2


def test_asking_again_prints_the_same_and_tells_nothing_twice(seiko: Invoke, waiting: Path) -> None:
    first, second = seiko("ask", "waiting"), seiko("ask", "waiting")
    assert first.stdout == second.stdout
    assert events(waiting) == ["opened", "asked"]
    more = seiko("ask", "waiting", "--n", "6")
    assert more.stdout.startswith(first.stdout)
    assert len(more.stdout.splitlines()) == 7


def test_a_file_is_not_overwritten_unless_forced(seiko: Invoke, waiting: Path, tmp_path: Path) -> None:
    path = tmp_path / "batch.csv"
    path.write_text("my notes")
    refused = seiko("ask", "waiting", "--out", "batch.csv")
    assert refused.exit_code == 2
    assert "batch.csv exists and holds something else" in refused.stderr
    assert path.read_text() == "my notes"
    assert seiko("ask", "waiting", "--out", "batch.csv", "--force").exit_code == 0
    assert seiko("ask", "waiting", "--out", "batch.csv").exit_code == 0  # the same bytes
    assert path.read_text() == seiko("ask", "waiting").stdout
    assert seiko("ask", "waiting", "--out", "no/such/batch.csv").exit_code == 2
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("1-0001,.5\n2-0001,.5\n", "line 3, column id: '2-0001' was never asked"),
        ("1-0001,.5\n1-0002,.5\n1-0001,.6\n", "line 4, column id: '1-0001' is on line 2 already"),
        ("1-0001,.5\n1-0002,nan\n", "line 3, column value: must be a finite number, got 'nan'"),
        ("1-0001,.5\n1-0002,low\n", "line 3, column value: must be a number, got 'low'"),
    ],
)
def test_of_a_file_with_a_wrong_line_nothing_is_taken(
    seiko: Invoke, waiting: Path, tmp_path: Path, rows: str, message: str
) -> None:
    (tmp_path / "l.csv").write_text("id,value\n" + rows)
    for arguments in (["--dry-run"], []):
        result = seiko("tell", "waiting", "l.csv", *arguments)
        assert result.exit_code == 2
        assert f"l.csv, {message}" in result.stderr
        assert result.stdout == ""
        assert "Traceback" not in result.stderr
    assert events(waiting) == ["opened", "asked"]


def test_missing_columns_empty_and_missing_files_are_refused(seiko: Invoke, waiting: Path, tmp_path: Path) -> None:
    for text, message in (("id,yield\n1-0001,1\n", "column value: the column is missing"), ("", "the file is empty")):
        (tmp_path / "l.csv").write_text(text)
        result = seiko("tell", "waiting", "l.csv")
        assert result.exit_code == 2
        assert message in result.stderr
    result = seiko("tell", "waiting", "none.csv")
    assert result.exit_code == 2
    assert "none.csv: No such file" in result.stderr
    assert seiko("tell", "waiting", ".").exit_code == 2
    assert events(waiting) == ["opened", "asked"]


def test_a_dry_run_prints_what_would_be_taken(seiko: Invoke, waiting: Path, tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("id;value;status\n1-0001;.5;\n1-0002;;infeasible\n")
    result = seiko("tell", "waiting", "l.csv", "--dry-run")
    assert result.exit_code == 0
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [(row["id"], row["value"], row["status"]) for row in rows] == [
        ("1-0001", "0.5", "value"),
        ("1-0002", "", "infeasible"),
    ]
    assert events(waiting) == ["opened", "asked"]


def test_labels_come_part_by_part_and_from_standard_input(seiko: Invoke, waiting: Path) -> None:
    first = seiko("tell", "waiting", "-", input="id,value\n1-0003,.5\n")
    assert json.loads(first.stdout) == {"taken": 1, "known": 0, "pending": 3}
    again = seiko("tell", "waiting", "-", input="id,value\n1-0003,.5\n1-0001,.5\n")
    assert json.loads(again.stdout) == {"taken": 1, "known": 1, "pending": 2}
    other = seiko("tell", "waiting", "-", input="id,value\n1-0002,.5\n1-0003,.6\n")
    assert other.exit_code == 2
    assert "standard input, line 3, column value: query 1-0003 has the label 0.5 already, got 0.6" in other.stderr
    early = seiko("advance", "waiting")
    assert early.exit_code == 2
    assert "2 labels of round 1 are missing" in early.stderr
    assert seiko("advance", "waiting", "--without-pending").exit_code == 0
    late = seiko("tell", "waiting", "-", input="id,value\n1-0002,.1\n")
    assert json.loads(late.stdout)["taken"] == 1


@pytest.mark.parametrize("n", ["0", "-1", "x"])
def test_a_batch_has_a_positive_size(seiko: Invoke, waiting: Path, n: str) -> None:
    assert seiko("ask", "waiting", "--n", n).exit_code == 2


def test_the_budget_is_not_exceeded(seiko: Invoke, waiting: Path) -> None:
    result = seiko("ask", "waiting", "--n", "50")
    assert result.exit_code == 2
    assert "the budget of 8 has 4 left" in result.stderr


@pytest.mark.parametrize("command", [["ask"], ["tell", "l.csv"], ["advance"], ["status"], ["report"]])
def test_a_place_without_a_run_is_named(seiko: Invoke, tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "l.csv").write_text("id,value\n")
    result = seiko(command[0], "nowhere", *command[1:])
    assert result.exit_code == 2
    assert "no run at nowhere" in result.stderr
    assert not (tmp_path / "nowhere").exists()


def test_a_module_that_nobody_allowed_is_not_imported(
    seiko: Invoke, waiting: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SEIKO_MODULES")
    result = seiko("ask", "waiting")
    assert result.exit_code == 0  # by_hand names no class of its module
    assert seiko("init", "plate:tiny", "--out", "own").exit_code == 0
    refused = seiko("ask", "own")
    assert refused.exit_code == 2
    assert "seiko --module NAME" in refused.stderr
    assert seiko("--module", "plate", "ask", "own").exit_code == 0


def test_a_read_only_folder_is_a_failure_found_before_anything_is_spent(seiko: Invoke, open_folder: Path) -> None:
    run = open_folder / "run"
    assert seiko("init", "plate:by_hand", "--out", str(run)).exit_code == 0
    assert seiko("ask", str(run)).exit_code == 0
    labels = open_folder / "l.csv"
    labels.write_text("id,value\n" + FOUR)
    labels.chmod(0o644)
    for path in (run, *run.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    with unprivileged():
        told = seiko("tell", str(run), str(labels))
        more = seiko("ask", str(run), "--n", "6")
        dry = seiko("tell", str(run), str(labels), "--dry-run")
        status = seiko("status", str(run))
        made = seiko("init", "plate:by_hand", "--out", str(run / "inner"))
    for result in (told, more, made):
        assert result.exit_code == 1, result.output
        assert "cannot" in result.stderr
        assert "Traceback" not in result.stderr
    assert dry.exit_code == status.exit_code == 0
    assert events(run) == ["opened", "asked"]
