"""Mutation of a molecule: one of seven small edits at a place drawn at random.

    insert atom          a new one between two that are bonded
    append atom          a new one in place of hydrogens
    delete atom          its neighbours are joined in a row, or all to one
    change atom          to another element
    change bond order    to single, double or triple
    open ring            a ring bond is removed
    close ring           of 3 to 6 atoms that are in none

The kind is drawn anew until a molecule is allowed. The probabilities are Jensen's.

References:
    Jensen, Chem. Sci. 10:3567, 2019, https://doi.org/10.1039/C8SC05372C
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import TypeVar

import numpy as np
from rdkit import Chem

from seiko.chemistry import pattern
from seiko_bench.molecules.graph_edits import BONDS, editable, finished, join, matches

__all__ = ["MUTATIONS", "mutate"]

T = TypeVar("T")
Edit = Callable[[Chem.RWMol, np.random.Generator], bool]
"""Changes a molecule in place; whether there was a place for it."""

TRIES = 10
ELEMENTS: Mapping[str, int] = {"C": 6, "N": 7, "O": 8, "F": 9, "S": 16, "Cl": 17, "Br": 35}
ORDERS = (0.60, 0.35, 0.05)  # of the bond to a new atom: single, double, triple
APPENDED = (tuple(ELEMENTS), ("C", "N", "O"), ("C", "N"))  # what a bond of each order may hold at a chain's end
INSERTED = (("C", "N", "O", "S"), ("C", "N"), ("C",))  # and between two atoms
FREE = ("[*;!H0]", "[*;!H0;!H1]", "[*;H3]")  # an atom with room for a bond of each order
ROOM = ("[*]~[*]", "[*;!H0]~[*]", "[*;!R;!H1;!H0]~[*]")  # a bond at whose first atom an atom can be put in
CLOSED = {3: 0.05, 4: 0.05, 5: 0.45, 6: 0.45}  # atoms of a new ring


def mutate(smiles: str, rng: np.random.Generator) -> str | None:
    """Return a molecule one edit away, in canonical SMILES; None if none is allowed in a number of tries.

    Raises:
        ValueError: If the text is no molecule.
    """
    edits, weights = list(MUTATIONS), np.array(list(MUTATIONS.values()))
    for _ in range(TRIES):
        mol = editable(smiles)
        edit = edits[rng.choice(len(edits), p=weights / weights.sum())]
        child = finished(mol, rng) if edit(mol, rng) else None
        if child is not None and child != smiles:
            return child
    return None


def insert_atom(mol: Chem.RWMol, rng: np.random.Generator) -> bool:
    """Put an atom between two that are bonded, by a single bond to the second."""
    order = _drawn((1, 2, 3), ORDERS, rng)
    place = _place(mol, ROOM[order - 1], rng)
    if place is None:
        return False
    i, j = place
    new = mol.AddAtom(Chem.Atom(_element(INSERTED[order - 1], rng)))
    mol.RemoveBond(i, j)
    return join(mol, i, new, order) and join(mol, new, j)


def append_atom(mol: Chem.RWMol, rng: np.random.Generator) -> bool:
    """Put an atom in the place of hydrogens."""
    order = _drawn((1, 2, 3), ORDERS, rng)
    place = _place(mol, FREE[order - 1], rng)
    return place is not None and join(mol, place[0], mol.AddAtom(Chem.Atom(_element(APPENDED[order - 1], rng))), order)


def delete_atom(mol: Chem.RWMol, rng: np.random.Generator) -> bool:
    """Remove an atom; the neighbours that it leaves are joined in a row, or, four of them, now and then to one."""
    place = _place(mol, f"[D{_drawn((1, 2, 3, 4), (0.25, 0.25, 0.25, 0.25), rng)}]", rng)
    if place is None:
        return False
    atom = mol.GetAtomWithIdx(place[0])
    around = rng.permutation([neighbour.GetIdx() for neighbour in atom.GetNeighbors()]).tolist()
    for other in around:
        mol.RemoveBond(place[0], other)
    star = len(around) == 4 and rng.random() < 0.25
    pairs = [(around[0], other) for other in around[1:]] if star else list(pairwise(around))
    if not all(join(mol, i, j) for i, j in pairs):
        return False
    mol.RemoveAtom(place[0])
    return True


def change_atom(mol: Chem.RWMol, rng: np.random.Generator) -> bool:
    """Make another element of an uncharged atom; which element is changed is drawn before which atom."""
    present = [name for name, number in ELEMENTS.items() if mol.HasSubstructMatch(pattern(f"[#{number};+0]"))]
    if not present:
        return False
    old = present[rng.integers(len(present))]
    new = _element([name for name in ELEMENTS if name != old], rng)
    place = _place(mol, f"[#{ELEMENTS[old]};+0]", rng)
    assert place is not None  # it is present
    mol.GetAtomWithIdx(place[0]).SetAtomicNum(new)
    return True


def change_bond_order(mol: Chem.RWMol, rng: np.random.Generator) -> bool:
    """Make a single bond of a multiple one, or a double or triple one where hydrogens leave room."""
    kinds = (("[*]!-[*]", 1), ("[*;!H0]-[*;!H0]", 2), ("[*]#[*]", 2), ("[*;!R;!H1;!H0]~[*]", 3))
    smarts, order = _drawn(kinds, (0.45, 0.45, 0.05, 0.05), rng)
    place = _place(mol, smarts, rng)
    if place is None:
        return False
    mol.GetBondBetweenAtoms(*place).SetBondType(BONDS[order - 1])
    return True


def open_ring(mol: Chem.RWMol, rng: np.random.Generator) -> bool:
    """Remove a bond of a ring."""
    place = _place(mol, "[*]@[*]", rng)
    if place is None:
        return False
    mol.RemoveBond(*place)
    return True


def close_ring(mol: Chem.RWMol, rng: np.random.Generator) -> bool:
    """Bond the ends of a chain of 3 to 6 atoms outside of rings, each end with a hydrogen to lose."""
    size = _drawn(tuple(CLOSED), tuple(CLOSED.values()), rng)
    place = _place(mol, "~".join(["[*;!R;!H0]", *["[*;!R]"] * (size - 2), "[*;!R;!H0]"]), rng)
    return place is not None and join(mol, place[0], place[-1])


MUTATIONS: Mapping[Edit, float] = {
    insert_atom: 0.15,
    change_bond_order: 0.14,
    open_ring: 0.14,
    close_ring: 0.14,
    delete_atom: 0.14,
    change_atom: 0.14,
    append_atom: 0.15,
}
"""How often each kind is tried."""


def _place(mol: Chem.RWMol, smarts: str, rng: np.random.Generator) -> tuple[int, ...] | None:
    found = matches(mol, smarts)
    return found[rng.integers(len(found))] if found else None


def _element(names: Sequence[str], rng: np.random.Generator) -> int:
    return ELEMENTS[names[int(rng.integers(len(names)))]]


def _drawn(items: Sequence[T], weights: Sequence[float], rng: np.random.Generator) -> T:
    return items[int(rng.choice(len(items), p=np.array(weights) / sum(weights)))]
