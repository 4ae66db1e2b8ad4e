"""The networks of four families behind one call: state, time, embeddings -> prediction.

    Stable Diffusion 1.x, 2.x   U-Net            eps or v at training step i      text
    Stable Diffusion XL         U-Net            eps or v at training step i      text, pooled text, image sizes
    Stable Diffusion 3          transformer      velocity at 1000 t               text, pooled text
    Flux                        transformer      velocity at t                    text, pooled text, perhaps guidance

A denoiser is one module, so that versions of its weights (`seiko.models.versions`) wrap it whole. States are
`[c, h, w]` latents in all four; Flux's are cut into patches of 2 by 2 here and put together again.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["Denoiser", "FluxDenoiser", "SD3Denoiser", "SDXLDenoiser", "UNetDenoiser"]


class Denoiser(nn.Module):
    """A network of diffusers, called alike in all families.

    Args:
        network: U-Net or transformer.
        autocast: Lower precision in which it computes; None for that of its weights. Its output is the state's.
    """

    def __init__(self, network: nn.Module, autocast: torch.dtype | None = None) -> None:
        super().__init__()
        self.network = network
        self.autocast = autocast

    def forward(self, x_t: Float[Tensor, "b c h w"], t: Float[Tensor, "b"], **embeddings: Tensor) -> Tensor:
        """Return the prediction at times t (1 noise, 0 data)."""
        with torch.autocast(x_t.device.type, self.autocast, enabled=self.autocast is not None):
            found = self._call(x_t, t, **embeddings)
        return found.to(x_t.dtype)

    def _call(self, x_t: Tensor, t: Tensor, **embeddings: Tensor) -> Tensor:
        raise NotImplementedError


class UNetDenoiser(Denoiser):
    """Stable Diffusion 1.x and 2.x.

    Args:
        network: `UNet2DConditionModel`.
        train_steps: Training steps that t = 1 stands for.
        autocast: See `Denoiser`.
    """

    def __init__(self, network: nn.Module, train_steps: int, autocast: torch.dtype | None = None) -> None:
        super().__init__(network, autocast)
        self.train_steps = train_steps

    def _steps(self, t: Tensor) -> Tensor:
        return (t * self.train_steps).round().long() - 1

    def _call(self, x_t: Tensor, t: Tensor, **embeddings: Tensor) -> Tensor:
        found: Tensor = self.network(x_t, self._steps(t), embeddings["text"], return_dict=False)[0]
        return found


class SDXLDenoiser(UNetDenoiser):
    """Stable Diffusion XL: the U-Net is told the size of the image too, here that of an uncropped one.

    Args:
        network: `UNet2DConditionModel`.
        train_steps: Training steps that t = 1 stands for.
        size: Height and width, pixels.
        autocast: See `Denoiser`.
    """

    def __init__(
        self, network: nn.Module, train_steps: int, size: tuple[int, int], autocast: torch.dtype | None = None
    ) -> None:
        super().__init__(network, train_steps, autocast)
        self.size = size

    def _call(self, x_t: Tensor, t: Tensor, **embeddings: Tensor) -> Tensor:
        pooled = embeddings["pooled"]
        sizes = torch.tensor([*self.size, 0, 0, *self.size], device=x_t.device).to(pooled.dtype)
        added = {"text_embeds": pooled, "time_ids": sizes.expand(len(x_t), -1)}
        found: Tensor = self.network(
            x_t, self._steps(t), embeddings["text"], added_cond_kwargs=added, return_dict=False
        )[0]
        return found


class SD3Denoiser(Denoiser):
    """Stable Diffusion 3 and 3.5."""

    def _call(self, x_t: Tensor, t: Tensor, **embeddings: Tensor) -> Tensor:
        found: Tensor = self.network(
            hidden_states=x_t,
            timestep=1000 * t.to(x_t.dtype),
            encoder_hidden_states=embeddings["text"],
            pooled_projections=embeddings["pooled"],
            return_dict=False,
        )[0]
        return found


class FluxDenoiser(Denoiser):
    """Flux; a distilled one takes the guidance scale as an input and needs one pass.

    Args:
        network: `FluxTransformer2DModel`.
        guidance: Scale that a distilled network is told; of no effect on one that is not.
        autocast: See `Denoiser`.
    """

    def __init__(self, network: nn.Module, guidance: float, autocast: torch.dtype | None = None) -> None:
        super().__init__(network, autocast)
        self.guidance = guidance

    def _call(self, x_t: Tensor, t: Tensor, **embeddings: Tensor) -> Tensor:
        network: Any = self.network
        b, _, height, width = x_t.shape
        patches = nn.functional.pixel_unshuffle(x_t, 2).flatten(2).transpose(1, 2)
        rows = torch.arange(height // 2, device=x_t.device, dtype=x_t.dtype)
        columns = torch.arange(width // 2, device=x_t.device, dtype=x_t.dtype)
        places = torch.stack([torch.zeros(()).to(x_t).expand(len(rows), len(columns)), *_grid(rows, columns)], -1)
        told = torch.full((b,), self.guidance, device=x_t.device) if network.config.guidance_embeds else None
        found = network(
            hidden_states=patches,
            timestep=t.to(x_t.dtype),
            guidance=told,
            encoder_hidden_states=embeddings["text"],
            pooled_projections=embeddings["pooled"],
            txt_ids=torch.zeros(embeddings["text"].shape[1], 3, device=x_t.device, dtype=x_t.dtype),
            img_ids=places.flatten(0, 1),
            return_dict=False,
        )[0]
        return nn.functional.pixel_shuffle(torch.unflatten(found.transpose(1, 2), 2, (height // 2, width // 2)), 2)


def _grid(rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    first, second = torch.meshgrid(rows, columns, indexing="ij")
    return first, second
