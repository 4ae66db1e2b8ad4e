"""Frozen image encoders of transformers on pixels that carry a gradient: CLIP above all, any vision model else.

    pixels in [0, 1]  ->  resized, cut to a square, normalised  ->  embedding

The preprocessing is what a model's `preprocessor_config.json` says (shorter side to its size by bicubic interpolation,
centre cut, mean and standard deviation), done on tensors: a reward's gradient runs through it. It agrees with
transformers' own on 8-bit images up to their rounding (and cutting off) of grey levels between the two passes of a
resize. Weights are read as safetensors only, and a repository's own code never runs.

References:
    Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", 2021,
    https://arxiv.org/abs/2103.00020.
"""

from __future__ import annotations

import functools
import weakref
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from seiko.devices import device_named

__all__ = ["Preprocessing", "VisionModel", "vision_model"]

_ROWS = 32  # images a pass
_TEXTS = 4096  # embeddings of texts that are kept


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """What is done to pixels before a network sees them; the defaults are CLIP's.

    Args:
        resize: Length of the shorter side, pixels; None for none.
        crop: Side of the square that is cut out of the centre; None for none.
        mean: Subtracted from each channel.
        std: Each channel is divided by it.
    """

    resize: int | None = 224
    crop: int | None = 224
    mean: tuple[float, float, float] = (0.48145466, 0.4578275, 0.40821073)
    std: tuple[float, float, float] = (0.26862954, 0.26130258, 0.27577711)

    @classmethod
    def of(cls, name: str) -> Preprocessing:
        """Return what a model's own configuration says; CLIP's where it says nothing."""
        from transformers.image_processing_base import ImageProcessingMixin

        try:
            found, _ = ImageProcessingMixin.get_image_processor_dict(name)
        except OSError:
            return cls()
        side, cut = found.get("size", cls.resize), found.get("crop_size", cls.crop)
        if isinstance(side, dict):
            side = side.get("shortest_edge", side.get("height"))
        if isinstance(cut, dict):
            cut = cut["height"]
        mean, std = found.get("image_mean") or cls.mean, found.get("image_std") or cls.std
        return cls(
            resize=side if found.get("do_resize", True) else None,
            crop=cut if found.get("do_center_crop", found.get("crop_size") is not None) else None,
            mean=tuple(mean) if found.get("do_normalize", True) else (0.0, 0.0, 0.0),
            std=tuple(std) if found.get("do_normalize", True) else (1.0, 1.0, 1.0),
        )

    def __call__(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n 3 height width"]:
        """Return what the network sees; grey images are taken as RGB."""
        x = pixels.expand(-1, 3, -1, -1) if pixels.shape[1] == 1 else pixels
        if self.resize is not None and min(x.shape[-2:]) != self.resize:
            scale = self.resize / min(x.shape[-2:])
            size = [self.resize if side == min(x.shape[-2:]) else int(side * scale) for side in x.shape[-2:]]
            x = functional.interpolate(x, size, mode="bicubic", antialias=True).clamp(0, 1)
        if self.crop is not None:
            top, left = ((side - self.crop) // 2 for side in x.shape[-2:])
            if top < 0 or left < 0:
                raise ValueError(f"images of {list(x.shape[-2:])} pixels hold no square of {self.crop}")
            x = x[..., top : top + self.crop, left : left + self.crop]
        mean, std = (
            torch.tensor(value, device=x.device, dtype=x.dtype)[:, None, None] for value in (self.mean, self.std)
        )
        return (x - mean) / std


class VisionModel(nn.Module):
    """A frozen encoder of images, and of texts where it has one.

    Args:
        network: `CLIPModel` or another vision model of transformers.
        preprocessing: What it sees of pixels.
        tokenizer: Of its texts; None where it reads none.
    """

    def __init__(self, network: Any, preprocessing: Preprocessing, tokenizer: Any = None) -> None:
        super().__init__()
        self.network = network.eval().requires_grad_(False)
        self.preprocessing, self.tokenizer = preprocessing, tokenizer
        self._texts: OrderedDict[str, Tensor] = OrderedDict()
        self._last: tuple[weakref.ref[Tensor], int, Tensor] | None = None  # pixels, their version, what was seen

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        found: torch.device = next(self.network.parameters()).device
        return found

    def images(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
        """Return embeddings of images in [0, 1], not normalised; differentiable.

        The same tensor, asked about twice in a row without a gradient, is looked at once: a report's belief and its
        naturalness see the same images.
        """
        if pixels.requires_grad or pixels.is_inference():
            return self._all(pixels)
        if self._last is None or self._last[0]() is not pixels or self._last[1] != pixels._version:
            self._last = weakref.ref(pixels), pixels._version, self._all(pixels)
        return self._last[2]

    def _all(self, pixels: Tensor) -> Tensor:
        return torch.cat([self._images(part.to(self.device)) for part in torch.split(pixels, _ROWS)])

    def _images(self, pixels: Tensor) -> Tensor:
        seen = self.preprocessing(pixels.float())
        if hasattr(self.network, "get_image_features"):
            return _embedding(self.network.get_image_features(pixel_values=seen))
        return _embedding(self.network(pixel_values=seen))

    @torch.no_grad()
    def texts(self, prompts: Sequence[str]) -> Float[Tensor, "n d"]:
        """Return embeddings of texts, not normalised; what is beyond the tokens that it reads is cut off.

        Raises:
            TypeError: If the model reads no text.
        """
        if not self.reads_text:
            raise TypeError(f"{type(self.network).__name__} reads no text: a CLIP model is needed, with its tokenizer")
        # one at a time, and kept: an embedding must not depend, in its last digits, on what else stands in the batch
        found = {prompt: self._text(prompt) for prompt in dict.fromkeys(prompts)}
        return torch.stack([found[prompt] for prompt in prompts])

    @property
    def reads_text(self) -> bool:
        """Whether it has an encoder of texts."""
        return self.tokenizer is not None and hasattr(self.network, "get_text_features")

    def _text(self, prompt: str) -> Float[Tensor, "d"]:
        if prompt not in self._texts:
            tokens = self.tokenizer([prompt], padding="max_length", truncation=True, return_tensors="pt")
            self._texts[prompt] = _embedding(self.network.get_text_features(**tokens.to(self.device)))[0]
            while len(self._texts) > _TEXTS:
                self._texts.popitem(last=False)
        self._texts.move_to_end(prompt)
        return self._texts[prompt]

    @property
    def logit_scale(self) -> float:
        """What CLIP multiplies its cosines by."""
        return float(self.network.logit_scale.exp())


def _embedding(found: Any) -> Tensor:
    if isinstance(found, Tensor):
        return found
    for name in ("image_embeds", "pooler_output"):
        if getattr(found, name, None) is not None:
            chosen: Tensor = getattr(found, name)
            return chosen
    mean: Tensor = found.last_hidden_state.mean(1)
    return mean


@functools.lru_cache(maxsize=4)
def vision_model(name: str, processor: str | None = None, device: str = "cpu") -> VisionModel:
    """Load a vision model of transformers, frozen and in single precision.

    Args:
        name: Hub name or local folder.
        processor: Where its preprocessing and tokenizer are, if elsewhere.
        device: Where it computes.

    Raises:
        FileNotFoundError: If there is no such model, or it has no safetensors.
    """
    try:
        import transformers
    except ImportError as error:
        raise ImportError("image encoders need transformers: pip install seiko") from error
    library: Any = transformers
    logging = library.utils.logging
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        network = library.AutoModel.from_pretrained(name, use_safetensors=True, dtype=torch.float32)
    except OSError as error:
        raise FileNotFoundError(
            f"no image encoder {name!r}, as a folder or on the hub, with weights as safetensors: {error}"
        ) from error
    finally:
        if shown:
            logging.enable_progress_bar()
    tokenizer = None
    if hasattr(network, "get_text_features"):
        tokenizer = library.AutoTokenizer.from_pretrained(processor or name)
    return VisionModel(network.to(device_named(device)), Preprocessing.of(processor or name), tokenizer)
