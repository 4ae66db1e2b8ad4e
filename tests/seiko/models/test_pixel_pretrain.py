from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

pytest.importorskip("diffusers")

from seiko.diffusion import Noise, draw
from seiko.models import ModelPolicy, PixelArchitecture, PixelImageSource, PixelPretraining, PretrainProgress

SMALL = PixelArchitecture(channels=(8, 8), groups=4, head=4)
TINY = PixelPretraining(architecture=SMALL, steps=8, batch=8, learning_rate=1e-2, every=2, average=0.9, validation=16)
WEIGHTS = Path("unet") / "diffusion_pytorch_model.safetensors"


def halves(count: int = 120) -> tuple[torch.Tensor, torch.Tensor]:
    """Return images that are white on the left or on the right, which is their class."""
    labels = torch.arange(count) % 2
    images = torch.zeros(count, 1, 8, 8, dtype=torch.uint8)
    images[labels == 0, :, :, :4] = 255
    images[labels == 1, :, :, 4:] = 255
    return images, labels


def test_the_model_learns_the_images_and_their_classes(tmp_path: Path) -> None:
    training = PixelPretraining(
        architecture=SMALL, steps=150, batch=32, learning_rate=1e-2, every=75, average=0.95, validation=20
    )
    seen: list[PretrainProgress] = []
    loss = training.run(*halves(), ("left", "right"), tmp_path, provenance={"script": "test"}, report=seen.append)
    assert [progress.step for progress in seen] == [75, 150]
    assert seen[-1].loss < 0.2 < seen[0].loss
    side = json.loads((tmp_path / "seiko.json").read_text())
    assert (side["classes"], side["null_class"], side["stop"]) == (["left", "right"], 2, 56)
    assert side["provenance"]["validation_loss"] == loss
    assert side["provenance"]["script"] == "test"
    assert load_file(tmp_path / WEIGHTS)["conv_in.weight"].dtype == torch.float16
    assert not (tmp_path / "checkpoint.pt").exists()
    model = PixelImageSource(name=str(tmp_path), num_steps=10).load()
    with torch.no_grad():
        asked = model.encode(["left", "right"] * 10)
        pixels = model.decode(draw(ModelPolicy(model), asked, Noise.seeded(0, 20)))
        left = pixels[..., :4].mean((1, 2, 3)) - pixels[..., 4:].mean((1, 2, 3))
        assert float(left[::2].min()) > 0.5
        assert float(left[1::2].max()) < -0.5
        free = model.decode(draw(ModelPolicy(model), None, Noise.seeded(0, 40)))
    right = (free[..., 4:].mean((1, 2, 3)) > free[..., :4].mean((1, 2, 3))).float().mean()
    assert 0.15 < float(right) < 0.85


@pytest.mark.parametrize("at", [2, 8])
def test_an_interrupted_run_ends_in_the_same_weights(tmp_path: Path, at: int) -> None:
    whole = TINY.run(*halves(), ("a", "b"), tmp_path / "whole")

    def interrupt(progress: PretrainProgress) -> None:
        if progress.step == at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        TINY.run(*halves(), ("a", "b"), tmp_path / "resumed", report=interrupt)
    seen: list[int] = []
    resumed = TINY.run(*halves(), ("a", "b"), tmp_path / "resumed", report=lambda progress: seen.append(progress.step))
    assert seen[0] == at  # it went on where the last checkpoint stood
    assert resumed == whole
    expected, found = (load_file(tmp_path / name / WEIGHTS) for name in ("whole", "resumed"))
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_training_may_end_early_and_go_on_later(tmp_path: Path) -> None:
    early, data = replace(TINY, until=4), (*halves(), ("a", "b"))
    early.run(*data, tmp_path / "early")

    def interrupt(progress: PretrainProgress) -> None:
        if progress.step == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):  # after step 6 is done and the checkpoint of step 4 written
        TINY.run(*data, tmp_path / "other", report=interrupt)
    early.run(*data, tmp_path / "other")
    expected, found = (load_file(tmp_path / name / WEIGHTS) for name in ("early", "other"))
    assert all(torch.equal(found[name], value) for name, value in expected.items())
    assert json.loads((tmp_path / "early" / "seiko.json").read_text())["provenance"]["training"]["until"] == 4


def test_a_checkpoint_of_other_images_is_refused(tmp_path: Path) -> None:
    def interrupt(progress: PretrainProgress) -> None:
        if progress.step == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        TINY.run(*halves(), ("a", "b"), tmp_path, report=interrupt)
    with pytest.raises(ValueError, match="checkpoint of another training"):
        TINY.run(*halves(100), ("a", "b"), tmp_path)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"until": 7000}, "until must be a step from 1 to 6400, got 7000"),
        ({"validation": 0}, "validation must be at least 1, got 0"),
        ({"unlabelled": 0.0}, "unlabelled must be a share between 0 and 1, got 0.0"),
    ],
)
def test_wrong_values_are_named(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PixelPretraining(**wrong)


def test_too_few_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="more images than the 16 held out, got 10"):
        TINY.run(*halves(10), ("a", "b"), tmp_path)
