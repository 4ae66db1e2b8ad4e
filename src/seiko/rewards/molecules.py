"""What a regression sees of a molecule: fingerprints for what it is made of, descriptors for what it is like.

    MorganCounts    [n, 2048] counts of circular environments; with `Tanimoto` the kernel of cheminformatics
    Descriptors     [n, k] weight, logP, polar surface and the like, each in its own usual spread

States are a molecule model's tokens; the alphabet that says what they mean is read from beside the model's weights.
Neither has a gradient in relaxed tokens.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from seiko.priors import SIDE_FILE, prior_folder

if TYPE_CHECKING:
    from seiko.chemistry import FragmentAlphabet

__all__ = ["DESCRIPTORS", "Descriptors", "MorganCounts"]

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

    References:
        Rogers, Hahn, "Extended-connectivity fingerprints", 2010, https://doi.org/10.1021/ci100050t.
    """

    model: str
    radius: int = 2
    size: int = 2048

    def __call__(self, x: Tensor) -> Float[Tensor, "n d"]:
        """Return `[n, size]`, float32.

        Raises:
            TypeError: If x are relaxed tokens.
            FileNotFoundError: If there is no such model.
        """
        from seiko.chemistry import morgan_counts

        return morgan_counts(_smiles(self.model, x), radius=self.radius, size=self.size).to(x.device)


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
        centre, spread = torch.tensor([DESCRIPTORS[name] for name in self.names], dtype=values.dtype).T
        scaled: Tensor = ((values - centre) / spread).nan_to_num(0.0)
        return scaled.to(torch.float32).to(x.device)
