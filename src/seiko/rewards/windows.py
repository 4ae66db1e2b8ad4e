"""Features of the window kernel: ridge regression on them is the Gaussian process with that kernel.

    phi(x) = Lambda^(-1/2) U^T k(Z, x),        K(Z, Z) = U Lambda U^T,        landmarks Z among the labelled states

phi(x) . phi(x') is k restricted to what the landmarks span: all of it at the landmarks themselves. Where every labelled
state is a landmark, the regression's mean is exactly the Gaussian process's, and so is its variance once `LastLayer`
adds the missing k(x, x) - |phi(x)|^2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seiko.rewards.features import Candidate
from seiko.rewards.split import uniforms
from seiko.rewards.symmetry import Symmetry
from seiko.rewards.window_kernel import WindowKernel, Words

__all__ = ["Landmarks", "Windows"]

_PAIRS = 1 << 24  # comparisons of spellings in one block: 64 MB of float32


@dataclass(frozen=True, kw_only=True, eq=False)
class Landmarks:
    """Feature phi(x) = projection^T k(Z, x) of a window kernel, |phi(x)|^2 <= k(x, x) = 1.

    Args:
        kernel: The kernel.
        projection: `[m, d]`, U Lambda^(-1/2), float64.
        words: For each width, the windows of all images of the landmarks.
        norms: For each width, `[m]`, sqrt(k_w(z, z)) times the number of widths.
    """

    kernel: WindowKernel
    projection: Tensor = field(repr=False)
    words: tuple[Words, ...] = field(repr=False)
    norms: tuple[Tensor, ...] = field(repr=False)

    @classmethod
    def of(cls, kernel: WindowKernel, z: Int[Tensor, "m L"], tolerance: float = 1e-7) -> Landmarks:
        """Whiten the kernel at the landmarks; directions below `tolerance` of the largest eigenvalue are left out."""
        eigenvalues, vectors = torch.linalg.eigh(kernel(z, z))
        keep = eigenvalues > tolerance * eigenvalues[-1]
        return cls(
            kernel=kernel,
            projection=vectors[:, keep] * eigenvalues[keep].rsqrt(),
            words=tuple(kernel.image_words(z, width) for width in kernel.widths),
            norms=tuple(kernel.self_similarity(z, width).sqrt() * len(kernel.widths) for width in kernel.widths),
        )

    def __call__(self, x: Tensor) -> Float[Tensor, "n d"]:
        """Return `[n, d]`: by table for tokens, differentiably for relaxed one-hots."""
        dtype = x.dtype if x.is_floating_point() else torch.float32
        phi = torch.zeros(len(x), self.projection.shape[1], dtype=dtype, device=x.device)
        for width, words, norm in zip(self.kernel.widths, self.words, self.norms, strict=True):
            projection = (self.projection / norm[:, None]).to(dtype)
            scale = self.kernel.self_similarity(x, width).rsqrt()
            if x.is_floating_point():
                phi = phi + self._relaxed(x, width, words, projection) * scale[:, None]
            else:
                own = self.kernel.words(x, width)
                phi += own.sum(self.kernel.sums(own.spelled, words, width) @ projection, scale)
        return phi

    def _relaxed(self, x: Tensor, width: int, words: Words, projection: Tensor) -> Tensor:
        windows, spelled = self.kernel.windows(x, width), words.spelled.to(x.dtype)
        rows = max(1, _PAIRS // (windows.shape[1] * len(spelled)))
        shared = torch.cat([self.kernel.compare(part, spelled, width).sum(1) for part in torch.split(windows, rows)])
        # By spelling, then by landmark: a matrix product with the counts would cost as much as the comparisons.
        folded = torch.zeros(len(spelled), projection.shape[1], dtype=x.dtype, device=x.device)
        folded.index_add_(0, words.index.flatten(), projection.repeat_interleave(words.index.shape[1], 0))
        return shared @ folded


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
