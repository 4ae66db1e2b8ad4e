"""Which latent image model to load, and how it may move: a pipeline from the hub or from a folder.

Only safetensors are read, and only the classes of diffusers and transformers: a repository's own code never runs. The
safety checker of Stable Diffusion 1 is not loaded, since it looks at images one by one after the fact and an oracle
must see what the model really draws; whoever shows images to others should put one behind `seiko sample`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch

from seiko.devices import device_named
from seiko.models.guidance import ClassifierFree
from seiko.models.latent_image import LatentImage
from seiko.models.latent_image_families import FAMILIES, process_of
from seiko.models.latent_image_text import PromptEncoder
from seiko.models.latent_image_vae import Autoencoder
from seiko.models.lean import lean
from seiko.models.recompute import recompute_blocks
from seiko.models.versions import LoRA, Tuning

__all__ = ["ATTENTION", "LatentImageSource"]

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
"""Layers of the attention that take adapters, in all four families."""

Precision = Literal["fp32", "bf16", "fp16"]
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True, kw_only=True)
class LatentImageSource:
    """A text-to-image model in diffusers' format.

    Args:
        name: Hub name or local folder of a `StableDiffusionPipeline`, `StableDiffusionXLPipeline`,
            `StableDiffusion3Pipeline` or `FluxPipeline`.
        tuning: Which weights move; LoRA on the attention's projections, as in the paper.
        guidance: Scale of classifier-free guidance; 1 for none. A distilled Flux is told it instead.
        negative: The prompt that guidance leads away from.
        num_steps: Denoising steps K.
        eta: Stochasticity; the updates rely on 1.
        end: Time at which a flow-matching model stops; above 0, so that every step has a density.
        height: Of the images, pixels; None for the size that the model was trained at.
        width: Likewise.
        precision: Of weights and computation. Adapters and latents stay in single precision. On CPUs without bf16
            units lower precision is slower; in fp16 gradients may underflow.
        batch: Images that pass through the network at a time.
        slicing: Decode images one at a time.
        seen: Side of the images as the reward model sees them, pixels: where labels are many, full images fill the
            memory; CLIP sees 224. None for as they are.
        checkpoint: What is computed again in the backward pass, in place of being kept: nothing (``"none"``), each
            denoising step as a whole (``"step"``), or its blocks one after the other (``"block"``, LoRA only: least
            memory).
        offload: Keep the text encoders in main memory and run them there; each prompt is encoded once.
        device: Where the network and the autoencoder run.
    """

    name: str
    tuning: Tuning = field(default_factory=lambda: LoRA(rank=4, scale=4.0, target_modules=ATTENTION))
    guidance: float = 7.5
    negative: str = ""
    num_steps: int = 50
    eta: float = 1.0
    end: float = 0.02
    height: int | None = None
    width: int | None = None
    precision: Precision = "fp32"
    batch: int = 8
    slicing: bool = False
    seen: int | None = None
    checkpoint: Literal["none", "step", "block"] = "step"
    offload: bool = False
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise ValueError(f"batch must be at least 1 image, got {self.batch}")
        if self.seen is not None and self.seen < 8:
            raise ValueError(f"seen must be a side of at least 8 pixels, got {self.seen}")
        if not self.guidance >= 0:
            raise ValueError(f"guidance must be at least 0 (1 is none), got {self.guidance}")
        if self.checkpoint == "block" and not isinstance(self.tuning, LoRA):
            raise ValueError("checkpoint 'block' needs LoRA: the versions of all weights are known a step at a time")

    def load(self) -> LatentImage | ClassifierFree[Any]:
        """Load the pipeline (safetensors only) and attach the three versions.

        Raises:
            FileNotFoundError: If there is no such model.
            ValueError: If it is of another class, or was trained in a way that is not followed here.
        """
        pipeline = self._pipeline()
        return self.adapt(pipeline)

    def adapt(self, pipeline: Any) -> LatentImage | ClassifierFree[Any]:
        """Return the model of a pipeline that is loaded; its network is changed in place."""
        family = FAMILIES[type(pipeline).__name__]
        device, autocast = device_named(self.device), None if self.precision == "fp32" else _DTYPES[self.precision]
        autoencoder = Autoencoder(
            torch.nn.Module.to(pipeline.vae, device, torch.float32),  # the decoder of XL overflows in half precision
            batch=self.batch,
            slicing=self.slicing,
            checkpoint=self.checkpoint != "none",
        )
        size, shape = self._size(pipeline, autoencoder)
        process = process_of(pipeline, size, self.num_steps, self.eta, self.end)
        versions = self.tuning.attach(family.denoiser(pipeline, size, self.guidance, autocast).to(device))
        for module in (getattr(versions, "backbone", None), pipeline.vae):
            if module is not None:
                lean(module)
        for parameter in versions.parameters():
            parameter.data = parameter.data.float()
        if self.checkpoint == "block":
            recompute_blocks(versions)
        encoders = torch.device("cpu") if self.offload else device
        for name, part in pipeline.components.items():
            if name.startswith("text_encoder") and part is not None:
                part.requires_grad_(False).eval().to(encoders)

        model = LatentImage(
            versions=versions,
            process=process,
            event_shape=shape,
            text=PromptEncoder(lambda prompts: family.embed(pipeline, prompts, encoders)),
            autoencoder=autoencoder,
            pipeline=pipeline,
            negative=self.negative,
            batch=self.batch,
            seen=self.seen,
            checkpoint=self.checkpoint == "step",
        )
        if self.guidance == 1 or not family.two_halves(pipeline):
            return model
        return ClassifierFree(model, self.guidance)

    def _pipeline(self) -> Any:
        try:
            import diffusers
        except ImportError as error:
            raise ImportError("image models need diffusers: pip install 'seiko[images]'") from error
        if self.name.startswith((".", "/", "~")) and not Path(self.name).expanduser().is_dir():
            raise FileNotFoundError(f"no image model at {self.name}: a folder in diffusers' format is needed")
        name = str(Path(self.name).expanduser()) if Path(self.name).expanduser().is_dir() else self.name
        try:
            kind = diffusers.DiffusionPipeline.load_config(name)["_class_name"]
        except OSError as error:
            raise FileNotFoundError(f"no image model {self.name!r}, as a folder or on the hub: {error}") from error
        if kind not in FAMILIES:
            raise ValueError(f"{self.name!r} is a {kind}; models that can be tuned: {', '.join(FAMILIES)}")
        left_out = (
            {"safety_checker": None, "requires_safety_checker": False} if kind == "StableDiffusionPipeline" else {}
        )
        with _quiet(diffusers):
            return getattr(diffusers, kind).from_pretrained(
                name, use_safetensors=True, torch_dtype=_DTYPES[self.precision], **left_out
            )

    def _size(self, pipeline: Any, autoencoder: Autoencoder) -> tuple[tuple[int, int], tuple[int, int, int]]:
        """Return height and width in pixels, and the shape of a latent."""
        own = autoencoder.downscaling * int(getattr(pipeline, "default_sample_size", None) or _sample_size(pipeline))
        size = (self.height or own, self.width or own)
        grain = autoencoder.downscaling * 2
        if any(side < grain or side % grain for side in size):
            raise ValueError(f"height and width must be multiples of {grain} pixels, got {size[0]} x {size[1]}")
        return size, (autoencoder.channels, size[0] // autoencoder.downscaling, size[1] // autoencoder.downscaling)


@contextmanager
def _quiet(diffusers: Any) -> Iterator[None]:
    """Hide progress bars of parts that load in a second, and a deprecation that new versions of diffusers announce."""
    from transformers.utils import logging

    bars = diffusers.utils.logging, logging
    shown = [bar.is_progress_bar_enabled() for bar in bars]
    for bar in bars:
        bar.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*torch_dtype", FutureWarning)
            yield
    finally:
        for bar, was in zip(bars, shown, strict=True):
            if was:
                bar.enable_progress_bar()


def _sample_size(pipeline: Any) -> int:
    network = pipeline.unet if hasattr(pipeline, "unet") else pipeline.transformer
    return int(network.config.sample_size)
