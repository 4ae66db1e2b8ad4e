"""SMILES and SDF: what is written can be read back, and nothing that a user wrote breaks a record."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from rdkit import Chem
from typer.testing import Result

from seiko.campaign.ledger import Ledger, NewEvent
from seiko.cli.errors import InputError
from seiko.cli.molecules import as_molecules
from seiko.cli.sample import SampleFormat, write_designs
from seiko.designs import Design

Invoke = Callable[..., Result]

SMILES = ["CC(=O)Oc1ccccc1C(=O)O", "C[C@H](N)C(=O)O", "F/C=C/F", "[NH3+]CC(=O)[O-]", "CCO"]
BROKEN = "C1CC"


def row(smiles: str, **cells: Any) -> dict[str, Any]:
    return {"id": f"q-{smiles}", "design": smiles, "kind": "smiles"} | cells


def records(text: str) -> list[Chem.Mol]:
    supplier = Chem.SDMolSupplier()
    supplier.SetData(text)
    return list(supplier)


def test_smiles_are_lines_with_a_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert as_molecules([row("CCO", id="2-0001"), row(BROKEN, id="2-0002")], "smiles") == "CCO 2-0001\nC1CC 2-0002\n"
    assert capsys.readouterr().err == ""
    assert as_molecules([row("", id="a"), row("CC O", id="b"), row("CC", id="c\nd")], "smiles") == "CC c d\n"
    assert "2 of 3 designs are no molecules and are left out, the first a" in capsys.readouterr().err
    assert as_molecules([], "smiles") == as_molecules([], "sdf") == ""


def test_sdf_is_read_back_with_stereochemistry_and_properties() -> None:
    rows = [row(smiles, value=0.1 + i, noise=None, reason="") for i, smiles in enumerate(SMILES)]
    text = as_molecules(rows, "sdf")
    assert as_molecules(rows, "sdf") == text
    found = records(text)
    assert [Chem.MolToSmiles(mol) for mol in found] == [Chem.CanonSmiles(smiles) for smiles in SMILES]
    for i, (mol, smiles) in enumerate(zip(found, SMILES, strict=True)):
        assert mol.GetPropsAsDict() == {"id": f"q-{smiles}", "smiles": smiles, "value": 0.1 + i}
        assert mol.GetProp("_Name") == f"q-{smiles}"
        places = mol.GetConformer().GetPositions()
        assert len({tuple(place.round(2)) for place in places}) == len(places)
        assert not mol.GetConformer().Is3D()


def test_what_is_no_molecule_has_no_record(capsys: pytest.CaptureFixture[str]) -> None:
    found = records(as_molecules([row("CCO"), row(BROKEN), row("CCN")], "sdf"))
    assert [mol.GetProp("smiles") for mol in found] == ["CCO", "CCN"]
    assert "1 of 3 designs are no molecules and are left out, the first q-C1CC" in capsys.readouterr().err


@pytest.mark.parametrize("format", ["smiles", "sdf"])
def test_invalid_samples_are_left_out(format: Literal["smiles", "sdf"], capsys: pytest.CaptureFixture[str]) -> None:
    # SELFIES that is no molecule of the model's may still be text that RDKit reads.
    text = as_molecules([row("[C][C]", id="a", kind="invalid"), row("CCO", id="b")], format)
    assert "CCO" in text
    assert "[C]" not in text
    assert "1 of 2 designs are no molecules and are left out, the first a" in capsys.readouterr().err


def test_text_of_a_user_ends_no_record() -> None:
    evil = "µM too low\n\n> <value>\n99\n\n$$$$\n"
    found = records(as_molecules([row("CCO", id=evil, value=1.0, reason=evil), row("CCN", value=2.0)], "sdf"))
    assert [mol.GetProp("value") for mol in found] == ["1.0", "2.0"]
    assert found[0].GetProp("reason") == "µM too low > <value> 99 $$$$"


def test_the_shared_molecule_is_not_changed() -> None:
    from seiko.chemistry import parse

    as_molecules([row("CCO", value=1.0)], "sdf")
    mol = parse("CCO")
    assert mol is not None
    assert mol.GetNumConformers() == 0
    assert not mol.HasProp("value")


def test_other_kinds_are_refused() -> None:
    with pytest.raises(InputError, match="designs of kind 'dna' cannot be written as sdf: use csv or jsonl"):
        as_molecules([row("CCO"), row("ACGT", kind="dna")], "sdf")


def test_without_rdkit_there_are_still_smiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rdkit", None)
    assert as_molecules([row("CCO", id="a")], "smiles") == "CCO a\n"
    with pytest.raises(InputError, match=r"pip install 'seiko\[molecules\]', or use smiles"):
        as_molecules([row("CCO")], "sdf")


# ------------------------------------------------------------- the commands


def test_samples() -> None:
    designs = [Design(smiles, "smiles") for smiles in ("CCO", "CCO", "CCN")]
    assert write_designs(designs, SampleFormat.smiles) == "CCO sample-1\nCCO sample-2\nCCN sample-3\n"
    found = records(write_designs(designs, SampleFormat.sdf))
    assert [mol.GetProp("key") for mol in found] == [design.key for design in designs]
    assert [mol.GetProp("id") for mol in found] == ["sample-1", "sample-2", "sample-3"]
    assert write_designs(designs, SampleFormat.csv).splitlines()[1] == "CCO,smiles"
    with pytest.raises(InputError, match="kind 'smiles' cannot be written as fasta: use csv or smiles or sdf"):
        write_designs(designs, SampleFormat.fasta)
    mixed = [Design("C1CC", "invalid"), *designs]
    assert write_designs(mixed, SampleFormat.smiles) == "CCO sample-2\nCCO sample-3\nCCN sample-4\n"
    assert write_designs(mixed, SampleFormat.csv).splitlines()[1] == "C1CC,invalid"
    with pytest.raises(InputError, match="kind 'invalid' cannot be written as smiles: use csv"):
        write_designs(mixed[:1], SampleFormat.smiles)
    with pytest.raises(InputError, match="kind 'dna' cannot be written as sdf: use csv or fasta"):
        write_designs([Design("ACGT")], SampleFormat.sdf)


@pytest.fixture
def molecules(tmp_path: Path) -> Path:
    """Return a run on molecules, written by hand: a value, an infeasible one, one that is no molecule, one pending."""
    queries = [
        {"id": f"1-000{i}", "content": content, "kind": "smiles", "source": "fresh", "mean": 0.5, "std": 0.25}
        for i, content in enumerate(("CCO", "CCN", BROKEN, "CCC"), start=1)
    ]
    labels = {
        "1-0001": {"status": "value", "value": 0.75, "noise": 0.1, "reason": None},
        "1-0002": {"status": "infeasible", "value": None, "noise": None, "reason": "too\nsoluble"},
        "1-0003": {"status": "infeasible", "value": None, "noise": None, "reason": None},
    }
    events = [
        NewEvent("opened", {"recipe": {"type": "seiko.campaign.Recipe", "rounds": 1, "budget": 4}, "digest": "d"}),
        NewEvent("asked", {"round": 1, "queries": queries}),
        NewEvent("told", {"labels": labels}),
    ]
    with Ledger.create(tmp_path / "qed") as ledger:
        ledger.append(events, expected=0)
    return tmp_path / "qed"


def test_labels_of_molecules(seiko: Invoke, molecules: Path, tmp_path: Path) -> None:
    smi = seiko("export", "qed", "--labels", "--format", "smiles")
    assert smi.exit_code == 0, smi.output
    assert smi.stdout == "CCO 1-0001\nCCN 1-0002\nC1CC 1-0003\n"
    sdf = seiko("export", "qed", "--labels", "--format", "sdf", "--out", "labels.sdf")
    assert sdf.exit_code == 0, sdf.output
    assert sdf.stdout == ""
    assert "1 of 3 designs are no molecules" in sdf.stderr
    first, second = records((tmp_path / "labels.sdf").read_text())
    assert first.GetPropsAsDict() == {
        "id": "1-0001",
        "smiles": "CCO",
        "round": 1,
        "source": "fresh",
        "status": "value",
        "value": 0.75,
        "noise": 0.1,
        "predicted_mean": 0.5,
        "predicted_std": 0.25,
    }
    assert second.GetProp("reason") == "too soluble"
    assert not second.HasProp("value")
    # the same labels give the same bytes, so the file may be written again
    assert seiko("export", "qed", "--labels", "--format", "sdf", "--out", "labels.sdf").exit_code == 0


@pytest.mark.parametrize("format", ["smiles", "sdf"])
def test_labels_of_dna_are_no_molecules(seiko: Invoke, finished_run: Path, format: str) -> None:
    result = seiko("export", str(finished_run), "--labels", "--format", format)
    assert result.exit_code == 2
    assert f"designs of kind 'dna' cannot be written as {format}: use csv or jsonl" in result.stderr
    assert result.stdout == ""
