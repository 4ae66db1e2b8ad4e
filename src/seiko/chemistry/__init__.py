"""What a molecule is to the rest of the library: parsing, descriptors and fingerprints, all of them RDKit's.

Models, oracles, rewards, metrics and the report meet here, so that one molecule has one spelling, one fingerprint and
one set of numbers everywhere. RDKit is an extra: importing this package asks for it, importing `seiko` does not.
"""

from __future__ import annotations

try:
    import rdkit as _rdkit  # noqa: F401
except ImportError as error:
    raise ImportError("molecules need RDKit: pip install 'seiko[molecules]'") from error

from seiko.chemistry.fingerprints import atom_pair_counts, morgan_counts, tanimoto
from seiko.chemistry.fragments import FragmentAlphabet
from seiko.chemistry.molecule import canonical, murcko, parse, pattern
from seiko.chemistry.properties import (
    PROPERTIES,
    element_counts,
    largest_ring,
    logp,
    penalised_logp,
    properties,
    qed,
    sa,
    tpsa,
    weight,
)
from seiko.chemistry.strings import Syntax, flat, from_symbols, ring_first_smiles, to_symbols

__all__ = [
    "PROPERTIES",
    "FragmentAlphabet",
    "Syntax",
    "atom_pair_counts",
    "canonical",
    "element_counts",
    "flat",
    "from_symbols",
    "largest_ring",
    "logp",
    "morgan_counts",
    "murcko",
    "parse",
    "pattern",
    "penalised_logp",
    "properties",
    "qed",
    "ring_first_smiles",
    "sa",
    "tanimoto",
    "to_symbols",
    "tpsa",
    "weight",
]
