"""From classes of atoms and bonds to a molecule's SMILES, and back.

    raw        as drawn: an atom with too many bonds makes a SMILES that RDKit refuses, parts apart make one with a dot
    largest    the largest connected part is kept, by its number of atoms
    valence    bonds are lowered until every atom has room for its own, then as `largest`: always a molecule

Hydrogen is implicit and fills what room is left. Charges, radicals and stereo have no place in the graph: an oxygen
has two bonds at most, a nitrogen three.
"""

from __future__ import annotations

from typing import get_args

from jaxtyping import Int64
from rdkit import Chem, rdBase
from torch import Tensor

from seiko.chemistry import canonical, parse
from seiko.models.graph_codec import GraphCodec, Repair

__all__ = ["atom_classes", "to_smiles"]

_ORDERS = (Chem.BondType.ZERO, Chem.BondType.SINGLE, Chem.BondType.DOUBLE, Chem.BondType.TRIPLE)


def to_smiles(
    codec: GraphCodec, atoms: Int64[Tensor, "b places"], bonds: Int64[Tensor, "b pairs"], repair: Repair
) -> list[str]:
    """Return one SMILES a graph: canonical where it is a molecule, else a text that RDKit refuses; "" without atoms."""
    if repair not in get_args(Repair):
        raise ValueError(f"repair must be one of {', '.join(get_args(Repair))}, got {repair!r}")
    ends = codec.ends.T.tolist()
    written = []
    for row, orders in zip(atoms.tolist(), bonds.tolist(), strict=True):
        symbols = {place: codec.elements[kind - 1] for place, kind in enumerate(row) if kind}
        bonded = {(i, j): order for (i, j), order in zip(ends, orders, strict=True) if order}
        if repair == "valence":
            _lower(symbols, bonded)
        if repair != "raw":
            symbols, bonded = _largest(symbols, bonded)
        written.append(_write(symbols, bonded))
    return written


def atom_classes(codec: GraphCodec, smiles: str) -> tuple[list[int], list[int]]:
    """Return the classes of places and pairs, atoms in the order of the canonical SMILES.

    What `to_smiles` wrote is read back, also where it is no molecule.

    Raises:
        ValueError: If the text is no SMILES, or one that the graph has no place for.
    """
    mol = _read(smiles)
    if mol.GetNumAtoms() > codec.places:
        raise ValueError(f"design {smiles!r} has {mol.GetNumAtoms()} heavy atoms, this model has {codec.places} places")
    atoms, bonds = [0] * codec.places, [0] * codec.pairs
    for atom in mol.GetAtoms():
        if atom.GetSymbol() not in codec.elements:
            raise ValueError(f"design {smiles!r} has {atom.GetSymbol()}, this model's elements are {codec.elements}")
        if atom.GetFormalCharge() or atom.GetNumRadicalElectrons() or atom.GetIsotope():
            raise ValueError(f"design {smiles!r} has a charge, a radical or an isotope: this model's atoms have none")
        atoms[atom.GetIdx()] = 1 + codec.elements.index(atom.GetSymbol())
    order = {pair: k for k, pair in enumerate(map(tuple, codec.ends.T.tolist()))}
    for bond in mol.GetBonds():
        i, j = sorted((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()))
        if bond.GetBondType() not in _ORDERS[1:]:
            raise ValueError(f"design {smiles!r} has a {bond.GetBondType()} bond: only orders 1 to 3 have a place")
        bonds[order[i, j]] = _ORDERS.index(bond.GetBondType())
    return atoms, bonds


def _read(smiles: str) -> Chem.Mol:
    """Return a graph with Kekulé bonds, the caller's own."""
    mol = parse(canonical(smiles) or "")
    if mol is not None:
        kekule = Chem.Mol(mol)
        Chem.Kekulize(kekule, clearAromaticFlags=True)
        return kekule
    with rdBase.BlockLogs():
        raw = Chem.MolFromSmiles(smiles, sanitize=False)
    if raw is None:
        raise ValueError(f"design {smiles!r} is no SMILES that RDKit can read")
    return raw


def _write(symbols: dict[int, str], bonded: dict[tuple[int, int], int]) -> str:
    mol = Chem.RWMol()
    index = {place: mol.AddAtom(Chem.Atom(symbol)) for place, symbol in symbols.items()}
    for (i, j), order in bonded.items():
        mol.AddBond(index[i], index[j], _ORDERS[order])
    mol.UpdatePropertyCache(strict=False)
    text = str(Chem.MolToSmiles(mol))
    return canonical(text) or text


def _lower(symbols: dict[int, str], bonded: dict[tuple[int, int], int]) -> None:
    """Lower the highest bond of the most crowded atom by one until none is crowded; a bond of order 0 is dropped."""
    table = Chem.GetPeriodicTable()
    room = {place: table.GetDefaultValence(symbol) for place, symbol in symbols.items()}
    while True:
        excess = {place: -room[place] for place in symbols}
        for pair, order in bonded.items():
            for place in pair:
                excess[place] += order
        worst = max(excess, key=excess.__getitem__, default=None)
        if worst is None or excess[worst] <= 0:
            return
        # of two bonds of one order, the one whose other end is crowded too
        pair = max((p for p in bonded if worst in p), key=lambda p: (bonded[p], excess[p[0]] + excess[p[1]]))
        bonded[pair] -= 1
        if not bonded[pair]:
            del bonded[pair]


def _largest(
    symbols: dict[int, str], bonded: dict[tuple[int, int], int]
) -> tuple[dict[int, str], dict[tuple[int, int], int]]:
    part = {place: place for place in symbols}
    for i, j in bonded:
        kept, gone = part[i], part[j]
        part = {place: kept if label == gone else label for place, label in part.items()}
    labels = list(part.values())
    keep = max(set(labels), key=lambda label: (labels.count(label), -label), default=None)
    return (
        {place: symbol for place, symbol in symbols.items() if part[place] == keep},
        {pair: order for pair, order in bonded.items() if part[pair[0]] == keep},
    )
