"""Features of an image together with what it was drawn for, and how a campaign shows them to a reward model.

    cosine           phi(x, c) = sqrt(d) [ e, cos(e, t) ]
    product          sqrt(d) [ e, sqrt(d) e * t, cos(e, t) ],      * by coordinates
    concatenation    sqrt(d) [ e, t ]
    image            sqrt(d) e

each followed by a constant 1, with e and t the embeddings of image and text by the two towers of one CLIP, each of d
numbers and divided by its length. The cosine is one number beside d: it costs nothing where the prompt does not matter,
and tells what fits its prompt from a hundred labels (`scripts/compare_views.py`; the figures are in docs/log.md). Where
the prompt turns around what is good, a linear regression needs the product, and networks on the concatenation find it
by themselves from a thousand labels.

A reward model knows states alone: one tensor, whose rows are split, joined and picked. So that none of them has to
learn about prompts, a recipe may put a *view* before its reward model: what that sees of an image is then phi(x, c), a
vector. The gradient runs through the image; the prompt has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from seiko.rewards.features import Feature

__all__ = ["PerPrompt", "PromptFeature", "PromptedEmbedding", "through"]

Join = Literal["image", "concatenation", "cosine", "product"]


@runtime_checkable
class PromptFeature(Protocol):
    """A frozen map from images and their prompts to vectors, differentiable in the images."""

    def of(self, x: Tensor, prompts: Sequence[str]) -> Float[Tensor, "n d"]:
        """Return phi(x, c), one row an image."""
        ...


def through(view: Feature | PromptFeature, x: Tensor, prompts: Sequence[str] | None) -> Float[Tensor, "n d"]:
    """Return what a reward model sees of images through a view.

    Args:
        view: A feature of images, or of images and prompts.
        x: `[n, c, h, w]` pixels in [0, 1].
        prompts: What each was drawn for; None for a model that takes none.

    Raises:
        ValueError: If the view asks for prompts and there are none, or not one an image.
    """
    if not isinstance(view, PromptFeature):
        return view(x)
    if prompts is None:
        raise ValueError(
            f"{type(view).__name__} is a feature of an image and its prompt, and these images have none: give the "
            "recipe prompts, or a view of pixels alone (VisionEmbedding)"
        )
    if len(prompts) != len(x):
        raise ValueError(f"{len(x)} images need as many prompts, got {len(prompts)}")
    return view.of(x, prompts)


@dataclass(frozen=True, kw_only=True)
class PromptedEmbedding:
    """CLIP's embedding of an image joined with that of its prompt; pixels in [0, 1].

    Args:
        model: Hub name or local folder of a CLIP model with its tokenizer.
        join: One of the formulas above.
        device: Where CLIP computes; the features come back to the pixels' device.

    References:
        Radford et al., 2021, https://arxiv.org/abs/2103.00020 (CLIP); Kirstain et al., "Pick-a-Pic", 2023,
        https://arxiv.org/abs/2305.01569 (people's choices as a CLIP cosine).
    """

    model: str = "openai/clip-vit-large-patch14"
    join: Join = "cosine"
    device: str = "cpu"

    def of(self, x: Tensor, prompts: Sequence[str]) -> Float[Tensor, "n d"]:
        """Return phi(x, c); differentiable in x.

        Raises:
            ValueError: If states are not images.
            TypeError: If the model reads no text.
            FileNotFoundError: If there is no such model.
        """
        from seiko.imaging.vision import vision_model

        if x.ndim != 4 or x.shape[1] not in (1, 3):
            raise ValueError(f"PromptedEmbedding needs images [n, 1 or 3, h, w], got {list(x.shape)}")
        encoder: Any = vision_model(self.model, None, self.device)
        return join(encoder.images(x).to(x), encoder.texts(prompts).to(x), self.join)


def join(image: Float[Tensor, "n d"], text: Float[Tensor, "n d"], how: Join) -> Float[Tensor, "n c"]:
    """Return phi from the two embeddings, which need not be normalised."""
    e, t = functional.normalize(image, dim=1), functional.normalize(text, dim=1)
    root, one = e.shape[1] ** 0.5, torch.ones_like(e[:, :1])
    match how:
        case "image":
            parts = [root * e, one]
        case "concatenation":
            parts = [root * e, root * t, one]
        case "cosine":
            parts = [root * e, root * (e * t).sum(1, keepdim=True), one]
        case "product":
            parts = [root * e, root**2 * e * t, root * (e * t).sum(1, keepdim=True), one]
    return torch.cat(parts, dim=1)


@dataclass(frozen=True, kw_only=True)
class PerPrompt:
    """A feature of images, once for all prompts and once more for each: phi(x, c) = [f(x), f(x) 1(c = c_1), ...].

    For prompts that are names of classes, of which no text encoder knows anything. A prompt that is not in the list has
    what all have in common.

    Args:
        feature: f.
        prompts: c_1, c_2, ...

    Raises:
        ValueError: If there are no prompts, or one is there twice.
    """

    feature: Feature
    prompts: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.prompts or len(set(self.prompts)) < len(self.prompts):
            raise ValueError(f"prompts must be at least one, each once, got {self.prompts}")

    def of(self, x: Tensor, prompts: Sequence[str]) -> Float[Tensor, "n d"]:
        """Return phi(x, c), `[n, d (1 + number of prompts)]`; differentiable in x where f is."""
        phi = self.feature(x)
        place = {prompt: i for i, prompt in enumerate(self.prompts)}
        rows = torch.tensor([place.get(prompt, len(place)) for prompt in prompts], device=phi.device)
        own = functional.one_hot(rows, len(place) + 1)[:, :-1].to(phi)
        return torch.cat([phi, (own[:, :, None] * phi[:, None]).flatten(1)], dim=1)
