from __future__ import annotations

import io
import math
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from seiko.config import from_json, to_json
from seiko.designs import INVALID, Design
from seiko.oracles import (
    IMAGE_ORACLES,
    DigitQuality,
    ImageFunction,
    JPEGCompressibility,
    JPEGIncompressibility,
    Oracle,
    StrokeThickness,
    image_oracle_named,
)
from seiko.oracles.images.digits import stroke_thickness

pytest.importorskip("PIL")

from PIL import Image

from seiko.imaging import image_design


def flat_and_noisy() -> tuple[Design, Design]:
    generator = torch.Generator().manual_seed(0)
    return image_design(torch.full((1, 28, 28), 0.5)), image_design(torch.rand((1, 28, 28), generator=generator))


def bar(width: int) -> torch.Tensor:
    pixels = torch.zeros(1, 28, 28)
    pixels[0, 4:24, 10 : 10 + width] = 1
    return pixels


def test_a_jpeg_is_as_large_as_pillow_writes_it() -> None:
    flat, noisy = flat_and_noisy()
    file = io.BytesIO()
    assert noisy.data is not None
    Image.open(io.BytesIO(noisy.data)).save(file, format="JPEG", quality=80)
    small, large = JPEGIncompressibility(quality=80)([flat, noisy])
    assert large.value == pytest.approx(len(file.getvalue()) / 1000)
    assert small.value is not None
    assert large.value is not None
    assert small.value < large.value
    assert [label.value for label in JPEGCompressibility(quality=80)([flat, noisy])] == [-small.value, -large.value]
    assert JPEGIncompressibility(quality=20)([noisy])[0].value < large.value  # type: ignore[operator]
    with pytest.raises(ValueError, match="from 1 to 95, got 100"):
        JPEGIncompressibility(quality=100)


@pytest.mark.parametrize("width", [2, 3, 4, 6])
def test_a_bar_is_as_thick_as_it_was_drawn(width: int) -> None:
    assert stroke_thickness(bar(width)) == pytest.approx(width, rel=0.25)


def test_thickness_tells_widths_apart_and_needs_ink() -> None:
    widths = [stroke_thickness(bar(width)) for width in range(1, 9)]
    assert None not in widths
    assert widths == sorted(widths)  # type: ignore[type-var]
    half = bar(3)
    half[0, :, 13] = 0.7 * (half[0, :, 12])
    assert stroke_thickness(bar(3)) < stroke_thickness(half) < stroke_thickness(bar(4))  # type: ignore[operator]
    (label,) = StrokeThickness()([image_design(torch.zeros(1, 28, 28))])
    assert label.status == "infeasible"


def test_what_is_no_image_is_infeasible_and_what_has_no_file_an_error() -> None:
    for oracle in (JPEGIncompressibility(), StrokeThickness(), ImageFunction(target="a.b:c")):
        if not isinstance(oracle, ImageFunction):
            assert oracle([Design("ACGT")])[0].status == "infeasible"
            assert oracle([Design("not finite", INVALID)])[0].status == "infeasible"
    with pytest.raises(ValueError, match="without its PNG"):
        JPEGIncompressibility()([Design("0" * 64, "image")])


def test_noise_belongs_to_the_design() -> None:
    designs = list(flat_and_noisy())
    noisy = JPEGIncompressibility(noise=0.1, seed=3)
    assert noisy(designs) == [noisy([design])[0] for design in designs]
    assert noisy(designs) != JPEGIncompressibility(noise=0.1, seed=4)(designs)
    assert noisy(designs)[0].noise == 0.1


@pytest.mark.parametrize("name", IMAGE_ORACLES)
def test_names_give_oracles_that_a_recipe_can_hold(name: str) -> None:
    oracle = image_oracle_named(name, noise=0.5, seed=2)
    assert isinstance(oracle, Oracle)
    assert from_json(to_json(oracle)) == oracle


def test_names_that_there_are_not() -> None:
    with pytest.raises(ValueError, match="no oracle of images is called 'beauty'; there are incompressibility"):
        image_oracle_named("beauty")
    with pytest.raises(ValueError, match="noise is added to the oracles that come with seiko"):
        image_oracle_named("mine:score", noise=0.1)


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ImageFunction]:
    (tmp_path / "my_images.py").write_text(
        "def light(pixels, prompt):\n    return float(pixels.mean()) + len(prompt or '')\n"
        "def shape(pixels, prompt):\n    return pixels.ndim\n"
        "def nothing(pixels, prompt):\n    return None\n"
        "def broken(pixels, prompt):\n    raise OSError('no camera')\n"
        "def endless(pixels, prompt):\n    return float('inf')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "my_images", raising=False)
    return lambda name: ImageFunction(target=f"my_images:{name}")


def test_a_function_of_your_own_sees_pixels_and_prompt(mine: Callable[[str], ImageFunction]) -> None:
    grey = image_design(torch.full((1, 4, 4), 100 / 255), prompt="abc")
    assert mine("light")([grey])[0].value == pytest.approx(103)
    assert [label.value for label in mine("shape")([grey, image_design(torch.zeros(3, 4, 4))])] == [2, 3]
    assert mine("nothing")([grey])[0].status == "infeasible"
    assert mine("broken")([grey])[0].reason == "OSError: no camera"
    assert mine("endless")([grey])[0].status == "failed"
    assert mine("light")([Design("ACGT")])[0].status == "infeasible"
    with pytest.raises(ValueError, match="named module:function"):
        ImageFunction(target="light")


def test_quality_is_the_log_probability_of_the_class_asked_for() -> None:
    from seiko.imaging.digits import digit_classifier

    generator = torch.Generator().manual_seed(0)
    pixels = torch.rand((1, 28, 28), generator=generator)
    designs = [image_design(pixels, prompt=str(digit)) for digit in range(10)]
    values = [label.value for label in DigitQuality()(designs)]
    assert math.fsum(math.exp(value) for value in values if value is not None) == pytest.approx(1, abs=1e-5)
    assert DigitQuality()([image_design(pixels)])[0].value == max(value for value in values if value is not None)
    rounded = (pixels * 255).round() / 255
    expected = digit_classifier()(rounded[None]).log_softmax(1)[0]
    assert values == pytest.approx(expected.tolist(), abs=1e-4)
    with pytest.raises(ValueError, match="'0' to '9', got 'ten'"):
        DigitQuality()([image_design(pixels, prompt="ten")])
    with pytest.raises(ValueError, match=r"digits are \[1, 28, 28\], got \[1, 8, 8\]"):
        DigitQuality()([image_design(torch.zeros(1, 8, 8))])
