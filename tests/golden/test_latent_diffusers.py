"""Our four adapters against the pipelines of diffusers: the same start, no noise, the same image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from seiko.diffusion import Noise, draw
from seiko.models import LatentImageSource, ModelPolicy, RandomPipeline

diffusers = pytest.importorskip("diffusers")

STEPS, SCALE, PROMPT = 4, 3.0, "a cat, 3 dogs"
ATOL = 1e-5
CASES: dict[str, dict[str, Any]] = {
    "sd": {},
    "sd-velocity": {"predicts": "v_prediction"},
    "sdxl": {},
    "sd3": {},
    "flux": {},
    "flux-distilled": {"distilled": True},
}


@pytest.mark.parametrize("case", CASES)
def test_images_agree(case: str, tmp_path: Path) -> None:
    family: Any = case.partition("-")[0]
    folder = RandomPipeline(family=family, **CASES[case]).save(tmp_path / case)
    model = LatentImageSource(
        name=str(folder), num_steps=STEPS, eta=0.0, end=0.0, guidance=SCALE, height=16, width=16
    ).load()
    noise = Noise.seeded(0, 1)
    start = model.process.prior(model.event_shape, noise)
    policy: Any = ModelPolicy(model, "pretrained")
    ours, other = (
        model.decode(draw(policy, model.encode([prompt]), noise, start=start)) for prompt in (PROMPT, "zebra")
    )
    assert float((ours - other).abs().max()) > 20 * ATOL  # else the agreement would say nothing about the text

    pipeline = diffusers.DiffusionPipeline.from_pretrained(folder, use_safetensors=True)
    pipeline.set_progress_bar_config(disable=True)
    options: dict[str, Any] = {"guidance_scale": SCALE, "num_inference_steps": STEPS}
    latents = start.clone()
    if family in ("sd3", "flux"):
        options["sigmas"] = torch.linspace(1, 0, STEPS + 1)[:-1].tolist()
    if family == "flux":
        latents = pipeline._pack_latents(latents, 1, 4, 8, 8)
    if case == "flux":  # not distilled: guidance by two passes
        options |= {"true_cfg_scale": SCALE, "negative_prompt": ""}
    theirs = pipeline(PROMPT, latents=latents, height=16, width=16, output_type="pt", **options).images
    torch.testing.assert_close(ours, theirs, atol=ATOL, rtol=0)
