"""Which states are alike: the kernels of a Gaussian process, as configuration.

    RBF        k = exp(-|phi(x) - phi(z)|^2 / (2 l^2)),  one l for all coordinates or one each
    Hamming    k = prod_j exp(-theta_j [x_j != z_j]),    of relaxed letters [x_j != z_j] = |x_j - z_j|^2 / 2
    Spectrum   the window kernel of all images (both strands of DNA): the short words that two sequences share
    Tanimoto   k = sum_i min(x_i, z_i) / sum_i max(x_i, z_i), x_i >= 0 counts
    Linear     k = phi(x) . phi(z), Bayesian linear regression
    Sum        k = sum_i w_i k_i, weights that sum to one

`GaussianProcess` scales a kernel by s^2 and chooses hyperparameters by marginal likelihood: by gradient where the
kernel has one, on the grid of `Spectrum.sharpness` otherwise. `bind` gives one covariance a point of that grid.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from seiko.rewards.covariance import (
    Covariance,
    Function,
    Hyperparameters,
    OrbitAverage,
    SumCovariance,
    WindowCovariance,
)
from seiko.rewards.features import Feature, Identity, OneHot
from seiko.rewards.random_features import cosine_features, hash_features
from seiko.rewards.symmetry import Symmetry
from seiko.rewards.window_kernel import WindowKernel

__all__ = ["RBF", "Hamming", "Kernel", "Linear", "Spectrum", "Sum", "Tanimoto"]

_LEVELS = 256  # whole numbers up to here are compared level by level


@runtime_checkable
class Kernel(Protocol):
    """Configuration of a kernel."""

    def bind(self, symmetry: Symmetry | None) -> Sequence[Covariance]:
        """Return at least one covariance that is invariant under the symmetry; the marginal likelihood chooses."""
        ...


def _gaussian(a: Float[Tensor, "*s p d"], b: Float[Tensor, "*s q d"]) -> Float[Tensor, "*s p q"]:
    """Return exp(-|a - b|^2 / 2) of all pairs."""
    squared = a.square().sum(-1)[..., :, None] + b.square().sum(-1)[..., None, :] - 2.0 * a @ b.mT
    return (-0.5 * squared.clamp_min(0.0)).exp()


@dataclass(frozen=True, kw_only=True)
class RBF:
    """Squared exponential of a feature.

    Args:
        feature: What is compared.
        ard: One length-scale a coordinate instead of one for all; needs more labels than coordinates to pay.

    References:
        Rasmussen, Williams, "Gaussian processes for machine learning", 2006, Section 5.1.
    """

    feature: Feature = field(default_factory=Identity)
    ard: bool = False

    def bind(self, symmetry: Symmetry | None) -> Sequence[Covariance]:
        """Return the mean over images."""
        return (OrbitAverage(kernel=self, symmetry=symmetry),)

    def represent(self, x: Tensor) -> Float[Tensor, "n d"]:
        """Return the feature."""
        return self.feature(x)

    def start(self, points: Float[Tensor, "n d"]) -> dict[str, Tensor]:
        """Return a length-scale at which a typical pair has k = 1/e; one that never varied has the mean of all."""
        variance = points.var(0, correction=0)
        variance = torch.where(variance > 0, variance, variance.mean()) if self.ard else variance.mean().expand(1)
        scale = (variance.clamp_min(1e-6 * float(variance.mean()) + 1e-12) * points.shape[1]).sqrt()
        return {"length": (scale.log() if len(points) > 1 else torch.zeros_like(scale)).to(torch.float64)}

    def compare(self, logs: Hyperparameters, a: Tensor, b: Tensor) -> Tensor:
        """Return the kernel of all pairs."""
        inverse = (-logs["length"]).exp().to(a.dtype)
        return _gaussian(a * inverse, b * inverse)

    def random_features(self, logs: Hyperparameters, points: Tensor, size: int, generator: torch.Generator) -> Function:
        """Return random Fourier features."""
        return cosine_features((-logs["length"]).exp().expand(points.shape[1]), size, generator)


@dataclass(frozen=True, kw_only=True)
class Hamming:
    """Product over positions: each mismatch costs a factor of its own. For aligned sequences.

    A masked position, halfway between all letters, costs half of a mismatch. On letters this is the squared exponential
    of one-hots, so that Fourier features draw from it.

    Args:
        vocabulary: Number of letters, the mask not counted.
        ard: One theta a position instead of one for all.
    """

    vocabulary: int
    ard: bool = True

    def __post_init__(self) -> None:
        if self.vocabulary < 1:
            raise ValueError(f"vocabulary must be positive, got {self.vocabulary}")

    def bind(self, symmetry: Symmetry | None) -> Sequence[Covariance]:
        """Return the mean over images."""
        return (OrbitAverage(kernel=self, symmetry=symmetry),)

    def represent(self, x: Tensor) -> Float[Tensor, "n d"]:
        """Return one-hot letters side by side."""
        return OneHot(vocabulary=self.vocabulary)(x)

    def start(self, points: Float[Tensor, "n d"]) -> dict[str, Tensor]:
        """Return theta = 2 / L: unrelated sequences have k of about exp(-2)."""
        length = points.shape[1] // self.vocabulary
        size = length if self.ard else 1
        return {"theta": torch.full((size,), math.log(2.0 / max(1, length)), dtype=torch.float64)}

    def _inverse_scale(self, logs: Hyperparameters, dims: int) -> Tensor:
        theta = logs["theta"].expand(dims // self.vocabulary)
        return (0.5 * theta).exp().repeat_interleave(self.vocabulary)

    def compare(self, logs: Hyperparameters, a: Tensor, b: Tensor) -> Tensor:
        """Return the kernel of all pairs."""
        inverse = self._inverse_scale(logs, a.shape[-1]).to(a.dtype)
        return _gaussian(a * inverse, b * inverse)

    def random_features(self, logs: Hyperparameters, points: Tensor, size: int, generator: torch.Generator) -> Function:
        """Return random Fourier features."""
        return cosine_features(self._inverse_scale(logs, points.shape[1]), size, generator)


@dataclass(frozen=True, kw_only=True)
class Tanimoto:
    """Min-max kernel of non-negative counts, such as count fingerprints; it has no hyperparameter of its own.

    Args:
        feature: Counts of a state, none below 0.

    References:
        Ralaivola et al., "Graph kernels for chemical informatics", 2005 (the min-max kernel).
    """

    feature: Feature = field(default_factory=Identity)

    def bind(self, symmetry: Symmetry | None) -> Sequence[Covariance]:
        """Return the mean over images."""
        return (OrbitAverage(kernel=self, symmetry=symmetry),)

    def represent(self, x: Tensor) -> Float[Tensor, "n d"]:
        """Return the counts.

        Raises:
            ValueError: If one is negative.
        """
        counts = self.feature(x)
        if counts.numel() and float(counts.detach().amin()) < 0:
            raise ValueError(f"Tanimoto compares counts of at least 0, got {float(counts.detach().amin())}")
        return counts

    def start(self, points: Float[Tensor, "n d"]) -> dict[str, Tensor]:
        """Return nothing."""
        return {}

    def compare(self, logs: Hyperparameters, a: Tensor, b: Tensor) -> Tensor:
        """Return the kernel of all pairs; two empty states are alike."""
        total = a.sum(-1)[..., :, None] + b.sum(-1)[..., None, :]
        shared = _shared(a, b) if _few_levels(a) and _few_levels(b) else (total - torch.cdist(a, b, p=1.0)) / 2
        return torch.where(total > 0, shared / (total - shared).clamp_min(1e-12), 1.0)

    def random_features(self, logs: Hyperparameters, points: Tensor, size: int, generator: torch.Generator) -> Function:
        """Return signs of consistent weighted samples."""
        return hash_features(points.shape[1], size, generator)


def _few_levels(counts: Tensor) -> bool:
    """Whether all are small whole numbers, as counts of a fingerprint are."""
    if counts.requires_grad or not counts.numel():
        return False
    return float(counts.max()) <= _LEVELS and bool((counts == counts.round()).all())


def _shared(a: Float[Tensor, "*s p d"], b: Float[Tensor, "*s q d"]) -> Float[Tensor, "*s p q"]:
    """Return sum_d min(a_d, b_d) of all pairs, a matrix product a level: min(i, j) = sum_l [i >= l] [j >= l]."""
    batch = torch.broadcast_shapes(a.shape[:-2], b.shape[:-2])  # type: ignore[no-untyped-call]
    shared = a.new_zeros(*batch, a.shape[-2], b.shape[-2])
    peaks = torch.minimum(a.flatten(0, -2).amax(0), b.flatten(0, -2).amax(0))
    for level in range(1, int(peaks.amax()) + 1):
        columns = peaks >= level
        shared += (a[..., columns] >= level).to(a.dtype) @ (b[..., columns] >= level).to(a.dtype).mT
    return shared


@dataclass(frozen=True, kw_only=True)
class Linear:
    """Inner product of a feature: `LastLayer` seen as a Gaussian process.

    Args:
        feature: phi.
    """

    feature: Feature = field(default_factory=Identity)

    def bind(self, symmetry: Symmetry | None) -> Sequence[Covariance]:
        """Return the mean over images."""
        return (OrbitAverage(kernel=self, symmetry=symmetry),)

    def represent(self, x: Tensor) -> Float[Tensor, "n d"]:
        """Return the feature."""
        return self.feature(x)

    def start(self, points: Float[Tensor, "n d"]) -> dict[str, Tensor]:
        """Return the mean squared norm as a unit: k(x, x) is about 1."""
        unit = points.square().sum(1).mean().clamp_min(1e-12)
        return {"unit": unit.log()[None].to(torch.float64)}

    def compare(self, logs: Hyperparameters, a: Tensor, b: Tensor) -> Tensor:
        """Return the inner products, in units of the mean squared norm."""
        return (a @ b.mT) * self.factor(logs).to(a.dtype)

    def factor(self, logs: Hyperparameters) -> Tensor:
        """Return one over the mean squared norm."""
        return (-logs["unit"]).exp()

    def random_features(self, logs: Hyperparameters, points: Tensor, size: int, generator: torch.Generator) -> Function:
        """Return the feature itself, which is exact."""
        return lambda a: a * (-0.5 * logs["unit"]).exp().to(a.dtype)


@dataclass(frozen=True, kw_only=True)
class Spectrum:
    """The window kernel: `Windows` without landmarks.

    Args:
        vocabulary: Number of letters, the mask not counted.
        widths: Widths of the windows, letters.
        sharpness: Grid of sharpnesses: one mismatch in a window costs a factor exp(-sharpness).

    References:
        Leslie, Eskin, Noble, "The spectrum kernel", 2002; Leslie et al., "Mismatch string kernels for discriminative
        protein classification", 2004.
    """

    vocabulary: int
    widths: tuple[int, ...] = (2, 4, 6)
    sharpness: tuple[float, ...] = (0.5, 1.0, 2.0)

    def __post_init__(self) -> None:
        values = {"vocabulary": (self.vocabulary,), "widths": self.widths, "sharpness": self.sharpness}
        for name, numbers in values.items():
            if not numbers or any(number <= 0 for number in numbers):
                raise ValueError(f"{name} must be positive and not empty, got {getattr(self, name)}")

    def bind(self, symmetry: Symmetry | None) -> Sequence[Covariance]:
        """Return one covariance for each sharpness."""
        return tuple(
            WindowCovariance(
                kernel=WindowKernel(
                    vocabulary=self.vocabulary, widths=self.widths, sharpness=sharpness, symmetry=symmetry
                )
            )
            for sharpness in self.sharpness
        )


@dataclass(frozen=True, kw_only=True)
class Sum:
    """A weighted mean of kernels: the reward is a sum of functions, one a kernel.

    Args:
        kernels: At least two.
    """

    kernels: tuple[Kernel, ...]

    def __post_init__(self) -> None:
        if len(self.kernels) < 2:
            raise ValueError(f"Sum needs at least two kernels, got {len(self.kernels)}")

    def bind(self, symmetry: Symmetry | None) -> Sequence[Covariance]:
        """Return one covariance for each combination of the kernels' grids."""
        parts = itertools.product(*[kernel.bind(symmetry) for kernel in self.kernels])
        return tuple(SumCovariance(parts=combination) for combination in parts)
