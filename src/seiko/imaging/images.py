"""Images as designs, and designs as pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from seiko.designs import IMAGE, Design
from seiko.imaging.png import from_png, to_png

__all__ = ["image_design", "pixels_of"]


def image_design(pixels: Float[Tensor, "c h w"], prompt: str | None = None) -> Design:
    """Return an image as a design: the SHA-256 of its PNG, with the PNG beside it.

    Args:
        pixels: In [0, 1]; one channel or three.
        prompt: What it was drawn for.
    """
    data = to_png(pixels)
    return Design(hashlib.sha256(data).hexdigest(), IMAGE, prompt, data)


def pixels_of(designs: Sequence[Design]) -> Float[Tensor, "n c h w"]:
    """Return the pixels of images, in [0, 1], straight from their PNG files.

    Raises:
        ValueError: If there is none, one is no image or comes without its file, or their sizes differ.
    """
    if not designs:
        raise ValueError("pixels_of needs at least one image, got none")
    images = [from_png(_data(design)) for design in designs]
    for design, image in zip(designs, images, strict=True):
        if image.shape != images[0].shape:
            raise ValueError(
                f"images must have one size: {designs[0].content[:12]} is {list(images[0].shape)}, "
                f"{design.content[:12]} is {list(image.shape)}"
            )
    return torch.stack(images)


def _data(design: Design) -> bytes:
    if design.kind != IMAGE:
        raise ValueError(f"a design of kind {IMAGE!r} is needed, got {design.kind!r}: {design.content!r:.40}")
    if design.data is None:
        raise ValueError(
            f"image {design.content[:12]} comes without its PNG: `Campaign.bytes_of` reads it from the run folder"
        )
    return design.data
