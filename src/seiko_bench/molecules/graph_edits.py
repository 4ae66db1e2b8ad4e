"""What crossover and mutation share: a molecule whose bonds are whole numbers, edited, and read back as one again.

    editable    Kekulé form without fixed hydrogens: whatever bond is cut or made, hydrogens fill the valences
    finished    the canonical SMILES of what came out, None where it is no molecule, too large, or of strange rings

Rings that are refused: more than six atoms, two double bonds on one ring atom, a double bond in a ring of three or
four. Molecules are flat, as the shipped model writes them.

References:
    Jensen, "A graph-based genetic algorithm and generative model/Monte Carlo tree search for the exploration of
    chemical space", Chem. Sci. 10:3567, 2019, https://doi.org/10.1039/C8SC05372C (size law, rings that are refused).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import numpy as np
from rdkit import Chem, rdBase

from seiko.chemistry import flat, largest_ring, parse, pattern

__all__ = ["BONDS", "editable", "finished", "join", "matches", "shuffled"]

T = TypeVar("T")

BONDS = (Chem.BondType.SINGLE, Chem.BondType.DOUBLE, Chem.BondType.TRIPLE)
SIZE = 39.15, 3.5
"""Mean and standard deviation of the largest number of heavy atoms that a child may have, drawn for each."""
LEAST = 5
"""Heavy atoms that a child has more of."""

_STRANGE_RINGS = ("[R]=[R]=[R]", "[r3,r4]=[r3,r4]")


def editable(smiles: str) -> Chem.RWMol:
    """Return a copy of a molecule that may be edited.

    Raises:
        ValueError: If the text is no molecule.
    """
    mol = parse(smiles)
    if mol is None:
        raise ValueError(f"{smiles!r} is no molecule that RDKit can read")
    copy = Chem.RWMol(mol)
    Chem.Kekulize(copy, clearAromaticFlags=True)
    for atom in copy.GetAtoms():
        # A written hydrogen count would stay when a bond goes, and leave a radical.
        atom.SetNoImplicit(False)
        atom.SetNumExplicitHs(0)
    copy.UpdatePropertyCache(strict=False)
    return copy


def finished(mol: Chem.RWMol, rng: np.random.Generator) -> str | None:
    """Return the molecule's canonical SMILES, None if it is refused."""
    with rdBase.BlockLogs():
        if Chem.SanitizeMol(mol, catchErrors=True) != Chem.SanitizeFlags.SANITIZE_NONE:
            return None
    if not LEAST < mol.GetNumHeavyAtoms() < rng.normal(*SIZE):
        return None
    smiles = flat(Chem.MolToSmiles(mol))
    child = None if smiles is None or "." in smiles else parse(smiles)
    if child is None or largest_ring(child) > 6 or _strange(child):
        return None
    return smiles


def _strange(mol: Chem.Mol) -> bool:
    if not mol.GetRingInfo().NumRings():
        return False
    kekule = Chem.Mol(mol)
    Chem.Kekulize(kekule, clearAromaticFlags=True)
    return any(kekule.HasSubstructMatch(pattern(smarts)) for smarts in _STRANGE_RINGS)


def join(mol: Chem.RWMol, i: int, j: int, order: int = 1) -> bool:
    """Bond two atoms; whether they could be, for they are two and not bonded yet."""
    if i == j or mol.GetBondBetweenAtoms(i, j) is not None:
        return False
    mol.AddBond(i, j, BONDS[order - 1])
    return True


def matches(mol: Chem.Mol, smarts: str) -> tuple[tuple[int, ...], ...]:
    """Return all matches of a substructure, each with its atoms in the order of the query."""
    return tuple(mol.GetSubstructMatches(pattern(smarts), uniquify=False))


def shuffled(items: list[T], rng: np.random.Generator) -> Iterator[T]:
    """Yield all items in random order."""
    return (items[i] for i in rng.permutation(len(items)))
