"""How a molecule is written as a row of symbols, and read from one, in any of three ways.

    rings      rings by size, branches that end where they say: `sized_rings`, the choice for a new model
    selfies    SELFIES, with every ring closed before its substituents are spelt
    smiles     canonical SMILES; a row with a wrong symbol is no molecule

A SELFIES ring says how many atoms back it closes, and a branch how many symbols it has. In RDKit's order a substituent
stands inside of the ring that it hangs on, so that the count to close a ring depends on the size of what hangs there,
and a model that miscounts by a little makes a ring of ten atoms. Here each atom visits its ring bonds first:

    toluene with a tail     RDKit   CCCc1ccc(C)cc1         here   CCCC=1C=CC(=CC=1)C
                                            ^^^ inside                        ^^^^^^ the ring is closed first

so that a ring's symbols are neighbours and its count is its own size; a miscount moves a substituent, not a ring bond.
Stereochemistry and isotopes are left out. All text is valid SELFIES and SMILES, read by the usual libraries.

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
from seiko.chemistry.sized_rings import draw_symbols, walk_symbols

__all__ = [
    "SMILES_SYMBOL",
    "Syntax",
    "atoms_by_symbol",
    "flat",
    "from_symbols",
    "places_of",
    "ring_first_smiles",
    "to_symbols",
]

Syntax: TypeAlias = Literal["rings", "selfies", "smiles"]
"""What a row of symbols is: `sized_rings`, SELFIES, or SMILES (of which SAFE is a dialect)."""

SMILES_SYMBOL = re.compile(r"\[[^\]]+\]|Br|Cl|%\d\d|.")
"""One symbol of a SMILES."""

_ATOM = re.compile(r"[=#/\\]?(\[|[A-Z])")
_ORGANIC = {"B", "C", "N", "O", "P", "S", "F", "Cl", "Br", "I"}
_BONDS = {Chem.BondType.SINGLE: "", Chem.BondType.DOUBLE: "=", Chem.BondType.TRIPLE: "#"}
_CACHED = 100_000


@lru_cache(maxsize=_CACHED)
def flat(smiles: str) -> str | None:
    """Return the canonical SMILES without stereochemistry and isotopes; None if it is no molecule."""
    mol = parse(smiles)
    return None if mol is None else canonical(Chem.MolToSmiles(mol, isomericSmiles=False))


def to_symbols(smiles: str, syntax: Syntax) -> list[str]:
    """Return a molecule's symbols, without stereochemistry.

    Raises:
        ValueError: If the text is no molecule, or one that the symbols cannot say; it is named.
    """
    clean = flat(smiles)
    mol = None if clean is None else parse(clean)
    if clean is None or mol is None:
        raise ValueError(f"{smiles!r} is no molecule that RDKit can read")
    if syntax == "smiles":
        return SMILES_SYMBOL.findall(clean)
    try:
        if syntax == "rings":
            return walk_symbols(mol)
        return list(selfies.split_selfies(selfies.encoder(ring_first_smiles(clean))))
    except (selfies.EncoderError, Chem.KekulizeException, RecursionError, ValueError) as error:
        raise ValueError(f"{smiles!r} cannot be written in symbols of {syntax}: {error}") from error


@lru_cache(maxsize=_CACHED)
def from_symbols(text: str, syntax: Syntax) -> str | None:
    """Return the canonical SMILES, without stereochemistry, of joined symbols; None where they are no molecule."""
    if syntax == "smiles":
        return flat(text)
    if syntax == "rings":
        return flat(draw_symbols(text).smiles or "")
    try:
        decoded = selfies.decoder(text)
    except selfies.DecoderError:
        return None
    return flat(decoded)


def atoms_by_symbol(text: str) -> dict[int, int]:
    """Return, for each atom of joined SELFIES symbols in the order in which they are spelt, its symbol's place."""
    found: dict[int, int] = {}
    first = 0
    for part in text.split("."):  # of several parts the decoder counts neither the dots nor what it does not read
        _, pieces = selfies.decoder(part, attribute=True)
        for piece in pieces:
            if piece.attribution and _ATOM.match(piece.token):
                found[len(found)] = first + piece.attribution[-1].index
        first += selfies.len_selfies(part) + 1
    return found


def places_of(text: str, smarts: str, syntax: Syntax) -> set[int]:
    """Return the places of the symbols that stand for an atom of the first match of a substructure.

    Raises:
        ValueError: If the text is no SMARTS, or the symbols are SMILES, which say nothing of where an atom is from.
    """
    query = pattern(smarts)
    if syntax == "rings":
        drawn = draw_symbols(text)
        matched = () if drawn.mol is None else drawn.mol.GetSubstructMatch(query)
        return {drawn.symbols[atom] for atom in matched}
    if syntax == "smiles":
        raise ValueError("a model of SMILES cannot tell which of its letters a substructure comes from")
    atoms, mol = atoms_by_symbol(text), parse(selfies.decoder(text))
    matched = () if mol is None else mol.GetSubstructMatch(query)
    return {atoms[atom] for atom in matched if atom in atoms}


def ring_first_smiles(smiles: str) -> str:
    """Return a kekulised SMILES in which each atom's ring bonds come before its substituents.

    Raises:
        ValueError: If the text is no molecule, or has a bond that is none of single, double and triple.
    """
    mol = parse(smiles)
    if mol is None:
        raise ValueError(f"{smiles!r} is no molecule that RDKit can read")
    mol = Chem.Mol(mol)
    rank = list(Chem.CanonicalRankAtoms(mol))
    Chem.Kekulize(mol, clearAromaticFlags=True)
    for bond in mol.GetBonds():
        if bond.GetBondType() not in _BONDS:
            raise ValueError(f"there is no symbol for a bond of kind {str(bond.GetBondType()).lower()}")
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
            parts.append(_BONDS[bond.GetBondType()] + self._digit(bond.GetIdx()))
        children = self.children[i]
        for j, bond in children:
            text = _BONDS[bond.GetBondType()] + self._text(j)
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
