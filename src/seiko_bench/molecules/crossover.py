"""Crossover of two molecules: each is cut in two, and a piece of one is joined to a piece of the other.

    chain    one single bond outside of rings is cut; the two open atoms are joined by a single bond
    ring     two ring bonds are cut, two apart along the ring or both on one atom where rings meet or branch; the two
             open atoms of each piece are joined, in either order, by single or double bonds

Which kind is tried is drawn anew until a child is allowed; what has no such bond gives none.

References:
    Jensen, Chem. Sci. 10:3567, 2019, https://doi.org/10.1039/C8SC05372C
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from rdkit import Chem

from seiko_bench.molecules.graph_edits import editable, finished, join, matches, shuffled

__all__ = ["crossover"]

TRIES = 10
BOND = "[*]-;!@[*]"  # cut for a chain
OPPOSITE, BRANCH = "[R]@[R]@[R]@[R]", "[R]@[R;!D2]@[R]"  # for a ring: first and last bond
CHAIN = ((False, (1,)),)  # ways to join: open atoms crossed over or not, bond orders
RING = tuple(product((False, True), product((1, 2), repeat=2)))


@dataclass(frozen=True)
class _Piece:
    """Part of a molecule; `open` are its atoms that lost a bond, once for each."""

    mol: Chem.Mol
    open: tuple[int, ...]


def crossover(first: str, second: str, rng: np.random.Generator) -> str | None:
    """Return a child of two molecules in canonical SMILES; None if none is allowed in a number of tries.

    Raises:
        ValueError: If a parent is no molecule.
    """
    parents = editable(first), editable(second)
    for _ in range(TRIES):
        in_ring = bool(rng.random() < 0.5)
        pieces = [_ring_pieces(parent, rng) if in_ring else _chain_pieces(parent, rng) for parent in parents]
        ways = RING if in_ring else CHAIN
        for a, b, (crossed, orders) in shuffled(list(product(pieces[0], pieces[1], ways)), rng):
            child = _joined(a, b, crossed, orders)
            smiles = None if child is None else finished(child, rng)
            if smiles is not None:
                return smiles
    return None


def _chain_pieces(mol: Chem.RWMol, rng: np.random.Generator) -> list[_Piece]:
    found = matches(mol, BOND)
    return _cut(mol, [found[rng.integers(len(found))]]) if found else []


def _ring_pieces(mol: Chem.RWMol, rng: np.random.Generator) -> list[_Piece]:
    """Return the two pieces of a ring cut; none if the bonds drawn do not part the molecule."""
    found = matches(mol, OPPOSITE if rng.random() < 0.5 else BRANCH)
    if not found:
        return []
    path = found[rng.integers(len(found))]
    return _cut(mol, [path[:2], path[-2:]])


def _cut(mol: Chem.RWMol, bonds: list[tuple[int, ...]]) -> list[_Piece]:
    cut = Chem.RWMol(mol)
    for i, j in bonds:
        cut.RemoveBond(i, j)
    parts = Chem.GetMolFrags(cut)
    if len(parts) != 2:
        return []
    pieces = []
    for part in parts:
        ends = tuple(part.index(atom) for bond in bonds for atom in bond if atom in part)
        pieces.append(_Piece(_taken(cut, part), ends))
    return pieces if all(len(piece.open) == len(bonds) for piece in pieces) else []


def _taken(mol: Chem.RWMol, atoms: tuple[int, ...]) -> Chem.Mol:
    """Return some atoms and the bonds among them, in the order of their numbers."""
    piece = Chem.RWMol(mol)
    for atom in sorted(set(range(mol.GetNumAtoms())) - set(atoms), reverse=True):
        piece.RemoveAtom(atom)
    return piece.GetMol()


def _joined(a: _Piece, b: _Piece, crossed: bool, orders: tuple[int, ...]) -> Chem.RWMol | None:
    child = Chem.RWMol(a.mol)
    offset = child.GetNumAtoms()
    child.InsertMol(b.mol)
    ends = b.open[::-1] if crossed else b.open
    for i, j, order in zip(a.open, ends, orders, strict=True):
        if not join(child, i, offset + j, order):
            return None
    return child
