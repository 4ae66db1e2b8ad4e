"""Whether images are still natural: how far the features of a sample have gone from the pretrained model's.

    Fréchet     |mu_a - mu_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2))       of Gaussians fitted to d features
    shift       sqrt(Fréchet / d)                                         reference standard deviations a feature

Features are standardised by the reference sample first. Then a sample that has fallen together into one average image
has Fréchet d and shift 1, whatever the features; and two samples that a model draws from the same noise have 0 exactly
if it has not moved. A number of this kind compares a model with itself: it is not the FID of the literature, whose
features are those of one Inception network and whose reference is a data set.

`PixelStatistics` are features that need no network and no download: coarse layout, contrast and texture. They see what
over-optimisation of a reward does to pictures first (noise, blur, one colour), and nothing of what is in them; give
features of a vision model where that matters.

Features of a model that reads texts, too, say how well images fit their prompts (`prompt_fit`).

References:
    Heusel et al., "GANs trained by a two time-scale update rule converge to a local Nash equilibrium", 2017,
    https://arxiv.org/abs/1706.08500 (Eq. 6, the Fréchet distance of features);
    Hessel et al., "CLIPScore", 2021, https://arxiv.org/abs/2104.08718.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from seiko.metrics.distances import frechet_distance

__all__ = ["FeatureShift", "PixelStatistics", "PromptFit", "feature_shift", "prompt_fit"]

_FLOOR = 1e-3  # a quarter of a grey level: texture below it is rounding


@dataclass(frozen=True, kw_only=True)
class FeatureShift:
    """How far two samples of features are apart; both numbers are 0 or more.

    Args:
        frechet: Squared Fréchet distance, reference standard deviations.
        shift: sqrt(frechet / d), reference standard deviations a feature.
    """

    frechet: float
    shift: float


def feature_shift(features: Float[Tensor, "n d"], reference: Float[Tensor, "m d"]) -> FeatureShift:
    """Compare the features of two samples.

    Features that are constant in both (a layer's bias) are left out.

    Raises:
        ValueError: If a sample has fewer than two finite rows.
    """
    varies = (features != features[:1]).any(0) | (reference != features[:1]).any(0)
    dimensions = int(varies.sum())
    if dimensions == 0:
        return FeatureShift(frechet=0.0, shift=0.0)
    found = frechet_distance(features[:, varies], reference[:, varies])
    return FeatureShift(frechet=found, shift=math.sqrt(found / dimensions))


@dataclass(frozen=True, kw_only=True)
class PromptFit:
    """How well images fit their prompts; 100 times mean cosines, larger is better.

    Args:
        own: Each image with the prompt that it was drawn for.
        others: Each image with the other prompts; None if there is one alone.
    """

    own: float
    others: float | None


def prompt_fit(cosines: Float[Tensor, "n p"], columns: Int64[Tensor, "n"]) -> PromptFit:
    """Compare images with their own prompts and with the others'.

    Args:
        cosines: Of each image with each of p distinct prompts.
        columns: Which of them it was drawn for.
    """
    own = cosines.gather(1, columns[:, None])[:, 0]
    others = None
    if cosines.shape[1] > 1:
        others = 100 * float(((cosines.sum(1) - own) / (cosines.shape[1] - 1)).mean())
    return PromptFit(own=100 * float(own.mean()), others=others)


@dataclass(frozen=True, kw_only=True)
class PixelStatistics:
    """Coarse layout and texture of images in [0, 1]; differentiable.

        layout_cij  = mean of channel c in cell (i, j) of a grid
        texture_cs  = log(floor + mean |x_s - smooth(x_s)|)       at scale s, x_(s+1) = x_s at half the size

    Args:
        grid: Cells a side.
        scales: Scales of texture; those at which the image is one pixel are left out.
    """

    grid: int = 4
    scales: int = 3

    def __post_init__(self) -> None:
        if self.grid < 1 or self.scales < 0:
            raise ValueError(f"grid must be at least 1 and scales at least 0, got {self.grid} and {self.scales}")

    def __call__(self, x: Tensor) -> Float[Tensor, "n d"]:
        """Return `[n, c * (grid² + scales)]` from `[n, c, h, w]`.

        Raises:
            ValueError: If x is no batch of images.
        """
        if x.ndim != 4:
            raise ValueError(f"images must be [n, c, h, w], got the shape {list(x.shape)}")
        x = x.float()
        cells = min(self.grid, x.shape[2]), min(self.grid, x.shape[3])
        parts = [functional.adaptive_avg_pool2d(x, cells).flatten(1)]
        for _ in range(self.scales):
            if min(x.shape[2:]) < 2:
                break
            smooth = functional.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
            parts.append(torch.log(_FLOOR + (x - smooth).abs().mean((2, 3))))
            x = functional.avg_pool2d(x, 2)
        return torch.cat(parts, 1)
