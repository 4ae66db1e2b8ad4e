"""A plate a week: laid out, told from grids and lists, retracted, repeated, with old measurements beside."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from seiko.campaign import Ledger

Invoke = Callable[..., Result]


def rows(result: Result) -> list[dict[str, str]]:
    assert result.exit_code == 0, result.stderr
    return list(csv.DictReader(io.StringIO(result.stdout)))


def kinds(run: Path) -> list[str]:
    with Ledger.open(run) as ledger:
        return [event.kind for event in ledger]


PLATED = ("ask", "waiting", "--plate", "96", "--replicates", "2", "--control", "wild=AAAA", "--control", "buffer")


def a_grid(asked: list[dict[str, str]], reading: Callable[[dict[str, str]], str]) -> str:
    cells = {row["well"]: reading(row) for row in asked}
    lines = [",".join(["P1", *map(str, range(1, 13))])]
    for letter in "ABCDEFGH":
        lines.append(",".join([letter, *(cells.get(f"{letter}{column:02d}", "") for column in range(1, 13))]))
    return "\n".join(lines)


def test_a_plate_is_laid_out_once_and_read_back_as_a_grid(seiko: Invoke, waiting: Path, tmp_path: Path) -> None:
    first = seiko(*PLATED)
    asked = rows(first)
    assert list(asked[0])[:5] == ["id", "plate", "well", "replicate", "design"]
    assert len(asked) == 4 * 2 + 2
    assert {row["well"] for row in asked} == {f"A{i:02d}" for i in range(1, 11)}
    assert {row["id"] for row in asked if row["source"] == "control"} == {"0-wild", "control:buffer"}
    assert seiko(*PLATED).stdout == first.stdout
    assert seiko("ask", "waiting", "--plate", "96", "--layout-seed", "9").stdout == first.stdout, "it is kept"
    assert kinds(waiting) == ["opened", "asked", "plated"]
    late = next(row["well"] for row in asked if row["id"] == "1-0004" and row["replicate"] == "2")
    grid = a_grid(asked, lambda row: "retry" if row["well"] == late else str(10 + len(row["design"])))
    (tmp_path / "grid.csv").write_text(grid)
    dry = rows(seiko("tell", "waiting", "grid.csv", "--dry-run"))
    assert len(dry) == 9, "the place without a design is passed over"
    assert kinds(waiting) == ["opened", "asked", "plated"]
    assert json.loads(seiko("tell", "waiting", "grid.csv").stdout) == {"taken": 9, "known": 0, "pending": 0}
    assert json.loads(seiko("tell", "waiting", "grid.csv").stdout) == {"taken": 0, "known": 9, "pending": 0}
    status = json.loads(seiko("status", "waiting", "--json").stdout)
    assert (status["labels_used"], status["labels_left"]) == (4, 4)
    assert seiko("advance", "waiting").exit_code == 0


def test_what_is_to_be_repeated_gets_a_new_well(seiko: Invoke, waiting: Path) -> None:
    asked = rows(seiko("ask", "waiting", "--plate", "384"))
    told = "well,value,status,retry,reason\n" + "".join(
        f"{row['well']},,failed,yes,the tip broke\n" if row["id"] == "1-0002" else f"{row['well']},1,,,\n"
        for row in asked
    )
    assert json.loads(seiko("tell", "waiting", "-", input=told).stdout) == {"taken": 4, "known": 0, "pending": 1}
    again = rows(seiko("ask", "waiting", "--plate", "384"))
    assert {(row["id"], row["plate"]) for row in again if row["id"] == "1-0002"} == {("1-0002", "P1"), ("1-0002", "P2")}
    well = next(row["well"] for row in again if row["plate"] == "P2")
    result = seiko("tell", "waiting", "-", input=f"well,value\n{well},2\n")
    assert result.exit_code == 2
    assert "which plate is it? (--plate NAME, or a column plate); there are P1, P2" in result.stderr
    result = seiko("tell", "waiting", "-", "--plate", "P2", input=f"well,value\n{well},2\n")
    assert json.loads(result.stdout) == {"taken": 1, "known": 0, "pending": 0}


def test_options_of_plates_belong_to_plates(seiko: Invoke, waiting: Path) -> None:
    for options, message in (
        (["--replicates", "2"], "belong to --plate 96 or 384"),
        (["--plate", "95"], "--plate must be 96 or 384, got 95"),
        (["--plate", "96", "--control", "wild=AA"], "the control wild = 'AA' is no design of this run's model"),
        (["--plate", "96", "--control", "w-1=AAAA"], "letters, digits and underscores, got 'w-1'"),
        (["--plate", "96", "--control", "w", "--control", "w"], "--control w is there twice"),
        (["--plate", "96", "--format", "fasta"], "places on a plate cannot be written as fasta"),
    ):
        result = seiko("ask", "waiting", *options)
        assert result.exit_code == 2, result.output
        assert message in result.stderr


def test_a_batch_in_the_laboratory_s_own_format(seiko: Invoke, waiting: Path, tmp_path: Path) -> None:
    assert seiko("ask", "waiting", "--out", "b.fasta").exit_code == 0
    lines = (tmp_path / "b.fasta").read_text().splitlines()
    assert lines[0] == ">1-0001"
    assert len(lines) == 8
    assert set(lines[1]) <= set("ACGT")
    records = [json.loads(line) for line in seiko("ask", "waiting", "--format", "jsonl").stdout.splitlines()]
    assert [record["design"] for record in records] == lines[1::2]
    result = seiko("ask", "waiting", "--out", "b.sdf")
    assert result.exit_code == 2
    assert "designs of kind 'dna' cannot be written as sdf" in result.stderr


def test_another_batch_while_the_first_waits(seiko: Invoke, waiting: Path) -> None:
    first = rows(seiko("ask", "waiting"))
    second = rows(seiko("ask", "waiting", "--another", "--n", "2"))
    assert [row["id"] for row in second] == ["1-0005", "1-0006"]
    assert rows(seiko("ask", "waiting")) == first + second
    assert len({row["design"] for row in first + second}) == 6


def test_labels_are_retracted_and_designs_abandoned(seiko: Invoke, waiting: Path) -> None:
    seiko("tell", "waiting", "-", input="id,value\n1-0001,5\n1-0002,.2\n")
    done = seiko("retract", "waiting", "1-0001", "--reason", "wrong well")
    assert json.loads(done.stdout) == {"retracted": 1, "known": 0}
    assert json.loads(seiko("retract", "waiting", "1-0001", "--reason", "wrong well").stdout)["known"] == 1
    gone = seiko("abandon", "waiting", "1-0003", "1-0004", "--reason", "lost")
    assert json.loads(gone.stdout) == {"abandoned": 2, "known": 0, "pending": 0}
    for command, message in (
        (["retract", "waiting", "1-0003", "--reason", "x"], "cannot happen to a query that is abandoned"),
        (["abandon", "waiting", "1-0002", "--reason", "x"], "cannot happen to a query that is labelled"),
        (["retract", "waiting", "1-0009", "--reason", "x"], "'1-0009' was never asked"),
        (["retract", "waiting", "1-0002", "--reason", ""], "say why, in words"),
        (["retract", "waiting", "1-0002"], "--reason"),
    ):
        result = seiko(*command)
        assert result.exit_code == 2
        assert message in result.stderr
        assert "Traceback" not in result.stderr
    status = json.loads(seiko("status", "waiting", "--json").stdout)
    assert (status["labels_used"], status["labels_left"], status["best"]) == (2, 6, 0.2)
    assert seiko("advance", "waiting").exit_code == 0
    late = seiko("retract", "waiting", "1-0002", "--reason", "contaminated")
    assert "finished rounds had been fitted to 1 of them" in late.stderr


def test_old_measurements_are_attached(seiko: Invoke, tmp_path: Path) -> None:
    assert seiko("init", "plate:by_hand", "--out", "r").exit_code == 0
    (tmp_path / "old.csv").write_text("sequence;nM\nAAAA;10\nCCCC;1000\nCCCC;100\n")
    options = ["--attach", "--column", "design=sequence", "--column", "value=nM", "--log10", "--minimise"]
    dry = rows(seiko("tell", "r", "old.csv", *options, "--dry-run"))
    assert [(row["design"], row["replicate"], float(row["value"])) for row in dry] == [
        ("AAAA", "1", -1.0),
        ("CCCC", "1", -3.0),
        ("CCCC", "2", -2.0),
    ]
    assert kinds(tmp_path / "r") == ["opened"]
    assert json.loads(seiko("tell", "r", "old.csv", *options).stdout) == {"attached": 3, "known": 0}
    assert json.loads(seiko("tell", "r", "old.csv", *options).stdout) == {"attached": 0, "known": 3}
    asked = rows(seiko("ask", "r"))
    assert not {"AAAA", "CCCC"} & {row["design"] for row in asked}
    assert all(row["predicted_mean"] for row in asked)
    (tmp_path / "bad.csv").write_text("design,value\nGGGG,1\nAXAA,1\n")
    refused = seiko("tell", "r", "bad.csv", "--attach", "--log10", "--minimise")
    assert refused.exit_code == 2
    assert "bad.csv, line 3, column design: 'AXAA' is no design of this run's model" in refused.stderr
    other = seiko("tell", "r", "-", "--attach", input="design,value\nGGGG,1\n")
    assert "made with --log10 --minimise" in other.stderr
    assert kinds(tmp_path / "r") == ["opened", "attached", "asked"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--column", "value"], "--column is given as OURS=THEIRS"),
        (["--scale", "0"], "scale must be a positive factor, got 0"),
        (["--plate", "P1"], "there is no plate 'P1' in this run"),
    ],
)
def test_options_that_cannot_be_meant(seiko: Invoke, waiting: Path, options: list[str], message: str) -> None:
    result = seiko("tell", "waiting", "-", *options, input="id,value\n1-0001,1\n")
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_plate_read_without_its_minimise_is_refused(seiko: Invoke, waiting: Path) -> None:
    assert seiko("tell", "waiting", "-", "--minimise", input="id,value\n1-0001,1\n").exit_code == 0
    result = seiko("tell", "waiting", "-", input="id,value\n1-0002,1\n")
    assert result.exit_code == 2
    assert "made with --minimise, these would be with neither" in result.stderr
