"""`sample`: from a run, from a model, in formats that suit."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from seiko.campaign import Campaign
from seiko.cli.errors import InputError
from seiko.cli.sample import SampleFormat, write_designs
from seiko.designs import Design

Invoke = Callable[..., Result]


def designs(result: Result) -> list[str]:
    assert result.exit_code == 0, result.output
    return [row["design"] for row in csv.DictReader(io.StringIO(result.stdout))]


def test_the_designs_are_those_of_the_campaign(seiko: Invoke, finished_run: Path) -> None:
    place = str(finished_run)
    with Campaign.open(place, modules=("plate",)) as campaign:
        wanted = {round: [d.content for d in campaign.sample(20, seed=3, round=round)] for round in (None, 0, 2)}
    assert designs(seiko("sample", place, "--n", "20", "--seed", "3")) == wanted[None] == wanted[2]
    assert designs(seiko("sample", place, "--n", "20", "--seed", "3", "--round", "0")) == wanted[0]
    assert designs(seiko("sample", place, "--n", "20")) != wanted[None]


def test_a_model_is_sampled_without_a_run(seiko: Invoke, plates: Path, tmp_path: Path) -> None:
    first = seiko("sample", str(plates / "model"), "--n", "5")
    assert len(designs(first)) == 5
    assert all(set(design) <= set("ACGT") and len(design) == 4 for design in designs(first))
    # the first designs are the same, however many are drawn
    assert designs(seiko("sample", str(plates / "model"), "--n", "7"))[:5] == designs(first)
    assert designs(seiko("sample", str(plates / "model"), "--n", "7", "--seed", "1"))[:5] != designs(first)
    assert seiko("sample", str(plates / "model"), "--n", "5", "--out", "s.csv").stdout == ""
    assert (tmp_path / "s.csv").read_text() == first.stdout


def test_the_best_of_several_draws_are_those_of_the_campaign(seiko: Invoke, finished_run: Path) -> None:
    place = str(finished_run)
    with Campaign.open(place, modules=("plate",)) as campaign:
        wanted = [d.content for d in campaign.sample(20, best_of=3)]
    assert designs(seiko("sample", place, "--n", "20", "--best-of", "3")) == wanted
    assert designs(seiko("sample", place, "--n", "20")) != wanted


def test_a_model_without_a_run_has_no_belief_to_choose_by(seiko: Invoke, plates: Path) -> None:
    result = seiko("sample", str(plates / "model"), "--best-of", "3")
    assert result.exit_code == 2
    assert "--best-of needs a run's belief" in result.stderr


def test_fasta(seiko: Invoke, plates: Path) -> None:
    result = seiko("sample", str(plates / "model"), "--n", "2", "--format", "fasta")
    lines = result.stdout.splitlines()
    assert lines[::2] == [">sample-1", ">sample-2"]
    assert all(len(line) == 4 for line in lines[1::2])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["RUN", "--n", "0"], "--n"),
        (["RUN", "--round", "3"], "round must be one of 0 (pretrained) to 2"),
        (["RUN", "--format", "smiles"], "designs of kind 'dna' cannot be written as smiles: use csv or fasta"),
        (["RUN", "--format", "sdf"], "cannot be written as sdf"),
        (["RUN", "--format", "png"], "cannot be written as png"),
        (["MODEL", "--round", "1"], "--round belongs to a run"),
        (["nowhere"], "neither a run nor a model"),
        (["."], "holds neither a run nor a model"),
        (["seiko:nothing"], "no shipped prior"),
        (["seiko:../../models"], "no shipped prior"),
    ],
)
def test_wrong_requests_are_refused(
    seiko: Invoke, finished_run: Path, plates: Path, arguments: list[str], message: str
) -> None:
    places = {"RUN": str(finished_run), "MODEL": str(plates / "model")}
    result = seiko("sample", *(places.get(argument, argument) for argument in arguments))
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert result.stdout == ""


def test_tokens_are_not_fasta() -> None:
    with pytest.raises(InputError, match="kind 'tokens' cannot be written as fasta: use csv"):
        write_designs([Design("1 2 3", "tokens")], SampleFormat.fasta)
