"""Fingerprint metrics against RDKit's own bit vectors, and by hand where the answer is plain."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator

from seiko.metrics import similarity
from seiko.metrics.similarity import (
    circles,
    hit_circles,
    internal_diversity,
    mean_nearest_similarity,
    nearest_similarity,
)

DRUGS = (
    "CC(=O)Oc1ccccc1C(=O)O",
    "CC(=O)Nc1ccc(O)cc1",
    "CC(C)Cc1ccc(C(C)C(=O)O)cc1",
    "Cn1c(=O)c2c(ncn2C)n(C)c1=O",
    "CN1CCC[C@H]1c1cccnc1",
    "CC(C)NCC(O)c1ccc(O)c(O)c1",
    "OCC1OC(O)C(O)C(O)C1O",
)
OTHERS = ("c1ccccc1", "CCO", "CC(=O)Oc1ccccc1", "Cn1cnc2c1c(=O)[nH]c(=O)n2C")


def rdkit_similarity(a: tuple[str, ...], b: tuple[str, ...]) -> np.ndarray:
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=1024)
    bits = [[generator.GetFingerprint(Chem.MolFromSmiles(text)) for text in texts] for texts in (a, b)]
    return np.array([DataStructs.BulkTanimotoSimilarity(x, bits[1]) for x in bits[0]])


@pytest.mark.parametrize("block", [2, 4096])
def test_they_are_rdkits_numbers_whatever_the_block(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(similarity, "BLOCK", block)
    assert internal_diversity(DRUGS) == pytest.approx(1 - rdkit_similarity(DRUGS, DRUGS).mean())
    wanted = rdkit_similarity(DRUGS, OTHERS).max(axis=1)
    assert nearest_similarity(DRUGS, OTHERS).tolist() == pytest.approx(wanted)
    assert mean_nearest_similarity(DRUGS, OTHERS) == pytest.approx(wanted.mean())


def test_what_is_no_molecule_is_left_out() -> None:
    assert internal_diversity([*DRUGS, "C1CC", ""]) == internal_diversity(DRUGS)
    found = nearest_similarity(["nonsense", "OCC"], [*OTHERS, "also("])
    assert math.isnan(found[0])
    assert float(found[1]) == 1.0
    assert mean_nearest_similarity(["nonsense", "OCC"], OTHERS) == 1.0


def test_duplicates_lower_diversity() -> None:
    assert internal_diversity(["CCO"] * 5) == pytest.approx(0.0)
    a, b = "CCO", "c1ccccc1"
    assert internal_diversity([a, b]) == pytest.approx((1 - rdkit_similarity((a,), (b,))[0, 0]) / 2)


def greedy(smiles: tuple[str, ...], distance: float) -> int:
    kept: list[int] = []
    apart = 1 - rdkit_similarity(smiles, smiles)
    for i in range(len(smiles)):
        if all(apart[i, j] > distance for j in kept):
            kept.append(i)
    return len(kept)


@pytest.mark.parametrize("distance", [0.0, 0.5, 0.75, 0.85, 0.95])
def test_circles_are_those_of_the_sequential_rule(distance: float) -> None:
    smiles = DRUGS + OTHERS
    assert circles(smiles, distance=distance) == greedy(smiles, distance)
    assert circles(smiles[::-1], distance=distance) == greedy(smiles[::-1], distance)


def test_circles_by_hand() -> None:
    assert circles([]) == circles(["nonsense"]) == 0
    assert circles(["CCO", "OCC", "CCO"]) == 1
    assert circles(["CCO", "c1ccccc1", "Cn1c(=O)c2c(ncn2C)n(C)c1=O"]) == 3


def test_hits_are_at_least_the_threshold_and_the_best_come_first() -> None:
    # Phenyl acetate lies within .75 of both of the others, which are .77 apart: whoever comes first decides.
    smiles = ("CC(=O)Oc1ccccc1C(=O)O", "CC(=O)Nc1ccc(O)cc1", "CC(=O)Oc1ccccc1")
    assert circles(smiles) == 2
    assert hit_circles(smiles, torch.tensor([0.3, 0.2, 0.1]), threshold=0.1) == 2
    assert hit_circles(smiles, torch.tensor([0.1, 0.2, 0.3]), threshold=0.1) == 1
    assert hit_circles(smiles, torch.tensor([0.3, 0.2, 0.1]), threshold=0.3) == 1
    assert hit_circles(smiles, torch.tensor([0.3, 0.2, 0.1]), threshold=0.4) == 0


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="at least one valid molecule, got 0 among 1"):
        internal_diversity(["nonsense"])
    with pytest.raises(ValueError, match="at least one valid molecule"):
        nearest_similarity(["CCO"], [])
    with pytest.raises(ValueError, match=r"distance must lie in \[0, 1\), got 1.0"):
        circles(["CCO"], distance=1.0)
    with pytest.raises(ValueError, match="1 molecules need as many values, got 2"):
        hit_circles(["CCO"], torch.ones(2), threshold=0.0)
