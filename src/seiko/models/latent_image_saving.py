"""A tuned latent model as files that diffusers reads: a LoRA adapter, or a whole pipeline.

An adapter is `pytorch_lora_weights.safetensors` with its rank and scale as metadata, so that what
`pipeline.load_lora_weights(folder)` makes computes the same as what was tuned. Other weights are written as a pipeline
in diffusers' folder layout. Safetensors in both cases.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from seiko.models.latent_image_denoisers import Denoiser
from seiko.models.versions import Versions

__all__ = ["backbone_name", "save"]


def backbone_name(pipeline: Any) -> str:
    """Return what a pipeline calls its network: ``"unet"`` or ``"transformer"``."""
    return "unet" if hasattr(pipeline, "unet") else "transformer"


def save(pipeline: Any, versions: Versions, folder: Path) -> Path:
    """Write the current version of a pipeline's network; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    denoiser = getattr(versions, "backbone", None)
    config = getattr(denoiser, "peft_config", None)
    if isinstance(denoiser, Denoiser) and config:
        name = backbone_name(pipeline)
        layers = {
            key.removeprefix("network.").replace(".current.", "."): value.contiguous().cpu()
            for key, value in versions.state_dict().items()
        }
        pipeline.save_lora_weights(
            folder,
            **{f"{name}_lora_layers": layers, f"{name}_lora_adapter_metadata": _metadata(config["current"], layers)},
        )
        return folder
    merged = versions.merged()
    assert isinstance(merged, Denoiser)
    _with_network(pipeline, merged.network).save_pretrained(folder, safe_serialization=True)
    return folder


def _metadata(config: Any, layers: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = config.to_dict()
    modules = sorted({key.rpartition(".lora_")[0] for key in layers})
    found["target_modules"] = modules
    return {key: value.value if hasattr(value, "value") else value for key, value in found.items() if _plain(value)}


def _plain(value: Any) -> bool:
    return value is None or isinstance(value, (str, int, float, bool, list, dict))


def _with_network(pipeline: Any, network: nn.Module) -> Any:
    """Return a pipeline of the same parts with another network."""
    return type(pipeline)(**{**pipeline.components, backbone_name(pipeline): network})
