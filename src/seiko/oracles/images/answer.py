"""How an oracle of images answers: read the PNG, compute the value, add the noise that belongs to the design.

A design that is no image is infeasible: it costs its label and has no value, like one whose value is not a finite
number. An image that comes without its file is a mistake of the caller, and an error.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from seiko.designs import IMAGE, Design
from seiko.oracles.base import Label
from seiko.oracles.noise import Noisy

__all__ = ["KIND", "ImageByImage", "ImageOracle", "ScoredImages"]

KIND = IMAGE
AT_A_TIME = 32  # images that a network is given at most


@dataclass(frozen=True, kw_only=True)
class ImageOracle(Noisy, ABC):
    """Answer images with a number; what such oracles have in common.

    Args:
        noise: Standard deviation of the Gaussian measurement noise, in units of the value.
        seed: Seed of the noise; the same design always gets the same label.

    Raises:
        ValueError: If the noise is negative or not finite.
    """

    @property
    def kind(self) -> str:
        """Kind of the designs that are answered."""
        return KIND

    @property
    @abstractmethod
    def name(self) -> str:
        """Name of the oracle in reports."""

    @abstractmethod
    def _numbers(self, images: Sequence[Design]) -> Sequence[float | None]:
        """Return the noiseless value of each image, larger is better; None if it has none."""

    def __call__(self, designs: Sequence[Design]) -> list[Label]:
        """Return one label for each design, in order.

        Raises:
            ValueError: If an image comes without its file.
        """
        numbers = iter(self._numbers([design for design in designs if design.kind == KIND]))
        return [
            self._label(design, next(numbers))
            if design.kind == KIND
            else Label.infeasible(f"an image is a design of kind {KIND!r}, got {design.kind!r}")
            for design in designs
        ]

    def _label(self, design: Design, number: float | None) -> Label:
        if number is None or not math.isfinite(number):
            return Label.infeasible("this image has no value")
        return self._measured(number, design)


@dataclass(frozen=True, kw_only=True)
class ImageByImage(ImageOracle):
    """Answer each image by itself."""

    @abstractmethod
    def _value(self, pixels: Float[Tensor, "c h w"], design: Design) -> float | None:
        """Return the noiseless value of an image in [0, 1], larger is better; None if it has none."""

    def _numbers(self, images: Sequence[Design]) -> list[float | None]:
        from seiko.imaging import pixels_of

        return [self._value(pixels_of([image])[0], image) for image in images]


@dataclass(frozen=True, kw_only=True)
class ScoredImages(ImageOracle):
    """Answer images by a network that scores many at once.

    Args:
        noise: Standard deviation of the Gaussian measurement noise, in units of the score.
        seed: Seed of the noise; the same design always gets the same label.
        device: Where the network computes.

    Raises:
        ValueError: If the noise is negative or not finite.
    """

    device: str = "cpu"

    @abstractmethod
    def _values(self, pixels: Float[Tensor, "n c h w"], designs: Sequence[Design]) -> Float[Tensor, "n"]:
        """Return the scores of images of one size, larger is better."""

    @torch.no_grad()
    def _numbers(self, images: Sequence[Design]) -> list[float]:
        from seiko.imaging import pixels_of

        found: dict[int, float] = {}
        for start in range(0, len(images), AT_A_TIME):
            by_size: dict[tuple[int, ...], list[tuple[int, Tensor]]] = {}
            for i, image in enumerate(images[start : start + AT_A_TIME], start):
                pixels = pixels_of([image])[0]
                by_size.setdefault(tuple(pixels.shape), []).append((i, pixels))
            for rows in by_size.values():
                scores = self._values(torch.stack([pixels for _, pixels in rows]), [images[i] for i, _ in rows])
                found |= {i: float(score) for (i, _), score in zip(rows, scores, strict=True)}
        return [found[i] for i in range(len(images))]
