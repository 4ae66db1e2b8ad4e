"""Measurement noise that belongs to a design: the same design always gets the same label.

    label = value + std * Phi^-1(u),      u = (h + 1/2) / 2^53,      h = first 53 bits of SHA-256(seed, key)

The draw depends on the seed and the design's key alone, never on the order or the size of a batch, so a campaign that
was killed resumes to the same labels. It uses no generator whose stream may change between releases of a library.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from statistics import NormalDist

from seiko.designs import Design
from seiko.oracles.base import Label

__all__ = ["Noisy", "keyed_normal", "noisy_label"]

_STANDARD = NormalDist()


def keyed_normal(seed: int, key: str) -> float:
    """Return a standard normal number that is a function of the seed and the design's key."""
    digest = hashlib.sha256(f"{seed}\0{key}".encode()).digest()
    bits = int.from_bytes(digest[:8], "big") >> 11
    return _STANDARD.inv_cdf((bits + 0.5) / 2.0**53)


def noisy_label(value: float, *, noise: float, seed: int, key: str) -> Label:
    """Return the label of a value measured with Gaussian noise of standard deviation `noise`.

    Args:
        value: The noiseless value, in the oracle's units.
        noise: Standard deviation in the same units; 0 returns the value itself, with `Label.noise` None.
        seed: Seed of the oracle.
        key: `Design.key` of the design that was measured.

    Returns:
        A label with status ``"value"``; larger is better.
    """
    if noise == 0:
        return Label(value=value)
    return Label(value=value + noise * keyed_normal(seed, key), noise=noise)


@dataclass(frozen=True, kw_only=True)
class Noisy:
    """What oracles with measurement noise have in common.

    Args:
        noise: Standard deviation of the Gaussian measurement noise, in units of the label.
        seed: Seed of the noise; the same design always gets the same label.

    Raises:
        ValueError: If the noise is negative or not finite.
    """

    noise: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.noise) and self.noise >= 0):
            raise ValueError(f"noise must be a finite standard deviation of at least 0, got {self.noise!r}")

    def _measured(self, value: float, design: Design) -> Label:
        """Return the label of a design whose noiseless value this is."""
        return noisy_label(value, noise=self.noise, seed=self.seed, key=design.key)
