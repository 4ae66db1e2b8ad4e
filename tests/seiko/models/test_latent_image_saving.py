"""What is saved must compute, bit for bit, what was tuned, when diffusers itself reads it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from seiko.diffusion import Noise, draw
from seiko.models import FullFineTuning, LatentImageSource, LoRA, ModelPolicy
from seiko.models.random_pipeline import FAMILY_NAMES

OPTIONS: dict[str, Any] = {"num_steps": 2, "guidance": 3.0, "height": 16, "width": 16}


def image(model: Any, version: Any = "current") -> torch.Tensor:
    found: torch.Tensor = model.decode(draw(ModelPolicy(model, version), model.encode(["a cat"]), Noise.seeded(0, 1)))
    return found.detach()


@pytest.mark.parametrize("scale", [4.0, 6.5])
@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_diffusers_reads_our_adapter(
    family: str,
    scale: float,
    tmp_path: Path,
    pipeline_folder: Callable[[str], Path],
    stir: Callable[[Any], None],
) -> None:
    diffusers = pytest.importorskip("diffusers")
    folder = pipeline_folder(family)
    tuning = LoRA(rank=4, scale=scale, target_modules=("to_q", "to_k", "to_v", "to_out.0"))
    model = LatentImageSource(name=str(folder), tuning=tuning, **OPTIONS).load()
    before = image(model)
    stir(model)
    ours = image(model)
    model.save_pretrained(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["pytorch_lora_weights.safetensors"]

    pipeline = diffusers.DiffusionPipeline.from_pretrained(folder, use_safetensors=True)
    pipeline.load_lora_weights(tmp_path)
    # full fine-tuning calls the network as it is, with the adapter that diffusers put into it
    theirs = image(LatentImageSource(name=str(folder), tuning=FullFineTuning(), **OPTIONS).adapt(pipeline))
    assert not torch.equal(ours, before)
    assert torch.equal(theirs, ours)


def test_a_fully_tuned_model_is_a_pipeline(
    tmp_path: Path, pipeline_folder: Callable[[str], Path], stir: Callable[[Any], None]
) -> None:
    source = LatentImageSource(name=str(pipeline_folder("sd")), tuning=FullFineTuning(), **OPTIONS)
    model: Any = source.load()
    before = image(model)
    stir(model)
    model.save_pretrained(tmp_path)
    again = LatentImageSource(name=str(tmp_path), **OPTIONS).load()
    assert torch.equal(image(again), image(model))
    assert not torch.equal(image(model), before)
    assert not list(tmp_path.rglob("*.bin"))
