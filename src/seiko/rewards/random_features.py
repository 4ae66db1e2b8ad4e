"""Random features: explicit functions whose inner products are a kernel on average.

    RBF       Phi_d(x) = sqrt(2/D) cos(omega_d . x + b_d),    omega ~ N(0, I), x divided by the length-scales
    windows   Phi_d(x) = sum over windows a of x of prod over j in S_d of xi_dj(a_j), normalised
    min-max   Phi_d(x) = sign of h_d(x) / sqrt(D), h_d a hash that is equal for x and z with probability k(x, z)

In the second each position of a window is in S_d with probability 1 - exp(-sharpness) and xi_dj gives each letter a
random sign: the expected product of two windows is exp(-sharpness * mismatches). Every entry is bounded, so the error
of an inner product is about D^(-1/2), also where the kernel is discrete.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from seiko.rewards.symmetry import orbit
from seiko.rewards.window_kernel import WindowKernel

__all__ = ["cosine_features", "hash_features", "sign_features"]

_ENTRIES = 1 << 24  # entries of the largest temporary: 64 MB of float32


def _in_blocks(x: Tensor, entries: int, one: Callable[[Tensor], Tensor]) -> Tensor:
    """Apply a map to blocks of rows so that a row's `entries` temporaries fit."""
    return torch.cat([one(part) for part in torch.split(x, max(1, _ENTRIES // max(1, entries)))])


class _Cosine:
    def __init__(self, omega: Tensor, phase: Tensor) -> None:
        self.omega, self.phase = omega, phase

    def __call__(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n D"]:
        angle = x @ self.omega.to(x) + self.phase.to(x)
        return angle.cos() * math.sqrt(2.0 / len(self.phase))


def cosine_features(inverse_scale: Float[Tensor, "d"], size: int, generator: torch.Generator) -> _Cosine:
    """Return Fourier features of exp(-|(x - z) * inverse_scale|^2 / 2).

    References:
        Rahimi, Recht, "Random features for large-scale kernel machines", 2007.
    """
    omega = torch.randn(len(inverse_scale), size, generator=generator, dtype=torch.float64) * inverse_scale[:, None]
    phase = 2.0 * math.pi * torch.rand(size, generator=generator, dtype=torch.float64)
    return _Cosine(omega, phase)


class _Signs:
    """Sums of random sign products over the windows of all images."""

    def __init__(self, kernel: WindowKernel, size: int, generator: torch.Generator) -> None:
        self.kernel, self.size = kernel, size
        stay = 1.0 - math.exp(-kernel.sharpness)
        self.signs, self.used = [], []
        for width in kernel.widths:
            bits = torch.randint(2, (width, kernel.vocabulary, size), generator=generator)
            self.signs.append(2.0 * bits.to(torch.float64) - 1.0)
            self.used.append(torch.rand(width, size, generator=generator, dtype=torch.float64) < stay)

    def __call__(self, x: Tensor) -> Float[Tensor, "n D"]:
        images = orbit(self.kernel.symmetry, x)
        factor = 1.0 / math.sqrt(self.size * len(self.kernel.widths) * images.shape[1])
        blocks, scales = [], self.kernel.self_similarity(x).rsqrt() * factor
        for index, (width, scale) in enumerate(zip(self.kernel.widths, scales, strict=True)):
            if x.is_floating_point():
                entries = images.shape[1] * (x.shape[1] + width) * self.size
                found = _in_blocks(images, entries, functools.partial(self._relaxed, index))
                blocks.append(found * scale[:, None])
            else:
                words = self.kernel.image_words(x, width)
                blocks.append(words.sum(self._products(words.spelled, index), scale))
        return torch.cat(blocks, dim=1)

    def _relaxed(self, index: int, images: Tensor) -> Tensor:
        windows = self.kernel.windows(images.flatten(0, 1), self.kernel.widths[index])
        return torch.unflatten(self._products(windows, index).sum(1), 0, images.shape[:2]).sum(1)

    def _products(self, spelled: Float[Tensor, "*u wV"], index: int) -> Tensor:
        """Return the product of the used positions' signs; a letter beyond the end matches nothing, so it gives 0."""
        product = torch.ones(*spelled.shape[:-1], self.size, dtype=spelled.dtype, device=spelled.device)
        for j, letters in enumerate(torch.split(spelled, self.kernel.vocabulary, dim=-1)):
            sign = letters @ self.signs[index][j].to(spelled)
            product = torch.where(self.used[index][j].to(spelled.device), product * sign, product)
        return product


def sign_features(kernel: WindowKernel, size: int, generator: torch.Generator) -> _Signs:
    """Return features of the window kernel, `size` a width; unbiased for tokens."""
    return _Signs(kernel, size, generator)


class _Hashes:
    """Signs of consistent weighted samples of non-negative vectors."""

    def __init__(self, dims: int, size: int, generator: torch.Generator) -> None:
        def uniform() -> Tensor:
            return torch.rand(size, dims, generator=generator, dtype=torch.float64).clamp_min(1e-300)

        self.rate = -uniform().log() - uniform().log()  # Gamma(2, 1)
        self.log_cost = (-uniform().log() - uniform().log()).log()
        self.shift = uniform()
        self.salt = torch.randint(1 << 31, (size,), generator=generator)

    def __call__(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n D"]:
        size = len(self.rate)
        width = max(1, int((x > 0).sum(1).max())) if len(x) else 1
        return _in_blocks(x, size * width, self._signs) / math.sqrt(size)

    def _signs(self, x: Tensor) -> Tensor:
        width = max(1, int((x > 0).sum(1).max()))
        # A row's non-zero entries only: count fingerprints have tens of thousands.
        value, column = x.detach().to(torch.float64).topk(width, dim=1)
        rate, shift = self.rate.T[column], self.shift.T[column]
        step = (value.log()[..., None] / rate + shift).floor()
        cost = self.log_cost.T[column] - rate * (step - shift + 1.0)
        cost = torch.where(value[..., None] > 0, cost, torch.inf)
        least = cost.argmin(1, keepdim=True)
        level = step.gather(1, least)[:, 0].nan_to_num(posinf=0.0, neginf=0.0).to(torch.int64)
        where = column[..., None].expand_as(step).gather(1, least)[:, 0]
        where = torch.where(value[:, :1] > 0, where, -1)  # states without any count are alike
        code = (where * 0x9E3779B1 + level * 0x85EBCA77 + self.salt) & 0x7FFFFFFF
        for _ in range(2):
            code = ((code ^ (code >> 16)) * 0x45D9F3B) & 0x7FFFFFFF
        return (2.0 * ((code >> 13) & 1).to(torch.float64) - 1.0).to(x.dtype)


def hash_features(dims: int, size: int, generator: torch.Generator) -> _Hashes:
    """Return features of the min-max kernel sum_i min(x_i, z_i) / sum_i max(x_i, z_i); not differentiable.

    References:
        Ioffe, "Improved consistent sampling, weighted minhash and L1 sketching", 2010; Tripp et al., "Tanimoto random
        features for scalable molecular machine learning", 2023, https://arxiv.org/abs/2306.14809
    """
    return _Hashes(dims, size, generator)
