"""Molecules as rows of symbols in which a ring is named by its size and a branch ends where it says.

    [C] [=C] [.]      an atom and its bond to the one before; a new part of the molecule
    [(] [)]           a branch begins at the present atom; the walk goes back to where it began
    [r6] [=r5] [r6b]  a bond from the present atom back to the atom with which it closes a ring of that size, in what is
                      drawn so far; b is the second such atom on the way back, c the third

SELFIES counts atoms and symbols, so that a letter in the wrong place makes a ring of ten atoms out of two of six. Here
[r6] makes a ring of six or none, whatever stands before. As in SELFIES every row means a molecule: a bond is as strong
as both atoms still allow, a symbol that has no room is passed over, a branch that is never left ends with the row.
Each atom visits its ring bonds before its substituents, so that a ring's symbols are neighbours. Hydrogens are implied
by charge and bonds; stereochemistry and isotopes are left out.

References:
    Krenn et al., "Self-referencing embedded strings (SELFIES)", 2020, https://arxiv.org/abs/1905.13741 (every row is
    valid); O'Boyle, Dalby, "DeepSMILES", 2018, https://doi.org/10.26434/chemrxiv.7097960 (rings by size).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from rdkit import Chem, rdBase

__all__ = ["SYMBOL", "Drawn", "draw_symbols", "walk_symbols"]

SYMBOL = re.compile(r"\[[^\]]*\]")
"""One symbol of joined ones."""

_ATOM = re.compile(r"\[([=#]?)([A-Z][a-z]?)([+-]\d?)?\]")
_RING = re.compile(r"\[([=#]?)r(\d+)([b-z]?)\]")
_ORDERS = {"": 1, "=": 2, "#": 3}
_PREFIXES = {order: prefix for prefix, order in _ORDERS.items()}
_BONDS = {1: Chem.BondType.SINGLE, 2: Chem.BondType.DOUBLE, 3: Chem.BondType.TRIPLE}
_ROOM = {"H": 1, "B": 3, "C": 4, "N": 3, "O": 2, "F": 1, "Si": 4, "P": 5, "S": 6, "Cl": 1, "Se": 6, "Br": 1, "I": 1}
_CHARGED = {
    ("B", -1): 4,
    ("C", -1): 3,
    ("C", 1): 3,
    ("N", -1): 2,
    ("N", 1): 4,
    ("O", -1): 1,
    ("O", 1): 3,
    ("P", 1): 4,
    ("S", -1): 1,
    ("S", 1): 3,
}


def _room(element: str, charge: int) -> int:
    """Return how many bonds an atom may have; 0 for one that nobody writes."""
    return _ROOM.get(element, 0) if charge == 0 else _CHARGED.get((element, charge), 0)


@dataclass
class _Graph:
    """What is drawn so far: a tree walked depth first, and the ring bonds."""

    neighbours: list[list[int]] = field(default_factory=list)
    parents: list[int | None] = field(default_factory=list)

    def add(self, parent: int | None) -> int:
        self.neighbours.append([])
        self.parents.append(parent)
        new = len(self.neighbours) - 1
        if parent is not None:
            self.join(parent, new)
        return new

    def join(self, a: int, b: int) -> None:
        self.neighbours[a].append(b)
        self.neighbours[b].append(a)

    def way_back(self, atom: int) -> Iterator[int]:
        """Yield the ancestors of an atom, nearest first."""
        at = self.parents[atom]
        while at is not None:
            yield at
            at = self.parents[at]

    def closing(self, atom: int, size: int) -> list[int]:
        """Return the ancestors with which a bond of the atom closes a ring of a size, nearest first."""
        distance = self._distances(atom, size - 1)
        return [other for other in self.way_back(atom) if distance.get(other) == size - 1]

    def size_of(self, atom: int, other: int) -> int:
        """Return the size of the ring that a bond between two atoms closes."""
        return self._distances(atom, len(self.neighbours))[other] + 1

    def _distances(self, atom: int, farthest: int) -> dict[int, int]:
        found, front = {atom: 0}, [atom]
        for distance in range(1, farthest + 1):
            front = [b for a in front for b in self.neighbours[a] if b not in found]
            if not front:
                break
            found |= dict.fromkeys(front, distance)
        return found


# ---------------------------------------------------------------- from a molecule to symbols


def walk_symbols(mol: Chem.Mol) -> list[str]:
    """Return the symbols of a molecule, the same for the same molecule.

    Raises:
        ValueError: If an atom or a bond has no symbol; it is named.
    """
    mol = Chem.Mol(mol)
    rank = list(Chem.CanonicalRankAtoms(mol))
    Chem.Kekulize(mol, clearAromaticFlags=True)
    symbols: list[str] = []
    for part in Chem.GetMolFrags(mol):
        if symbols:
            symbols.append("[.]")
        symbols += _Walk(mol, rank, part).symbols()
    return symbols


class _Walk:
    """A depth-first walk through one connected part, ring bonds first."""

    def __init__(self, mol: Chem.Mol, rank: list[int], part: tuple[int, ...]) -> None:
        self.mol, self.rank = mol, rank
        self.first = min(part, key=lambda i: (self._inside(i), rank[i]))
        self.children: dict[int, list[int]] = {}
        self.graph = _Graph()
        self.place: dict[int, int] = {}  # number in the graph of each atom of the molecule

    def symbols(self) -> list[str]:
        self._visit(self.first, None)
        return self._write(self.first, None)

    def _inside(self, i: int) -> tuple[bool, bool]:
        atom = self.mol.GetAtomWithIdx(i)
        return atom.GetDegree() > 1, atom.IsInRing()

    def _visit(self, i: int, parent: int | None) -> None:
        self.children[i] = []
        bonds = [(not bond.IsInRing(), self.rank[j], j) for bond, j in self._bonds(i) if j != parent]
        for _, _, j in sorted(bonds):
            if j not in self.children:
                self.children[i].append(j)
                self._visit(j, i)

    def _bonds(self, i: int) -> list[tuple[Chem.Bond, int]]:
        return [(bond, bond.GetOtherAtomIdx(i)) for bond in self.mol.GetAtomWithIdx(i).GetBonds()]

    def _write(self, i: int, parent: int | None) -> list[str]:
        self.place[i] = self.graph.add(None if parent is None else self.place[parent])
        symbols = [f"[{'' if parent is None else self._bond(i, parent)}{_atom(self.mol.GetAtomWithIdx(i))}]"]
        back = [j for _, j in self._bonds(i) if j in self.place and j != parent and j not in self.children[i]]
        for j in sorted(back, key=lambda j: -self.place[j]):
            at, other = self.place[i], self.place[j]
            size = self.graph.size_of(at, other)
            which = self.graph.closing(at, size).index(other)
            symbols.append(f"[{self._bond(i, j)}r{size}{'' if which == 0 else chr(ord('a') + which)}]")
            self.graph.join(at, other)
        for child in self.children[i]:
            inner = self._write(child, i)
            symbols += inner if child == self.children[i][-1] else ["[(]", *inner, "[)]"]
        return symbols

    def _bond(self, i: int, j: int) -> str:
        order = int(self.mol.GetBondBetweenAtoms(i, j).GetBondTypeAsDouble())
        if order not in _PREFIXES:
            raise ValueError(f"there is no symbol for a bond of order {order}")
        return _PREFIXES[order]


def _atom(atom: Chem.Atom) -> str:
    charge, element = atom.GetFormalCharge(), atom.GetSymbol()
    if _room(element, charge) == 0:
        raise ValueError(f"there is no symbol for {element} of charge {charge:+d}")
    return element if charge == 0 else f"{element}{'+' if charge > 0 else '-'}{abs(charge) if abs(charge) > 1 else ''}"


# ---------------------------------------------------------------- from symbols to a molecule


@dataclass(frozen=True)
class Drawn:
    """A molecule drawn from symbols.

    Args:
        smiles: Canonical; None where there is no atom, or RDKit refuses what was drawn.
        symbols: For each atom in the order drawn, the place of its symbol.
        mol: The molecule, its atoms in that order; None likewise.
    """

    smiles: str | None
    symbols: tuple[int, ...]
    mol: Chem.Mol | None


def draw_symbols(text: str) -> Drawn:
    """Return the molecule that joined symbols mean."""
    drawing = _Drawing()
    for place, symbol in enumerate(SYMBOL.findall(text)):
        drawing.take(symbol, place)
    with rdBase.BlockLogs():
        mol: Chem.Mol | None = drawing.mol.GetMol()
        if not drawing.symbols or Chem.SanitizeMol(mol, catchErrors=True) != Chem.SanitizeFlags.SANITIZE_NONE:
            mol = None
        smiles = None if mol is None else str(Chem.MolToSmiles(mol))
    return Drawn(smiles, tuple(drawing.symbols), mol)


class _Drawing:
    """A molecule in the making."""

    def __init__(self) -> None:
        self.mol = Chem.RWMol()
        self.graph = _Graph()
        self.room: list[int] = []
        self.symbols: list[int] = []
        self.at: int | None = None
        self.branches: list[int | None] = []

    def take(self, symbol: str, place: int) -> None:
        if symbol == "[(]":
            self.branches.append(self.at)
        elif symbol == "[)]":
            if self.branches:
                self.at = self.branches.pop()
        elif symbol == "[.]":
            self.at, self.branches = None, []
        elif ring := _RING.fullmatch(symbol):
            self._close(_ORDERS[ring[1]], int(ring[2]), ord(ring[3] or "a") - ord("a"))
        elif atom := _ATOM.fullmatch(symbol):
            sign = atom[3] or ""
            charge = 0 if not sign else int(f"{sign[0]}{sign[1:] or '1'}")
            self._add(_ORDERS[atom[1]], atom[2], charge, place)

    def _add(self, order: int, element: str, charge: int, place: int) -> None:
        room, at = _room(element, charge), self.at
        if room == 0 or (at is not None and self.room[at] == 0):
            return
        atom = Chem.Atom(element)
        atom.SetFormalCharge(charge)
        new = self.mol.AddAtom(atom)
        self.graph.add(at)
        self.room.append(room)
        self.symbols.append(place)
        if at is not None:
            self._bond(at, new, order)
        self.at = new

    def _close(self, order: int, size: int, which: int) -> None:
        at = self.at
        if at is None or size < 3 or self.room[at] == 0:
            return
        found = self.graph.closing(at, size)
        free = [other for other in found[which : which + 1] + found if self.room[other] > 0]
        if free:
            self.graph.join(at, free[0])
            self._bond(at, free[0], order)

    def _bond(self, a: int, b: int, order: int) -> None:
        order = min(order, self.room[a], self.room[b])
        self.mol.AddBond(a, b, _BONDS[order])
        self.room[a] -= order
        self.room[b] -= order
