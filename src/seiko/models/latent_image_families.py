"""What differs between the families: prompts to embeddings, the network's call, and the process its training asks for.

    scheduler's `prediction_type` epsilon, v_prediction  ->  DDIM on the schedule of its betas
    FlowMatchEulerDiscreteScheduler                      ->  Flow, with its shift of the times

Everything is read off the pipeline's own configuration; what this library's processes cannot follow is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch

from seiko.diffusion import DDIM, BetaSchedule, Flow, FlowSchedule
from seiko.models.latent_image_denoisers import Denoiser, FluxDenoiser, SD3Denoiser, SDXLDenoiser, UNetDenoiser
from seiko.models.latent_image_text import Embeddings

__all__ = ["FAMILIES", "Family", "process_of"]

_PREDICTS: Mapping[str, Literal["noise", "data", "velocity"]] = {
    "epsilon": "noise",
    "sample": "data",
    "v_prediction": "velocity",
}

_BETAS: Mapping[str, Literal["linear", "scaled_linear", "squared_cosine"]] = {
    "linear": "linear",
    "scaled_linear": "scaled_linear",
    "squaredcos_cap_v2": "squared_cosine",
}


@dataclass(frozen=True)
class Family:
    """How one class of pipelines is used.

    Args:
        embed: Prompts to embeddings, through the pipeline's own text encoders.
        denoiser: Makes the network callable: of the pipeline, the image's size in pixels, the guidance scale and the
            precision of autocast.
        two_halves: Whether guidance takes a pass without the prompt; None if the network's configuration says.
    """

    embed: Callable[[Any, list[str], torch.device], Embeddings]
    denoiser: Callable[[Any, tuple[int, int], float, torch.dtype | None], Denoiser]
    two_halves: Callable[[Any], bool] = lambda pipeline: True


def _embed_sd(pipeline: Any, prompts: list[str], device: torch.device) -> Embeddings:
    text = pipeline.encode_prompt(prompts, device, 1, False)[0]
    return {"text": text}


def _embed_sdxl(pipeline: Any, prompts: list[str], device: torch.device) -> Embeddings:
    text, _, pooled, _ = pipeline.encode_prompt(prompts, device=device, do_classifier_free_guidance=False)
    if pipeline.config.force_zeros_for_empty_prompt:
        given = torch.tensor([bool(prompt) for prompt in prompts], device=text.device).to(text.dtype)
        text, pooled = text * given[:, None, None], pooled * given[:, None]
    return {"text": text, "pooled": pooled}


def _embed_sd3(pipeline: Any, prompts: list[str], device: torch.device) -> Embeddings:
    text, _, pooled, _ = pipeline.encode_prompt(prompts, prompts, prompts, device, do_classifier_free_guidance=False)
    return {"text": text, "pooled": pooled}


def _embed_flux(pipeline: Any, prompts: list[str], device: torch.device) -> Embeddings:
    text, pooled, _ = pipeline.encode_prompt(prompts, None, device)
    return {"text": text, "pooled": pooled}


def _train_steps(pipeline: Any) -> int:
    return int(pipeline.scheduler.config.num_train_timesteps)


FAMILIES: Mapping[str, Family] = {
    "StableDiffusionPipeline": Family(
        _embed_sd, lambda pipe, size, scale, autocast: UNetDenoiser(pipe.unet, _train_steps(pipe), autocast)
    ),
    "StableDiffusionXLPipeline": Family(
        _embed_sdxl, lambda pipe, size, scale, autocast: SDXLDenoiser(pipe.unet, _train_steps(pipe), size, autocast)
    ),
    "StableDiffusion3Pipeline": Family(
        _embed_sd3, lambda pipe, size, scale, autocast: SD3Denoiser(pipe.transformer, autocast)
    ),
    "FluxPipeline": Family(
        _embed_flux,
        lambda pipe, size, scale, autocast: FluxDenoiser(pipe.transformer, scale, autocast),
        lambda pipe: not pipe.transformer.config.guidance_embeds,
    ),
}
"""Pipelines of diffusers that can be tuned, by class name."""


def process_of(pipeline: Any, size: tuple[int, int], num_steps: int, eta: float, end: float) -> DDIM | Flow:
    """Return the reverse process that a pipeline's network was trained for.

    Args:
        pipeline: The pipeline; its scheduler's configuration is read.
        size: Height and width, pixels; large images of Flux are drawn on later times.
        num_steps: Denoising steps K.
        eta: Stochasticity; memoryless at 1.
        end: Time at which a flow stops.

    Raises:
        ValueError: If the configuration asks for what these processes do not do; the value is named.
    """
    config = pipeline.scheduler.config
    if "beta_schedule" not in config:
        return Flow(schedule=FlowSchedule(shift=_shift(pipeline, size), end=end), num_steps=num_steps, eta=eta)
    kind, predicts = config.beta_schedule, _PREDICTS.get(config.prediction_type)
    if kind not in _BETAS or config.get("trained_betas") is not None:
        raise ValueError(f"the scheduler's betas must be one of {', '.join(_BETAS)}, got {kind!r} or betas of its own")
    if config.get("rescale_betas_zero_snr"):
        raise ValueError("the scheduler has rescale_betas_zero_snr, which is not followed here: use a model without it")
    if predicts is None:
        raise ValueError(
            f"the scheduler's prediction_type must be one of {', '.join(_PREDICTS)}, got {config.prediction_type!r}"
        )
    schedule = BetaSchedule(
        kind=_BETAS[kind],
        num_train_steps=config.num_train_timesteps,
        beta_start=config.beta_start,
        beta_end=config.beta_end,
        offset=config.get("steps_offset", 0),
        spacing="trailing" if config.get("timestep_spacing") == "trailing" else "leading",
        end_at_data=False,  # the last step must keep noise, or it has no density
    )
    return DDIM(schedule=schedule, num_steps=num_steps, eta=eta, predicts=predicts)


def _shift(pipeline: Any, size: tuple[int, int]) -> float:
    config = pipeline.scheduler.config
    if not config.get("use_dynamic_shifting"):
        return float(config.get("shift", 1.0))
    patches = (size[0] // pipeline.vae_scale_factor // 2) * (size[1] // pipeline.vae_scale_factor // 2)
    few, many = config.get("base_image_seq_len", 256), config.get("max_image_seq_len", 4096)
    low, high = config.get("base_shift", 0.5), config.get("max_shift", 1.15)
    return math.exp(low + (high - low) * (patches - few) / (many - few))
