"""Latent diffusion models of diffusers' four families behind one face.

    prompt -> conditioning -> prediction at x_t -> transition          x_0 -> autoencoder -> pixels in [0, 1]

A state is a latent `[c, h, w]`; a design is the PNG of what it decodes to, so that the oracle, the reward model and
people see pixels. Reading a design back encodes its pixels, which gives the latent up to the autoencoder's loss and not
the one that was drawn. Guidance is not here: `ClassifierFree` wraps this model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from seiko.designs import Design
from seiko.diffusion import DDIM, Conditioning, Flow, State, Step
from seiko.models.latent_image_text import PromptEncoder, to_bytes
from seiko.models.latent_image_vae import Autoencoder
from seiko.models.versions import Versions

__all__ = ["LatentImage"]


@dataclass(frozen=True)
class LatentImage:
    """A latent diffusion model.

    Args:
        versions: A `Denoiser` under its three versions.
        process: DDIM for noise- and velocity-predicting U-Nets, `Flow` for flow-matching transformers.
        event_shape: (c, h, w) of a latent.
        text: Embeds prompts.
        autoencoder: Latents to pixels.
        pipeline: The pipeline of diffusers that the parts are from.
        negative: What "no prompt" is under guidance.
        batch: Latents that pass through the network at a time; bounds memory, and decides nothing else.
        seen: Side of the images as the reward model sees them, pixels; None for as they are.
        checkpoint: Whether an update should recompute each step's activations (`ModelPolicy.checkpoint`).
    """

    versions: Versions
    process: DDIM | Flow
    event_shape: tuple[int, int, int]
    text: PromptEncoder
    autoencoder: Autoencoder
    pipeline: Any
    negative: str = ""
    batch: int = 8
    seen: int | None = None
    checkpoint: bool = False

    def encode(self, prompts: Sequence[str]) -> UInt8[Tensor, "n width"]:
        """Return one row of conditioning for each prompt."""
        return to_bytes(prompts)

    def unconditional(self, n: int) -> UInt8[Tensor, "n width"]:
        """Return n rows of the negative prompt, which is empty by default."""
        return to_bytes([self.negative]).expand(n, -1)

    def predict(self, x_t: State, k: Step, conditioning: Conditioning = None) -> State:
        """Return the network's prediction: noise, or a velocity, as its process has it."""
        rows = self.unconditional(len(x_t)) if conditioning is None else conditioning
        t = self.process.times.to(x_t.device)[torch.as_tensor(k, device=x_t.device)].expand(len(x_t))
        parts = zip(*(torch.split(part, self.batch) for part in (x_t, t, rows)), strict=True)
        return torch.cat([self.versions(x, at, **self._embeddings(row, x.device)) for x, at, row in parts])

    def _embeddings(self, rows: Tensor, device: torch.device) -> dict[str, Tensor]:
        return {name: value.to(device) for name, value in self.text(rows).items()}

    def decode(self, x_0: State) -> Float[Tensor, "n 3 height width"]:
        """Return pixels in [0, 1] as the reward model sees them; the gradient runs through the autoencoder."""
        return self._shrink(self.autoencoder.decode(x_0))

    def _shrink(self, pixels: Tensor) -> Tensor:
        if self.seen is None or min(pixels.shape[-2:]) <= self.seen:
            return pixels
        scale = self.seen / min(pixels.shape[-2:])
        size = [round(side * scale) for side in pixels.shape[-2:]]
        found: Tensor = torch.nn.functional.interpolate(pixels, size, mode="bicubic", antialias=True).clamp(0, 1)
        return found

    def distance(self, x: State, z: State) -> Float[Tensor, "n m"]:
        """Return the root mean square difference of latents, whose coordinates have a standard deviation near 1."""
        found: Tensor = torch.cdist(x.flatten(1), z.flatten(1)) / x[0].numel() ** 0.5
        return found

    @torch.no_grad()
    def export(self, x_0: State) -> list[Design]:
        """Return final states as images; what they were drawn for is not theirs to say."""
        from seiko.imaging import image_design

        parts = torch.split(x_0, self.batch)
        return [image_design(pixels) for part in parts for pixels in self.autoencoder.decode(part).float().cpu()]

    def ingest(self, designs: Sequence[Design]) -> State:
        """Return images as latents, by the autoencoder's encoder.

        Raises:
            ValueError: If one is no image, comes without its file, or has not this model's size.
        """
        if not designs:
            return torch.zeros(0, *self.event_shape, device=self._device)
        return self.autoencoder.encode(self._pixels(designs))

    def observe(self, designs: Sequence[Design]) -> Float[Tensor, "n 3 height width"]:
        """Return images as the reward model sees them, from their files; raises as `ingest` does."""
        return self._shrink(self._pixels(designs))

    def _pixels(self, designs: Sequence[Design]) -> Float[Tensor, "n 3 height width"]:
        from seiko.imaging import pixels_of

        pixels = pixels_of(designs)
        size = [3, *(self.autoencoder.downscaling * side for side in self.event_shape[1:])]
        if list(pixels.shape[1:]) != size:
            raise ValueError(f"image {designs[0].content[:12]} is {list(pixels.shape[1:])}, this model's are {size}")
        return pixels.to(self._device)

    @property
    def _device(self) -> torch.device:
        found: torch.device = next(self.autoencoder.vae.parameters()).device
        return found

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write the current version: an adapter that `pipeline.load_lora_weights` reads, else the whole pipeline."""
        from seiko.models.latent_image_saving import save

        return save(self.pipeline, self.versions, Path(folder))
