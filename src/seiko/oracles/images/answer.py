"""How an oracle of images answers: read the PNG, compute the value, add the noise that belongs to the design.

A design that is no image is infeasible: it costs its label and has no value, like one whose value is not a finite
number. An image that comes without its file is a mistake of the caller, and an error.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from seiko.designs import IMAGE, Design
from seiko.oracles.base import Label
from seiko.oracles.noise import check_noise, noisy_label

__all__ = ["KIND", "ScoredImages", "Value", "answer", "answer_many"]

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


def answer_many(
    designs: Sequence[Design],
    values: Callable[[Float[Tensor, "n c h w"], Sequence[Design]], Float[Tensor, "n"]],
    *,
    noise: float,
    seed: int,
    at_a_time: int = 32,
) -> list[Label]:
    """Return one label for each design, in order, by a function of many images at once.

    Args:
        designs: Images with their files; they may differ in size.
        values: Of images of one size, and the designs that they are of.
        noise: Standard deviation of the Gaussian measurement noise, in units of the value.
        seed: Seed of the noise.
        at_a_time: Images that `values` is given at most.

    Raises:
        ValueError: If an image comes without its file.
    """
    from seiko.imaging import pixels_of

    images = [i for i, design in enumerate(designs) if design.kind == KIND]
    found: dict[int, float] = {}
    for start in range(0, len(images), at_a_time):
        by_size: dict[tuple[int, ...], list[tuple[int, Tensor]]] = {}
        for i in images[start : start + at_a_time]:
            pixels = pixels_of([designs[i]])[0]
            by_size.setdefault(tuple(pixels.shape), []).append((i, pixels))
        for rows in by_size.values():
            with torch.no_grad():
                numbers = values(torch.stack([pixels for _, pixels in rows]), [designs[i] for i, _ in rows])
            found |= {i: float(number) for (i, _), number in zip(rows, numbers, strict=True)}
    return [_of(design, found.get(i), noise, seed) for i, design in enumerate(designs)]


def _label(design: Design, value: Value, noise: float, seed: int) -> Label:
    from seiko.imaging import pixels_of

    number = value(pixels_of([design])[0], design) if design.kind == KIND else None
    return _of(design, number, noise, seed)


def _of(design: Design, number: float | None, noise: float, seed: int) -> Label:
    if design.kind != KIND:
        return Label.infeasible(f"an image is a design of kind {KIND!r}, got {design.kind!r}")
    if number is None or not math.isfinite(number):
        return Label.infeasible("this image has no value")
    return noisy_label(number, noise=noise, seed=seed, key=design.key)


@dataclass(frozen=True, kw_only=True)
class ScoredImages(ABC):
    """Answer images by a network that scores many at once; what such oracles have in common.

    Args:
        noise: Standard deviation of the Gaussian measurement noise, in units of the score.
        seed: Seed of the noise; the same design always gets the same label.
        device: Where the network computes.

    Raises:
        ValueError: If the noise is negative or not finite.
    """

    noise: float = 0.0
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        check_noise(self.noise)

    @property
    def kind(self) -> str:
        """Kind of the designs that are answered."""
        return KIND

    @property
    @abstractmethod
    def name(self) -> str:
        """Name of the oracle in reports."""

    @abstractmethod
    def _values(self, pixels: Float[Tensor, "n c h w"], designs: Sequence[Design]) -> Float[Tensor, "n"]:
        """Return the scores of images of one size, larger is better."""

    def __call__(self, designs: Sequence[Design]) -> list[Label]:
        """Return one label for each design, in order."""
        return answer_many(designs, self._values, noise=self.noise, seed=self.seed)
