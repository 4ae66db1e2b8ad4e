"""Oracles of images: size as JPEG, strokes and legibility of digits, taste and alignment by CLIP, your own function.

Importing this package does not import Pillow; asking one of its oracles does.
"""

from __future__ import annotations

from seiko.oracles.images.aesthetic import Aesthetic
from seiko.oracles.images.alignment import CLIPScore, HPSv2, PickScore
from seiko.oracles.images.digits import DigitQuality, StrokeThickness
from seiko.oracles.images.function import ImageFunction
from seiko.oracles.images.jpeg import JPEGCompressibility, JPEGIncompressibility
from seiko.oracles.images.named import IMAGE_ORACLES, image_oracle_named

__all__ = [
    "IMAGE_ORACLES",
    "Aesthetic",
    "CLIPScore",
    "DigitQuality",
    "HPSv2",
    "ImageFunction",
    "JPEGCompressibility",
    "JPEGIncompressibility",
    "PickScore",
    "StrokeThickness",
    "image_oracle_named",
]
