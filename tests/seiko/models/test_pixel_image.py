from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from seiko.config import from_json, to_json
from seiko.designs import Design
from seiko.diffusion import Noise, path_kl, rollout
from seiko.models import (
    UNET_LAYERS,
    DiffusionModel,
    FullFineTuning,
    LoRA,
    ModelPolicy,
    ModelSource,
    Observing,
    PixelArchitecture,
    PixelImage,
    PixelImageSource,
    Prompted,
    source_of,
)
from seiko.models.pixel_files import PixelFiles, build_unet, save_pixel_model
from seiko.models.pixel_pretrain import SCHEDULER
from seiko.updates import PPO, SQDF, AdjointMatching, Anchor, DirectBackprop, Distill, Problem

pytest.importorskip("diffusers")

from seiko.imaging import image_design, pixels_of

SMALL = PixelArchitecture(channels=(8, 8), groups=4, head=4)
SHAPE = (1, 8, 8)
LORA = LoRA(rank=2, target_modules=UNET_LAYERS)


def files(classes: int | None = 3, stop: int | None = 56, **scheduler: Any) -> PixelFiles:
    return PixelFiles(
        unet=SMALL.config(SHAPE, classes),
        scheduler=SCHEDULER | scheduler,
        classes=() if classes is None else tuple("abc"[:classes]),
        null_class=classes,
        stop=stop,
    )


def save(folder: Path, of: PixelFiles) -> Path:
    """Write a U-Net with random weights."""
    torch.manual_seed(0)
    return save_pixel_model(build_unet(of.unet), of, folder)


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., PixelImage]:
    """Return how to load a small model that has learnt nothing."""
    folder = save(tmp_path / "model", files())
    return lambda **more: PixelImageSource(name=str(folder), **{"num_steps": 4, **more}).load()


def some_designs(n: int = 3) -> list[Design]:
    generator = torch.Generator().manual_seed(3)
    return [image_design(torch.rand(SHAPE, generator=generator)) for _ in range(n)]


def test_protocols_hold(load: Callable[..., PixelImage]) -> None:
    model = load()
    assert isinstance(model, DiffusionModel)
    assert isinstance(model, Prompted)
    assert isinstance(model, Observing)
    assert isinstance(PixelImageSource(), ModelSource)
    assert model.event_shape == SHAPE
    assert ModelPolicy(model).memoryless
    assert not ModelPolicy(load(eta=0.5)).memoryless
    assert source_of(PixelImageSource(name=str(Path(__file__).parent)).name).__class__ is not PixelImageSource


def test_a_name_finds_the_kind_of_model(tmp_path: Path) -> None:
    folder = save(tmp_path / "model", files())
    assert source_of(str(folder)) == PixelImageSource(name=str(folder))
    source = PixelImageSource(name=str(folder), tuning=LORA, num_steps=7)
    assert from_json(to_json(source)) == source


def test_it_predicts_what_diffusers_predicts(load: Callable[..., PixelImage], tmp_path: Path) -> None:
    from diffusers import UNet2DModel

    theirs = UNet2DModel.from_pretrained(tmp_path / "model" / "unet", use_safetensors=True)
    model, x_t = load(), Noise.seeded(0, 2).normal(SHAPE)
    labels = model.encode(["b", None])
    steps = model.schedule.training_step(model.process.times[torch.tensor([3, 3])])
    assert steps.tolist() == [763, 763]  # evenly from 999 down to 56 in four steps
    with torch.no_grad():
        expected = theirs(x_t, steps, class_labels=torch.tensor([1, 3])).sample
        torch.testing.assert_close(model.predict(x_t, 3, labels), expected)


def test_every_step_has_a_density_where_the_chain_stops_early(load: Callable[..., PixelImage]) -> None:
    model = load()
    with torch.no_grad():
        trajectory = rollout(ModelPolicy(model), None, Noise.seeded(0, 4))
    for _, _, x_s, law in trajectory.steps():
        assert bool(law.log_prob(x_s).isfinite().all())
        assert float(law.std.min()) > 0.05
    assert float(path_kl(trajectory, ModelPolicy(model, "pretrained")).max()) < 1e-9


def test_one_step_a_sample_is_each_step_by_itself(load: Callable[..., PixelImage]) -> None:
    policy, x_t = ModelPolicy(load()), Noise.seeded(0, 4).normal(SHAPE)
    together = policy.transition(x_t, torch.arange(1, 5))
    for k in range(1, 5):
        alone = policy.transition(x_t[k - 1 : k], k)
        torch.testing.assert_close(together.mean[k - 1 : k], alone.mean, atol=1e-5, rtol=1e-5)


def test_images_come_back_and_stay_as_they_are(load: Callable[..., PixelImage]) -> None:
    model, given = load(), some_designs()
    x_0 = model.ingest(given)
    assert model.export(x_0) == given
    torch.testing.assert_close(model.decode(x_0), pixels_of(given))
    torch.testing.assert_close(model.observe(given), pixels_of(given))
    assert model.ingest([]).shape == (0, *SHAPE)


def test_decoding_removes_what_noise_is_left_by_the_pretrained_version(load: Callable[..., PixelImage]) -> None:
    model = load()
    x_0 = (0.2 * Noise.seeded(1, 3).normal(SHAPE)).requires_grad_()
    t = model.process.times[0]
    before = model.decode(x_0)
    alpha, sigma = float(model.schedule.alpha(t)), float(model.schedule.sigma(t))
    velocity = model.versions(x_0, torch.full((3,), 56), model.encode([None] * 3))
    expected = (alpha * x_0 - sigma * velocity + 1) / 2
    torch.testing.assert_close(before, expected.clamp(0, 1))
    (gradient,) = torch.autograd.grad(before.sum(), x_0)
    assert float(gradient.abs().max()) > 0.1
    with torch.no_grad():
        for p in model.versions.parameters():
            p.add_(0.1)
    torch.testing.assert_close(model.decode(x_0), before)
    assert model.versions.in_use == "current"  # type: ignore[attr-defined]


def test_without_a_stop_decoding_only_rescales(load: Callable[..., PixelImage], tmp_path: Path) -> None:
    folder = save(tmp_path / "plain", files(classes=None, stop=None))
    model = PixelImageSource(name=str(folder), num_steps=4).load()
    x_0 = torch.tensor([-2.0, -1.0, 0.0, 0.5]).expand(16, 4).reshape(1, *SHAPE).clone()
    assert sorted(set(model.decode(x_0).flatten().tolist())) == [0.0, 0.5, 0.75]


def test_a_state_that_is_not_finite_is_no_design(load: Callable[..., PixelImage]) -> None:
    x_0 = torch.zeros(2, *SHAPE)
    x_0[1, 0, 0, 0] = torch.nan
    assert [design.valid for design in load().export(x_0)] == [True, False]


def test_classes_are_read_by_name_or_number(load: Callable[..., PixelImage]) -> None:
    model = load()
    labels = model.encode(["c", "a", None])
    assert labels is not None
    assert labels.tolist() == [2, 0, 3]
    with pytest.raises(ValueError, match=r"must be a class of this model \(a, b, c\), got 'd'"):
        model.encode(["d"])
    numbered = PixelFiles(unet=SMALL.config(SHAPE, 9), scheduler=SCHEDULER)
    assert numbered.label("7") == 7
    with pytest.raises(ValueError, match="must be the number of a class, 0 to 9, got '10'"):
        numbered.label("10")


def test_a_model_without_classes_takes_no_prompt(tmp_path: Path) -> None:
    model = PixelImageSource(name=str(save(tmp_path / "plain", files(classes=None))), num_steps=4).load()
    assert model.encode([None, None]) is None
    with pytest.raises(ValueError, match="takes no prompts, got '3'"):
        model.encode([None, "3"])


def test_no_class_is_an_error_where_the_model_knows_none(tmp_path: Path) -> None:
    only = PixelFiles(unet=SMALL.config(SHAPE, 2), scheduler=SCHEDULER)
    folder = save(tmp_path / "only", only)
    model = PixelImageSource(name=str(folder), num_steps=4).load()
    with pytest.raises(ValueError, match="give the recipe prompts"):
        model.predict(torch.zeros(1, *SHAPE), 1)
    with pytest.raises(ValueError, match="stop must be None"):
        PixelImageSource(name=str(folder), stop=50).load()


@pytest.mark.parametrize("tuning", [FullFineTuning(), LORA])
def test_saved_and_loaded_again_it_is_the_same(
    load: Callable[..., PixelImage], tmp_path: Path, tuning: FullFineTuning | LoRA
) -> None:
    model, x_t = load(tuning=tuning), Noise.seeded(0, 2).normal(SHAPE)
    before = model.predict(x_t, 2)
    torch.manual_seed(1)
    with torch.no_grad():
        for p in model.versions.parameters():
            p.add_(0.1 * torch.randn_like(p))
    moved = model.predict(x_t, 2)
    assert not torch.allclose(moved, before, atol=1e-3)
    again = PixelImageSource(name=str(model.save_pretrained(tmp_path / "again")), num_steps=4).load()
    torch.testing.assert_close(again.predict(x_t, 2), moved, atol=1e-5, rtol=1e-4)
    assert again.files == model.files


def test_diffusers_opens_what_was_saved(load: Callable[..., PixelImage], tmp_path: Path) -> None:
    from diffusers import DDIMScheduler

    folder = load().save_pretrained(tmp_path / "saved")
    scheduler = DDIMScheduler.from_pretrained(folder / "scheduler")
    assert scheduler.config.prediction_type == "v_prediction"
    torch.testing.assert_close(scheduler.alphas_cumprod.double(), load().schedule.alpha_squared[1:])


def test_what_is_no_pixel_model_is_refused(tmp_path: Path) -> None:
    folder = save(tmp_path / "model", files())
    (folder / "unet" / "diffusion_pytorch_model.safetensors").rename(folder / "unet" / "diffusion_pytorch_model.bin")
    with pytest.raises(ValueError, match="pickled weights are not read"):
        PixelImageSource(name=str(folder)).load()
    (folder / "scheduler" / "scheduler_config.json").unlink()
    with pytest.raises(ValueError, match=r"no scheduler_config\.json"):
        PixelImageSource(name=str(folder)).load()
    config = folder / "unet" / "config.json"
    config.write_text(json.dumps({"_class_name": "UNet2DConditionModel"}))
    with pytest.raises(ValueError, match="holds UNet2DConditionModel, not a model of pixels"):
        PixelImageSource(name=str(folder)).load()


@pytest.mark.parametrize(
    ("key", "value"), [("beta_schedule", "sigmoid"), ("timestep_spacing", "linspace"), ("prediction_type", "flow")]
)
def test_schedulers_that_ddim_cannot_follow_are_refused(key: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"the scheduler's {key} must be .*, got '{value}'"):
        files(**{key: value})


def test_images_of_another_size_are_refused(load: Callable[..., PixelImage]) -> None:
    with pytest.raises(ValueError, match=r"are \[1, 8, 8\] .* got \[1, 4, 4\]"):
        load().ingest([image_design(torch.zeros(1, 4, 4))])


UPDATES = [
    (DirectBackprop(learning_rate=3e-3, window=(1, 3)), 6, 16),
    (AdjointMatching(learning_rate=3e-3), 6, 16),
    (SQDF(learning_rate=3e-3), 6, 16),
    (PPO(learning_rate=3e-3), 10, 64),
    (Distill(learning_rate=3e-3), 8, 64),
]


CASES = [(*case, FullFineTuning()) for case in UPDATES] + [(*UPDATES[0], LoRA(rank=4, target_modules=UNET_LAYERS))]
NAMES = [f"{type(update).__name__}-{type(tuning).__name__}" for update, _, _, tuning in CASES]


@pytest.mark.parametrize(("update", "steps", "samples", "tuning"), CASES, ids=NAMES)
def test_every_update_climbs(
    load: Callable[..., PixelImage], update: Any, steps: int, samples: int, tuning: FullFineTuning | LoRA
) -> None:
    """More light, which every update can find; the gradient runs through `decode`."""
    model = load(tuning=tuning)
    policy, pretrained = ModelPolicy(model, checkpoint=True), ModelPolicy(model, "pretrained")
    labels = model.encode(["a", "b"] * (samples // 2))
    problem = Problem(lambda x_0: 40 * model.decode(x_0).flatten(1).mean(1), (Anchor(pretrained, 0.05),))

    @torch.no_grad()
    def light() -> float:
        x_0 = rollout(policy, model.encode(["a", "b"] * 64), Noise.seeded(99, 128)).x_0
        return float(model.decode(x_0).mean())

    before, state = light(), update.init(policy)
    for i in range(steps):
        update.step(state, policy, problem, labels, Noise.seeded(i, samples))
    assert light() > before + 0.01
