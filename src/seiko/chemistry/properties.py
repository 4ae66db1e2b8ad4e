"""Numbers of a molecule: RDKit's descriptors, the synthetic accessibility of its contributed code, and penalised logP.

    penalised_logp = logP - SA - max(0, largest ring - 6)

`normalised` subtracts the mean of ZINC250k from each of the three terms and divides by its standard deviation, the
form in which JT-VAE and GCPN print their numbers. The largest ring is that of the smallest set of smallest rings;
those papers take networkx's cycle basis, which is not minimal and depends on the order of the atoms.
"""

from __future__ import annotations

import importlib.util
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from types import MappingProxyType, ModuleType

import torch
from jaxtyping import Float
from rdkit import Chem, RDConfig
from rdkit.Chem import QED, Descriptors, rdMolDescriptors
from torch import Tensor

from seiko.chemistry.molecule import parse

__all__ = [
    "PROPERTIES",
    "element_counts",
    "largest_ring",
    "logp",
    "penalised_logp",
    "properties",
    "qed",
    "sa",
    "tpsa",
    "weight",
]

# Mean and standard deviation over ZINC250k of logP, -SA and the ring penalty, as published with JT-VAE and GCPN.
_LOGP = (2.4570953396190123, 1.434324401111988)
_SA = (-3.0525811293166134, 0.8335207024513095)
_RING = (-0.0485696876403053, 0.2860212110245455)


def qed(mol: Chem.Mol) -> float:
    """Return the quantitative estimate of drug-likeness, 0 to 1, with its published mean weights.

    References:
        Bickerton et al., "Quantifying the chemical beauty of drugs", Nat. Chem. 4:90, 2012,
        https://doi.org/10.1038/nchem.1243.
    """
    return float(QED.qed(mol))  # type: ignore[no-untyped-call]


def logp(mol: Chem.Mol) -> float:
    """Return Crippen's logarithm of the octanol-water partition coefficient."""
    return float(rdMolDescriptors.CalcCrippenDescriptors(mol)[0])


def sa(mol: Chem.Mol) -> float:
    """Return the synthetic accessibility, 1 (easy) to 10 (hard).

    References:
        Ertl, Schuffenhauer, "Estimation of synthetic accessibility score of drug-like molecules", J. Cheminform. 1:8,
        2009, https://doi.org/10.1186/1758-2946-1-8, as RDKit's contributed code computes it.
    """
    return float(_sa_score().calculateScore(mol))


def weight(mol: Chem.Mol) -> float:
    """Return the average molecular weight in g/mol."""
    return float(Descriptors.MolWt(mol))  # type: ignore[attr-defined]  # made at run time


def tpsa(mol: Chem.Mol) -> float:
    """Return the topological polar surface area in square ångström."""
    return float(rdMolDescriptors.CalcTPSA(mol))


def largest_ring(mol: Chem.Mol) -> int:
    """Return the atoms of the largest ring in the smallest set of smallest rings, 0 if acyclic."""
    return max(map(len, mol.GetRingInfo().AtomRings()), default=0)


def penalised_logp(mol: Chem.Mol, *, normalised: bool = False) -> float:
    """Return logP - SA - max(0, largest ring - 6), larger is better.

    Args:
        mol: Molecule.
        normalised: Standardise each term over ZINC250k first, as the tables of JT-VAE and GCPN do.

    References:
        Gómez-Bombarelli et al., "Automatic chemical design using a data-driven continuous representation of
        molecules", ACS Cent. Sci. 4:268, 2018, https://doi.org/10.1021/acscentsci.7b00572.
        You et al., "Graph convolutional policy network", 2018, https://arxiv.org/abs/1806.02473 (normalised).
    """
    terms = (logp(mol), -sa(mol), -float(max(0, largest_ring(mol) - 6)))
    if not normalised:
        return sum(terms)
    return sum((term - mean) / std for term, (mean, std) in zip(terms, (_LOGP, _SA, _RING), strict=True))


PROPERTIES: Mapping[str, Callable[[Chem.Mol], float]] = MappingProxyType(
    {
        "qed": qed,
        "logp": logp,
        "sa": sa,
        "penalised_logp": penalised_logp,
        "weight": weight,
        "tpsa": tpsa,
        "heavy_atoms": lambda mol: float(mol.GetNumHeavyAtoms()),
        "rings": lambda mol: float(rdMolDescriptors.CalcNumRings(mol)),
        "aromatic_rings": lambda mol: float(rdMolDescriptors.CalcNumAromaticRings(mol)),
        "largest_ring": lambda mol: float(largest_ring(mol)),
        "rotatable_bonds": lambda mol: float(rdMolDescriptors.CalcNumRotatableBonds(mol)),
        "donors": lambda mol: float(rdMolDescriptors.CalcNumHBD(mol)),
        "acceptors": lambda mol: float(rdMolDescriptors.CalcNumHBA(mol)),
        "sp3_fraction": lambda mol: float(rdMolDescriptors.CalcFractionCSP3(mol)),
        "charge": lambda mol: float(Chem.GetFormalCharge(mol)),
    }
)
"""Each property by name, a function of the molecule."""


def properties(smiles: Sequence[str], names: Sequence[str]) -> Float[Tensor, "n k"]:
    """Return the named properties of each SMILES, a row of NaN where the text is no molecule.

    Args:
        smiles: n molecules.
        names: k keys of `PROPERTIES`.

    Raises:
        ValueError: If a name is not in `PROPERTIES`.
    """
    for name in names:
        if name not in PROPERTIES:
            raise ValueError(f"no property is called {name!r}; there are {', '.join(PROPERTIES)}")
    rows = [[_property(name, text) for name in names] for text in smiles]
    return torch.tensor(rows, dtype=torch.get_default_dtype()).reshape(len(smiles), len(names))


@lru_cache(maxsize=1_000_000)
def _property(name: str, smiles: str) -> float:
    mol = parse(smiles)
    return math.nan if mol is None else float(PROPERTIES[name](mol))


def element_counts(smiles: Sequence[str], elements: Sequence[str]) -> Float[Tensor, "n k"]:
    """Return how many atoms of each element a molecule has, a row of NaN where the text is no molecule.

    Args:
        smiles: n molecules.
        elements: k symbols; H counts the hydrogens that SMILES does not write, too.
    """
    rows = [
        [math.nan] * len(elements) if (of := _formula(text)) is None else [of[e] for e in elements] for text in smiles
    ]
    return torch.tensor(rows, dtype=torch.get_default_dtype()).reshape(len(smiles), len(elements))


@lru_cache(maxsize=200_000)
def _formula(smiles: str) -> Counter[str] | None:
    mol = parse(smiles)
    if mol is None:
        return None
    found = Counter(atom.GetSymbol() for atom in mol.GetAtoms())
    found["H"] += sum(atom.GetTotalNumHs() for atom in mol.GetAtoms())
    return found


@cache
def _sa_score() -> ModuleType:
    """Load RDKit's contributed module, which its wheel ships as a file outside of any package."""
    path = Path(RDConfig.RDContribDir) / "SA_Score" / "sascorer.py"
    spec = importlib.util.spec_from_file_location("seiko_rdkit_sascorer", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ImportError(f"this RDKit has no synthetic accessibility score at {path}: install the rdkit wheel")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
