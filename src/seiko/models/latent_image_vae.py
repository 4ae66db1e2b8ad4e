"""From latents to pixels and back, through a frozen autoencoder of diffusers.

    pixels = clamp(D(x_0 / scale + shift) / 2 + 1/2)          x_0 = (E(2 pixels - 1) - shift) * scale

Decoding is differentiable and lies inside of the reward's gradient. At 512 pixels the activations of one decoder pass
take gigabytes: images are decoded a few at a time, and, where a gradient is kept, recomputed block by block backwards.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["Autoencoder"]


class Autoencoder:
    """A frozen variational autoencoder.

    Args:
        vae: `diffusers.AutoencoderKL`.
        batch: Images decoded at a time.
        slicing: Decode one image at a time, diffusers' `enable_slicing`.
        checkpoint: Recompute the decoder's activations in the backward pass.
    """

    def __init__(self, vae: Any, *, batch: int, slicing: bool = False, checkpoint: bool = True) -> None:
        self.vae = vae.requires_grad_(False).eval()
        self.batch = batch
        if slicing:
            self.vae.enable_slicing()
        if checkpoint:  # its weights have no versions, so that recomputing them late is safe
            self.vae.enable_gradient_checkpointing()
        self.scale = float(vae.config.scaling_factor)
        self.shift = float(getattr(vae.config, "shift_factor", None) or 0.0)

    @property
    def downscaling(self) -> int:
        """Pixels along one side of a latent."""
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))

    @property
    def channels(self) -> int:
        """Channels of a latent."""
        return int(self.vae.config.latent_channels)

    def decode(self, x_0: Float[Tensor, "n c h w"]) -> Float[Tensor, "n 3 height width"]:
        """Return pixels in [0, 1]."""
        weight = next(self.vae.parameters())
        latents = (x_0 / self.scale + self.shift).to(weight)
        parts = [self.vae.decode(part, return_dict=False)[0] for part in torch.split(latents, self.batch)]
        return (torch.cat(parts).to(x_0.dtype) / 2 + 0.5).clamp(0, 1)

    @torch.no_grad()
    def encode(self, pixels: Float[Tensor, "n 3 height width"]) -> Float[Tensor, "n c h w"]:
        """Return the most probable latents of pixels in [0, 1]."""
        weight = next(self.vae.parameters())
        parts = [
            self.vae.encode((2 * part - 1).to(weight)).latent_dist.mode() for part in torch.split(pixels, self.batch)
        ]
        return (torch.cat(parts).to(pixels.dtype) - self.shift) * self.scale
