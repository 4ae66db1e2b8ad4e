"""From the instrument's number to the label, of which larger is better.

    label = ± scale * y,               noise = scale * s
    label = ± log10(scale * y),        noise = s / (y ln 10), to first order

The sign is negative for what is to be made small (a dissociation constant, a cost). A run keeps what its labels were
made with, so that a plate told without its `--minimise` is refused; the scale may change from plate to plate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from seiko.oracles import Label

__all__ = ["Units"]


@dataclass(frozen=True, kw_only=True)
class Units:
    """How a file's numbers become labels.

    Args:
        scale: Factor on values and noise, first of all: 1e-3 makes micromolar of nanomolar.
        log10: Take the decimal logarithm.
        minimise: Smaller numbers are better.

    Raises:
        ValueError: If the scale is not positive and finite.
    """

    scale: float = 1.0
    log10: bool = False
    minimise: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.scale) and self.scale > 0):
            raise ValueError(f"scale must be a positive factor, got {self.scale}; --minimise turns the sign")

    def __call__(self, label: Label) -> Label:
        """Return a label in the run's units.

        Raises:
            ValueError: If the value has no logarithm, or overflows.
        """
        if label.value is None:
            return label
        value, noise = label.value * self.scale, label.noise
        noise = None if noise is None else noise * self.scale
        if self.log10:
            if value <= 0:
                raise ValueError(f"a logarithm needs a positive value, got {label.value}")
            value, noise = math.log10(value), None if noise is None else noise / (value * math.log(10))
        if not math.isfinite(value) or (noise is not None and not math.isfinite(noise)):
            raise ValueError(f"{label.value} with scale {self.scale} is not a finite number any more")
        return replace(label, value=-value if self.minimise else value, noise=noise)

    def same_sense(self, other: Units) -> bool:
        """Whether labels of both can stand beside each other."""
        return (self.log10, self.minimise) == (other.log10, other.minimise)

    def in_words(self) -> str:
        """Return the options that say so."""
        words = [word for word, on in (("--log10", self.log10), ("--minimise", self.minimise)) if on]
        return " ".join(words) or "neither --log10 nor --minimise"
