"""The twenty tasks of the PMO benchmark that RDKit alone can label, as one table of scoring parts.

Followed is the code by which PMO labels, the chemical oracles of the Therapeutics Data Commons (TDC); it is GuacaMol's
suite v2 but for what is said here. The three other tasks of PMO (drd2, gsk3b, jnk3) are trained classifiers.

    albuterol, mestranol    similarity clipped at 0.75; albuterol by FCFP4, mestranol by AP            as in GuacaMol
    celecoxib, thiothixene, troglitazone    plain ECFP4 similarity                                     as in GuacaMol
    isomers, zaleplon, sitagliptin    hydrogens are counted. TDC before August 2022 forgot them and took letters of the
                            SMILES for a formula (its names end in _prev); PMO's published tables use the repaired ones
    isomers_c9h10n2o2pf2cl, isomers_c7h8n2o2    geometric mean; GuacaMol v1 had the arithmetic one
    valsartan_smarts        geometric mean; TDC's tutorial says arithmetic, its code and GuacaMol do not
    deco_hop, scaffold_hop  TDC keeps a pattern of both tasks under one global name, so that a process which calls both
                            mixes them up; here each task has its own, as in GuacaMol
    infeasible molecules    are labels of their own here; both references give them 0

References:
    Brown, Fiscato, Segler, Vaucher, "GuacaMol", J. Chem. Inf. Model. 59:1096, 2019, https://arxiv.org/abs/1811.09621
    (targets, fingerprints, modifiers).
    Huang et al., "Therapeutics Data Commons", NeurIPS 2021, https://arxiv.org/abs/2102.09548.
    Gao, Fu, Sun, Coley, "Sample efficiency matters: a benchmark for practical molecular optimization", NeurIPS 2022,
    https://arxiv.org/abs/2206.12411.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from seiko.oracles.desirability import Above, Below, Gaussian, Ramp
from seiko.oracles.molecules.scoring import (
    Alike,
    Arithmetic,
    Atoms,
    Contains,
    Geometric,
    Isomers,
    Lacks,
    Part,
    Property,
    Similarity,
)

__all__ = ["TASKS"]

ALBUTEROL = "CC(C)(C)NCC(O)c1ccc(O)c(CO)c1"
AMLODIPINE = r"Clc1ccccc1C2C(=C(/N/C(=C2/C(=O)OCC)COCCN)C)\C(=O)OC"
CAMPHOR = "CC1(C)C2CCC1(C)C(=O)C2"
CELECOXIB = "CC1=CC=C(C=C1)C1=CC(=NN1C1=CC=C(C=C1)S(N)(=O)=O)C(F)(F)F"
FEXOFENADINE = "CC(C)(C(=O)O)c1ccc(cc1)C(O)CCCN2CCC(CC2)C(O)(c3ccccc3)c4ccccc4"
HOP_START = "CCCOc1cc2ncnc(Nc3ccc4ncsc4c3)c2cc1S(=O)(=O)C(C)(C)C"
MENTHOL = "CC(C)C1CCC(C)CC1O"
MESTRANOL = "COc1ccc2[C@H]3CC[C@@]4(C)[C@@H](CC[C@@]4(O)C#C)[C@@H]3CCc2c1"
OSIMERTINIB = "COc1cc(N(C)CCN(C)C)c(NC(=O)C=C)cc1Nc2nccc(n2)c3cn(C)c4ccccc34"
PERINDOPRIL = "O=C(OCC)C(NC(C(=O)N1C(C(=O)O)CC2CCCCC12)C)CCC"
RANOLAZINE = "COc1ccccc1OCC(O)CN2CCN(CC(=O)Nc3c(C)cccc3C)CC2"
SILDENAFIL = "CCCC1=NN(C2=C1N=C(NC2=O)C3=C(C=CC(=C3)S(=O)(=O)N4CCN(CC4)C)OCC)C"
SITAGLIPTIN = "Fc1cc(c(F)cc1F)CC(N)CC(=O)N3Cc2nnc(n2CC3)C(F)(F)F"
TADALAFIL = "O=C1N(CC(N2C1CC3=C(C2C4=CC5=C(OCO5)C=C4)NC6=C3C=CC=C6)=O)C"
THIOTHIXENE = "CN(C)S(=O)(=O)c1ccc2Sc3ccccc3C(=CCCN4CCN(C)CC4)c2c1"
TROGLITAZONE = "Cc1c(C)c2OC(C)(COc3ccc(CC4SC(=O)NC4=O)cc3)CCc2c(C)c1O"
ZALEPLON = "O=C(C)N(CC)C1=CC=CC(C2=CC=NC3=C(C=NN23)C#N)=C1"

VALSARTAN_CORE = "CN(C=O)Cc1ccc(c2ccccc2)cc1"
QUINAZOLINE = "[#7]-c1n[c;h1]nc2[c;h1]c(-[#8])[c;h0][c;h1]c12"
BENZOTHIAZOLE = "[#7]-c1ccc2ncsc2c1"
SULFONE = "CS([#6])(=O)=O"
PROPOXY_TO_BENZOTHIAZOLE = "[#6]-[#6]-[#6]-[#8]-[#6]~[#6]~[#6]~[#6]~[#6]-[#7]-c1ccc2ncsc2c1"

TASKS: Mapping[str, Part] = MappingProxyType(
    {
        "albuterol_similarity": Similarity(ALBUTEROL, "FCFP4", Ramp(one=0.75)),
        "amlodipine_mpo": Geometric(
            (Similarity(AMLODIPINE, "ECFP4"), Property("rings", Gaussian(mu=3, sigma=0.5))),
        ),
        "celecoxib_rediscovery": Similarity(CELECOXIB, "ECFP4"),
        "deco_hop": Arithmetic(
            (
                Similarity(HOP_START, "PHCO", Ramp(one=0.85)),
                Lacks(SULFONE),
                Lacks(BENZOTHIAZOLE),
                Contains(QUINAZOLINE),
            )
        ),
        "fexofenadine_mpo": Geometric(
            (
                Similarity(FEXOFENADINE, "AP", Ramp(one=0.8)),
                Property("tpsa", Above(mu=90, sigma=10)),
                Property("logp", Below(mu=4, sigma=1)),
            )
        ),
        "isomers_c7h8n2o2": Isomers("C7H8N2O2"),
        "isomers_c9h10n2o2pf2cl": Isomers("C9H10N2O2PF2Cl"),
        "median1": Geometric((Similarity(CAMPHOR, "ECFP4"), Similarity(MENTHOL, "ECFP4"))),
        "median2": Geometric((Similarity(TADALAFIL, "ECFP6"), Similarity(SILDENAFIL, "ECFP6"))),
        "mestranol_similarity": Similarity(MESTRANOL, "AP", Ramp(one=0.75)),
        "osimertinib_mpo": Geometric(
            (
                Similarity(OSIMERTINIB, "FCFP4", Ramp(one=0.8)),
                Similarity(OSIMERTINIB, "ECFP6", Below(mu=0.85, sigma=0.1)),
                Property("tpsa", Above(mu=100, sigma=10)),
                Property("logp", Below(mu=1, sigma=1)),
            )
        ),
        "perindopril_mpo": Geometric(
            (Similarity(PERINDOPRIL, "ECFP4"), Property("aromatic_rings", Gaussian(mu=2, sigma=0.5))),
        ),
        "qed": Property("qed"),
        "ranolazine_mpo": Geometric(
            (
                Similarity(RANOLAZINE, "AP", Ramp(one=0.7)),
                Property("logp", Above(mu=7, sigma=1)),
                Property("tpsa", Above(mu=95, sigma=20)),
                Atoms("F", Gaussian(mu=1, sigma=1)),
            )
        ),
        "scaffold_hop": Arithmetic(
            (
                Similarity(HOP_START, "PHCO", Ramp(one=0.75)),
                Contains(PROPOXY_TO_BENZOTHIAZOLE),
                Lacks(QUINAZOLINE),
            )
        ),
        "sitagliptin_mpo": Geometric(
            (
                Similarity(SITAGLIPTIN, "ECFP4", Gaussian(mu=0, sigma=0.1)),
                Alike("logp", SITAGLIPTIN, 0.2),
                Alike("tpsa", SITAGLIPTIN, 5.0),
                Isomers("C16H15F6N5O"),
            )
        ),
        "thiothixene_rediscovery": Similarity(THIOTHIXENE, "ECFP4"),
        "troglitazone_rediscovery": Similarity(TROGLITAZONE, "ECFP4"),
        "valsartan_smarts": Geometric(
            (
                Contains(VALSARTAN_CORE),
                Alike("logp", SITAGLIPTIN, 0.2),
                Alike("tpsa", SITAGLIPTIN, 5.0),
                Alike("bertz", SITAGLIPTIN, 30.0),
            )
        ),
        "zaleplon_mpo": Geometric((Similarity(ZALEPLON, "ECFP4"), Isomers("C19H17N3O2"))),
    }
)
"""Each task by PMO's name; all values lie in [0, 1]."""
