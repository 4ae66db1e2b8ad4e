"""The size of an image as a JPEG file, in kilobytes: a reward that has no gradient.

    incompressibility(x) = bytes / 1000,      compressibility(x) = -bytes / 1000

What is smooth compresses well, what is full of detail does not. Both are rewards that everybody can compute and nobody
needs, which makes them good tests: whatever a model does to raise them can be seen.

References:
    Black et al., "Training Diffusion Models with Reinforcement Learning", 2023, https://arxiv.org/abs/2305.13301
    (section 5.1: both rewards).
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from seiko.designs import Design
from seiko.oracles.images.answer import ImageByImage

__all__ = ["JPEGCompressibility", "JPEGIncompressibility", "jpeg_kilobytes"]


def jpeg_kilobytes(pixels: Float[Tensor, "c h w"], quality: int = 95) -> float:
    """Return the size of an image in [0, 1] as a baseline JPEG, in units of 1,000 bytes."""
    from PIL import Image

    rows = (pixels * 255).round().clamp(0, 255).byte().permute(1, 2, 0).cpu().numpy()
    image = Image.fromarray(rows[..., 0] if rows.shape[2] == 1 else rows)
    file = io.BytesIO()
    image.save(file, format="JPEG", quality=quality)
    return file.tell() / 1000


@dataclass(frozen=True, kw_only=True)
class _JPEGSize(ImageByImage):
    """What the two oracles have in common: all but the sign.

    Args:
        quality: JPEG quality, 1 to 95.
        noise: Standard deviation of the Gaussian measurement noise, kilobytes.
        seed: Seed of the noise; the same design always gets the same label.

    Raises:
        ValueError: If the quality or the noise is out of range.
    """

    sign: ClassVar[int]
    quality: int = 95

    def __post_init__(self) -> None:
        if not 1 <= self.quality <= 95:
            raise ValueError(f"quality must be a JPEG quality from 1 to 95, got {self.quality}")
        super().__post_init__()

    @property
    def name(self) -> str:
        """Name of the oracle in reports."""
        return f"JPEG size ({'-' if self.sign < 0 else ''}kB)"

    def _value(self, pixels: Float[Tensor, "c h w"], design: Design) -> float:
        return self.sign * jpeg_kilobytes(pixels, self.quality)


@dataclass(frozen=True, kw_only=True)
class JPEGIncompressibility(_JPEGSize):
    """Answer images with the size of their JPEG file, kilobytes."""

    sign: ClassVar[int] = 1


@dataclass(frozen=True, kw_only=True)
class JPEGCompressibility(_JPEGSize):
    """Answer images with minus the size of their JPEG file, kilobytes."""

    sign: ClassVar[int] = -1
