"""Pixels as PNG files and back.

    byte = round(255 * pixel)        pixel = byte / 255

PNG loses nothing, so from_png(to_png(x)) is x to half a grey level, and exactly x from the second time on. The file
holds the pixels and nothing else (no time, no program), so equal images are equal files. Only 8-bit grey and RGB are
read: what has a palette or a transparency would have to be interpreted, and that is for whoever made it to decide.
"""

from __future__ import annotations

import io

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, UnidentifiedImageError
from torch import Tensor

__all__ = ["from_png", "to_png"]

_MODES = {1: "L", 3: "RGB"}
_COMPRESSION = 6  # stated, so that a library's default does not decide the name of an image
_SLACK = 0.5 / 255  # half a grey level: rounding, not a mistake


def to_png(pixels: Float[Tensor, "c h w"]) -> bytes:
    """Return an image as the bytes of a PNG file.

    Args:
        pixels: In [0, 1]; one channel (grey) or three (RGB).

    Raises:
        ValueError: If the shape is not that of an image, or a pixel is not in [0, 1].
    """
    if pixels.ndim != 3 or pixels.shape[0] not in _MODES or 0 in pixels.shape:
        raise ValueError(f"an image is [1 or 3, height, width], got the shape {list(pixels.shape)}")
    x = pixels.detach().float().cpu()
    low, high = float(x.min()), float(x.max())
    if not (low >= -_SLACK and high <= 1 + _SLACK):  # NaN fails, too
        raise ValueError(f"pixels must lie in [0, 1], got {low:.4g} to {high:.4g}: rescale or clamp them first")
    rows = (x * 255).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
    file = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(rows[..., 0] if x.shape[0] == 1 else rows), _MODES[x.shape[0]])
    image.save(file, format="PNG", compress_level=_COMPRESSION)
    return file.getvalue()


def from_png(data: bytes) -> Float[Tensor, "c h w"]:
    """Return the pixels of a PNG file, in [0, 1].

    Raises:
        ValueError: If it is no PNG, is damaged, or is not 8-bit grey or RGB.
    """
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            if image.mode not in _MODES.values():
                raise ValueError(
                    f"images must be 8-bit grey (L) or RGB, got a PNG of mode {image.mode}: convert it first"
                )
            rows = torch.from_numpy(np.array(image))
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{len(data)} bytes are no readable PNG: {error}") from error
    return (rows[None] if rows.ndim == 2 else rows.permute(2, 0, 1)).float() / 255
