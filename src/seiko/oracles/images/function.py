"""Your own function of images as an oracle: ``module:function``, called with one image, returning a number.

    def score(pixels: numpy.ndarray, prompt: str | None) -> float | None        None: it cannot be labelled

Pixels are `[height, width]` (grey) or `[height, width, 3]` (RGB), 8 bits, as Pillow and OpenCV take them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from seiko.designs import Design
from seiko.oracles.base import Label
from seiko.oracles.function import PythonFunction, label_by
from seiko.oracles.images.answer import KIND

__all__ = ["ImageFunction"]


@dataclass(frozen=True, kw_only=True)
class ImageFunction:
    """Answer images with a Python function of their pixels and prompt; larger is better.

    An exception, a NaN or an infinity fails the one label that it concerns, with the reason; the others are kept.

    Args:
        target: ``"module:function"``; the module may lie in the working folder.

    Raises:
        ValueError: If the target is not spelt like that.
    """

    target: str

    def __post_init__(self) -> None:
        PythonFunction(target=self.target)

    @property
    def name(self) -> str:
        """Name of the oracle in reports."""
        return self.target

    @property
    def kind(self) -> str:
        """Kind of the designs that are answered."""
        return KIND

    def __call__(self, designs: Sequence[Design]) -> list[Label]:
        """Return one label for each design, in order.

        Raises:
            ImportError: If the function cannot be imported.
            ValueError: If an image comes without its file.
        """
        function = PythonFunction(target=self.target).load()
        return [_answer(function, design) for design in designs]


def _answer(function: Callable[..., Any], design: Design) -> Label:
    from seiko.imaging import pixels_of

    if design.kind != KIND:
        return Label.infeasible(f"an image is a design of kind {KIND!r}, got {design.kind!r}")
    rows = (pixels_of([design])[0] * 255).round().byte().permute(1, 2, 0).numpy()
    return label_by(function, rows[..., 0] if rows.shape[2] == 1 else rows, design.prompt)
