"""Images as designs."""

from __future__ import annotations

import hashlib

import pytest
import torch

from seiko.designs import Design
from seiko.imaging import image_design, pixels_of, to_png


def test_an_image_is_named_by_its_file() -> None:
    pixels = torch.rand(3, 4, 4)
    design = image_design(pixels, "a cat")
    assert design.kind == "image"
    assert design.prompt == "a cat"
    assert design.data == to_png(pixels)
    assert design.content == hashlib.sha256(to_png(pixels)).hexdigest()
    assert image_design(pixels) != design


def test_pixels_come_back() -> None:
    pixels = torch.randint(0, 256, (5, 1, 6, 4), generator=torch.Generator().manual_seed(0)) / 255
    assert torch.equal(pixels_of([image_design(image) for image in pixels]), pixels)


def test_an_image_without_its_file_has_no_pixels() -> None:
    design = image_design(torch.rand(1, 4, 4))
    with pytest.raises(ValueError, match=r"without its PNG.*bytes_of"):
        pixels_of([Design(design.content, "image")])
    with pytest.raises(ValueError, match="got 'dna'"):
        pixels_of([Design("ACGT")])
    with pytest.raises(ValueError, match="got none"):
        pixels_of([])
    with pytest.raises(ValueError, match=r"one size: .* is \[1, 4, 4\], .* is \[1, 4, 5\]"):
        pixels_of([design, image_design(torch.rand(1, 4, 5))])
