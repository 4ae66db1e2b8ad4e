"""`seiko ledger` checks, exports, imports and migrates, and says what is wrong without a traceback."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from typer.testing import Result

from seiko.campaign.ledger import Ledger, NewEvent


def make(place: str) -> None:
    with Ledger.create(place) as ledger:
        ledger.artifacts.put(b"abc")
        ledger.append([NewEvent("opened", {"recipe": {"type": "x"}}), NewEvent("told", {"labels": {}})], expected=0)


def test_there_and_back(place: str, tmp_path: Path, seiko: Callable[..., Result]) -> None:
    make(place)
    done = seiko("ledger", "verify", place)
    first = json.loads(done.stdout)
    assert (first["sound"], first["events"], first["artifacts"], first["faults"]) == (True, 2, 1, [])
    assert "sound; 2 events, 1 artifacts, last digest" in done.stderr
    assert seiko("ledger", "export", place, "--out", str(tmp_path / "x.jsonl")).exit_code == 0
    assert seiko("ledger", "export", place).stdout.encode() == (tmp_path / "x.jsonl").read_bytes()
    again = seiko("ledger", "export", place, "--out", str(tmp_path / "x.jsonl"))
    assert (again.exit_code, "replace it with --force" in again.stderr) == (2, True)
    done = seiko("ledger", "import", str(tmp_path / "copy"), str(tmp_path / "x.jsonl"))
    assert json.loads(done.stdout)["digest"] == first["digest"]
    done = seiko("ledger", "verify", str(tmp_path / "copy"), "--expect", first["digest"])
    assert (done.exit_code, json.loads(done.stdout)["digest"]) == (0, first["digest"])
    beside = ("--artifacts", str(tmp_path / "files"))
    assert seiko("ledger", "export", place, "--out", str(tmp_path / "y.jsonl"), *beside).exit_code == 0
    assert seiko("ledger", "import", str(tmp_path / "other"), str(tmp_path / "y.jsonl"), *beside).exit_code == 0
    done = seiko("ledger", "migrate", place)
    assert json.loads(done.stdout)["backup"] is None
    assert "has schema 2 already" in done.stderr


def test_what_is_wrong_is_said(tmp_path: Path, seiko: Callable[..., Result]) -> None:
    run = str(tmp_path / "run")
    make(run)
    (artifact,) = (tmp_path / "run" / "artifacts").iterdir()
    artifact.write_bytes(b"abd")
    done = seiko("ledger", "verify", run)
    assert done.exit_code == 1
    assert not json.loads(done.stdout)["sound"]
    assert "is damaged: expected SHA-256" in done.stderr
    assert "1 faults; restore the run" in done.stderr
    done = seiko("ledger", "export", run, "--out", str(tmp_path / "x.jsonl"))
    assert (done.exit_code, "is damaged" in done.stderr) == (1, True)
    assert not (tmp_path / "x.jsonl").exists()
    assert list(tmp_path.iterdir()) == [tmp_path / "run"]


def test_files_that_are_no_exports(tmp_path: Path, seiko: Callable[..., Result]) -> None:
    (tmp_path / "x.jsonl").write_text('{"a": 1}\n')
    done = seiko("ledger", "import", str(tmp_path / "run"), str(tmp_path / "x.jsonl"))
    assert done.exit_code == 2
    assert "x.jsonl: line 1 is not the first line of an export" in done.stderr
    assert "nothing was imported" in done.stderr
    done = seiko("ledger", "import", str(tmp_path / "run"), str(tmp_path / "none.jsonl"))
    assert (done.exit_code, "none.jsonl: No such file" in done.stderr) == (2, True)
    assert not (tmp_path / "run").exists()


def test_no_command_prints_a_password(seiko: Callable[..., Result]) -> None:
    place = "postgresql://me:hush1@127.0.0.1:1/db?run=a"
    for command in (("ledger", "verify"), ("ledger", "migrate"), ("status",), ("ask",), ("report",), ("advance",)):
        done = seiko(*command, place)
        assert done.exit_code in (1, 2)
        assert "hush1" not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
