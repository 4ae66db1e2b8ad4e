"""LAION's aesthetic score: how much people would like an image, on a scale of about 1 to 10.

    score(x) = head(e / |e|),       e = CLIP ViT-L/14's embedding of the image,       head: five linear layers

The head has no nonlinearity, so that the score is an affine function of the normalised embedding. Its published file is
a pickle of tensors; it is read with `weights_only`, after its SHA-256 was checked.

References:
    Schuhmann et al., "LAION-5B: An open large-scale dataset for training next generation image-text models", 2022,
    https://arxiv.org/abs/2210.08402; the head: github.com/christophschuhmann/improved-aesthetic-predictor
    (sac+logos+ava1-l14-linearMSE).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seiko.data import fetch
from seiko.designs import Design
from seiko.oracles.images.answer import ScoredImages

__all__ = ["Aesthetic", "aesthetic_head"]

DATASET = "laion-aesthetic"


@functools.cache
def aesthetic_head(path: str | None = None) -> nn.Sequential:
    """Return the head, `[n, 768]` normalised embeddings to `[n, 1]` scores.

    Args:
        path: File of the head; None for the published one, from the data folder or downloaded.

    Raises:
        DataUnavailable: If the published one is nowhere and cannot be downloaded.
        ValueError: If the file holds something else.
    """
    file = fetch(DATASET) if path is None else Path(path)
    state = torch.load(file, map_location="cpu", weights_only=True)
    rows = [name for name in sorted(state, key=_layer) if name.endswith(".weight")]
    if not rows or any(state[name].ndim != 2 for name in rows):
        raise ValueError(f"{file} holds no aesthetic head: linear layers are expected, got {', '.join(state)[:80]}")
    layers = []
    for name in rows:
        weight = state[name]
        layer = nn.Linear(weight.shape[1], weight.shape[0])
        layer.weight.data, layer.bias.data = weight.float(), state[name.replace(".weight", ".bias")].float()
        layers.append(layer)
    return nn.Sequential(*layers).requires_grad_(False).eval()


def _layer(name: str) -> int:
    digits = [part for part in name.split(".") if part.isdigit()]
    return int(digits[0]) if digits else -1


@dataclass(frozen=True, kw_only=True)
class Aesthetic(ScoredImages):
    """Answer images with LAION's aesthetic score.

    Args:
        clip: CLIP ViT-L/14, a hub name or a local folder.
        head: File of the head; None for the published one.
        noise: Standard deviation of the Gaussian measurement noise, points.
        seed: Seed of the noise; the same design always gets the same label.
        device: Where CLIP computes.

    Raises:
        ValueError: If the noise is negative or not finite.
    """

    clip: str = "openai/clip-vit-large-patch14"
    head: str | None = None

    @property
    def name(self) -> str:
        """Name of the oracle in reports."""
        return "aesthetic score"

    def _values(self, pixels: Float[Tensor, "n c h w"], designs: Sequence[Design]) -> Tensor:
        from seiko.imaging.vision import vision_model

        embeddings = vision_model(self.clip, None, self.device).images(pixels).cpu()
        return self.score(embeddings)

    def score(self, embeddings: Float[Tensor, "n d"]) -> Float[Tensor, "n"]:
        """Return the scores of CLIP embeddings, which need not be normalised.

        Raises:
            ValueError: If they are not of the CLIP that the head was made for.
        """
        head = aesthetic_head(self.head)
        width = head[0].in_features
        if embeddings.shape[1] != width:
            raise ValueError(
                f"the aesthetic head reads embeddings of {width} numbers (CLIP ViT-L/14), got {embeddings.shape[1]} "
                f"from {self.clip!r}"
            )
        return head(nn.functional.normalize(embeddings, dim=1))[:, 0]  # type: ignore[no-any-return]
