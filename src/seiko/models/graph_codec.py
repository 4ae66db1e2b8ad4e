"""How a molecular graph becomes one vector of independent coordinates, and back.

N places for atoms, each of a class {absent, C, N, O, F}; N (N - 1) / 2 pairs of places i < j, each of a class {none,
single, double, triple}. A class c of C is the centred one-hot vector

    x_c = scale * (1[c] - 1 / C)

and a state is all places, then all pairs: for QM9 9 * 5 + 36 * 4 = 189 coordinates. Only the upper triangle is kept, so
that a bond is one coordinate and counts once in a density or a KL. The places have no order: permuting them gives
another state of the same molecule. How many atoms there are is drawn by the model, as absent places. A start state that
held the size would carry information about the end, and the chain would not be memoryless.

Bonds are single, double or triple: rings are in one of their Kekulé forms. Nothing here knows chemistry.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import torch
from jaxtyping import Float, Int64
from torch import Tensor

__all__ = ["GraphCodec", "Repair"]

Repair: TypeAlias = Literal["raw", "largest", "valence"]
"""What is done to a drawing that is no molecule; `graph_molecule` says what each does."""

_MARGIN = 4.0  # nats between the true class and each other one when a clean state is softened


@dataclass(frozen=True, kw_only=True)
class GraphCodec:
    """Layout of a packed graph.

    Args:
        places: Most atoms N that a molecule may have, hydrogen left out.
        elements: Their symbols; class 0 of a place is "absent", class i is `elements[i - 1]`.
        scale: Distance of the one-hot code; larger ones are read at more noise.
    """

    places: int = 9
    elements: tuple[str, ...] = ("C", "N", "O", "F")
    scale: float = 2.0

    def __post_init__(self) -> None:
        if self.places < 2:
            raise ValueError(f"places must be at least 2 atoms, got {self.places}")
        if not self.elements or len(set(self.elements)) < len(self.elements):
            raise ValueError(f"elements must be different symbols, at least one, got {self.elements}")
        if not self.scale > 0:
            raise ValueError(f"scale must be positive, got {self.scale}")

    @property
    def atom_classes(self) -> int:
        """Absent, and one for each element."""
        return 1 + len(self.elements)

    @property
    def bond_classes(self) -> int:
        """None, single, double, triple: the class is the bond's order."""
        return 4

    @property
    def pairs(self) -> int:
        """Pairs of places, N (N - 1) / 2."""
        return self.places * (self.places - 1) // 2

    @property
    def dimensions(self) -> int:
        """Coordinates of a state."""
        return self.places * self.atom_classes + self.pairs * self.bond_classes

    @cached_property
    def ends(self) -> Int64[Tensor, "2 pairs"]:
        """The places i < j of each pair."""
        return torch.triu_indices(self.places, self.places, offset=1)

    def split(self, x: Float[Tensor, "b d"]) -> tuple[Float[Tensor, "b places atom"], Float[Tensor, "b pairs bond"]]:
        """Return the coordinates of places and of pairs."""
        atoms, bonds = torch.split(x, [self.places * self.atom_classes, self.pairs * self.bond_classes], dim=-1)
        return (
            atoms.reshape(-1, self.places, self.atom_classes),
            bonds.reshape(-1, self.pairs, self.bond_classes),
        )

    def join(self, atoms: Float[Tensor, "b places atom"], bonds: Float[Tensor, "b pairs bond"]) -> Float[Tensor, "b d"]:
        """Return the packed vector; the inverse of `split`."""
        return torch.cat([atoms.flatten(-2), bonds.flatten(-2)], dim=-1)

    def embed(self, atoms: Int64[Tensor, "b places"], bonds: Int64[Tensor, "b pairs"]) -> Float[Tensor, "b d"]:
        """Return the clean state of classes."""
        one_hot = torch.nn.functional.one_hot
        return self.centre(one_hot(atoms, self.atom_classes).float(), one_hot(bonds, self.bond_classes).float())

    def centre(
        self, atoms: Float[Tensor, "b places atom"], bonds: Float[Tensor, "b pairs bond"]
    ) -> Float[Tensor, "b d"]:
        """Return the state whose classes have these probabilities: the mean of their clean states."""
        return self.scale * self.join(atoms - 1 / self.atom_classes, bonds - 1 / self.bond_classes)

    def quantise(self, x: Float[Tensor, "b d"]) -> tuple[Int64[Tensor, "b places"], Int64[Tensor, "b pairs"]]:
        """Return the nearest classes; a bond with an absent end is none."""
        atoms, bonds = (part.argmax(-1) for part in self.split(x))
        i, j = self.ends.to(x.device)
        return atoms, torch.where((atoms[:, i] > 0) & (atoms[:, j] > 0), bonds, 0)

    def soften(self, x: Float[Tensor, "b d"]) -> Float[Tensor, "b d"]:
        """Return the state without its last noise: softmax of each place and pair, put back on the code's scale.

        A clean state stays as it is, so that what a reward model learns from designs and what it is asked about are in
        the same place; the gradient runs through.
        """
        parts = []
        for part in self.split(x):
            classes = part.shape[-1]
            probability = torch.softmax(part * (_MARGIN / self.scale), dim=-1)
            clean = 1 / (1 + (classes - 1) * math.exp(-_MARGIN))  # of the true class, where x is clean
            parts.append((probability - 1 / classes) * (1 - 1 / classes) / (clean - 1 / classes) * self.scale)
        return self.join(*parts)

    def permute(self, x: Float[Tensor, "b d"], order: Int64[Tensor, "places"]) -> Float[Tensor, "b d"]:
        """Return the same graphs with place k taken from `order[k]`."""
        atoms, bonds = self.split(x)
        index = torch.zeros(self.places, self.places, dtype=torch.int64)
        i, j = self.ends
        index[i, j] = index[j, i] = torch.arange(self.pairs)
        return self.join(atoms[:, order], bonds[:, index[order[i], order[j]]])
