"""The pharmacophore fingerprint sets as many bits as RDKit's own and gives the same similarities."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rdkit")

from rdkit import DataStructs
from rdkit.Chem.Pharm2D import Generate, Gobbi_Pharm2D

from seiko.chemistry import parse
from seiko.oracles.molecules.pharmacophore import pharmacophore

# Every other molecule of the golden file, a long chain of many points, two fragments, and what has no points.
MOLECULES = json.loads(Path(__file__).with_name("pmo_tdc.json").read_text(encoding="utf-8"))["molecules"][::2]
MOLECULES += ["N" + "CCOCCN" * 5 + "C", "OCCCO.NCCCN", "C", "[SiH4]", "OO", "OCC(CO)(CO)CO", "Oc1cc(O)cc(O)c1"]


def test_agrees_with_rdkit() -> None:
    mols = [parse(smiles) for smiles in MOLECULES]
    theirs = [Generate.Gen2DFingerprint(mol, Gobbi_Pharm2D.factory) for mol in mols]
    ours = [pharmacophore(mol) for mol in mols]
    assert [len(found.GetNonzeroElements()) for found in ours] == [found.GetNumOnBits() for found in theirs]
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(
            DataStructs.BulkTanimotoSimilarity(mine, ours),
            [DataStructs.TanimotoSimilarity(other, each) for each in theirs],
            atol=1e-12,
        )
