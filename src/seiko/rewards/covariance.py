"""What a Gaussian process needs of a kernel: its values, a fast product with a matrix, and random functions.

    k_bar(x, z) = mean over images g, h of k(g x, h z)

is the kernel of f_bar(x) = mean_g f(g x), f ~ GP(0, k): the law of functions that a symmetry leaves unchanged. Random
features Phi have E[Phi(x) . Phi(z)] = k(x, z), so that Phi(x) . w with w ~ N(0, I) is a draw of the prior, at every x
at once. Hyperparameters are logarithms in a dictionary, outside of the covariance, so that they can be optimised.

`inputs` is what a kernel sees of states and may be dear (an embedding, a fingerprint): all else takes what it returns.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from seiko.rewards.random_features import sign_features
from seiko.rewards.symmetry import Symmetry, orbit
from seiko.rewards.window_kernel import WindowKernel
from seiko.rewards.windows import Landmarks

__all__ = [
    "Covariance",
    "Function",
    "Hyperparameters",
    "OrbitAverage",
    "PairKernel",
    "ScaledKernel",
    "SumCovariance",
    "WindowCovariance",
]

Hyperparameters: TypeAlias = Mapping[str, Tensor]
Function: TypeAlias = Callable[[Any], Tensor]
Inputs: TypeAlias = Any  # a tensor, or one a part of a sum


@runtime_checkable
class Covariance(Protocol):
    """A kernel under a symmetry; k(x, x) is about 1."""

    def inputs(self, x: Tensor) -> Inputs:
        """Return what is compared of states; differentiable in x."""
        ...

    def start(self, inputs: Inputs) -> dict[str, Tensor]:
        """Return log hyperparameters that are sensible for the labelled states; empty if there are none."""
        ...

    def __call__(self, logs: Hyperparameters, a: Inputs, b: Inputs) -> Float[Tensor, "n m"]:
        """Return k for all pairs, in a's dtype."""
        ...

    def among(self, inputs: Inputs) -> Callable[[Hyperparameters], Tensor]:
        """Return logs -> k of all pairs of these inputs, with what does not depend on them done once."""
        ...

    def diagonal(self, logs: Hyperparameters, inputs: Inputs) -> Float[Tensor, "n"]:
        """Return k of each with itself."""
        ...

    def towards(self, logs: Hyperparameters, z: Inputs, matrix: Float[Tensor, "m c"]) -> Function:
        """Return inputs -> k(inputs, z) matrix, `[n, c]`."""
        ...

    def random_features(self, logs: Hyperparameters, z: Inputs, size: int, generator: torch.Generator) -> Function:
        """Return inputs -> Phi, `[n, D]`, for inputs shaped like z; D may differ from `size`."""
        ...


class PairKernel(Protocol):
    """A kernel of vectors, which knows nothing of symmetries."""

    def represent(self, x: Tensor) -> Float[Tensor, "n d"]:
        """Return states as vectors; differentiable."""
        ...

    def start(self, points: Float[Tensor, "n d"]) -> dict[str, Tensor]:
        """Return log hyperparameters that are sensible for these vectors."""
        ...

    def compare(self, logs: Hyperparameters, a: Float[Tensor, "*s p d"], b: Float[Tensor, "*s q d"]) -> Tensor:
        """Return `[*s, p, q]`."""
        ...

    def random_features(
        self, logs: Hyperparameters, points: Float[Tensor, "n d"], size: int, generator: torch.Generator
    ) -> Function:
        """Return vectors `[n, d]` -> Phi, `[n, D]`."""
        ...


@runtime_checkable
class ScaledKernel(PairKernel, Protocol):
    """A kernel whose hyperparameters do no more than multiply it: the pairs are compared once for all of them."""

    def factor(self, logs: Hyperparameters) -> Tensor:
        """Return what they multiply it by."""
        ...


@dataclass(frozen=True, kw_only=True)
class OrbitAverage:
    """The mean of a kernel over all pairs of images.

    Args:
        kernel: Of vectors.
        symmetry: Transformations that leave the reward unchanged.
    """

    kernel: PairKernel
    symmetry: Symmetry | None

    def inputs(self, x: Tensor) -> Float[Tensor, "n images d"]:
        """Return the vectors of each state's images."""
        images = orbit(self.symmetry, x)
        return torch.unflatten(self.kernel.represent(images.flatten(0, 1)), 0, images.shape[:2])

    def start(self, inputs: Float[Tensor, "n images d"]) -> dict[str, Tensor]:
        """Return the kernel's own."""
        return self.kernel.start(inputs.flatten(0, 1))

    def __call__(
        self, logs: Hyperparameters, a: Float[Tensor, "n images d"], b: Float[Tensor, "m images d"]
    ) -> Float[Tensor, "n m"]:
        """Return the mean over pairs of images."""
        pairs = self.kernel.compare(logs, a.flatten(0, 1), b.to(a.dtype).flatten(0, 1))
        return pairs.view(len(a), a.shape[1], len(b), b.shape[1]).mean((1, 3))

    def among(self, inputs: Float[Tensor, "n images d"]) -> Callable[[Hyperparameters], Tensor]:
        """Return the kernel at these inputs."""
        kernel, start = self.kernel, self.start(inputs)
        if isinstance(kernel, ScaledKernel):
            once = self(start, inputs, inputs) / kernel.factor(start)
            return lambda logs: once * kernel.factor(logs)
        if start:
            return lambda logs: self(logs, inputs, inputs)
        gram = self(start, inputs, inputs)
        return lambda logs: gram

    def diagonal(self, logs: Hyperparameters, inputs: Float[Tensor, "n images d"]) -> Float[Tensor, "n"]:
        """Return the mean over pairs of a state's own images."""
        return self.kernel.compare(logs, inputs, inputs).mean((1, 2))

    def towards(self, logs: Hyperparameters, z: Float[Tensor, "m images d"], matrix: Float[Tensor, "m c"]) -> Function:
        """Return inputs -> k(inputs, z) matrix."""
        z = z.to(torch.float64)

        def product(inputs: Tensor) -> Tensor:
            return self(logs, inputs, z) @ matrix.to(inputs.dtype)

        return product

    def random_features(
        self, logs: Hyperparameters, z: Float[Tensor, "m images d"], size: int, generator: torch.Generator
    ) -> Function:
        """Return the mean over images of the kernel's own random features."""
        phi = self.kernel.random_features(logs, z.flatten(0, 1), size, generator)

        def mean(inputs: Tensor) -> Tensor:
            return torch.unflatten(phi(inputs.flatten(0, 1)), 0, inputs.shape[:2]).mean(1)

        return mean


@dataclass(frozen=True, kw_only=True)
class WindowCovariance:
    """The window kernel, which counts the windows of all images itself; nothing in it is optimised by gradient.

    Args:
        kernel: With its sharpness and its symmetry.
    """

    kernel: WindowKernel

    def inputs(self, x: Tensor) -> Tensor:
        """Return the states."""
        return x

    def start(self, inputs: Tensor) -> dict[str, Tensor]:
        """Return nothing."""
        return {}

    def __call__(self, logs: Hyperparameters, a: Tensor, b: Tensor) -> Float[Tensor, "n m"]:
        """Return k of tokens, float64."""
        return self.kernel(a, b)

    def among(self, inputs: Tensor) -> Callable[[Hyperparameters], Tensor]:
        """Return one Gram matrix whatever the logs."""
        gram = self.kernel(inputs, inputs)
        return lambda logs: gram

    def diagonal(self, logs: Hyperparameters, inputs: Tensor) -> Float[Tensor, "n"]:
        """Return ones: the kernel is normalised."""
        dtype = inputs.dtype if inputs.is_floating_point() else torch.float32
        return torch.ones(len(inputs), dtype=dtype, device=inputs.device)

    def towards(self, logs: Hyperparameters, z: Tensor, matrix: Float[Tensor, "m c"]) -> Function:
        """Return inputs -> k(inputs, z) matrix, by table for tokens."""
        return Landmarks.projected(self.kernel, z, matrix)

    def random_features(self, logs: Hyperparameters, z: Tensor, size: int, generator: torch.Generator) -> Function:
        """Return random sign features of all windows."""
        return sign_features(self.kernel, size, generator)


@dataclass(frozen=True, kw_only=True)
class SumCovariance:
    """A weighted mean of covariances, k = sum_i w_i k_i with weights that sum to one.

    Args:
        parts: Of the sum.
    """

    parts: tuple[Covariance, ...]

    def inputs(self, x: Tensor) -> tuple[Inputs, ...]:
        """Return the inputs of each part."""
        return tuple(part.inputs(x) for part in self.parts)

    def start(self, inputs: Sequence[Inputs]) -> dict[str, Tensor]:
        """Return those of all parts, and equal log weights."""
        logs = {"weight": torch.zeros(len(self.parts), dtype=torch.float64)}
        for index, (part, own) in enumerate(zip(self.parts, inputs, strict=True)):
            logs |= {f"{index}_{name}": value for name, value in part.start(own).items()}
        return logs

    def _each(self, logs: Hyperparameters) -> list[tuple[Tensor, Covariance, dict[str, Tensor]]]:
        weights = logs["weight"].softmax(0)
        return [
            (weights[i], part, {k.removeprefix(f"{i}_"): v for k, v in logs.items() if k.startswith(f"{i}_")})
            for i, part in enumerate(self.parts)
        ]

    def __call__(self, logs: Hyperparameters, a: Sequence[Inputs], b: Sequence[Inputs]) -> Float[Tensor, "n m"]:
        """Return the weighted sum."""
        return _total(w * part(own, p, q) for (w, part, own), p, q in zip(self._each(logs), a, b, strict=True))

    def among(self, inputs: Sequence[Inputs]) -> Callable[[Hyperparameters], Tensor]:
        """Return the weighted sum of the parts at these inputs."""
        grams = [part.among(own) for part, own in zip(self.parts, inputs, strict=True)]

        def total(logs: Hyperparameters) -> Tensor:
            return _total(w * gram(own) for (w, _, own), gram in zip(self._each(logs), grams, strict=True))

        return total

    def diagonal(self, logs: Hyperparameters, inputs: Sequence[Inputs]) -> Float[Tensor, "n"]:
        """Return the weighted sum."""
        return _total(w * part.diagonal(own, p) for (w, part, own), p in zip(self._each(logs), inputs, strict=True))

    def towards(self, logs: Hyperparameters, z: Sequence[Inputs], matrix: Float[Tensor, "m c"]) -> Function:
        """Return the sum of the parts' own products."""
        products = [part.towards(own, q, w * matrix) for (w, part, own), q in zip(self._each(logs), z, strict=True)]

        def total(inputs: Sequence[Inputs]) -> Tensor:
            return _total(product(p) for product, p in zip(products, inputs, strict=True))

        return total

    def random_features(
        self, logs: Hyperparameters, z: Sequence[Inputs], size: int, generator: torch.Generator
    ) -> Function:
        """Return the parts' features side by side, weighted."""
        each = [
            (w.sqrt(), part.random_features(own, q, size, generator))
            for (w, part, own), q in zip(self._each(logs), z, strict=True)
        ]

        def concatenated(inputs: Sequence[Inputs]) -> Tensor:
            phis = [(phi(p), weight) for (weight, phi), p in zip(each, inputs, strict=True)]
            return torch.cat([phi * weight.to(phi.dtype) for phi, weight in phis], dim=1)

        return concatenated


def _total(terms: Iterable[Tensor]) -> Tensor:
    """Return the sum; one term after the other, for a stack of them would be copied first."""
    return functools.reduce(torch.add, terms)
