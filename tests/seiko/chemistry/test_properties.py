"""Properties: agreement with those stored beside ZINC250k, values by hand, NaN where there is no molecule."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("rdkit")

from rdkit import Chem

from seiko.chemistry import PROPERTIES, element_counts, largest_ring, parse, penalised_logp, properties, weight


def mol(smiles: str) -> Chem.Mol:
    found = parse(smiles)
    assert found is not None
    return found


def test_agree_with_those_of_zinc(data_dir: Path) -> None:
    smiles = gzip.decompress((data_dir / "zinc250k_smiles.txt.gz").read_bytes()).decode().split()
    with np.load(data_dir / "zinc250k_props_rdkit.npz", allow_pickle=False) as stored:
        rows = np.random.default_rng(0).choice(len(smiles), 200, replace=False)
        expected = np.stack([stored[name][rows] for name in ("qed", "logP", "sas")], 1)
    found = properties([smiles[row] for row in rows], ["qed", "logp", "sa"])
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-4)


def test_by_hand() -> None:
    names = [
        "heavy_atoms",
        "rings",
        "aromatic_rings",
        "largest_ring",
        "rotatable_bonds",
        "donors",
        "acceptors",
        "charge",
    ]
    table = properties(["OCCc1ccccc1", "C[NH3+]", "C1CCCCCCC1"], names)
    expected = [[9, 1, 1, 6, 2, 1, 1, 0], [2, 0, 0, 0, 0, 1, 0, 1], [8, 1, 0, 8, 0, 0, 0, 0]]
    assert table.tolist() == expected
    assert weight(mol("C")) == pytest.approx(16.043)
    assert largest_ring(mol("c1ccc2ccccc2c1")) == 6


def test_penalty_starts_above_six_atoms() -> None:
    six, eight = mol("C1CCCCC1"), mol("C1CCCCCCC1")
    terms = [PROPERTIES["logp"](m) - PROPERTIES["sa"](m) for m in (six, eight)]
    assert [penalised_logp(m) for m in (six, eight)] == pytest.approx([terms[0], terms[1] - 2])
    assert penalised_logp(six, normalised=True) != pytest.approx(penalised_logp(six))


def test_no_molecule_is_a_row_of_nan() -> None:
    table = properties(["CCO", "CC(", ""], ["qed", "weight"])
    assert torch.isnan(table).all(1).tolist() == [False, True, True]
    assert properties([], ["qed"]).shape == (0, 1)


def test_every_property_is_finite_on_odd_molecules() -> None:
    assert torch.isfinite(properties(["C", "[Na+]", "[H][H]", "C.C", "[Fe]"], list(PROPERTIES))).all()


def test_the_formula_counts_every_atom() -> None:
    found = element_counts(["CCO", "[2H]OC", "C[NH3+].[Cl-]", "[Na+]", "CC("], ["C", "O", "H", "Cl", "I"])
    assert found[:4].tolist() == [[2, 1, 6, 0, 0], [1, 1, 4, 0, 0], [1, 0, 6, 1, 0], [0, 0, 0, 0, 0]]
    assert found[4].isnan().all()
    assert element_counts([], ["C"]).shape == (0, 1)


def test_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match="no property is called 'polarity'; there are qed, logp"):
        properties(["C"], ["polarity"])
