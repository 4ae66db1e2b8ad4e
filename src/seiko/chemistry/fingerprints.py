"""Fingerprints of molecules and their similarity.

    morgan_counts(x)_d = number of circular environments of radius <= r in x that hash to d
    atom_pair_counts(x)_d = number of pairs of atoms in x that hash to d: two kinds of atoms, so many bonds apart
    tanimoto(a, b) = sum_d min(a_d, b_d) / sum_d max(a_d, b_d)

Vectors of zeros and ones are the special case in which this is the Tanimoto coefficient of bits. Environments ignore
stereochemistry, as ECFP does by default.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from rdkit.Chem import rdFingerprintGenerator
from torch import Tensor

from seiko.chemistry.molecule import parse

__all__ = ["atom_pair_counts", "morgan_counts", "tanimoto"]

_LEVELS = 256
_Kind: TypeAlias = Literal["elements", "roles", "pairs"]


def morgan_counts(
    smiles: Sequence[str], *, radius: int = 2, size: int = 2048, by_role: bool = False
) -> Float[Tensor, "n {size}"]:
    """Return folded counts of circular environments (ECFP of diameter 2 * radius), a zero row for what is no molecule.

    Args:
        smiles: n molecules.
        radius: Bonds r from the centre of an environment.
        size: Numbers a molecule is folded to.
        by_role: Tell atoms by what they do (donor, acceptor, aromatic, halogen, basic, acidic) and not by what they
            are: FCFP.

    References:
        Rogers, Hahn, "Extended-connectivity fingerprints", J. Chem. Inf. Model. 50:742, 2010,
        https://doi.org/10.1021/ci100050t.
    """
    if radius < 0:
        raise ValueError(f"radius must be a number of bonds of at least 0, got {radius}")
    return _folded(smiles, "roles" if by_role else "elements", radius, size)


def atom_pair_counts(smiles: Sequence[str], *, size: int = 2048) -> Float[Tensor, "n {size}"]:
    """Return folded counts of pairs of atoms, a zero row for what is no molecule.

    A pair is told by element, neighbours and pi electrons of both atoms and the bonds on the shortest way between them:
    unlike circular environments it sees how far apart two ends of a molecule lie.

    Args:
        smiles: n molecules.
        size: Numbers a molecule is folded to.

    References:
        Carhart, Smith, Venkataraghavan, "Atom pairs as molecular features in structure-activity studies", J. Chem. Inf.
        Comput. Sci. 25:64, 1985, https://doi.org/10.1021/ci00046a002.
    """
    return _folded(smiles, "pairs", 0, size)


def _folded(smiles: Sequence[str], kind: _Kind, radius: int, size: int) -> Float[Tensor, "n {size}"]:
    if size < 1:
        raise ValueError(f"size must be a positive number of counts, got {size}")
    out = np.zeros((len(smiles), size), dtype=np.float32)
    for row, text in zip(out, smiles, strict=True):
        where, counts = _counts(text, kind, radius, size)
        row[where] = counts
    return torch.from_numpy(out).to(torch.get_default_dtype())


@lru_cache(maxsize=200_000)
def _counts(smiles: str, kind: _Kind, radius: int, size: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return where the counts of a molecule are not zero, and the counts."""
    mol = parse(smiles)
    found = {} if mol is None else _generator(kind, radius, size).GetCountFingerprint(mol).GetNonzeroElements()
    where = np.fromiter(found.keys(), dtype=np.int32, count=len(found))
    return where, np.fromiter(found.values(), dtype=np.float32, count=len(found))


@cache
def _generator(kind: _Kind, radius: int, size: int) -> Any:
    if kind == "pairs":
        return rdFingerprintGenerator.GetAtomPairGenerator(fpSize=size)
    roles = rdFingerprintGenerator.GetMorganFeatureAtomInvGen() if kind == "roles" else None
    return rdFingerprintGenerator.GetMorganGenerator(radius=radius, fpSize=size, atomInvariantsGenerator=roles)


def tanimoto(a: Float[Tensor, "n d"], b: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
    """Return the similarity of all pairs, 0 to 1; two empty fingerprints are alike.

    Args:
        a: Counts, none below 0.
        b: Counts, none below 0.
    """
    total = a.sum(-1)[:, None] + b.sum(-1)[None, :]
    shared = _shared_counts(a, b) if _whole(a) and _whole(b) else (total - torch.cdist(a, b, p=1.0)) / 2
    return torch.where(total > 0, shared / (total - shared).clamp_min(1e-12), 1.0)


def _shared_counts(a: Tensor, b: Tensor) -> Tensor:
    """Return sum_d min(a_d, b_d) as one matrix product a level: min(i, j) = sum_l [i >= l] [j >= l]."""
    shared = a.new_zeros(a.shape[0], b.shape[0])
    if not shared.numel():
        return shared
    peaks = torch.minimum(a.amax(0), b.amax(0))
    for level in range(1, int(peaks.amax()) + 1 if peaks.numel() else 1):
        columns = peaks >= level
        shared += (a[:, columns] >= level).to(a.dtype) @ (b[:, columns] >= level).to(a.dtype).T
    return shared


def _whole(counts: Tensor) -> bool:
    """Whether all are whole numbers so small that a matrix product a level is the quick way."""
    return bool((counts == counts.round()).all()) and (not counts.numel() or float(counts.max()) <= _LEVELS)
