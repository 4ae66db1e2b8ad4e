from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from seiko.diffusion import GradientWindow, Noise, draw, path_kl, rollout
from seiko.models import FullFineTuning, LatentImageSource, ModelPolicy
from seiko.models.random_pipeline import FAMILY_NAMES

Folder = Callable[[str], Path]


def load(folder: Path, **options: Any) -> Any:
    options = {"num_steps": 2, "guidance": 3.0, "height": 16, "width": 16} | options
    return LatentImageSource(name=str(folder), **options).load()


def drawn(model: Any, version: Any = "current", prompts: tuple[str, ...] = ("a cat", "a dog"), seed: int = 0) -> Any:
    return draw(ModelPolicy(model, version), model.encode(prompts), Noise.seeded(seed, len(prompts)))


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_every_family_draws_and_reads_back(family: str, pipeline_folder: Folder) -> None:
    model = load(pipeline_folder(family))
    x_0 = drawn(model)
    assert x_0.shape == (2, *model.event_shape)
    pixels = model.decode(x_0)
    assert pixels.shape == (2, 3, 16, 16)
    assert 0 <= float(pixels.min()) <= float(pixels.max()) <= 1
    designs = model.export(x_0)
    assert [design.kind for design in designs] == ["image", "image"]
    assert model.ingest(designs).shape == x_0.shape
    assert model.ingest([]).shape == (0, *model.event_shape)
    assert model.process.memoryless


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_reward_reaches_the_adapters_through_decoding(family: str, pipeline_folder: Folder) -> None:
    model = load(pipeline_folder(family))
    trajectory = rollout(ModelPolicy(model), model.encode(["a cat"]), Noise.seeded(0, 1), gradient=GradientWindow(1))
    model.decode(trajectory.x_0).mean().backward()
    gradients = [p.grad for p in model.versions.parameters()]
    assert max(float(g.abs().max()) for g in gradients if g is not None) > 0


def test_versions_differ_once_current_moved(pipeline_folder: Folder, stir: Callable[[Any], None]) -> None:
    model = load(pipeline_folder("sd"))
    before = drawn(model)
    stir(model)
    assert torch.equal(drawn(model, "pretrained"), before)
    assert torch.equal(drawn(model, "previous"), before)
    assert not torch.allclose(drawn(model), before)
    trajectory = rollout(ModelPolicy(model), model.encode(["a cat", "a dog"]), Noise.seeded(0, 2))
    assert bool((path_kl(trajectory, ModelPolicy(model, "pretrained")) > 0).all())


def test_images_do_not_depend_on_the_batch(pipeline_folder: Folder) -> None:
    one, many = load(pipeline_folder("sdxl"), batch=1, slicing=True), load(pipeline_folder("sdxl"), batch=8)
    prompts = ("a cat", "", "a cat")
    torch.testing.assert_close(drawn(one, prompts=prompts), drawn(many, prompts=prompts), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(one.decode(drawn(one)), many.decode(drawn(one)), atol=1e-6, rtol=1e-5)


def test_without_conditioning_is_the_negative_prompt(pipeline_folder: Folder) -> None:
    model = load(pipeline_folder("sd"), negative="blurred", guidance=1.0)
    noise = Noise.seeded(0, 1)
    without = draw(ModelPolicy(model), None, noise)
    assert torch.equal(without, draw(ModelPolicy(model), model.encode(["blurred"]), noise))
    assert not torch.equal(without, draw(ModelPolicy(model), model.encode(["sharp"]), noise))


@pytest.mark.parametrize("family", ["sd", "flux"])
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_lower_precision_keeps_adapters_and_latents_in_single(
    family: str, precision: str, pipeline_folder: Folder
) -> None:
    model = load(pipeline_folder(family), precision=precision)
    weights = {p.dtype for name, p in model.versions.backbone.named_parameters() if "lora_" not in name}
    assert weights == {{"bf16": torch.bfloat16, "fp16": torch.float16}[precision]}
    assert {p.dtype for p in model.versions.parameters()} == {torch.float32}
    trajectory = rollout(ModelPolicy(model), model.encode(["a cat"]), Noise.seeded(0, 1), gradient=GradientWindow(1))
    assert trajectory.x_0.dtype == torch.float32
    model.decode(trajectory.x_0).mean().backward()
    full = load(pipeline_folder(family))
    torch.testing.assert_close(trajectory.x_0.detach(), drawn(full, prompts=("a cat",)), atol=0.2, rtol=0.1)
    assert not torch.equal(trajectory.x_0.detach(), drawn(full, prompts=("a cat",)))


def test_text_encoders_stay_in_main_memory_on_demand(pipeline_folder: Folder) -> None:
    model = load(pipeline_folder("sd"), offload=True)
    assert torch.equal(drawn(model), drawn(load(pipeline_folder("sd"))))


def test_all_weights_may_move_too(pipeline_folder: Folder) -> None:
    model = load(pipeline_folder("sd"), tuning=FullFineTuning())
    assert sum(p.numel() for p in model.versions.parameters()) == sum(
        p.numel() for p in model.pipeline.unet.parameters()
    )


def test_an_image_of_another_size_is_refused(pipeline_folder: Folder) -> None:
    from seiko.imaging import image_design

    model = load(pipeline_folder("sd"))
    with pytest.raises(ValueError, match=r"is \[3, 8, 8\], this model's are \[3, 16, 16\]"):
        model.ingest([image_design(torch.zeros(3, 8, 8))])


def test_distance_is_the_root_mean_square(pipeline_folder: Folder) -> None:
    model = load(pipeline_folder("sd"))
    x = torch.zeros(1, *model.event_shape)
    assert float(model.distance(x, x + 2.0)) == pytest.approx(2.0)


def test_the_reward_model_may_see_smaller_images(pipeline_folder: Folder) -> None:
    model = load(pipeline_folder("sd"), seen=8)
    x_0 = drawn(model)
    designs = model.export(x_0)
    assert designs == load(pipeline_folder("sd")).export(x_0)  # the images themselves are as large as before
    seen = model.decode(x_0)
    assert seen.shape == (2, 3, 8, 8)
    torch.testing.assert_close(model.observe(designs), seen, atol=0.01, rtol=0)  # but for the rounding of a PNG
    assert model.ingest(designs).shape == x_0.shape


def test_a_policy_recomputes_what_the_model_asks_for(pipeline_folder: Folder) -> None:
    calls = []
    for checkpoint in ("none", "step"):
        model = load(pipeline_folder("sd"), checkpoint=checkpoint)
        network, count = model.versions.backbone.network, [0]
        network.register_forward_pre_hook(lambda *_, count=count: count.__setitem__(0, count[0] + 1))
        policy = ModelPolicy(model)
        x = model.process.prior(model.event_shape, Noise.seeded(0, 1)).requires_grad_()
        policy.transition(x, 2, model.encode(["a"])).mean.sum().backward()
        calls.append(count[0])
    assert calls == [1, 2]
