"""Images under Gaussian diffusion in pixel space: diffusers' `UNet2DModel`, class-conditional or not.

    state      [c, h, w] in [-1, 1]
    process    DDIM on the scheduler's betas; a U-Net that predicts eps, x_0 or v
    decode     (x + 1) / 2, clamped to [0, 1]: what a reward model and an oracle see

The last steps of a chain have almost no noise, so that the path KL of a pixel's change explodes there (the very last
has none at all with diffusers' defaults, and no density). With `stop` the chain ends while some noise is left, and
`decode` removes the rest by the *pretrained* U-Net, x_0_hat at that step: a fixed, differentiable function of the
state, with no KL of its own. An image that comes from outside (`ingest`) lies on the 8-bit grid; it has no noise, and
decode leaves it as it is.

A directory is diffusers': `unet/` and `scheduler/` (or both at its root), safetensors only; `seiko.json` beside them
names the classes and `stop`.

References:
    Ho, Jain, Abbeel, "Denoising Diffusion Probabilistic Models", 2020, https://arxiv.org/abs/2006.11239;
    Salimans, Ho, "Progressive Distillation for Fast Sampling of Diffusion Models", 2022,
    https://arxiv.org/abs/2202.00512 (appendix D: the velocity).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seiko.designs import INVALID, Design
from seiko.devices import device_named
from seiko.diffusion import DDIM, BetaSchedule, Conditioning, State, Step
from seiko.models.pixel_files import PixelFiles, read_pixel_model, save_pixel_model
from seiko.models.versions import FullFineTuning, Tuning, Versions
from seiko.priors import locate

__all__ = ["UNET_LAYERS", "PixelImage", "PixelImageSource", "PixelUNet"]

UNET_LAYERS = ("conv1", "conv2", "to_q", "to_k", "to_v", "to_out.0", "time_emb_proj")
"""Layers of a U-Net for `LoRA` to adapt: most of its weights lie in convolutions, which "all-linear" leaves out."""


class PixelUNet(nn.Module):
    """A U-Net of diffusers that returns its prediction alone.

    Args:
        unet: A `UNet2DModel`. If it has twice as many channels out as in, the second half is a learned variance,
            which the process does not use.
    """

    def __init__(self, unet: nn.Module) -> None:
        super().__init__()
        self.unet = unet

    def forward(self, x_t: Tensor, step: Tensor, labels: Tensor | None = None) -> Float[Tensor, "b c h w"]:
        """Return the prediction at training steps `[b]`."""
        return self.unet(x_t, step, class_labels=labels).sample[:, : x_t.shape[1]]  # type: ignore[no-any-return]


@dataclass(frozen=True)
class PixelImage:
    """A diffusion model of images in pixel space.

    Args:
        versions: A `PixelUNet` under its three versions.
        files: What its directory says: configuration of U-Net and scheduler, classes.
        num_steps: Denoising steps K.
        eta: Stochasticity of DDIM; memoryless at 1.
        stop: Training step at which the chain ends; None runs it to the data.
    """

    versions: Versions
    files: PixelFiles
    num_steps: int
    eta: float = 1.0
    stop: int | None = None

    def __post_init__(self) -> None:
        if self.stop is not None and self.files.conditional and self.files.null_class is None:
            raise ValueError(
                f"stop must be None for a model that cannot be asked without a class, got {self.stop}: `decode`, which "
                "removes the noise that is left, knows no class"
            )

    @property
    def event_shape(self) -> tuple[int, ...]:
        """(c, h, w)."""
        return self.files.event_shape

    @cached_property
    def schedule(self) -> BetaSchedule:
        """The scheduler's betas."""
        return self.files.schedule(self.stop)

    @cached_property
    def process(self) -> DDIM:
        """DDIM with K steps."""
        return DDIM(
            schedule=self.schedule,
            num_steps=self.num_steps,
            eta=self.eta,
            predicts=self.files.predicts,
            clip=self.files.clip,
        )

    def encode(self, prompts: Sequence[str | None]) -> Conditioning:
        """Return class labels `[n]`, one for each prompt; None stands for no class.

        Raises:
            ValueError: If a prompt is no class of this model, or the model takes none.
        """
        if not self.files.conditional:
            if named := [prompt for prompt in prompts if prompt is not None]:
                raise ValueError(f"this model takes no prompts, got {named[0]!r}: leave the recipe's prompts out")
            return None
        return torch.tensor([self.files.label(prompt) for prompt in prompts], device=self.versions.device)

    def unconditional(self, n: int) -> Tensor:
        """Return n rows of the class that means none, which classifier-free guidance leads away from.

        Raises:
            ValueError: If the model takes no classes, or was trained with none left out.
        """
        if not self.files.conditional:
            raise ValueError("guidance needs a model that takes classes, this one takes none: leave guidance out")
        return torch.full((n,), self.files.label(None), device=self.versions.device)

    def predict(self, x_t: State, k: Step, conditioning: Conditioning = None) -> Float[Tensor, "b c h w"]:
        """Return eps, x_0_hat or v, whichever the model was trained for."""
        t = self.process.times.to(x_t.device)[torch.as_tensor(k, device=x_t.device)]
        return self._ask(x_t, t, conditioning)

    def decode(self, x_0: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Return pixels in [0, 1]; differentiable."""
        if self.stop is None:
            return ((x_0 + 1) / 2).clamp(0, 1)
        t = self.process.times[0].to(x_0.device)
        with self.versions.use("pretrained"):
            denoised = self.process.denoised(self._ask(x_0, t, None), x_0, t)
        pixels = torch.where(_on_grid(x_0), x_0, denoised)
        return ((pixels + 1) / 2).clamp(0, 1)

    def observe(self, designs: Sequence[Design]) -> Float[Tensor, "n c h w"]:
        """Return the pixels of images, in [0, 1].

        Raises:
            ValueError: If one is no image, comes without its PNG, or is not of this model's size.
        """
        return (self.ingest(designs) + 1) / 2

    def distance(self, x: Float[Tensor, "n c h w"], z: Float[Tensor, "m c h w"]) -> Float[Tensor, "n m"]:
        """Return the root of the mean squared difference of pixels, 0 to 1."""
        first = self.decode(x).flatten(1)
        second = first if z is x else self.decode(z).flatten(1)  # to decode takes a pass through the network
        return torch.cdist(first, second) / math.sqrt(first.shape[1])

    @torch.no_grad()
    def export(self, x_0: Float[Tensor, "n c h w"]) -> list[Design]:
        """Return final states as PNG images; a state that is not finite becomes a design of kind "invalid"."""
        from seiko.imaging import image_design

        finite = x_0.flatten(1).isfinite().all(1).tolist()
        pixels = self.decode(x_0.nan_to_num(0.0, 0.0, 0.0))
        return [
            image_design(image) if good else Design("not finite", INVALID)
            for image, good in zip(pixels, finite, strict=True)
        ]

    def ingest(self, designs: Sequence[Design]) -> Float[Tensor, "n c h w"]:
        """Return images as clean states.

        Raises:
            ValueError: If one is no image, comes without its PNG, or is not of this model's size.
        """
        from seiko.imaging import pixels_of

        if not designs:
            return torch.zeros(0, *self.event_shape, device=self.versions.device)
        pixels = pixels_of(designs)
        if tuple(pixels.shape[1:]) != self.event_shape:
            raise ValueError(
                f"images of this model are {list(self.event_shape)} (channels, height, width), got "
                f"{list(pixels.shape[1:])}"
            )
        return (pixels * 2 - 1).to(self.versions.device)

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write the current version in diffusers' format, so that `PixelImageSource` reads it back."""
        network = self.versions.merged()
        assert isinstance(network, PixelUNet)
        return save_pixel_model(network.unet, self.files, folder)

    def _ask(self, x_t: Tensor, t: Tensor, labels: Tensor | None) -> Tensor:
        if labels is None and self.files.conditional:
            if self.files.null_class is None:
                raise ValueError("this model draws only what a class is asked for: give the recipe prompts")
            labels = torch.full((len(x_t),), self.files.null_class, device=x_t.device)
        step = self.schedule.training_step(t).expand(len(x_t))
        return self.versions(x_t, step, labels)


def _on_grid(x: Float[Tensor, "b c h w"]) -> Tensor:
    """Return `[b, 1, 1, 1]`, whether every pixel of a state is one of the 256 that a PNG holds."""
    level = (x.detach() + 1) * 127.5
    return ((level - level.round()).abs() < 1e-4).flatten(1).all(1)[:, None, None, None]


@dataclass(frozen=True, kw_only=True)
class PixelImageSource:
    """Which pixel diffusion model to load, and how it may move.

    Args:
        name: A local directory in diffusers' format, a hub name, or ``"seiko:mnist"``, which travels in the package.
        tuning: `FullFineTuning` for small backbones, `LoRA(target_modules=UNET_LAYERS)` for large ones.
        num_steps: Denoising steps K.
        eta: Stochasticity of DDIM; the updates rely on 1.
        stop: Training step at which the chain ends; None: what the model's `seiko.json` says, else the data.
        device: Where the model runs.
    """

    name: str = "seiko:mnist"
    tuning: Tuning = field(default_factory=FullFineTuning)
    num_steps: int = 20
    eta: float = 1.0
    stop: int | None = None
    device: str = "cpu"

    def locate(self) -> Path:
        """Return the directory; one from the hub is downloaded, weights as safetensors only.

        Raises:
            FileNotFoundError: If the name is a path that does not exist, or no shipped prior has it.
        """
        where = locate(self.name)
        if isinstance(where, Path):
            return where
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(where, allow_patterns=["*.json", "unet/*.json", "scheduler/*.json", *_WEIGHTS]))

    def load(self) -> PixelImage:
        """Load the weights (safetensors only) and attach the three versions.

        Raises:
            FileNotFoundError: If there is no such model.
            ValueError: If what is there is no pixel diffusion model, or its scheduler is none that DDIM can follow.
        """
        unet, files = read_pixel_model(self.locate(), self.name)
        return self.attach(unet, files)

    def attach(self, unet: Any, files: PixelFiles) -> PixelImage:
        """Return the model of a U-Net that is in memory: one just trained, or of random weights."""
        versions = self.tuning.attach(PixelUNet(unet).to(device_named(self.device)))
        stop = files.stop if self.stop is None else self.stop
        return PixelImage(versions, files, self.num_steps, self.eta, stop)


_WEIGHTS = ("*.safetensors", "unet/*.safetensors")
