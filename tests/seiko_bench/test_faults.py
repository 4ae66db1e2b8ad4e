"""The benchmark of faults counts what is lost, and finds it when something is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from seiko.campaign import RunState
from seiko.cli import app
from seiko_bench import faults_damage
from seiko_bench.faults import Outcome, faults, save
from seiko_bench.faults_crowd import crowd
from seiko_bench.faults_damage import damage
from seiko_bench.faults_disk import full_disk
from seiko_bench.faults_kills import kills
from seiko_bench.faults_order import answers, clock
from seiko_bench.ledger_tables import ledger_tables

Inject = Callable[[Path, str, bool], Iterator[Outcome]]


@pytest.mark.parametrize("inject", [damage, answers], ids=["damage", "answers"])
def test_a_few_faults_lose_nothing(inject: Inject, tmp_path: Path) -> None:
    outcomes = list(inject(tmp_path, "", True))
    assert outcomes
    for outcome in outcomes:
        assert outcome.good, outcome
        assert outcome.trials


@pytest.mark.slow
@pytest.mark.parametrize("place", ["sqlite", "postgres"])
@pytest.mark.parametrize("inject", [kills, crowd, clock, full_disk, damage], ids=lambda inject: inject.__name__)
def test_more_faults_lose_nothing(inject: Inject, place: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    url = ""
    if place == "postgres":
        request.getfixturevalue("server")  # skips without programs; a server that is halted must be one's own
        from seiko_bench.server import private_server

        with private_server(durable=False) as url:
            outcomes = list(inject(tmp_path, url, True))
    else:
        outcomes = list(inject(tmp_path, url, True))
    for outcome in outcomes:
        assert outcome.good, outcome


def test_silent_damage_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that looks away is found out."""
    real = faults_damage._read

    def careless(place: str) -> RunState:
        return RunState() if Path(place).name == "copy" else real(place)

    monkeypatch.setattr(faults_damage, "_read", careless)
    outcomes = list(damage(tmp_path, "", True))
    assert not outcomes[0].good
    assert outcomes[0].silent == outcomes[0].trials


def test_a_file_of_some_faults_keeps_the_others(tmp_path: Path) -> None:
    one = Outcome(fault="a", where="SQLite", trials=2, lost=0, twice=0, same=2)
    two = Outcome(fault="b", where="SQLite", trials=2, lost=1, twice=0, same=2, silent=0, remark="x")
    save([one, two], tmp_path, "seiko bench faults")
    path = save([Outcome(fault="a", where="SQLite", trials=9, lost=0, twice=0, same=9)], tmp_path, "seiko bench faults")
    rows = json.loads(path.read_text())["outcomes"]
    assert [(row["fault"], row["trials"], row["good"]) for row in rows] == [("a", 9, True), ("b", 2, False)]
    ((heading, header, cells, text),) = ledger_tables(tmp_path)
    assert heading.startswith("Faults")
    assert len(cells[1]) == len(header)
    assert cells[1][3:] == ["1", "0", "2", "0", "x"]
    assert "seiko bench faults" in text


def test_unknown_faults_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="faults has no 'fire'; there are: kills, disk, damage"):
        next(faults(True, ["fire"]))
    done = CliRunner().invoke(app, ["bench", "faults", "--methods", "fire", "--out", str(tmp_path)])
    assert done.exit_code == 2
    assert list(tmp_path.iterdir()) == []
