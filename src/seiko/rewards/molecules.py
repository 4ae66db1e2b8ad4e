"""What a regression sees of a molecule: fingerprints for what it is made of, descriptors for what it is like.

    MorganCounts    [n, 2048] counts of circular environments; with `Tanimoto` the kernel of cheminformatics
    AtomPairs       [n, 2048] counts of pairs of atoms by the bonds between them; likewise
    Descriptors     [n, k] weight, logP, polar surface and the like, each in its own usual spread
    Formula         [n, 10] atoms of each element, likewise

Nobody knows beforehand by which of these a property is best told: `molecule_kernel` is the weighted mean of a kernel on
each, and the evidence of the labels sets the weights, and a length-scale for every number of the last two. Tanimoto's
kernel goes back to the mean for what is unlike all labels; a linear kernel on the environments, by which each is worth
something wherever it stands, goes on beyond them.

States are a molecule model's tokens; the alphabet that says what they mean is read from beside the model's weights.
None has a gradient in relaxed tokens.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from seiko.priors import SIDE_FILE, prior_folder
from seiko.rewards.kernels import RBF, Linear, Sum, Tanimoto

if TYPE_CHECKING:
    from seiko.chemistry import FragmentAlphabet

__all__ = [
    "DESCRIPTORS",
    "ELEMENTS",
    "AtomPairs",
    "Descriptors",
    "Formula",
    "MorganCounts",
    "molecule_kernel",
    "scaled",
]

DESCRIPTORS = {
    "weight": (330.0, 60.0),
    "logp": (2.5, 1.4),
    "tpsa": (65.0, 25.0),
    "donors": (1.3, 0.9),
    "acceptors": (4.0, 1.5),
    "rotatable_bonds": (4.5, 1.6),
    "aromatic_rings": (1.8, 1.0),
    "rings": (2.8, 1.0),
    "sp3_fraction": (0.4, 0.2),
    "sa": (3.0, 0.8),
}
"""Usual centre and spread of each descriptor among drug-like molecules (ZINC250k, rounded)."""

ELEMENTS = {
    "C": (17.0, 3.7),
    "N": (2.8, 1.4),
    "O": (2.3, 1.3),
    "F": (0.3, 0.8),
    "P": (0.0, 0.5),
    "S": (0.4, 0.6),
    "Cl": (0.2, 0.5),
    "Br": (0.1, 0.5),
    "I": (0.0, 0.5),
    "H": (20.5, 5.8),
}
"""Likewise the atoms of each element; a spread is never less than half an atom."""


@functools.cache
def _alphabet(model: str) -> FragmentAlphabet:
    from seiko.chemistry import FragmentAlphabet

    side = json.loads((prior_folder(model) / SIDE_FILE).read_text())
    if "merges" not in side["alphabet"]:
        raise ValueError(f"{model!r} is no molecule model: its letters are {side['alphabet']['letters'][:8]}")
    return FragmentAlphabet.from_fields(side["alphabet"])


def _smiles(model: str, x: Tensor) -> list[str]:
    if x.is_floating_point():
        raise TypeError("a molecule's features have no gradient: choose an update that needs none (PPO, Distill)")
    return [design.content if design.valid else "" for design in _alphabet(model).write(x)]


@dataclass(frozen=True, kw_only=True)
class MorganCounts:
    """Counts of circular environments; a row of zeros for what is no molecule.

    Args:
        model: The molecule model whose tokens are read: a directory, or ``"seiko:NAME"``.
        radius: Bonds from the centre of an environment.
        size: Numbers a molecule is folded to.
        by_role: Tell atoms by what they do and not by what they are (FCFP).

    References:
        Rogers, Hahn, "Extended-connectivity fingerprints", 2010, https://doi.org/10.1021/ci100050t.
    """

    model: str
    radius: int = 2
    size: int = 2048
    by_role: bool = False

    def __call__(self, x: Tensor) -> Float[Tensor, "n d"]:
        """Return `[n, size]`, float32.

        Raises:
            TypeError: If x are relaxed tokens.
            FileNotFoundError: If there is no such model.
        """
        from seiko.chemistry import morgan_counts

        smiles = _smiles(self.model, x)
        return morgan_counts(smiles, radius=self.radius, size=self.size, by_role=self.by_role).to(x.device)


@dataclass(frozen=True, kw_only=True)
class AtomPairs:
    """Counts of pairs of atoms, by what they are and the bonds between them; a row of zeros for what is no molecule.

    Args:
        model: The molecule model whose tokens are read: a directory, or ``"seiko:NAME"``.
        size: Numbers a molecule is folded to.

    References:
        Carhart, Smith, Venkataraghavan, "Atom pairs as molecular features in structure-activity studies", 1985,
        https://doi.org/10.1021/ci00046a002.
    """

    model: str
    size: int = 2048

    def __call__(self, x: Tensor) -> Float[Tensor, "n d"]:
        """Return `[n, size]`, float32.

        Raises:
            TypeError: If x are relaxed tokens.
            FileNotFoundError: If there is no such model.
        """
        from seiko.chemistry import atom_pair_counts

        return atom_pair_counts(_smiles(self.model, x), size=self.size).to(x.device)


@dataclass(frozen=True, kw_only=True)
class Descriptors:
    """Physical and structural descriptors, each less its usual centre and over its usual spread.

    Args:
        model: The molecule model whose tokens are read: a directory, or ``"seiko:NAME"``.
        names: Which, of `DESCRIPTORS`.
    """

    model: str
    names: tuple[str, ...] = tuple(DESCRIPTORS)

    def __post_init__(self) -> None:
        if unknown := [name for name in self.names if name not in DESCRIPTORS]:
            raise ValueError(f"no descriptor is called {unknown[0]!r}; there are: {', '.join(DESCRIPTORS)}")

    def __call__(self, x: Tensor) -> Float[Tensor, "n d"]:
        """Return `[n, len(names)]`, float32; what is no molecule lies at the centre.

        Raises:
            TypeError: If x are relaxed tokens.
            FileNotFoundError: If there is no such model.
        """
        from seiko.chemistry import properties

        values = properties(_smiles(self.model, x), self.names)
        return scaled(values, [DESCRIPTORS[name] for name in self.names]).to(x.device)


@dataclass(frozen=True, kw_only=True)
class Formula:
    """Atoms of each element in `ELEMENTS`, each less its usual number and over its usual spread.

    Args:
        model: The molecule model whose tokens are read: a directory, or ``"seiko:NAME"``.
    """

    model: str

    def __call__(self, x: Tensor) -> Float[Tensor, "n d"]:
        """Return `[n, len(ELEMENTS)]`, float32; what is no molecule lies at the centre.

        Raises:
            TypeError: If x are relaxed tokens.
            FileNotFoundError: If there is no such model.
        """
        from seiko.chemistry import element_counts

        values = element_counts(_smiles(self.model, x), list(ELEMENTS))
        return scaled(values, list(ELEMENTS.values())).to(x.device)


def scaled(values: Float[Tensor, "n k"], usual: Sequence[tuple[float, float]]) -> Float[Tensor, "n k"]:
    """Return values less their centre and over their spread, float32; 0 for NaN."""
    centre, spread = torch.tensor(usual, dtype=values.dtype).T
    found: Tensor = ((values - centre) / spread).nan_to_num(0.0)
    return found.to(torch.float32)


def molecule_kernel(model: str) -> Sum:
    """Return the kernel by which molecules are alike: in fragments, in how these lie, in properties and in formula.

        k = w_1 T(environments) + w_2 T(environments by role) + w_3 T(atom pairs)
            + w_4 RBF(descriptors) + w_5 RBF(formula) + w_6 <environments, environments>

    T is Tanimoto's kernel on counts; both RBF have a length-scale for each number, so that those that do not matter can
    drop out; the last is linear in the counts (Free and Wilson's additive contributions of fragments). The weights sum
    to one. All of these are found by the evidence of the labels.

    Args:
        model: The molecule model whose tokens are read: a directory, or ``"seiko:NAME"``.

    References:
        Free, Wilson, "A mathematical contribution to structure-activity studies", 1964,
        https://doi.org/10.1021/jm00334a001 (the linear term).
    """
    return Sum(
        kernels=(
            Tanimoto(feature=MorganCounts(model=model)),
            Tanimoto(feature=MorganCounts(model=model, by_role=True)),
            Tanimoto(feature=AtomPairs(model=model)),
            RBF(feature=Descriptors(model=model), ard=True),
            RBF(feature=Formula(model=model), ard=True),
            Linear(feature=MorganCounts(model=model)),
        )
    )
