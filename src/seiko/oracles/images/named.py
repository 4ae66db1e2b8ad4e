"""Oracles of images by name, as recipes and the command line take them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from seiko.oracles.base import Oracle
from seiko.oracles.images.digits import DigitQuality, StrokeThickness
from seiko.oracles.images.function import ImageFunction
from seiko.oracles.images.jpeg import JPEGCompressibility, JPEGIncompressibility

__all__ = ["IMAGE_ORACLES", "image_oracle_named"]

IMAGE_ORACLES: Mapping[str, Callable[..., Oracle]] = {
    "incompressibility": JPEGIncompressibility,
    "compressibility": JPEGCompressibility,
    "thickness": StrokeThickness,
    "quality": DigitQuality,
}


def image_oracle_named(name: str, *, noise: float = 0.0, seed: int = 0) -> Oracle:
    """Return an oracle by its name, or your own function by ``module:function``.

    Args:
        name: A key of `IMAGE_ORACLES`, or ``"module:function"``.
        noise: Standard deviation of the measurement noise, in the oracle's units.
        seed: Seed of the noise.

    Raises:
        ValueError: If there is no such oracle, or noise is asked of a function of your own.
    """
    if ":" in name:
        if noise:
            raise ValueError(f"noise is added to the oracles that come with seiko; {name} answers as it does")
        return ImageFunction(target=name)
    if name not in IMAGE_ORACLES:
        raise ValueError(
            f"no oracle of images is called {name!r}; there are {', '.join(IMAGE_ORACLES)}, or your own as "
            "module:function"
        )
    return IMAGE_ORACLES[name](noise=noise, seed=seed)
