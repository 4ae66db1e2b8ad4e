"""Oracles of handwritten digits: how thick the strokes are, and how clearly a digit is the one asked for.

    thickness(x) = 4 * (mean over the ink of the distance to the paper - half a fine pixel)       pixels

A stroke of width w has a mean distance of w / 4 to its edge. The image is enlarged four times before it is cut into ink
and paper at half of full ink, so that widths between whole pixels are told apart; half a (fine) pixel is taken off
because distances are measured between centres.

References:
    Castro et al., "Morpho-MNIST: Quantitative Assessment and Diagnostics for Representation Learning", 2019,
    https://arxiv.org/abs/1809.10780 (thickness from distances in an enlarged image; there along the skeleton, where
    the mean distance is w / 2).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from seiko.designs import Design
from seiko.oracles.images.answer import ImageByImage

__all__ = ["DigitQuality", "StrokeThickness", "stroke_thickness"]

_FINER = 4


def stroke_thickness(pixels: Float[Tensor, "c h w"]) -> float | None:
    """Return the mean width of the strokes of an image in [0, 1], pixels; None where there is no ink."""
    from scipy import ndimage

    grey = pixels.mean(0)[None, None].float().cpu()
    fine = torch.nn.functional.interpolate(grey, scale_factor=_FINER, mode="bilinear")[0, 0]
    ink = torch.nn.functional.pad(fine > 0.5, (1, 1, 1, 1)).numpy()
    if not ink.any():
        return None
    return 4 * (float(ndimage.distance_transform_edt(ink)[ink].mean()) - 0.5) / _FINER


@dataclass(frozen=True, kw_only=True)
class StrokeThickness(ImageByImage):
    """Answer digits with the mean width of their strokes, pixels; an empty image is infeasible.

    Args:
        noise: Standard deviation of the Gaussian measurement noise, pixels.
        seed: Seed of the noise; the same design always gets the same label.

    Raises:
        ValueError: If the noise is negative or not finite.
    """

    @property
    def name(self) -> str:
        """Name of the oracle in reports."""
        return "stroke thickness (pixels)"

    def _value(self, pixels: Float[Tensor, "c h w"], design: Design) -> float | None:
        return stroke_thickness(pixels)


@dataclass(frozen=True, kw_only=True)
class DigitQuality(ImageByImage):
    """Answer digits with the log probability that a classifier gives to the class asked for, nats; at most 0.

    A design's prompt is its class, ``"0"`` to ``"9"``; one without a prompt is judged as whatever it is most like.

    Args:
        model: Prior beside which the classifier lies.
        noise: Standard deviation of the Gaussian measurement noise, nats.
        seed: Seed of the noise; the same design always gets the same label.

    Raises:
        ValueError: If the noise is negative or not finite; when asked, if a prompt is no digit, or the classifier
            cannot read an image.
    """

    model: str = "seiko:mnist"

    @property
    def name(self) -> str:
        """Name of the oracle in reports."""
        return "digit quality (nats)"

    @torch.no_grad()
    def _value(self, pixels: Float[Tensor, "c h w"], design: Design) -> float:
        from seiko.imaging.digits import DIGITS, digit_classifier

        found = digit_classifier(self.model)(pixels.mean(0)[None, None]).log_softmax(1)[0]
        if design.prompt is None:
            return float(found.max())
        if design.prompt not in DIGITS:
            raise ValueError(f"the prompt of a digit is its class, '0' to '9', got {design.prompt!r}")
        return float(found[DIGITS.index(design.prompt)])
