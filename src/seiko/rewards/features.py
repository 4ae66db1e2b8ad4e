"""What a regression sees of a state: maps phi(x) from states to vectors.

A `Feature` is a frozen, differentiable map `[n, *event] -> [n, d]`. Sequence states come as token indices `[n, L]` or
as their one-hot relaxation `[n, L, V]`; a last column for the mask token is dropped, so that a masked position is a
row of zeros. A `FeatureSource` proposes features once the labels are known (landmarks of a kernel, the last hidden
layer of a network); `LastLayer` chooses among its candidates by marginal likelihood.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from seiko.rewards.symmetry import Symmetry, orbit

__all__ = [
    "Aligned",
    "Candidate",
    "Feature",
    "FeatureSource",
    "Identity",
    "OneHot",
    "Product",
    "Projectable",
    "Symmetrised",
    "one_hot",
]

_ENTRIES = 1 << 24  # entries of the largest temporary: 64 MB of float32


@runtime_checkable
class Feature(Protocol):
    """A differentiable map from states to vectors."""

    def __call__(self, x: Tensor) -> Float[Tensor, "n d"]:
        """Return phi(x), one row a state; in x's dtype, float32 for tokens."""
        ...


@runtime_checkable
class Aligned(Protocol):
    """A feature of images that can tell how well they fit a text."""

    def cosines(self, features: Float[Tensor, "n d"], prompts: Sequence[str]) -> Float[Tensor, "n p"] | None:
        """Return a cosine for each image and text, from the images' features; None if it reads no text after all."""
        ...


@runtime_checkable
class Projectable(Protocol):
    """A feature that is linear in something it looks up, so that a product with a matrix can be done beforehand."""

    def __call__(self, x: Tensor) -> Float[Tensor, "n d"]:
        """Return phi(x)."""
        ...

    def times(self, matrix: Float[Tensor, "d c"]) -> Feature:
        """Return the feature phi(x) matrix."""
        ...


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A feature that a source proposes.

    Args:
        feature: The map, invariant under the symmetry.
        prior_variance: k(x, x) where the feature is a finite slice of a normalised kernel k. What the slice misses,
            `prior_variance - |phi(x)|^2`, is added to the variance; None for a feature that is the whole model.
        unseen: `[n]` booleans, True for labels that the feature was not fitted to; None if it was fitted to none.
    """

    feature: Feature
    prior_variance: float | None = None
    unseen: Tensor | None = None


@runtime_checkable
class FeatureSource(Protocol):
    """Proposes features from the labels."""

    def candidates(
        self, x: Tensor, y: Float[Tensor, "n"], noise: Float[Tensor, "n"], symmetry: Symmetry | None, seed: int
    ) -> Sequence[Candidate]:
        """Return at least one candidate, each invariant under the symmetry.

        Args:
            x: `[n, *event]` labelled states.
            y: `[n]` standardised labels.
            noise: `[n]` standard deviations in the same standardised units, NaN where unknown.
            symmetry: Transformations that leave the reward unchanged, or None.
            seed: Seeds whatever the source draws.
        """
        ...


def one_hot(x: Tensor, vocabulary: int) -> Float[Tensor, "n L V"]:
    """Return `[n, L, vocabulary]` from tokens or relaxed one-hots; the mask token (index `vocabulary`) becomes zeros.

    Raises:
        ValueError: If the shape or the letters do not fit the vocabulary.
    """
    if x.is_floating_point():
        if x.ndim != 3 or x.shape[-1] not in (vocabulary, vocabulary + 1):
            raise ValueError(
                f"relaxed states must be [n, L, {vocabulary}], or one column more for the mask, got {tuple(x.shape)}"
            )
        return x[..., :vocabulary]
    if x.ndim != 2:
        raise ValueError(f"tokens must be [n, L], got {tuple(x.shape)}")
    if x.numel() and (int(x.min()) < 0 or int(x.max()) > vocabulary):
        raise ValueError(
            f"tokens must lie in 0..{vocabulary} ({vocabulary} is the mask), got {int(x.min())}..{int(x.max())}"
        )
    return torch.nn.functional.one_hot(x.long(), vocabulary + 1)[..., :vocabulary].to(torch.float32)


@dataclass(frozen=True, kw_only=True)
class OneHot:
    """One indicator a position and letter: phi(x) in {0, 1}^(L V).

    Args:
        vocabulary: Number of letters V, the mask not counted.
    """

    vocabulary: int

    def __call__(self, x: Tensor) -> Float[Tensor, "n d"]:
        """Return `[n, L * vocabulary]`."""
        return one_hot(x, self.vocabulary).flatten(1)


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Flatten a vector or an image as it is, in its own floating-point type."""

    def __call__(self, x: Tensor) -> Float[Tensor, "n d"]:
        """Return `[n, d]`."""
        return (x if x.is_floating_point() else x.to(torch.float32)).flatten(1)


@dataclass(frozen=True, kw_only=True)
class Symmetrised:
    """Average a feature over the orbit: phi_bar(x) = mean_g phi(g x).

    Ridge regression on it is regression with the symmetrised kernel, so no label needs to be repeated.
    """

    feature: Feature
    symmetry: Symmetry | None

    def __call__(self, x: Tensor) -> Float[Tensor, "n d"]:
        """Return the mean feature of each state's orbit, `[n, d]`."""
        images = orbit(self.symmetry, x)
        return torch.unflatten(self.feature(images.flatten(0, 1)), 0, images.shape[:2]).mean(1)


@dataclass(frozen=True, kw_only=True, eq=False)
class Product:
    """A linear map of another feature, phi(x) = f(x) matrix, computed in blocks.

    Args:
        feature: f.
        matrix: `[D, d]`.
    """

    feature: Feature
    matrix: Tensor = field(repr=False)

    def __call__(self, x: Tensor) -> Float[Tensor, "n d"]:
        """Return `[n, d]`."""
        rows = max(1, _ENTRIES // len(self.matrix))
        return torch.cat([self._rows(part) for part in torch.split(x, rows)])

    def _rows(self, x: Tensor) -> Float[Tensor, "n d"]:
        phi = self.feature(x)
        return phi @ self.matrix.to(phi.dtype)

    def times(self, matrix: Float[Tensor, "d c"]) -> Product:
        """Return the map by the product of the matrices."""
        return Product(feature=self.feature, matrix=self.matrix.to(matrix.dtype) @ matrix)
