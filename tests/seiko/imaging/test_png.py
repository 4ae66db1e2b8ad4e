"""PNG files: nothing is lost, equal images are equal files, and what is no image is said to be none."""

from __future__ import annotations

import io

import pytest
import torch
from PIL import Image

from seiko.imaging import from_png, to_png


@pytest.mark.parametrize("channels", [1, 3])
def test_there_and_back(channels: int) -> None:
    pixels = torch.randint(0, 256, (channels, 5, 7), generator=torch.Generator().manual_seed(0)) / 255
    data = to_png(pixels)
    assert torch.equal(from_png(data), pixels)
    assert to_png(from_png(data)) == data
    read = Image.open(io.BytesIO(data))
    assert read.size == (7, 5)
    assert not read.info, "no time, no program: equal images are equal files"


def test_rounds_to_the_nearest_grey_level() -> None:
    pixels = torch.tensor([[[0.0, 0.49 / 255, 0.51 / 255, 1.0 + 0.4 / 255]]])
    assert (from_png(to_png(pixels)) * 255).round().int().tolist() == [[[0, 0, 1, 255]]]


@pytest.mark.parametrize("value", [float("nan"), 1.1, -0.1])
def test_pixels_out_of_range_are_named(value: float) -> None:
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\].*clamp"):
        to_png(torch.full((1, 2, 2), value))


@pytest.mark.parametrize("shape", [(2, 4, 4), (4, 4), (3, 0, 4), (1, 3, 4, 4)])
def test_what_has_no_shape_of_an_image_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\[1 or 3, height, width\]"):
        to_png(torch.zeros(shape))


def test_what_is_no_png_is_refused() -> None:
    good = to_png(torch.rand(3, 16, 16))
    for data in (b"", b"GIF89a", good[:60], good[:-40]):
        with pytest.raises(ValueError, match="no readable PNG"):
            from_png(data)
    jpeg = io.BytesIO()
    Image.new("RGB", (4, 4)).save(jpeg, format="JPEG")
    with pytest.raises(ValueError, match="no readable PNG"):
        from_png(jpeg.getvalue())


def test_transparency_is_not_guessed_at() -> None:
    file = io.BytesIO()
    Image.new("RGBA", (4, 4)).save(file, format="PNG")
    with pytest.raises(ValueError, match="mode RGBA: convert"):
        from_png(file.getvalue())
