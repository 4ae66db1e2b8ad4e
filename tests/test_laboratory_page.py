"""The commands of the laboratory page, in their order, in a laboratory that answers as the page says."""

from __future__ import annotations

import csv
import random
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from seiko.campaign import Ledger, RunState, State
from seiko.campaign.state import fold
from seiko.cli import app

PAGE = (Path(__file__).parents[1] / "docs" / "laboratory.md").read_text()
COMMANDS = [
    line for block in re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL) for line in block.splitlines() if line
]
# what makes a run small; the page shows the defaults
SMALL = {
    "pretrain": ["--steps", "2", "--width", "8", "--layers", "1", "--heads", "1"],
    "init": ["--steps", "2", "--samples", "16", "--pool", "150"],
}


def write_results(folder: Path) -> None:
    """Write the reader's export, in the shape of the plate, and what broke."""
    with (folder / "plate1.csv").open() as file:
        rows = list(csv.DictReader(file))
    cells = {}
    for row in rows:
        lost = row["id"] in ("1-0006", "1-0007")
        bound = row["id"] != "1-0009"
        cells[row["well"]] = "" if lost else "infeasible" if not bound else f"{10 + 7 * row['design'].count('A')}"
    lines = [",".join(["P1", *map(str, range(1, 13))])]
    for letter in "ABCDEFGH":
        lines.append(",".join([letter, *(cells.get(f"{letter}{column:02d}", "") for column in range(1, 13))]))
    (folder / "plate1-results.csv").write_text("\n".join(lines))
    failed = [f"{row['well']},,failed,yes,bubble" for row in rows if row["id"] == "1-0006"]
    (folder / "failed.csv").write_text("\n".join(["well,value,status,retry,reason", *failed]))


@pytest.mark.slow
def test_the_page_can_be_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    letters = random.Random(0)
    library = ["".join(letters.choices("ACGT", k=8)) for _ in range(64)]
    Path("library.fasta").write_text("".join(f">s{i}\n{sequence}\n" for i, sequence in enumerate(library)))
    Path("measured.csv").write_text("sequence,Kd_nM\nACGTACGA,120\nACGTACGA,140\nTTTTTTTT,90000\n")
    assert len(COMMANDS) == 17
    for command in COMMANDS:
        words = shlex.split(command)[1:]
        result = CliRunner().invoke(app, [*words, *SMALL.get(words[0], [])], prog_name="seiko")
        assert result.exit_code == 0, f"{command}\n{result.output}"
        if "plate1.csv" in words:
            write_results(tmp_path)
    state = RunState()
    with Ledger.open(tmp_path / "runs" / "plates") as ledger:
        for event in ledger:
            fold(state, event)
    stages = {id: state.stage(id) for id in ("1-0001", "1-0003", "1-0006", "1-0007", "1-0009")}
    assert stages == {
        "1-0001": State.LABELLED,
        "1-0003": State.RETRACTED,
        "1-0006": State.FAILED,
        "1-0007": State.ABANDONED,
        "1-0009": State.INFEASIBLE,
    }
    assert len(state.standing("1-0001")) == 3
    assert len(state.standing("0-wild")) == 4
    assert list(state.plates) == ["P1", "P2"]
    assert {query.batch for query in state.asked(2)} == {1, 2}
    assert state.charged == 23 + 12 + 6
    with (tmp_path / "measurements.csv").open() as file:
        wild = [row for row in csv.DictReader(file) if row["id"] == "0-wild"]
    assert [row["replicate"] for row in wild] == ["1", "2", "3", "4"]
    assert {row["plate"] for row in wild} == {"P1"}
    assert (tmp_path / "report.html").stat().st_size > 10_000
