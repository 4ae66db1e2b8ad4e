"""What a regression sees of a packed graph: counts of small substructures, whatever the order of the places.

With soft classes P_i (elements only) and B_ij (orders 1 to 3, where both ends are there), and h_i = sum_j B_ij ⊗ P_j,
what place i is bonded to, h'_i = sum_j A_ij h_j, what lies two bonds away, A_ij the sum of B_ij:

    sum_i P_i                atoms                       sum_i P_i ⊗ h_i            bonds
    sum_i P_i ⊗ (h_i ⊗ h_i)  pairs of bonds at an atom   sum_i P_i ⊗ h'_i           paths of two bonds, by their ends
    sum_i h_i ⊗ h'_i         paths of three bonds        tr A³, ..., tr A⁶          closed walks: rings

All are polynomials of the state: differentiable, and on a clean state whole numbers, of which the root is taken. A
network on the coordinates themselves would have to learn each molecule in each of its N! orders.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from seiko.models.graph_codec import GraphCodec

__all__ = ["GraphFeatures"]

_WALKS = (3, 4, 5, 6)


@dataclass(frozen=True, kw_only=True)
class GraphFeatures:
    """Counts of small substructures of packed graphs, a `Feature` for reward models.

    Args:
        codec: Layout of the graphs.
    """

    codec: GraphCodec = field(default_factory=GraphCodec)

    def __call__(self, x: Tensor) -> Float[Tensor, "n d"]:
        """Return one row a state: signed square roots of soft counts, none of which depends on the order of places."""
        atoms, bonds = self._soft(x)
        order = bonds.sum(-1)
        near = torch.einsum("nijo,njc->nioc", bonds, atoms).flatten(2)
        far = order @ near
        both = near[..., :, None] * near[..., None, :]
        i, j = torch.triu_indices(near.shape[-1], near.shape[-1])
        walks, power = [], order @ order
        for _ in _WALKS:
            power = power @ order
            walks.append(power.diagonal(dim1=-2, dim2=-1).sum(-1))
        counts = torch.cat(
            [
                atoms.sum(1),
                torch.einsum("nia,nib->nab", atoms, near).flatten(1),
                torch.einsum("nia,nib->nab", atoms, both[..., i, j]).flatten(1),
                torch.einsum("nia,nib->nab", atoms, far).flatten(1),
                torch.einsum("nia,nib->nab", near, far).flatten(1),
                torch.stack(walks, dim=-1),
            ],
            dim=-1,
        )
        # a smooth root: counts spread over two orders of magnitude, and a root at 0 would have no gradient
        return counts.sign() * ((counts.abs() + 0.25).sqrt() - 0.5)

    def _soft(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return `[n, N, elements]` and `[n, N, N, 3]` shares of what is there."""
        codec = self.codec
        places, pairs = codec.split(x)
        atoms = (places / codec.scale + 1 / codec.atom_classes)[..., 1:]
        i, j = codec.ends.to(x.device)
        there = atoms.sum(-1)
        orders = (pairs / codec.scale + 1 / codec.bond_classes)[..., 1:] * (there[:, i] * there[:, j])[..., None]
        index = torch.full((codec.places, codec.places), codec.pairs, device=x.device)
        index[i, j] = index[j, i] = torch.arange(codec.pairs, device=x.device)
        return atoms, torch.nn.functional.pad(orders, (0, 0, 0, 1))[:, index]
