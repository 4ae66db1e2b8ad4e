"""Taste and alignment: tiny random CLIPs of the real class, and the real head of the aesthetic score."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from seiko import config
from seiko.designs import Design
from seiko.imaging import image_design
from seiko.imaging.vision import vision_model
from seiko.models.random_pipeline import random_clip
from seiko.oracles import Aesthetic, CLIPScore, HPSv2, PickScore, image_oracle_named
from seiko.oracles.images.aesthetic import aesthetic_head


@pytest.fixture(scope="module")
def designs() -> list[Design]:
    generator = torch.Generator().manual_seed(0)
    sizes, prompts = ((30, 30), (30, 30), (40, 34)), ("a cat", "a dog", "a cat")
    return [image_design(torch.rand(3, *size, generator=generator), p) for size, p in zip(sizes, prompts, strict=True)]


def test_the_published_head_is_one_affine_map(data_dir: Path) -> None:
    state = torch.load(data_dir / "sac+logos+ava1-l14-linearMSE.pth", map_location="cpu", weights_only=True)
    weight, bias = torch.eye(768, dtype=torch.float64), torch.zeros(768, dtype=torch.float64)
    for layer in (0, 2, 4, 6, 7):
        matrix = state[f"layers.{layer}.weight"].double()
        weight, bias = matrix @ weight, matrix @ bias + state[f"layers.{layer}.bias"].double()
    e = torch.randn(5, 768, generator=torch.Generator().manual_seed(0))
    expected = (torch.nn.functional.normalize(e.double(), dim=1) @ weight.T + bias)[:, 0]
    found = Aesthetic().score(e).double()
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(Aesthetic().score(7 * e).double(), found, atol=1e-5, rtol=1e-5)
    assert float(found.std()) > 0.01


@pytest.mark.usefixtures("data_dir")
def test_aesthetic_scores_images_by_clip_and_head(clip: str, designs: list[Design]) -> None:
    labels = Aesthetic(clip=clip)(designs)
    e = torch.cat([vision_model(clip).images(_pixels(design)) for design in designs])
    expected = aesthetic_head()(torch.nn.functional.normalize(e, dim=1))[:, 0].tolist()
    assert [label.value for label in labels] == pytest.approx(expected, abs=1e-4)
    assert Aesthetic(clip=clip, noise=0.5, seed=1)(designs) == Aesthetic(clip=clip, noise=0.5, seed=1)(designs)


def _pixels(design: Design) -> torch.Tensor:
    from seiko.imaging import pixels_of

    return pixels_of([design])


@pytest.mark.usefixtures("data_dir")
def test_another_clip_than_the_heads_is_refused(tmp_path: Path, designs: list[Design]) -> None:
    other = random_clip(tmp_path, width=32)
    with pytest.raises(ValueError, match=r"embeddings of 768 numbers .* got 32"):
        Aesthetic(clip=other)(designs)


def test_a_file_that_is_no_head_is_refused(tmp_path: Path) -> None:
    torch.save({"layers.0.weight": torch.zeros(3)}, tmp_path / "x.pth")
    with pytest.raises(ValueError, match="holds no aesthetic head"):
        aesthetic_head(str(tmp_path / "x.pth"))


def test_alignment_is_the_cosine_with_the_own_prompt(clip: str, designs: list[Design]) -> None:
    encoder = vision_model(clip)
    cosines = [
        float(torch.cosine_similarity(encoder.images(_pixels(design)), encoder.texts([design.prompt or ""])))
        for design in designs
    ]
    assert [label.value for label in CLIPScore(model=clip)(designs)] == pytest.approx(
        [100 * cosine for cosine in cosines], abs=1e-3
    )
    assert [label.value for label in HPSv2(model=clip)(designs)] == pytest.approx(
        [100 * cosine for cosine in cosines], abs=1e-3
    )
    assert [label.value for label in PickScore(model=clip, processor=None)(designs)] == pytest.approx(
        [encoder.logit_scale * cosine for cosine in cosines], abs=1e-3
    )
    swapped = CLIPScore(model=clip)([replace(designs[0], prompt="a dog")])[0].value
    assert swapped != pytest.approx(100 * cosines[0], abs=1e-3)


def test_an_image_without_a_prompt_has_nothing_to_be_compared_with(clip: str) -> None:
    with pytest.raises(ValueError, match="has no prompt to be compared with"):
        CLIPScore(model=clip)([image_design(torch.zeros(3, 30, 30))])


def test_what_is_no_image_is_infeasible(clip: str, designs: list[Design]) -> None:
    labels = CLIPScore(model=clip)([Design("ACGT"), designs[0]])
    assert [label.status for label in labels] == ["infeasible", "value"]


def test_open_clip_checkpoints_are_named(tmp_path: Path) -> None:
    (tmp_path / "HPS_v2_compressed.pt").write_bytes(b"")
    for model in (str(tmp_path), str(tmp_path / "HPS_v2_compressed.pt"), "xswu/HPSv2"):
        with pytest.raises(ValueError, match="open_clip checkpoint: convert it"):
            HPSv2(model=model)


@pytest.mark.parametrize(("name", "message"), [("imagereward", "as module:function"), ("hpsv2", "HPSv2")])
def test_what_cannot_be_read_says_what_to_do(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        image_oracle_named(name)


def test_recipes_can_hold_them() -> None:
    for oracle in (Aesthetic(), CLIPScore(noise=1.0), PickScore(), HPSv2(model="somewhere")):
        assert config.from_json(config.to_json(oracle)) == oracle
    assert image_oracle_named("aesthetic", noise=0.1, seed=2) == Aesthetic(noise=0.1, seed=2)
