"""Embeddings of a frozen vision model as features: what CLIP sees of an image, without any label.

    phi(x) = e(x) / |e(x)|, followed by a constant 1          e: any vision model of transformers

Resizing and normalising are differentiable, so that the gradient of a regression on phi reaches pixels, and through a
model's `decode` the chain. The encoder is the same for all rounds: the feature must not move while the model does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["VisionEmbedding"]


@dataclass(frozen=True, kw_only=True)
class VisionEmbedding:
    """Image embeddings of a pretrained vision model; pixels in [0, 1].

    Args:
        model: Hub name or local folder of a CLIP model, or another vision model of transformers.
        normalise: Divide each embedding by its length, as CLIP's cosines do.
        scale: Multiplies the embedding; with `normalise`, its length.
        device: Where the encoder computes; the features come back to the pixels' device.

    References:
        Radford et al., 2021, https://arxiv.org/abs/2103.00020 (CLIP); Uehara et al., 2024,
        https://arxiv.org/abs/2402.16359 (section 6.3: a network on CLIP embeddings as the reward model).
    """

    model: str = "openai/clip-vit-large-patch14"
    normalise: bool = True
    scale: float = 1.0
    device: str = "cpu"

    def __post_init__(self) -> None:
        if not self.scale > 0:
            raise ValueError(f"scale must be positive, got {self.scale}")

    def __call__(self, x: Tensor) -> Float[Tensor, "n d"]:
        """Return `[n, d + 1]`; differentiable.

        Raises:
            ValueError: If states are not images.
            FileNotFoundError: If there is no such model.
        """
        from seiko.imaging.vision import vision_model

        if x.ndim != 4 or x.shape[1] not in (1, 3):
            raise ValueError(f"VisionEmbedding needs images [n, 1 or 3, h, w], got {list(x.shape)}")
        phi = vision_model(self.model, None, self.device).images(x).to(x)
        if self.normalise:
            phi = torch.nn.functional.normalize(phi, dim=1)
        return torch.cat([self.scale * phi, torch.ones_like(phi[:, :1])], dim=1)

    def cosines(self, features: Float[Tensor, "n d"], prompts: Sequence[str]) -> Float[Tensor, "n p"] | None:
        """Return the cosine of each image with each prompt; None for a model that reads no text.

        Args:
            features: Of the images, as this returned them.
            prompts: Texts.
        """
        from seiko.imaging.vision import vision_model

        encoder = vision_model(self.model, None, self.device)
        if not encoder.reads_text:
            return None
        text = torch.nn.functional.normalize(encoder.texts(prompts).to(features), dim=1)
        return torch.nn.functional.normalize(features[:, :-1], dim=1) @ text.T
