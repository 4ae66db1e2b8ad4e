"""The class-conditional pixel model of ImageNet at 64 pixels, as a configuration: sizes and schedule, no weights.

    296 M parameters: 192 to 768 channels, three residual blocks a resolution, attention at 32, 16 and 8 pixels,
    1,000 classes; squared-cosine betas, prediction of the noise beside a learned variance that DDIM does not use

It is the architecture that was trained for ImageNet in the papers below, in the words of diffusers' `UNet2DModel`. With
random weights it says what a step costs; to draw images, point `PixelImageSource` at trained ones.

References:
    Dhariwal, Nichol, "Diffusion Models Beat GANs on Image Synthesis", 2021, https://arxiv.org/abs/2105.05233 (table 11
    in appendix I: hyperparameters of ImageNet 64x64).
"""

from __future__ import annotations

from typing import Any

import torch

from seiko.models.pixel_files import PixelFiles, build_unet

__all__ = ["IMAGENET_64", "random_imagenet_64"]

_UNET: dict[str, Any] = {
    "sample_size": 64,
    "in_channels": 3,
    "out_channels": 6,
    "num_class_embeds": 1000,
    "block_out_channels": [192, 384, 576, 768],
    "layers_per_block": 3,
    "attention_head_dim": 64,
    "down_block_types": ["ResnetDownsampleBlock2D", *["AttnDownBlock2D"] * 3],
    "up_block_types": [*["AttnUpBlock2D"] * 3, "ResnetUpsampleBlock2D"],
    "resnet_time_scale_shift": "scale_shift",
    "attn_norm_num_groups": 32,
    "downsample_type": "resnet",
    "upsample_type": "resnet",
}
_SCHEDULER: dict[str, Any] = {
    "num_train_timesteps": 1000,
    "beta_schedule": "squaredcos_cap_v2",
    "prediction_type": "epsilon",
    "timestep_spacing": "leading",
    "steps_offset": 1,
    "set_alpha_to_one": False,
    "clip_sample": True,
}

IMAGENET_64 = PixelFiles(unet=_UNET, scheduler=_SCHEDULER)
"""Sizes and schedule."""


def random_imagenet_64(seed: int = 0) -> Any:
    """Return the U-Net with random weights: for shapes, memory and time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build_unet(_UNET)
