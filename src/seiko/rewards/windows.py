"""Features of the window kernel: ridge regression on them is the Gaussian process with that kernel.

    phi(x) = Lambda^(-1/2) U^T k(Z, x),        K(Z, Z) = U Lambda U^T,        landmarks Z among the labelled states

phi(x) . phi(x') is k restricted to what the landmarks span: all of it at the landmarks themselves. Where every labelled
state is a landmark, the regression's mean is exactly the Gaussian process's, and so is its variance once `LastLayer`
adds the missing k(x, x) - |phi(x)|^2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from seiko.rewards.features import Candidate
from seiko.rewards.split import uniforms
from seiko.rewards.symmetry import Symmetry
from seiko.rewards.window_kernel import WindowKernel, Words

__all__ = ["Landmarks", "Windows"]

_PAIRS = 1 << 24  # comparisons of spellings in one block: 64 MB of float32
_TABLE = 1 << 24  # entries of the largest table of words: 64 MB of float32


@dataclass(frozen=True, kw_only=True, eq=False)
class Landmarks:
    """Feature phi(x) = projection^T k(Z, x) of a window kernel; whitened ones have |phi(x)|^2 <= k(x, x) = 1.

    Tokens look each of their windows up: where there are few words (short windows, small alphabets) in one table of
    all words, made at the first call, else in a table of the words at hand.

    Args:
        kernel: The kernel.
        projection: `[m, d]`, U Lambda^(-1/2), float64.
        words: For each width, the windows of all images of the landmarks.
        norms: For each width, `[m]`, sqrt(k_w(z, z)) times the number of widths.
    """

    kernel: WindowKernel
    projection: Tensor = field(repr=False)
    words: tuple[Words, ...] = field(repr=False)
    norms: Float[Tensor, "widths m"] = field(repr=False)

    @classmethod
    def of(cls, kernel: WindowKernel, z: Int[Tensor, "m L"], tolerance: float = 1e-7) -> Landmarks:
        """Whiten the kernel at the landmarks; directions below `tolerance` of the largest eigenvalue are left out."""
        eigenvalues, vectors = torch.linalg.eigh(kernel(z, z))
        keep = eigenvalues > tolerance * eigenvalues[-1]
        return cls.projected(kernel, z, vectors[:, keep] * eigenvalues[keep].rsqrt())

    @classmethod
    def projected(cls, kernel: WindowKernel, z: Int[Tensor, "m L"], projection: Float[Tensor, "m d"]) -> Landmarks:
        """Return the feature k(x, Z) projection for any projection."""
        return cls(
            kernel=kernel,
            projection=projection,
            words=tuple(kernel.image_words(z, width) for width in kernel.widths),
            norms=kernel.self_similarity(z).sqrt() * len(kernel.widths),
        )

    def times(self, matrix: Float[Tensor, "d c"]) -> Landmarks:
        """Return the feature phi(x) matrix, at the price of a feature of c columns."""
        return Landmarks(kernel=self.kernel, projection=self.projection @ matrix, words=self.words, norms=self.norms)

    def __call__(self, x: Tensor) -> Float[Tensor, "n d"]:
        """Return `[n, d]`: by table for tokens, differentiably for relaxed one-hots."""
        scales = self.kernel.self_similarity(x).rsqrt()
        if x.is_floating_point():
            parts = [self._relaxed(x, index) * scale[:, None] for index, scale in enumerate(scales)]
        elif self._tables is None:
            parts = [self._of_words(x, index, scale) for index, scale in enumerate(scales)]
        else:
            return self._of_table(x, scales)
        return torch.stack(parts).sum(0)

    def _of_table(self, x: Int[Tensor, "n L"], scales: Float[Tensor, "widths n"]) -> Float[Tensor, "n d"]:
        assert self._tables is not None
        base, first, codes, weights = self.kernel.vocabulary + 1, 0, [], []
        for width, scale in zip(self.kernel.widths, scales, strict=True):
            found = self.kernel.codes(x, width)
            codes.append(found + first)
            weights.append(scale[:, None].expand(found.shape))
            first += base**width
        return functional.embedding_bag(
            torch.cat(codes, 1), self._tables, mode="sum", per_sample_weights=torch.cat(weights, 1)
        )

    @cached_property
    def _tables(self) -> Float[Tensor, "u d"] | None:
        """The value of every word there is, one width after the other; None if they are too many."""
        base = self.kernel.vocabulary + 1
        if sum(base**width for width in self.kernel.widths) * self.projection.shape[1] > _TABLE:
            return None
        tables = []
        for index, (width, words) in enumerate(zip(self.kernel.widths, self.words, strict=True)):
            letters = torch.unflatten(words.spelled, 1, (width, self.kernel.vocabulary))
            letters = torch.where(letters.amax(2) > 0, letters.argmax(2), self.kernel.vocabulary)
            powers = torch.tensor([base**k for k in range(width)], device=letters.device)
            values = torch.zeros(base**width, self.projection.shape[1], device=letters.device)
            values[(letters * powers).sum(1)] = self._folded(index, torch.float32)
            tables.append(self.kernel.spread(values, width))
        return torch.cat(tables)

    def _of_words(self, x: Int[Tensor, "n L"], index: int, scale: Float[Tensor, "n"]) -> Float[Tensor, "n d"]:
        width, projection = self.kernel.widths[index], self.projection / self.norms[index][:, None]
        own = self.kernel.words(x, width)
        return own.sum(self.kernel.sums(own.spelled, self.words[index], width) @ projection.to(torch.float32), scale)

    def _relaxed(self, x: Tensor, index: int) -> Float[Tensor, "n d"]:
        width, spelled = self.kernel.widths[index], self.words[index].spelled.to(x.dtype)
        windows = self.kernel.windows(x, width)
        rows = max(1, _PAIRS // (windows.shape[1] * len(spelled)))
        shared = torch.cat([self.kernel.compare(part, spelled, width).sum(1) for part in torch.split(windows, rows)])
        return shared @ self._folded(index, x.dtype)

    def _folded(self, index: int, dtype: torch.dtype) -> Float[Tensor, "s d"]:
        """Return the projection by spelling instead of by landmark, which spares a matrix product with the counts."""
        words, projection = self.words[index], (self.projection / self.norms[index][:, None]).to(dtype)
        folded = torch.zeros(len(words.spelled), projection.shape[1], dtype=dtype, device=projection.device)
        return folded.index_add_(0, words.index.flatten(), projection.repeat_interleave(words.index.shape[1], 0))


@dataclass(frozen=True, kw_only=True)
class Windows:
    """Propose landmark features of the window kernel, one for each sharpness on a grid.

    Args:
        vocabulary: Number of letters, the mask not counted.
        widths: Widths of the windows, letters.
        sharpness: Grid of kernel sharpnesses; the marginal likelihood chooses.
        landmarks: At most this many labelled states, drawn by the seed, span the features.

    Raises:
        ValueError: If a number is not positive or a tuple is empty.

    References:
        Leslie, Eskin, Noble, "The spectrum kernel", 2002; Leslie et al., "Mismatch string kernels for discriminative
        protein classification", 2004; Williams, Seeger, "Using the Nystroem method to speed up kernel machines", 2001.
    """

    vocabulary: int
    widths: tuple[int, ...] = (2, 4, 6)
    sharpness: tuple[float, ...] = (0.5, 1.0, 2.0)
    landmarks: int = 768

    def __post_init__(self) -> None:
        values = {"vocabulary": (self.vocabulary,), "widths": self.widths, "sharpness": self.sharpness}
        for name, numbers in {**values, "landmarks": (self.landmarks,)}.items():
            if not numbers or any(number <= 0 for number in numbers):
                raise ValueError(f"{name} must be positive and not empty, got {getattr(self, name)}")

    def candidates(
        self, x: Tensor, y: Float[Tensor, "n"], noise: Float[Tensor, "n"], symmetry: Symmetry | None, seed: int
    ) -> Sequence[Candidate]:
        """Return one landmark feature for each sharpness.

        Raises:
            ValueError: If x are not tokens; a labelled design is a sequence, not a relaxation.
        """
        if x.is_floating_point():
            raise ValueError(f"Windows are fitted to tokens [n, L], got relaxed states {tuple(x.shape)}")
        chosen = uniforms(seed, 3, 1, len(x))[0].argsort()[: self.landmarks].sort().values
        kernels = [
            WindowKernel(vocabulary=self.vocabulary, widths=self.widths, sharpness=s, symmetry=symmetry)
            for s in self.sharpness
        ]
        return [
            Candidate(feature=Landmarks.of(kernel, x[chosen.to(x.device)]), prior_variance=1.0) for kernel in kernels
        ]
