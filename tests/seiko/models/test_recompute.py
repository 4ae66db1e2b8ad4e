from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from seiko.diffusion import GradientWindow, Noise, path_kl, rollout
from seiko.models import FullFineTuning, LatentImageSource, LoRA, ModelPolicy


def gradient(folder: Path, stir: Callable[[Any], None], checkpoint: Any, plain: bool = False) -> torch.Tensor:
    model: Any = LatentImageSource(
        name=str(folder), num_steps=3, guidance=3.0, height=16, width=16, checkpoint=checkpoint
    ).load()
    if plain:  # diffusers' own, which knows no versions
        model.versions.backbone.network.enable_gradient_checkpointing()
    stir(model)
    rows = model.encode(["a cat"])
    trajectory = rollout(ModelPolicy(model), rows, Noise.seeded(0, 1), gradient=GradientWindow(2))
    kl = path_kl(trajectory, ModelPolicy(model, "pretrained")).mean()
    (kl - model.decode(trajectory.x_0).square().sum()).backward()
    return torch.cat([p.grad.flatten() for p in model.versions.parameters() if p.grad is not None])


@pytest.mark.parametrize("family", ["sd", "sdxl", "sd3", "flux"])
def test_recomputing_leaves_the_gradient_as_it_is(
    family: str, pipeline_folder: Callable[[str], Path], stir: Callable[[Any], None]
) -> None:
    folder = pipeline_folder(family)
    kept = gradient(folder, stir, "none")
    assert float(kept.norm()) > 0
    torch.testing.assert_close(gradient(folder, stir, "step"), kept, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(gradient(folder, stir, "block"), kept, atol=1e-5, rtol=1e-4)


def test_recomputing_without_versions_fails(
    pipeline_folder: Callable[[str], Path], stir: Callable[[Any], None]
) -> None:
    with pytest.raises(torch.utils.checkpoint.CheckpointError):
        gradient(pipeline_folder("sd"), stir, "none", plain=True)


def test_blocks_need_lora() -> None:
    with pytest.raises(ValueError, match="needs LoRA"):
        LatentImageSource(name="x", tuning=FullFineTuning(), checkpoint="block")
    LatentImageSource(name="x", tuning=LoRA(), checkpoint="block")
