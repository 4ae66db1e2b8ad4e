"""How an oracle of images answers: read the PNG, compute the value, add the noise that belongs to the design.

A design that is no image is infeasible: it costs its label and has no value, like one whose value is not a finite
number. An image that comes without its file is a mistake of the caller, and an error.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from jaxtyping import Float
from torch import Tensor

from seiko.designs import IMAGE, Design
from seiko.oracles.base import Label
from seiko.oracles.noise import noisy_label

__all__ = ["KIND", "Value", "answer"]

KIND = IMAGE
Value = Callable[[Float[Tensor, "c h w"], Design], float | None]
"""Noiseless value of the pixels, in [0, 1], of a design; larger is better; None if it has none."""


def answer(designs: Sequence[Design], value: Value, *, noise: float, seed: int) -> list[Label]:
    """Return one label for each design, in order.

    Args:
        designs: Images with their files.
        value: Of one image.
        noise: Standard deviation of the Gaussian measurement noise, in units of the value.
        seed: Seed of the noise.

    Raises:
        ValueError: If an image comes without its file.
    """
    return [_label(design, value, noise, seed) for design in designs]


def _label(design: Design, value: Value, noise: float, seed: int) -> Label:
    from seiko.imaging import pixels_of

    if design.kind != KIND:
        return Label.infeasible(f"an image is a design of kind {KIND!r}, got {design.kind!r}")
    number = value(pixels_of([design])[0], design)
    if number is None or not math.isfinite(number):
        return Label.infeasible("this image has no value")
    return noisy_label(number, noise=noise, seed=seed, key=design.key)
