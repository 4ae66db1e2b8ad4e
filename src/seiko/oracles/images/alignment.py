"""How well an image fits its prompt: CLIP's cosine, and models of people's preferences of the same build.

    CLIPScore    100 cos(image, text)
    PickScore    scale * cos(image, text), CLIP ViT-H/14 tuned on Pick-a-Pic
    HPSv2        100 cos(image, text), CLIP ViT-H/14 tuned on the Human Preference Dataset v2

PickScore is published in transformers' format. HPSv2 is published as an open_clip checkpoint, `HPS_v2_compressed.pt`;
it is read here once it was converted to a folder of transformers (`CLIPModel`, safetensors).

References:
    Hessel et al., "CLIPScore", 2021, https://arxiv.org/abs/2104.08718 (there 2.5 max(cos, 0));
    Kirstain et al., "Pick-a-Pic", 2023, https://arxiv.org/abs/2305.01569;
    Wu et al., "Human Preference Score v2", 2023, https://arxiv.org/abs/2306.09341.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Float
from torch import Tensor, nn

from seiko.designs import Design
from seiko.oracles.images.answer import ScoredImages

__all__ = ["CLIPScore", "HPSv2", "PickScore"]


@dataclass(frozen=True, kw_only=True)
class _Aligned(ScoredImages):
    """Answer images by a CLIP's cosine of image and prompt; raises `ValueError` for an image without a prompt.

    Args:
        processor: Where the model's preprocessing and tokenizer are, if elsewhere.
    """

    model: str
    processor: str | None = None

    def _values(self, pixels: Float[Tensor, "n c h w"], designs: Sequence[Design]) -> Float[Tensor, "n"]:
        from seiko.imaging.vision import vision_model

        for design in designs:
            if design.prompt is None:
                raise ValueError(
                    f"image {design.content[:12]} has no prompt to be compared with: give the recipe prompts, or "
                    "choose an oracle that needs none"
                )
        encoder = vision_model(self.model, self.processor, self.device)
        texts = nn.functional.normalize(encoder.texts([design.prompt or "" for design in designs]), dim=1)
        images = nn.functional.normalize(encoder.images(pixels), dim=1)
        return self._scale(encoder.logit_scale) * (images * texts).sum(1).cpu()

    def _scale(self, logit_scale: float) -> float:
        """Return what a cosine is multiplied by."""
        return 100.0


@dataclass(frozen=True, kw_only=True)
class CLIPScore(_Aligned):
    """Answer images with 100 times the cosine of CLIP's embeddings of image and prompt.

    Args:
        model: CLIP, a hub name or a local folder.
        processor: Where its preprocessing and tokenizer are, if elsewhere.
        noise: Standard deviation of the Gaussian measurement noise, points.
        seed: Seed of the noise; the same design always gets the same label.
        device: Where CLIP computes.

    Raises:
        ValueError: If the noise is negative or not finite.
    """

    model: str = "openai/clip-vit-large-patch14"

    @property
    def name(self) -> str:
        """Name of the oracle in reports."""
        return "CLIP score"


@dataclass(frozen=True, kw_only=True)
class PickScore(_Aligned):
    """Answer images with PickScore's logit of image and prompt.

    Args:
        model: The tuned CLIP, a hub name or a local folder.
        processor: Where its preprocessing and tokenizer are.
        noise: Standard deviation of the Gaussian measurement noise, points.
        seed: Seed of the noise; the same design always gets the same label.
        device: Where it computes.

    Raises:
        ValueError: If the noise is negative or not finite.
    """

    model: str = "yuvalkirstain/PickScore_v1"
    processor: str | None = "laion/CLIP-ViT-H-14-laion2B-s32B-b79K"

    @property
    def name(self) -> str:
        """Name of the oracle in reports."""
        return "PickScore"

    def _scale(self, logit_scale: float) -> float:
        return logit_scale


@dataclass(frozen=True, kw_only=True)
class HPSv2(_Aligned):
    """Answer images with the Human Preference Score v2 of image and prompt, 100 times the cosine.

    Args:
        model: Folder or hub name of the score's CLIP in transformers' format; its publishers have it as an open_clip
            checkpoint, which must be converted first.
        processor: Where its preprocessing and tokenizer are, if elsewhere.
        noise: Standard deviation of the Gaussian measurement noise, points.
        seed: Seed of the noise; the same design always gets the same label.
        device: Where it computes.

    Raises:
        ValueError: If the noise is negative or not finite, or the model is an open_clip checkpoint.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        folder = Path(self.model)
        only_open_clip = folder.is_dir() and not (folder / "config.json").is_file() and any(folder.glob("*.pt"))
        if folder.suffix == ".pt" or only_open_clip or self.model == "xswu/HPSv2":
            raise ValueError(
                f"{self.model!r} is an open_clip checkpoint: convert it to transformers' CLIPModel (ViT-H/14, "
                "safetensors, with tokenizer and preprocessor_config.json) and give that folder"
            )

    @property
    def name(self) -> str:
        """Name of the oracle in reports."""
        return "HPSv2"
