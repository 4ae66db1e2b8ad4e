"""ImageNet at 64 pixels: the real configuration on small channels, and at full size with random weights."""

from __future__ import annotations

import dataclasses
import json
import os
import resource
import subprocess
import sys
from typing import Any

import pytest

pytest.importorskip("diffusers")

from seiko.config import from_json, to_json
from seiko.diffusion import Noise, rollout
from seiko.models import IMAGENET_64, UNET_LAYERS, LoRA, ModelPolicy, PixelImageSource
from seiko.models.pixel_files import build_unet

FULL = """
import json, resource, time
import torch
from seiko.diffusion import Noise
from seiko.models import IMAGENET_64, UNET_LAYERS, LoRA, ModelPolicy, PixelImageSource, random_imagenet_64
from seiko.updates import Anchor, DirectBackprop, Problem

torch.set_num_threads(1)
unet = random_imagenet_64()
parameters = sum(p.numel() for p in unet.parameters())
source = PixelImageSource(name="random", tuning=LoRA(rank=8, target_modules=UNET_LAYERS), num_steps=2)
model = source.attach(unet, IMAGENET_64)
policy, pretrained = ModelPolicy(model, checkpoint=True), ModelPolicy(model, "pretrained")
problem = Problem(lambda x_0: model.decode(x_0).flatten(1).mean(1), (Anchor(pretrained, 0.1),))
update = DirectBackprop(learning_rate=1e-3, window=1)
state = update.init(policy)
started, cpu = time.monotonic(), time.process_time()
seen = update.step(state, policy, problem, model.encode(["207"]), Noise.seeded(0, 1))
print(json.dumps({
    "parameters": parameters,
    "adapters": sum(p.numel() for p in model.versions.parameters()),
    "shape": list(model.event_shape),
    "grad_norm": seen.extra["grad_norm"],
    "seconds": time.monotonic() - started,
    "cpu_seconds": time.process_time() - cpu,
    "gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
}))
"""


def test_the_configuration_on_small_channels_draws() -> None:
    unet: dict[str, Any] = IMAGENET_64.unet | {
        "sample_size": 16,
        "block_out_channels": [8, 8, 8, 8],
        "attention_head_dim": 4,
        "norm_num_groups": 4,
        "attn_norm_num_groups": 4,
        "layers_per_block": 1,
    }
    files = dataclasses.replace(IMAGENET_64, unet=unet)
    source = PixelImageSource(name="random", tuning=LoRA(rank=2, target_modules=UNET_LAYERS), num_steps=3)
    assert from_json(to_json(source)) == source
    model = source.attach(build_unet(unet), files)
    assert (model.event_shape, model.process.predicts, model.process.clip) == ((3, 16, 16), "noise", 1.0)
    trajectory = rollout(ModelPolicy(model), model.encode(["207", "3"]), Noise.seeded(0, 2))
    for _, _, x_s, law in trajectory.steps():
        assert bool(law.log_prob(x_s).isfinite().all())
    assert model.decode(trajectory.x_0).shape == (2, 3, 16, 16)
    with pytest.raises(ValueError, match="must be the number of a class, 0 to 999, got 'tench'"):
        model.encode(["tench"])


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_step_at_full_size() -> None:
    """In a process of its own, whose peak memory is this model's alone."""
    child = subprocess.run(
        [sys.executable, "-c", FULL], env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, check=True
    )
    found = json.loads(child.stdout.decode().splitlines()[-1])
    print(found, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6)
    assert found["shape"] == [3, 64, 64]
    assert found["parameters"] == pytest.approx(296e6, rel=0.01)
    assert found["grad_norm"] > 0
    assert found["gigabytes"] < 8
