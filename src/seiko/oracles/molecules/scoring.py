"""The parts that molecule objectives are made of: each gives a molecule a number, larger is better.

    Similarity    d(T(f(x), f(target)))            T: Tanimoto on counts, sum min / sum max; on bits for PHCO
    Property      d(a descriptor)                  Alike: a Gaussian around the descriptor of another molecule
    Atoms         d(number of atoms of an element)
    Isomers       geometric mean of one Gaussian an element (sigma 1) and one for all atoms (sigma 2)
    Contains      1 if a SMARTS matches, else 0; Lacks the other way round
    Arithmetic, Geometric    unweighted means of parts

The fingerprints are those of GuacaMol: ECFP4, ECFP6 and FCFP4 are unfolded Morgan *counts* without chirality, AP atom
pair counts up to ten bonds, PHCO the bits of Gobbi's two-dimensional pharmacophores. This module needs RDKit; what is
made of the parts is in `seiko.oracles.molecules.tasks`.

References:
    Brown, Fiscato, Segler, Vaucher, "GuacaMol: benchmarking models for de novo molecular design", J. Chem. Inf. Model.
    59:1096, 2019, https://arxiv.org/abs/1811.09621.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from types import MappingProxyType
from typing import Any, Protocol

from rdkit import Chem, DataStructs
from rdkit.Chem import GraphDescriptors, rdFingerprintGenerator

from seiko.chemistry import PROPERTIES, parse
from seiko.oracles.desirability import Desirability, Gaussian
from seiko.oracles.molecules.pharmacophore import pharmacophore

__all__ = [
    "FINGERPRINTS",
    "Alike",
    "Arithmetic",
    "Atoms",
    "Contains",
    "Geometric",
    "Isomers",
    "Lacks",
    "Part",
    "Property",
    "Similarity",
]


class Part(Protocol):
    """Gives a molecule a number, larger is better."""

    def score(self, mol: Chem.Mol) -> float:
        """Return the number of a molecule."""
        ...


@cache
def _morgan(radius: int, features: bool) -> Any:
    if not features:
        return rdFingerprintGenerator.GetMorganGenerator(radius=radius)
    invariants = rdFingerprintGenerator.GetMorganFeatureAtomInvGen()
    return rdFingerprintGenerator.GetMorganGenerator(radius=radius, atomInvariantsGenerator=invariants)


@cache
def _atom_pairs() -> Any:
    return rdFingerprintGenerator.GetAtomPairGenerator(minDistance=1, maxDistance=10)


FINGERPRINTS: Mapping[str, Callable[[Chem.Mol], Any]] = MappingProxyType(
    {
        "ECFP4": lambda mol: _morgan(2, False).GetSparseCountFingerprint(mol),
        "ECFP6": lambda mol: _morgan(3, False).GetSparseCountFingerprint(mol),
        "FCFP4": lambda mol: _morgan(2, True).GetSparseCountFingerprint(mol),
        "AP": lambda mol: _atom_pairs().GetSparseCountFingerprint(mol),
        "PHCO": pharmacophore,
    }
)
"""Each fingerprint by the name that GuacaMol gives it."""

_DESCRIPTORS: Mapping[str, Callable[[Chem.Mol], float]] = {
    **PROPERTIES,
    "bertz": lambda mol: float(GraphDescriptors.BertzCT(mol)),  # type: ignore[no-untyped-call]
}


@dataclass(frozen=True)
class Similarity:
    """Tanimoto similarity to a target, through a desirability if there is one."""

    target: str
    fingerprint: str
    desirability: Desirability | None = None

    @cached_property
    def _of_target(self) -> Any:
        return FINGERPRINTS[self.fingerprint](_molecule(self.target))

    def score(self, mol: Chem.Mol) -> float:
        """Return the number of a molecule."""
        similarity = DataStructs.TanimotoSimilarity(FINGERPRINTS[self.fingerprint](mol), self._of_target)
        return float(similarity) if self.desirability is None else self.desirability.desire(similarity)


@dataclass(frozen=True)
class Property:
    """A descriptor, through a desirability if there is one."""

    name: str
    desirability: Desirability | None = None

    def score(self, mol: Chem.Mol) -> float:
        """Return the number of a molecule."""
        value = _DESCRIPTORS[self.name](mol)
        return value if self.desirability is None else self.desirability.desire(value)


@dataclass(frozen=True)
class Alike:
    """A Gaussian of width sigma around the descriptor of another molecule."""

    name: str
    target: str
    sigma: float

    @cached_property
    def _wanted(self) -> Gaussian:
        return Gaussian(mu=_DESCRIPTORS[self.name](_molecule(self.target)), sigma=self.sigma)

    def score(self, mol: Chem.Mol) -> float:
        """Return the number of a molecule."""
        return self._wanted.desire(_DESCRIPTORS[self.name](mol))


@dataclass(frozen=True)
class Atoms:
    """The number of atoms of an element, through a desirability."""

    element: str
    desirability: Desirability

    def score(self, mol: Chem.Mol) -> float:
        """Return the number of a molecule."""
        return self.desirability.desire(_formula(mol)[self.element])


@dataclass(frozen=True)
class Isomers:
    """Closeness to a molecular formula, hydrogens counted; 1 exactly for its isomers."""

    formula: str

    @cached_property
    def _wanted(self) -> dict[str, int]:
        return {element: int(count or 1) for element, count in re.findall(r"([A-Z][a-z]?)(\d*)", self.formula)}

    def score(self, mol: Chem.Mol) -> float:
        """Return the number of a molecule."""
        found = _formula(mol)
        scores = [Gaussian(mu=count, sigma=1.0).desire(found[element]) for element, count in self._wanted.items()]
        total = Gaussian(mu=sum(self._wanted.values()), sigma=2.0).desire(found.total())
        return _geometric([*scores, total])


@dataclass(frozen=True)
class Contains:
    """1 if a SMARTS pattern matches, else 0."""

    smarts: str

    @cached_property
    def _pattern(self) -> Chem.Mol:
        pattern: Chem.Mol | None = Chem.MolFromSmarts(self.smarts)
        if pattern is None:
            raise ValueError(f"{self.smarts!r} is not a SMARTS pattern")
        return pattern

    def score(self, mol: Chem.Mol) -> float:
        """Return the number of a molecule."""
        return 1.0 if mol.HasSubstructMatch(self._pattern) else 0.0


@dataclass(frozen=True)
class Lacks(Contains):
    """1 if a SMARTS pattern does not match, else 0."""

    def score(self, mol: Chem.Mol) -> float:
        """Return the number of a molecule."""
        return 1.0 - super().score(mol)


@dataclass(frozen=True)
class Arithmetic:
    """Arithmetic mean of parts."""

    parts: tuple[Part, ...]

    def score(self, mol: Chem.Mol) -> float:
        """Return the number of a molecule."""
        return math.fsum(part.score(mol) for part in self.parts) / len(self.parts)


@dataclass(frozen=True)
class Geometric:
    """Geometric mean of parts, 0 as soon as one is 0."""

    parts: tuple[Part, ...]

    def score(self, mol: Chem.Mol) -> float:
        """Return the number of a molecule."""
        return _geometric([part.score(mol) for part in self.parts])


def _geometric(values: list[float]) -> float:
    # In logarithms: the product of a few Gaussians underflows long before their mean does.
    return math.exp(math.fsum(map(math.log, values)) / len(values)) if min(values) > 0 else 0.0


def _formula(mol: Chem.Mol) -> Counter[str]:
    """Return the atoms of each element, implicit hydrogens included."""
    found = Counter(atom.GetSymbol() for atom in mol.GetAtoms())
    found["H"] += sum(atom.GetTotalNumHs() for atom in mol.GetAtoms())
    return found


def _molecule(smiles: str) -> Chem.Mol:
    mol = parse(smiles)
    if mol is None:
        raise ValueError(f"the target {smiles!r} is not a molecule that RDKit reads")
    return mol
