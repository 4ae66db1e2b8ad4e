"""How near an image is to the nearest of the known ones: whether a model has learnt to draw, or by heart.

    similarity = 1 - min over known images of the root mean squared difference of pixels        1: the same picture

Images of another size or of other channels than the known ones are not compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from seiko.report.tables import number

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Nearest"]


class Nearest:
    """Compares images with known ones.

    Args:
        known: PNG bytes; those that cannot be read are left out.
    """

    def __init__(self, known: Sequence[bytes]) -> None:
        self._known: dict[tuple[int, ...], Tensor] = {}
        if known:
            self._read(known)

    def __call__(self, data: bytes | None) -> str:
        """Return the similarity to the nearest known image in words; empty where there is none to compare with."""
        if data is None or not self._known:
            return ""
        from seiko.imaging import from_png

        try:
            pixels = from_png(data)
        except ValueError:
            return ""
        known = self._known.get(tuple(pixels.shape))
        if known is None:
            return ""
        difference = (known - pixels).square().flatten(1).mean(1).min().sqrt()
        return f"similarity {number(1 - float(difference), 2)}"

    def _read(self, known: Sequence[bytes]) -> None:
        import torch

        from seiko.imaging import from_png

        groups: dict[tuple[int, ...], list[Tensor]] = {}
        for data in known:
            try:
                pixels = from_png(data)
            except ValueError:
                continue
            groups.setdefault(tuple(pixels.shape), []).append(pixels)
        self._known = {shape: torch.stack(images) for shape, images in groups.items()}
