"""Oracles of images by name, as recipes and the command line take them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from seiko.oracles.base import Oracle
from seiko.oracles.external import external_oracle
from seiko.oracles.images.aesthetic import Aesthetic
from seiko.oracles.images.alignment import CLIPScore, PickScore
from seiko.oracles.images.digits import DigitQuality, StrokeThickness
from seiko.oracles.images.function import ImageFunction
from seiko.oracles.images.jpeg import JPEGCompressibility, JPEGIncompressibility

__all__ = ["IMAGE_ORACLES", "image_oracle_named"]

IMAGE_ORACLES: Mapping[str, Callable[..., Oracle]] = {
    "incompressibility": JPEGIncompressibility,
    "compressibility": JPEGCompressibility,
    "thickness": StrokeThickness,
    "quality": DigitQuality,
    "aesthetic": Aesthetic,
    "clip": CLIPScore,
    "pickscore": PickScore,
}

_ELSEWHERE: Mapping[str, str] = {
    "hpsv2": "is published as an open_clip checkpoint: convert it to a folder of transformers and write "
    "HPSv2(model=FOLDER) in a recipe of your own",
    "imagereward": "is a BLIP network with code of its own, which transformers does not read (Xu et al., 2023, "
    "https://arxiv.org/abs/2304.05977): install its package image-reward, write score(pixels, prompt) around it, and "
    "give that as module:function",
}


def image_oracle_named(name: str, *, noise: float = 0.0, seed: int = 0) -> Oracle:
    """Return an oracle by its name, your own function by ``module:function``, or one outside of this process.

    Args:
        name: A key of `IMAGE_ORACLES`, ``"module:function"``, or ``"command:..."``, ``"https://..."`` and
            ``"workers:module:function"`` as `seiko.oracles.external` has them.
        noise: Standard deviation of the measurement noise, in the oracle's units.
        seed: Seed of the noise.

    Raises:
        ValueError: If there is no such oracle, or noise is asked of a function of your own.
    """
    if ":" in name:
        if noise:
            raise ValueError(f"noise is added to the oracles that come with seiko; {name} answers as it does")
        return external_oracle(name) or ImageFunction(target=name)
    if name in _ELSEWHERE:
        raise ValueError(f"{name} {_ELSEWHERE[name]}")
    if name not in IMAGE_ORACLES:
        raise ValueError(
            f"no oracle of images is called {name!r}; there are {', '.join(IMAGE_ORACLES)}, or your own as "
            "module:function, command:..., https://... or workers:module:function"
        )
    return IMAGE_ORACLES[name](noise=noise, seed=seed)
