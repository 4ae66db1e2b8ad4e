"""Fingerprints: RDKit's folded counts, similarity against its own and by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch

pytest.importorskip("rdkit")

from rdkit import DataStructs
from rdkit.Chem import rdFingerprintGenerator
from torch import Tensor

from seiko.chemistry import atom_pair_counts, morgan_counts, parse, tanimoto

SMILES = ["CCO", "CCCCCCCC", "c1ccccc1O", "CC(=O)Oc1ccccc1C(=O)O", "C"]


ROLES = rdFingerprintGenerator.GetMorganFeatureAtomInvGen()


@pytest.mark.parametrize(
    ("generator", "ours"),
    [
        (rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=512), morgan_counts(SMILES, size=512)),
        (
            rdFingerprintGenerator.GetMorganGenerator(radius=1, fpSize=512, atomInvariantsGenerator=ROLES),
            morgan_counts(SMILES, radius=1, size=512, by_role=True),
        ),
        (rdFingerprintGenerator.GetAtomPairGenerator(fpSize=512), atom_pair_counts(SMILES, size=512)),
    ],
    ids=["elements", "roles", "pairs"],
)
def test_counts_and_similarity_are_those_of_rdkit(generator: Any, ours: Tensor) -> None:
    theirs = [generator.GetCountFingerprint(parse(smiles)) for smiles in SMILES]
    assert [row.nonzero().flatten().tolist() for row in ours] == [sorted(t.GetNonzeroElements()) for t in theirs]
    assert ours.sum(1).tolist() == [sum(t.GetNonzeroElements().values()) for t in theirs]
    expected = torch.tensor([DataStructs.BulkTanimotoSimilarity(t, theirs) for t in theirs])
    expected.fill_diagonal_(1)  # RDKit calls methane, which has no pair of atoms, unlike itself
    torch.testing.assert_close(tanimoto(ours, ours), expected.to(ours.dtype))


def test_roles_see_no_element_and_pairs_see_distance() -> None:
    assert tanimoto(*(morgan_counts([halide], by_role=True) for halide in ("CCCCF", "CCCCBr"))).item() == 1
    assert tanimoto(*(morgan_counts([halide]) for halide in ("CCCCF", "CCCCBr"))).item() < 1
    isomers = ("Fc1cccc(F)c1", "Fc1ccc(F)cc1")  # meta and para: the same atoms, other distances
    assert tanimoto(*(morgan_counts([isomer], radius=0) for isomer in isomers)).item() == 1
    assert tanimoto(*(atom_pair_counts([isomer]) for isomer in isomers)).item() < 1
    assert atom_pair_counts(["CCCO", "[", "CC"]).sum(1).tolist() == [6.0, 0.0, 1.0]
    with pytest.raises(ValueError, match="size must be a positive number of counts, got 0"):
        atom_pair_counts(["C"], size=0)


def test_no_molecule_is_a_zero_row_and_repeats_are_equal() -> None:
    first, second = morgan_counts(["CC(", "CCO"]), morgan_counts(["CC(", "CCO"])
    assert first.shape == (2, 2048)
    assert first.sum(1).tolist() == [0.0, 6.0]
    assert torch.equal(first, second)
    first.zero_()
    assert morgan_counts(["CCO"]).sum() == 6
    assert morgan_counts([]).shape == (0, 2048)


@pytest.mark.parametrize("scale", [1.0, 0.5, 1000.0])
def test_similarity_by_definition(scale: float) -> None:
    generator = torch.Generator().manual_seed(0)
    a = torch.randint(0, 6, (7, 40), generator=generator).double() * scale
    b = torch.randint(0, 9, (5, 40), generator=generator).double() * scale
    expected = torch.minimum(a[:, None], b[None]).sum(-1) / torch.maximum(a[:, None], b[None]).sum(-1)
    torch.testing.assert_close(tanimoto(a, b), expected)


def test_similarity_of_bits_and_of_nothing() -> None:
    a = torch.tensor([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    b = torch.tensor([[1.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    torch.testing.assert_close(tanimoto(a, b), torch.tensor([[1 / 3, 0.0], [0.0, 1.0]]))
    assert tanimoto(a[:0], b).shape == (0, 2)


def test_refuses_what_is_no_size() -> None:
    with pytest.raises(ValueError, match="size must be a positive number of counts, got 0"):
        morgan_counts(["C"], size=0)
    with pytest.raises(ValueError, match="radius must be"):
        morgan_counts(["C"], radius=-1)
