"""`data list` and `data fetch`."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from seiko.data import list_datasets

Invoke = Callable[..., Result]


@pytest.fixture
def nothing_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SEIKO_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def test_list_says_where_each_file_is(seiko: Invoke, nothing_here: Path) -> None:
    (nothing_here / "qm9_smiles.txt.gz").write_bytes(b"")
    rows = {row["name"]: row for row in csv.DictReader(io.StringIO(seiko("data", "list").stdout))}
    assert list(rows) == [dataset.name for dataset in list_datasets()]
    assert rows["qm9"]["where"] == str(nothing_here / "qm9_smiles.txt.gz")
    assert rows["tfbind8"]["where"] == "downloadable"
    assert rows["utr"]["where"] == "only by SEIKO_DATA"


def test_an_unknown_name_is_answered_with_the_known_ones(seiko: Invoke) -> None:
    result = seiko("data", "fetch", "tfbind9")
    assert result.exit_code == 2
    assert "no data set 'tfbind9', did you mean 'tfbind8'? There are: tfbind8, gfp" in result.stderr


@pytest.mark.parametrize(
    ("name", "message"), [("utr", "not downloadable automatically"), ("tfbind8", "could not be downloaded")]
)
def test_a_file_that_cannot_be_had_is_a_failure(seiko: Invoke, nothing_here: Path, name: str, message: str) -> None:
    result = seiko("data", "fetch", name)
    assert result.exit_code == 1
    last = result.stderr.splitlines()[-1]
    assert last.startswith("error: ")
    assert message in last
    assert "SEIKO_DATA" in last


def test_a_damaged_file_is_a_failure(seiko: Invoke, nothing_here: Path) -> None:
    (nothing_here / "tfbind8_six6_ref_r1.npz").write_bytes(b"not it")
    result = seiko("data", "fetch", "tfbind8")
    assert result.exit_code == 1
    assert "has SHA-256" in result.stderr


def test_fetch_prints_the_path(seiko: Invoke, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEIKO_DATA", str(data_dir))
    result = seiko("data", "fetch", "tfbind8")
    assert result.exit_code == 0
    assert Path(result.stdout.strip()) == data_dir / "tfbind8_six6_ref_r1.npz"
