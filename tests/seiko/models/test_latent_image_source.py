from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seiko import config
from seiko.diffusion import DDIM, Flow
from seiko.models import ClassifierFree, LatentImage, LatentImageSource, RandomPipeline

Folder = Callable[[str], Path]


def change(folder: Path, to: Path, file: str, **entries: Any) -> str:
    shutil.copytree(folder, to)
    path = to / file
    path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))
    return str(to)


def test_the_process_is_the_schedulers(pipeline_folder: Folder, tmp_path: Path) -> None:
    model: Any = LatentImageSource(name=str(pipeline_folder("sd")), num_steps=10).load()
    assert isinstance(model.process, DDIM)
    assert model.process.predicts == "noise"
    assert not model.process.schedule.end_at_data
    name = change(
        pipeline_folder("sd"), tmp_path / "v", "scheduler/scheduler_config.json", prediction_type="v_prediction"
    )
    velocity: Any = LatentImageSource(name=name, num_steps=10).load()
    assert velocity.process.predicts == "velocity"
    flow: Any = LatentImageSource(name=str(pipeline_folder("sd3")), num_steps=10).load()
    assert isinstance(flow.process, Flow)
    assert flow.process.schedule.shift == 3.0
    # 64 of 256 base patches of 2 by 2 latents
    large: Any = LatentImageSource(name=str(pipeline_folder("flux")), num_steps=10, height=32, width=32).load()
    assert large.process.schedule.shift == pytest.approx(2.718281828 ** (0.5 + 0.65 * (64 - 256) / 3840))


def test_guidance_wraps_where_the_network_does_not_take_it(pipeline_folder: Folder, tmp_path: Path) -> None:
    assert isinstance(LatentImageSource(name=str(pipeline_folder("sd"))).load(), ClassifierFree)
    assert isinstance(LatentImageSource(name=str(pipeline_folder("sd")), guidance=1.0).load(), LatentImage)
    distilled = RandomPipeline(family="flux", distilled=True).save(tmp_path)
    assert isinstance(LatentImageSource(name=str(distilled), height=16, width=16).load(), LatentImage)


def test_size_is_the_models_own_unless_given(pipeline_folder: Folder) -> None:
    assert LatentImageSource(name=str(pipeline_folder("sd"))).load().event_shape == (4, 8, 8)
    other = LatentImageSource(name=str(pipeline_folder("sd")), height=8, width=24).load()
    assert other.event_shape == (4, 4, 12)
    with pytest.raises(ValueError, match="multiples of 4 pixels, got 18 x 16"):
        LatentImageSource(name=str(pipeline_folder("sd")), height=18, width=16).load()


def test_a_recipe_can_hold_it() -> None:
    source = LatentImageSource(name="somebody/some-model", precision="bf16", checkpoint="block")
    assert config.from_json(config.to_json(source)) == source


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no image model at"):
        LatentImageSource(name=str(tmp_path / "nothing")).load()
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="as a folder or on the hub"):
        LatentImageSource(name=str(tmp_path / "empty")).load()


def test_other_pipelines_are_refused(pipeline_folder: Folder, tmp_path: Path) -> None:
    name = change(pipeline_folder("sd"), tmp_path / "x", "model_index.json", _class_name="KandinskyPipeline")
    with pytest.raises(ValueError, match="is a KandinskyPipeline; models that can be tuned: StableDiffusionPipeline"):
        LatentImageSource(name=name).load()


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"beta_schedule": "exponential"}, "betas must be"),
        ({"rescale_betas_zero_snr": True}, "rescale_betas_zero_snr"),
        ({"prediction_type": "score"}, "prediction_type must be"),
    ],
)
def test_schedules_that_are_not_followed_are_refused(
    entries: dict[str, Any], message: str, pipeline_folder: Folder, tmp_path: Path
) -> None:
    from seiko.models.latent_image_families import process_of

    class Config(dict[str, Any]):
        __getattr__ = dict.__getitem__

    class Pipeline:
        class scheduler:  # noqa: N801
            config = Config(
                {"beta_schedule": "linear", "prediction_type": "epsilon", "num_train_timesteps": 1000} | entries
            )

    with pytest.raises(ValueError, match=message):
        process_of(Pipeline(), (16, 16), 4, 1.0, 0.02)


def test_pickled_weights_are_refused(pipeline_folder: Folder, tmp_path: Path) -> None:
    import torch

    folder = tmp_path / "pickled"
    shutil.copytree(pipeline_folder("sd"), folder)
    (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    torch.save({}, folder / "unet" / "diffusion_pytorch_model.bin")
    with pytest.raises((OSError, ValueError), match="safetensors"):
        LatentImageSource(name=str(folder)).load()


@pytest.mark.parametrize(("options", "message"), [({"batch": 0}, "batch"), ({"guidance": -1.0}, "guidance")])
def test_numbers_are_checked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LatentImageSource(name="x", **options)
