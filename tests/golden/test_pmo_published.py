"""PMO tasks reproduce scores that others published for single molecules.

Sources:
    tutorial  TDC, tutorials/TDC_105_Oracle.ipynb (osimertinib).
    issue     TDC issue 244, computed with PyTDC 0.4.7; small numbers, which a missing hydrogen moves by decades.
    demodiff  DemoDiff's downstream data on the Hugging Face hub (liuganghuggingface/demodiff_downstream).
    molgen    The first row of MolGen/ZINC_250K_prop_train_val_split there, six digits.
"""

from __future__ import annotations

import pytest

pytest.importorskip("rdkit")

from seiko.designs import Design
from seiko.oracles import PMO, QED

OSIMERTINIB = "COc1cc(N(C)CCN(C)C)c(NC(=O)C=C)cc1Nc2nccc(n2)c3cn(C)c4ccccc34"
OF_ISSUE = "CC(C)(C)[C@H]1CCc2c(sc(NC(=O)COc3ccc(Cl)cc3)c2C(N)=O)C1"
OF_MOLGEN = "CC[C@@H]1CCCC[C@H]1c1noc(-c2cn3c(n2)COCC3)n1"

PUBLISHED = [
    # tutorial
    ("qed", OSIMERTINIB, 0.3105348061023151),
    ("median2", OSIMERTINIB, 0.1407807656815755),
    # issue
    ("sitagliptin_mpo", OF_ISSUE, 3.34970667598234e-12),
    ("zaleplon_mpo", OF_ISSUE, 0.0019017991803329235),
    ("isomers_c7h8n2o2", OF_ISSUE, 2.1987591132394053e-34),
    ("isomers_c9h10n2o2pf2cl", OF_ISSUE, 1.713908431542013e-15),
    # demodiff
    ("albuterol_similarity", "CCC(C)(O)CNCc1cc(C)ccc1O", 0.7619047619047619),
    ("albuterol_similarity", "CCCCCNCC(O)c1ccc(O)c(CO)c1", 0.9696969696969696),
    ("albuterol_similarity", "CCNC[C@@H](O)C1=CC(CO)=C(O)C=C1", 1.0),
    ("albuterol_similarity", "Nc1nc(N)c2c(Cl)c(NC(=O)Cc3ccc(Br)cc3)ccc2n1", 0.1904761904761904),
    ("perindopril_mpo", "CCOC(=O)[C@H](Cc1c[nH]c2ccccc12)NC(C)C(=O)N1C2CCCCC2C[C@H]1C(=O)O", 0.7897862851668316),
    ("perindopril_mpo", "COC(=O)[C@@H]1C[C@@H]2CCCC[C@@H]2N1C(=O)CCc1nc(-c2ccc[nH+]c2)no1", 0.5469417694282446),
    ("scaffold_hop", "CCCOc1ccc(C(=O)Nc2ccc3nc(NC(=O)c4ccc(OCCC)cc4)sc3c2)cc1", 0.7863450639251351),
    ("scaffold_hop", "CCCC(C)Oc1ccc(C(=O)Nc2ccc3nc(SCC(=O)N[C@@H](C)c4ccccc4)sc3c2)cc1", 0.7727063162747809),
    ("zaleplon_mpo", "Nc1nc(N)c2c(n1)CCC(c1ccccc1)C2", 0.0441147402612192),
    ("zaleplon_mpo", "Cc1ccc(NC(=O)c2cccc(Oc3ncccn3)c2)c(C)c1", 0.5023310149673528),
]
PUBLISHED_TO_SIX_DIGITS = [
    ("albuterol_similarity", OF_MOLGEN, 0.194444),
    ("amlodipine_mpo", OF_MOLGEN, 0.095698),
    ("celecoxib_rediscovery", OF_MOLGEN, 0.0625),
    ("deco_hop", OF_MOLGEN, 0.524572),
]


def score(task: str, smiles: str) -> float:
    (label,) = PMO(task=task)([Design(smiles, "smiles")])
    assert label.value is not None
    return label.value


@pytest.mark.parametrize(("task", "smiles", "expected"), PUBLISHED)
def test_published_score(task: str, smiles: str, expected: float) -> None:
    assert score(task, smiles) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("task", "smiles", "expected"), PUBLISHED_TO_SIX_DIGITS)
def test_score_published_to_six_digits(task: str, smiles: str, expected: float) -> None:
    assert score(task, smiles) == pytest.approx(expected, abs=5e-7)


def test_task_qed_is_the_oracle_qed() -> None:
    assert QED()([Design(OSIMERTINIB, "smiles")]) == PMO(task="qed")([Design(OSIMERTINIB, "smiles")])
