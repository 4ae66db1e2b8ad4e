"""Randomness as a value: one stream a sample, addressed by position instead of by order of drawing.

A stream is a 64-bit key. Its i-th number is a hash of (key, i), so that drawing is pure: the same key gives the same
numbers however often it is asked, on every device, and whatever other samples stand in the batch. Sub-streams (a
denoising step, a purpose) are made by folding an integer into the key.

    u_i = mix(key + (i + 1) * GAMMA) / 2^64          mix = the SplitMix64 finaliser

This file draws numbers; it decides nothing about what they are for.

References:
    Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014,
    https://doi.org/10.1145/2660193.2660195 (the finaliser and GAMMA, Fig. 17).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

__all__ = ["Noise"]


def _signed(value: int) -> int:
    """Read 64 bits as the two's complement that an int64 tensor holds."""
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >> 63 else value


GAMMA = _signed(0x9E3779B97F4A7C15)
_MULTIPLIER_1 = _signed(0xBF58476D1CE4E5B9)
_MULTIPLIER_2 = _signed(0x94D049BB133111EB)


def _shift_right(z: Tensor, bits: int) -> Tensor:
    """Shift logically: int64 has only the arithmetic shift, which drags the sign along."""
    return (z >> bits) & ((1 << (64 - bits)) - 1)


def _mix(z: Tensor) -> Tensor:
    z = (z ^ _shift_right(z, 30)) * _MULTIPLIER_1
    z = (z ^ _shift_right(z, 27)) * _MULTIPLIER_2
    return z ^ _shift_right(z, 31)


@dataclass(frozen=True)
class Noise:
    """A batch of independent random streams, one a sample.

    Args:
        keys: `[b]` int64, the address of each sample's stream.
    """

    keys: Int64[Tensor, "b"]

    @classmethod
    def seeded(cls, seed: int, samples: int | Iterable[int], device: torch.device | str = "cpu") -> Noise:
        """Return the streams of the given samples under a seed.

        Args:
            seed: Any integer; different seeds give unrelated streams.
            samples: How many streams (samples 0 to n - 1), or the index of each sample.
            device: Where the numbers are made; it does not change them.
        """
        indices = range(samples) if isinstance(samples, int) else list(samples)
        index = torch.tensor(list(indices), dtype=torch.int64, device=device)
        root = _mix(torch.tensor(_signed(seed), dtype=torch.int64, device=device) + GAMMA)
        return cls(root.expand(len(index))).fold_in(index)

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.keys)

    def __getitem__(self, rows: slice | Tensor) -> Noise:
        """Return the streams of some samples."""
        return Noise(self.keys[rows])

    def to(self, device: torch.device | str) -> Noise:
        """Return the same streams, whose numbers are made on a device."""
        return Noise(self.keys.to(device))

    def fold_in(self, data: int | Int64[Tensor, "b"]) -> Noise:
        """Return the sub-streams named by an integer, or by one integer a sample."""
        if isinstance(data, int):
            data = torch.tensor(_signed(data), dtype=torch.int64, device=self.keys.device)
        return Noise(_mix(self.keys ^ _mix(data * GAMMA + _MULTIPLIER_1)))

    def uniform(self, event_shape: tuple[int, ...] = ()) -> Float[Tensor, "b *event"]:
        """Draw `[b, *event_shape]` float64 numbers, uniform on the open interval (0, 1)."""
        position = torch.arange(math.prod(event_shape), dtype=torch.int64, device=self.keys.device)
        return self.uniform_at(position[None, :]).reshape(len(self), *event_shape)

    def uniform_at(self, position: Int64[Tensor, "#b n"]) -> Float[Tensor, "b n"]:
        """Return the numbers that `uniform` has at these places of its flattened event, and draw no others."""
        bits = _shift_right(_mix(self.keys[:, None] + (position + 1) * GAMMA), 11)
        return (bits.double() + 0.5) * 2.0**-53

    def normal(
        self, event_shape: tuple[int, ...] = (), dtype: torch.dtype = torch.float32
    ) -> Float[Tensor, "b *event"]:
        """Draw `[b, *event_shape]` standard normal numbers (by the inverse of the distribution function)."""
        drawn: Tensor = torch.special.ndtri(self.uniform(event_shape))
        return drawn.to(dtype)

    def gumbel(
        self, event_shape: tuple[int, ...] = (), dtype: torch.dtype = torch.float32
    ) -> Float[Tensor, "b *event"]:
        """Draw `[b, *event_shape]` standard Gumbel numbers: argmax(logits + gumbel) is a categorical draw."""
        return _gumbel(self.uniform(event_shape)).to(dtype)

    def gumbel_at(self, position: Int64[Tensor, "#b n"], dtype: torch.dtype = torch.float32) -> Float[Tensor, "b n"]:
        """Return the numbers that `gumbel` has at these places of its flattened event, and draw no others."""
        return _gumbel(self.uniform_at(position)).to(dtype)


def _gumbel(u: Tensor) -> Tensor:
    return -torch.log(-torch.log(u))
