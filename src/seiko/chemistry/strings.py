"""How a molecule is written as a row of symbols: SELFIES, with every ring closed before its substituents are spelt.

A SELFIES ring says how many atoms back it closes, and a branch how many symbols it has. In RDKit's order a substituent
stands inside of the ring that it hangs on, so that the count to close a ring depends on the size of what hangs there,
and a model that miscounts by a little makes a ring of ten atoms. Here each atom visits its ring bonds first:

    toluene with a tail     RDKit   CCCc1ccc(C)cc1         here   CCCC1=CC=C(C=C1)C
                                            ^^^ inside                        ^^^ the ring is closed first

so that a ring's symbols are neighbours and its count is its own size; a miscount moves a substituent, not a ring bond.
Stereochemistry is left out. All text is valid SELFIES and SMILES, read by the usual libraries.

References:
    Krenn et al., "Self-referencing embedded strings (SELFIES)", 2020, https://arxiv.org/abs/1905.13741.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal, TypeAlias

import selfies
from rdkit import Chem

from seiko.chemistry.molecule import canonical, parse, pattern

__all__ = [
    "SMILES_SYMBOL",
    "Syntax",
    "atoms_by_symbol",
    "first_match",
    "flat",
    "from_symbols",
    "ring_first_smiles",
    "to_symbols",
]

Syntax: TypeAlias = Literal["selfies", "smiles"]
"""What a row of symbols is: SELFIES, or SMILES (of which SAFE is a dialect)."""

SMILES_SYMBOL = re.compile(r"\[[^\]]+\]|Br|Cl|%\d\d|.")
"""One symbol of a SMILES."""

_ATOM = re.compile(r"[=#/\\]?(\[|[A-Z])")
_ORGANIC = {"B", "C", "N", "O", "P", "S", "F", "Cl", "Br", "I"}
_BONDS = {1.0: "", 2.0: "=", 3.0: "#"}
_CACHED = 100_000


@lru_cache(maxsize=_CACHED)
def flat(smiles: str) -> str | None:
    """Return the canonical SMILES without stereochemistry; None if the text is no molecule."""
    mol = parse(smiles)
    return None if mol is None else canonical(Chem.MolToSmiles(mol, isomericSmiles=False))


def to_symbols(smiles: str, syntax: Syntax = "selfies") -> list[str]:
    """Return a molecule's symbols, without stereochemistry.

    Raises:
        ValueError: If the text is no molecule, or one that SELFIES cannot write; it is named.
    """
    clean = flat(smiles)
    if clean is None:
        raise ValueError(f"{smiles!r} is no molecule that RDKit can read")
    if syntax == "smiles":
        return SMILES_SYMBOL.findall(clean)
    try:
        return list(selfies.split_selfies(selfies.encoder(ring_first_smiles(clean))))
    except (selfies.EncoderError, Chem.KekulizeException) as error:
        raise ValueError(f"{smiles!r} cannot be written as SELFIES: {error}") from error


@lru_cache(maxsize=_CACHED)
def from_symbols(text: str, syntax: Syntax = "selfies") -> str | None:
    """Return the canonical SMILES, without stereochemistry, of joined symbols; None where they are no molecule."""
    if syntax == "smiles":
        return flat(text)
    try:
        decoded = selfies.decoder(text)
    except selfies.DecoderError:
        return None
    return flat(decoded)


def atoms_by_symbol(text: str) -> dict[int, int]:
    """Return, for each atom of joined SELFIES symbols in the order in which they are spelt, its symbol's place."""
    _, pieces = selfies.decoder(text, attribute=True)
    found: dict[int, int] = {}
    for piece in pieces:
        if piece.attribution and _ATOM.match(piece.token):
            found[len(found)] = piece.attribution[-1].index
    return found


def first_match(text: str, smarts: str) -> tuple[int, ...]:
    """Return the atoms, in the order of `atoms_by_symbol`, of the first match of a substructure; none without one."""
    mol = parse(selfies.decoder(text))
    return () if mol is None else tuple(mol.GetSubstructMatch(pattern(smarts)))


def ring_first_smiles(smiles: str) -> str:
    """Return a kekulised SMILES in which each atom's ring bonds come before its substituents.

    Raises:
        ValueError: If the text is no molecule.
    """
    mol = parse(smiles)
    if mol is None:
        raise ValueError(f"{smiles!r} is no molecule that RDKit can read")
    mol = Chem.Mol(mol)
    rank = list(Chem.CanonicalRankAtoms(mol))
    Chem.Kekulize(mol, clearAromaticFlags=True)
    return ".".join(_Writer(mol, rank, set(part)).write() for part in Chem.GetMolFrags(mol))


class _Writer:
    """One connected part of a molecule: a depth-first walk, then its text."""

    def __init__(self, mol: Chem.Mol, rank: list[int], part: set[int]) -> None:
        self.mol, self.rank = mol, rank
        self.order: dict[int, int] = {}
        self.children: dict[int, list[tuple[int, Chem.Bond]]] = {}
        self.closures: dict[int, list[tuple[int, Chem.Bond]]] = {i: [] for i in part}
        self.digits: dict[int, int] = {}
        self.first = min(part, key=lambda i: (self._inside(i), rank[i]))

    def write(self) -> str:
        self._walk(self.first, None)
        return self._text(self.first)

    def _inside(self, i: int) -> tuple[bool, bool]:
        atom = self.mol.GetAtomWithIdx(i)
        return atom.GetDegree() > 1, atom.IsInRing()

    def _walk(self, i: int, came: int | None) -> None:
        self.order[i], self.children[i] = len(self.order), []
        bonds = [(not bond.IsInRing(), self.rank[bond.GetOtherAtomIdx(i)], bond) for bond in self._bonds(i)]
        for _, _, bond in sorted(bonds, key=lambda item: item[:2]):
            j = bond.GetOtherAtomIdx(i)
            if bond.GetIdx() == came:
                continue
            if j not in self.order:
                self.children[i].append((j, bond))
                self._walk(j, bond.GetIdx())
            elif self.order[j] < self.order[i]:
                self.closures[i].append((j, bond))
                self.closures[j].append((i, bond))

    def _bonds(self, i: int) -> tuple[Chem.Bond, ...]:
        return tuple(self.mol.GetAtomWithIdx(i).GetBonds())

    def _text(self, i: int) -> str:
        parts = [_atom(self.mol.GetAtomWithIdx(i))]
        for _, bond in sorted(self.closures[i], key=lambda item: self.order[item[0]]):
            parts.append(_BONDS[bond.GetBondTypeAsDouble()] + self._digit(bond.GetIdx()))
        children = self.children[i]
        for j, bond in children:
            text = _BONDS[bond.GetBondTypeAsDouble()] + self._text(j)
            parts.append(text if j == children[-1][0] else f"({text})")
        return "".join(parts)

    def _digit(self, bond: int) -> str:
        """Return the number of a ring bond: the smallest free one where it opens, the same where it closes."""
        if bond in self.digits:
            number = self.digits.pop(bond)
        else:
            number = next(n for n in range(1, 100) if n not in self.digits.values())
            self.digits[bond] = number
        return str(number) if number < 10 else f"%{number}"


def _atom(atom: Chem.Atom) -> str:
    symbol, charge = atom.GetSymbol(), atom.GetFormalCharge()
    bare = charge == 0 and not atom.GetNoImplicit() and not atom.GetNumRadicalElectrons() and not atom.GetIsotope()
    if bare and symbol in _ORGANIC:
        return str(symbol)
    hydrogens = atom.GetTotalNumHs()
    isotope = str(atom.GetIsotope() or "")
    counted = "" if hydrogens == 0 else "H" if hydrogens == 1 else f"H{hydrogens}"
    sign = "" if charge == 0 else f"{'+' if charge > 0 else '-'}{abs(charge) if abs(charge) > 1 else ''}"
    return f"[{isotope}{symbol}{counted}{sign}]"
