"""Spaced pairs of letters, anywhere: the feature for motifs whose letters stand at fixed distances.

    f_(a,b,s)(x) = 1 if some position p has x_p = a and x_(p+s) = b,    1 <= s <= span,   f scaled to unit norm
    k(x, z)      = f(x) . f(z), the share of spaced pairs in common

There are V^2 span of them, most never seen, so the regression works on the slice that the labelled states span:
phi(x) = G^T f(x), G = F_Z^T U Lambda^(-1/2), where F_Z F_Z^T = U Lambda U^T at the landmarks Z. A network has to find
the motifs among all words; here each of their pairs of letters is a coordinate from the start.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from seiko.rewards.features import Candidate, Product, one_hot
from seiko.rewards.split import uniforms
from seiko.rewards.symmetry import Symmetry, orbit

__all__ = ["PairPresence", "SpacedPairs"]


@dataclass(frozen=True, kw_only=True)
class PairPresence:
    """Which spaced pairs of letters does a sequence, or any of its images, hold? Unit norm.

    Args:
        vocabulary: Number of letters V, the mask not counted.
        span: Largest distance of the two letters.
        symmetry: Images whose pairs count as the state's own.
    """

    vocabulary: int
    span: int
    symmetry: Symmetry | None = None

    def __call__(self, x: Tensor) -> Float[Tensor, "n d"]:
        """Return `[n, min(span, L - 1) * V * V]`; of a relaxed state, expected counts up to 1."""
        images = orbit(self.symmetry, x)
        found = self._relaxed(images) if x.is_floating_point() else self._tokens(images)
        return found / found.square().sum(1, keepdim=True).clamp_min(1e-12).sqrt()

    def _relaxed(self, images: Tensor) -> Tensor:
        n, size = images.shape[:2]
        letters = one_hot(images.flatten(0, 1), self.vocabulary)
        blocks = []
        for s in range(1, min(self.span, letters.shape[1] - 1) + 1):
            counts = letters[:, :-s].transpose(1, 2) @ letters[:, s:]
            blocks.append(torch.unflatten(counts, 0, (n, size)).sum(1).clamp_max(1.0).flatten(1))
        return torch.cat(blocks, dim=1)

    def _tokens(self, images: Tensor) -> Tensor:
        n, _, length = images.shape
        spans, base = min(self.span, length - 1), self.vocabulary + 1
        found = torch.zeros(n, spans, base * base, device=images.device)
        for s in range(1, spans + 1):
            codes = (images[..., :-s] * base + images[..., s:]).long().flatten(1)
            found[:, s - 1].scatter_(1, codes, 1.0)
        # The mask's row and column go: it is no letter.
        return found.view(n, spans, base, base)[..., :-1, :-1].flatten(1)


@dataclass(frozen=True, kw_only=True)
class SpacedPairs:
    """Propose spaced-pair features, one for each span on a grid; the marginal likelihood chooses.

    Args:
        vocabulary: Number of letters, the mask not counted.
        spans: Grid of largest distances. Motifs of an Ehrlich function span at most length / motifs letters.
        landmarks: At most this many labelled states, drawn by the seed, span the features.

    Raises:
        ValueError: If a number is not positive or the grid is empty.
    """

    vocabulary: int
    spans: tuple[int, ...] = (3, 7, 15)
    landmarks: int = 1024

    def __post_init__(self) -> None:
        for name, numbers in (
            ("vocabulary", (self.vocabulary,)),
            ("spans", self.spans),
            ("landmarks", (self.landmarks,)),
        ):
            if not numbers or any(number <= 0 for number in numbers):
                raise ValueError(f"{name} must be positive and not empty, got {getattr(self, name)}")

    def candidates(
        self, x: Tensor, y: Float[Tensor, "n"], noise: Float[Tensor, "n"], symmetry: Symmetry | None, seed: int
    ) -> Sequence[Candidate]:
        """Return one feature for each span that differs at this length.

        Raises:
            ValueError: If sequences are shorter than two letters.
        """
        if x.shape[1] < 2:
            raise ValueError(f"spaced pairs need sequences of at least 2 letters, got length {x.shape[1]}")
        chosen = uniforms(seed, 3, 1, len(x))[0].argsort()[: self.landmarks].sort().values
        z = x.detach()[chosen.to(x.device)]
        return [self._candidate(z, span, symmetry) for span in sorted({min(s, x.shape[1] - 1) for s in self.spans})]

    def _candidate(self, z: Tensor, span: int, symmetry: Symmetry | None) -> Candidate:
        feature = PairPresence(vocabulary=self.vocabulary, span=span, symmetry=symmetry)
        found = feature(z)
        eigenvalues, vectors = torch.linalg.eigh((found @ found.T).to(torch.float64))
        keep = eigenvalues > 1e-6 * eigenvalues[-1]
        slice_ = found.T @ (vectors[:, keep] * eigenvalues[keep].rsqrt()).to(found.dtype)
        return Candidate(feature=Product(feature=feature, matrix=slice_), prior_variance=1.0)
