"""Known symmetries of a domain: states that the oracle cannot tell apart.

A symmetry is a finite group acting on states; its orbit of x is {g x}. Reward models augment their labels with the
orbit and average (or pool) predictions over it, so posterior(x) == posterior(g x) exactly. A double-stranded DNA
sequence and its reverse complement are one molecule: with a few hundred labels, worth more than any acquisition.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

__all__ = ["ReverseComplement", "Symmetry", "orbit"]


@runtime_checkable
class Symmetry(Protocol):
    """A finite group of transformations that leave the reward unchanged."""

    def orbit(self, x: Tensor) -> Tensor:
        """Return `[n, orbit, *event]`, the images of each state, the state itself first; differentiable in x."""
        ...


@dataclass(frozen=True, kw_only=True)
class ReverseComplement:
    """Read a sequence backwards with its letters exchanged: (x_1 .. x_L) -> (c(x_L) .. c(x_1)).

    Args:
        complement: The letter that each letter becomes; the default is DNA with A=0 C=1 G=2 T=3. The identity
            permutation gives plain reversal. Letters beyond it (a mask token) stay what they are.

    Raises:
        ValueError: If `complement` is not a permutation that undoes itself.
    """

    complement: tuple[int, ...] = (3, 2, 1, 0)

    def __post_init__(self) -> None:
        letters = range(len(self.complement))
        if sorted(self.complement) != list(letters) or any(self.complement[self.complement[i]] != i for i in letters):
            raise ValueError(f"complement must be a permutation that undoes itself, got {self.complement}")

    def orbit(self, x: Tensor) -> Tensor:
        """Return each state and its reverse complement, `[n, 2, L]` for tokens, `[n, 2, L, V]` for relaxed one-hots."""
        size = len(self.complement)
        if not x.is_floating_point():
            extra = max(size, int(x.max()) + 1 if x.numel() else size)
            table = torch.tensor([*self.complement, *range(size, extra)], device=x.device)
            return torch.stack([x, table[x].flip(1)], dim=1)
        if x.ndim != 3 or x.shape[-1] < size:
            raise ValueError(f"relaxed states must be [n, L, V] with V of at least {size}, got {tuple(x.shape)}")
        columns = torch.tensor([*self.complement, *range(size, x.shape[-1])], device=x.device)
        return torch.stack([x, x[..., columns].flip(1)], dim=1)


def orbit(symmetry: Symmetry | None, x: Tensor) -> Tensor:
    """Return `[n, orbit, *event]`; an orbit of one where there is no symmetry."""
    return x[:, None] if symmetry is None else symmetry.orbit(x)
