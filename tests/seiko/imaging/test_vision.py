"""Tiny random models of the real classes; the preprocessing against transformers' own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seiko.imaging.vision import Preprocessing, VisionModel, vision_model

SMALL = {"size": {"shortest_edge": 30}, "crop_size": {"height": 30, "width": 30}}


def save_clip(folder: Path, seed: int = 0, width: int = 16) -> Path:
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

    from seiko.models.random_pipeline import clip_tokenizer

    tokenizer, both = clip_tokenizer(), {"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2}
    config = CLIPConfig(
        text_config={
            **both,
            "num_hidden_layers": 1,
            "vocab_size": len(tokenizer),
            "eos_token_id": tokenizer.eos_token_id,
        },
        vision_config={**both, "num_hidden_layers": 1, "image_size": 30, "patch_size": 10},
        projection_dim=width,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        CLIPModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    CLIPImageProcessor(**SMALL).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_clip(tmp_path_factory.mktemp("clip")))


@pytest.mark.parametrize("size", [(30, 30), (64, 48), (47, 101), (20, 24)])
def test_preprocessing_is_transformers_own(size: tuple[int, int], clip: str) -> None:
    from transformers import CLIPImageProcessor

    # smooth: on noise they cut off what overshoots between the two passes of a resize
    place = np.stack(np.meshgrid(*(np.linspace(0, 5, side) for side in size), indexing="ij"))
    waves = np.stack([np.sin(place[0] + i) * np.cos(place[1] * (i + 1)) for i in range(3)], -1)
    rows = (127 + 120 * waves).astype(np.uint8)
    theirs = CLIPImageProcessor.from_pretrained(clip)(rows, return_tensors="pt")["pixel_values"]
    ours = Preprocessing.of(clip)(torch.from_numpy(rows).permute(2, 0, 1)[None] / 255)
    assert ours.shape == theirs.shape
    # they round a resized channel to 8 bits; 2 levels of 255, divided by the smallest std
    assert float((ours - theirs).abs().max()) < 2 / 255 / 0.26


def test_embeddings_are_transformers_own(clip: str) -> None:
    from transformers import AutoTokenizer, CLIPModel

    model, reference = vision_model(clip), CLIPModel.from_pretrained(clip)
    x = torch.rand(3, 3, 30, 30)
    tokens = AutoTokenizer.from_pretrained(clip)(["a cat", "no"], padding=True, return_tensors="pt")
    with torch.no_grad():
        found = reference(**tokens, pixel_values=model.preprocessing(x))
    image, text = model.images(x), model.texts(["a cat", "no"])
    torch.testing.assert_close(torch.nn.functional.normalize(image, dim=1), found.image_embeds, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(torch.nn.functional.normalize(text, dim=1), found.text_embeds, atol=1e-5, rtol=1e-4)
    assert model.logit_scale == pytest.approx(float(reference.logit_scale.exp()))


def test_the_gradient_reaches_pixels_and_no_weight(clip: str) -> None:
    x = torch.rand(2, 3, 41, 36, dtype=torch.float64, requires_grad=True)
    vision_model(clip).images(x)[:, 0].sum().backward()
    assert x.grad is not None
    assert float(x.grad[0].abs().sum()) > 0
    assert not any(p.requires_grad for p in vision_model(clip).parameters())
    # by difference, at one pixel
    step = torch.zeros_like(x)
    step[0, 1, 20, 18] = 1e-2
    with torch.no_grad():
        high, low = (vision_model(clip).images(x + sign * step)[0, 0] for sign in (1, -1))
    assert float(high - low) / 2e-2 == pytest.approx(float(x.grad[0, 1, 20, 18]), rel=0.05)


def test_the_same_images_are_looked_at_once(clip: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    model = VisionModel(vision_model(clip).network, vision_model(clip).preprocessing)
    look = VisionModel._images
    monkeypatch.setattr(VisionModel, "_images", lambda self, pixels: (seen.append(len(pixels)), look(self, pixels))[1])
    x = torch.rand(3, 3, 30, 30)
    first = model.images(x)
    assert torch.equal(model.images(x), first)
    assert seen == [3]
    torch.testing.assert_close(model.images(x.clone()), first)  # another tensor, whatever is in it
    x[0] = 0
    assert not torch.equal(model.images(x), first)  # the same one, changed in place
    model.images(x.requires_grad_()).sum().backward()
    assert x.grad is not None
    assert seen == [3, 3, 3, 3]


def test_grey_is_read_as_colour(clip: str) -> None:
    x = torch.rand(1, 1, 30, 30)
    torch.testing.assert_close(vision_model(clip).images(x), vision_model(clip).images(x.expand(-1, 3, -1, -1)))


def test_another_vision_model_will_do(tmp_path: Path) -> None:
    from transformers import Dinov2Config, Dinov2Model

    config: Any = Dinov2Config(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=14, mlp_ratio=2
    )
    Dinov2Model(config).save_pretrained(tmp_path)
    entries = {"image_processor_type": "BitImageProcessor", "size": 28, "do_center_crop": False}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(entries))
    model = vision_model(str(tmp_path))
    assert model.images(torch.rand(2, 3, 28, 28)).shape == (2, 16)
    with pytest.raises(TypeError, match="reads no text"):
        model.texts(["a"])


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no image encoder"):
        vision_model(str(tmp_path / "nothing"))


def test_an_image_too_small_to_cut_is_refused() -> None:
    with pytest.raises(ValueError, match="hold no square of 30"):
        Preprocessing(resize=None, crop=30)(torch.rand(1, 3, 20, 40))
