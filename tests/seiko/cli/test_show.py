"""`status`, `report` and `export`: what comes out of a run, and that damage is found."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from seiko.campaign import Campaign, Query, RunState
from seiko.campaign.label_table import labelled_rows
from seiko.cli.show import TableFormat, _label_table
from seiko.designs import Design
from seiko.models import MaskedLMSource
from seiko.oracles import Label

Invoke = Callable[..., Result]


def test_status_as_json(seiko: Invoke, waiting: Path) -> None:
    result = seiko("status", "waiting", "--json")
    assert result.exit_code == 0
    values = json.loads(result.stdout)
    assert values["run"] == "waiting"
    assert (values["done"], values["round"], values["rounds"]) == (False, 1, 2)
    assert (values["budget"], values["labels_used"], values["asked"], values["pending"]) == (8, 0, 4, 4)
    assert values["pending_ids"] == ["1-0001", "1-0002", "1-0003", "1-0004"]
    assert values["labels_left"] == 4
    assert values["next"] == "seiko tell waiting FILE"
    assert values["stopped_because"] is None
    assert values["alarms"] == []
    assert values["best"] is None


def test_status_in_words_of_a_finished_run(seiko: Invoke, finished_run: Path) -> None:
    result = seiko("status", str(finished_run))
    assert result.exit_code == 0
    lines = dict(line.split(maxsplit=1) for line in result.stdout.splitlines())
    assert lines["labels_used"] == "12"
    assert lines["done"] == "yes"
    assert lines["next"] == f"seiko report {finished_run}"


def test_status_says_why_a_run_is_over_and_what_rings(
    seiko: Invoke, finished_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = json.loads(seiko("status", str(finished_run), "--json").stdout)
    assert values["stopped_because"] == "all 2 rounds are finished"
    monkeypatch.setattr("seiko.campaign.alarms.KL_SLACK", 0.0)
    result = seiko("status", str(finished_run), "--json")
    [alarm] = [alarm for alarm in json.loads(result.stdout)["alarms"] if alarm["name"] == "kl"]
    assert "nats from the pretrained one, its budget is" in alarm["sentence"]
    assert f"alarm: {alarm['sentence']}" in seiko("status", str(finished_run)).stderr


def test_status_needs_none_of_the_recipes_modules(
    seiko: Invoke, finished_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SEIKO_MODULES")
    assert seiko("status", str(finished_run), "--json").exit_code == 0
    assert seiko("export", str(finished_run), "--labels").exit_code == 0


def test_report_is_written_and_its_path_printed(seiko: Invoke, finished_run: Path, tmp_path: Path) -> None:
    shutil.copytree(finished_run, tmp_path / "r")
    result = seiko("report", "r")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == "r/report.html\n"
    page = (tmp_path / "r" / "report.html").read_text()
    assert "<html" in page
    assert seiko("report", "r", "--out", "page.html").stdout == "page.html\n"
    # the same run gives the same page
    assert (tmp_path / "page.html").read_text() == page
    assert seiko("report", "r", "--out", ".").exit_code == 2


def test_report_of_a_run_without_a_finished_round(seiko: Invoke, waiting: Path) -> None:
    result = seiko("report", "waiting")
    assert result.exit_code == 0, result.stderr
    assert "No round is finished yet" in (waiting / "report.html").read_text()


def test_labels_are_exported_as_they_are(seiko: Invoke, finished_run: Path) -> None:
    table = seiko("export", str(finished_run), "--labels")
    assert table.exit_code == 0
    rows = list(csv.DictReader(io.StringIO(table.stdout)))
    assert len(rows) == 12
    assert all(float(row["value"]) == row["design"].count("A") / 4 for row in rows)
    assert {row["status"] for row in rows} == {"value"}
    lines = seiko("export", str(finished_run), "--labels", "--format", "jsonl").stdout.splitlines()
    assert [json.loads(line)["id"] for line in lines] == [row["id"] for row in rows]
    assert json.loads(lines[0])["predicted_mean"] is None
    assert isinstance(json.loads(lines[-1])["predicted_mean"], float)


def test_without_a_place_the_model_goes_into_the_run_and_is_replaced(
    seiko: Invoke, finished_run: Path, tmp_path: Path
) -> None:
    shutil.copytree(finished_run, tmp_path / "r")
    for _ in range(2):
        result = seiko("export", "r", "--model")
        assert result.exit_code == 0, result.stderr
        assert result.stdout == "r/model\n"
    names = {path.name for path in (tmp_path / "r" / "model").iterdir()}
    assert names == {"config.json", "model.safetensors", "seiko.json"}
    assert [path.name for path in (tmp_path / "r").iterdir() if path.name.endswith(".tmp")] == []


def test_a_steered_run_has_no_model_to_export(
    seiko: Invoke, finished_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seiko.updates.Steering", object)  # whatever the run's update is, it now steers
    result = seiko("export", str(finished_run), "--model", "--out", "m")
    assert result.exit_code == 2
    assert "has no weights of its own" in result.stderr
    assert not Path("m").exists()


def test_the_exported_model_is_the_one_after_the_last_round(seiko: Invoke, finished_run: Path, tmp_path: Path) -> None:
    result = seiko("export", str(finished_run), "--model", "--out", "m")
    assert result.exit_code == 0, result.stderr
    model = MaskedLMSource(name=str(tmp_path / "m")).load()
    with Campaign.open(finished_run, modules=("plate",)) as campaign:
        x = campaign.sample_states(20)
        theirs = campaign.model
        campaign._load(2)
        for own, other in zip(model.versions.parameters(), theirs.versions.parameters(), strict=True):
            assert own.equal(other)
        campaign._load(0)
        pairs = list(zip(model.versions.parameters(), theirs.versions.parameters(), strict=True))
        assert not all(own.equal(other) for own, other in pairs)
    assert x.shape == (20, 4)
    assert seiko("sample", "m", "--n", "5").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--labels or --model"),
        (["--labels", "--model"], "--labels or --model"),
        (["--model", "--out", "file"], "file exists"),
        (["--model", "--out", "full"], "full exists"),
        (["--model", "--out", "full", "--force"], "not a model's folder"),
        (["--model", "--out", "no/m"], "there is no folder"),
        (["--labels", "--format", "xlsx"], "xlsx"),
        (["--labels", "--out", "file"], "file exists and holds something else"),
    ],
)
def test_wrong_exports_are_refused(
    seiko: Invoke, finished_run: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    result = seiko("export", str(finished_run), *arguments)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert (tmp_path / "file").read_text() == (tmp_path / "full" / "mine").read_text() == "mine"


def test_a_damaged_artifact_is_named(seiko: Invoke, finished_run: Path, tmp_path: Path) -> None:
    shutil.copytree(finished_run, tmp_path / "r")
    for path in (tmp_path / "r" / "artifacts").iterdir():
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)
    for command in (["sample", "r"], ["export", "r", "--model", "--out", "m"], ["report", "r"]):
        result = seiko(*command)
        assert result.exit_code == 1, result.output
        assert "is damaged: expected SHA-256" in result.stderr
        assert "Traceback" not in result.stderr
        assert result.stdout == ""
    assert not (tmp_path / "m").exists()
    for path in (tmp_path / "r" / "artifacts").iterdir():
        path.unlink()
    result = seiko("sample", "r")
    assert result.exit_code == 1
    assert "is missing" in result.stderr


def test_a_damaged_ledger_is_named(seiko: Invoke, waiting: Path) -> None:
    (waiting / "ledger.sqlite").write_bytes(b"not a database, far from it" * 100)
    for command in ("status", "ask", "advance"):
        result = seiko(command, "waiting")
        assert result.exit_code == 1, result.output
        assert "ledger.sqlite" in result.stderr
        assert "Traceback" not in result.stderr


def test_properties_are_columns_of_their_own() -> None:
    state = RunState()
    for i, label in enumerate((Label(value=0.5, values=(("qed", 0.7), ("sa", 0.9))), Label.infeasible("no"))):
        id = f"1-{i:04d}"
        state.queries[id] = Query(id=id, design=Design("C" * (i + 1), "smiles"), round=1, source="fresh")
        state.labels[id], state.labelled_at[id] = label, 1
    table = _label_table(labelled_rows(state), TableFormat.csv)
    first, second = csv.DictReader(io.StringIO(table))
    assert (first["value"], first["qed"], first["sa"]) == ("0.5", "0.7", "0.9")
    assert (second["status"], second["qed"]) == ("infeasible", "")
