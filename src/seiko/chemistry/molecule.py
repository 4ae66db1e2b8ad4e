"""How text becomes a molecule: parsing, the canonical spelling, the scaffold.

A molecule is what RDKit parses and sanitises from SMILES; everything else is None, never an exception and never a line
on the terminal. Text with white space is refused: a name behind a SMILES is the business of whoever reads the file.
Results are cached by text, for a campaign asks about the same molecule many times; a cached molecule is shared, so
nobody may change it.
"""

from __future__ import annotations

from functools import lru_cache

from rdkit import Chem, rdBase
from rdkit.Chem.Scaffolds import MurckoScaffold

__all__ = ["canonical", "murcko", "parse", "pattern"]

_TEXTS = 100_000
# A drug-like molecule takes 30 kB: these are 300 MB.
_MOLECULES = 10_000


@lru_cache(maxsize=_MOLECULES)
def parse(smiles: str) -> Chem.Mol | None:
    """Return the molecule of a SMILES, shared and not to be changed; None if it is empty or RDKit refuses it."""
    if not smiles or not smiles.isascii() or any(letter.isspace() for letter in smiles):
        return None
    with rdBase.BlockLogs():
        mol: Chem.Mol | None = Chem.MolFromSmiles(smiles)
    return mol if mol is not None and mol.GetNumAtoms() else None


@lru_cache(maxsize=_TEXTS)
def canonical(smiles: str) -> str | None:
    """Return RDKit's canonical isomeric SMILES; None if the text is no molecule."""
    mol = parse(smiles)
    return None if mol is None else str(Chem.MolToSmiles(mol))


@lru_cache(maxsize=_TEXTS)
def murcko(smiles: str) -> str | None:
    """Return the canonical SMILES of the Bemis-Murcko scaffold, "" if acyclic; None if the text is no molecule.

    References:
        Bemis, Murcko, "The properties of known drugs. 1. Molecular frameworks", J. Med. Chem. 39:2887, 1996,
        https://doi.org/10.1021/jm9602928.
    """
    mol = parse(smiles)
    if mol is None:
        return None
    scaffold = MurckoScaffold.GetScaffoldForMol(mol)  # type: ignore[no-untyped-call]
    return str(Chem.MolToSmiles(scaffold))


@lru_cache(maxsize=1000)
def pattern(smarts: str) -> Chem.Mol:
    """Return a substructure query.

    Raises:
        ValueError: If the text is no SMARTS; it is named.
    """
    with rdBase.BlockLogs():
        query = Chem.MolFromSmarts(smarts) if smarts else None
    if query is None:
        raise ValueError(f"{smarts!r} is no SMARTS that RDKit can read")
    return query
