"""The page of a run on images: pairs, the best of each round, prompts, naturalness, and limits of what is inlined."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from seiko.campaign import Campaign, Prompts, Recipe, run
from seiko.campaign.naturalness import verdict
from seiko.imaging import from_png, to_png
from seiko.report import NaturalnessRow, ReportData, render
from seiko.report.image_run import known_images
from seiko.report.images import image_section
from seiko.report.nearest import Nearest
from seiko.report.run import report_data
from seiko.report.thumbnails import SIDE, Thumbnails

NATURAL = NaturalnessRow(
    round=1, shift=0.1, frechet=0.5, features="PixelStatistics", dimensions=50, samples=100, diversity=0.2,
    diversity_before=0.25,
)  # fmt: skip


def noise(*shape: int, seed: int = 0) -> bytes:
    return to_png(torch.rand(shape, generator=torch.Generator().manual_seed(seed)))


@pytest.fixture
def finished(tmp_path: Path, pictures: Callable[..., Recipe], corner: Any) -> Campaign:
    campaign = Campaign.open(tmp_path / "run", pictures(prompts=Prompts(querying=("left", "top"), held_out=("right",))))
    run(campaign, corner)
    return campaign


def test_a_page_of_images(finished: Campaign, tmp_path: Path) -> None:
    queries = list(finished.state.queries.values())
    data = report_data(finished, pictures=[finished.bytes_of(queries[0].design)])
    page = render(data)
    assert page == render(report_data(finished, pictures=[finished.bytes_of(queries[0].design)])), "same bytes"
    shown = re.findall(r'<img src="data:image/png;base64,([^"]+)" alt="([^"]+)"', page)
    assert len(shown) == 12 + 24  # six of each of two rounds, twelve pairs
    assert all(from_png(base64.b64decode(uri)).shape == (1, 4, 4) for uri, _ in shown)
    best = max(queries, key=lambda query: finished.state.labels[query.id].value or 0.0)
    assert f"Image {best.design.content[:12]} for {best.design.prompt}" in {alt for _, alt in shown}
    for words in ("Prompt by prompt", "Naturalness", "round 2", "before and after", "similarity 1.00", "→"):
        assert words in page, words
    assert "http" not in page.replace("http-equiv", "")
    assert 'class="pixels"' in page, "four pixels are to be seen as squares"


def test_prompts_line_by_line(finished: Campaign) -> None:
    data = report_data(finished)
    assert data.images is not None
    lines = {line[0]: line[1:] for line in image_section(data, data.images).prompts}
    assert list(lines) == ["left", "top", "right"]
    assert int(lines["left"][0]) + int(lines["top"][0]) == 24
    assert lines["right"][:3] == ("—", "—", "—"), "held out: never labelled"
    assert lines["right"][3] == "40"
    assert lines["left"][3] == "—"


def test_a_run_without_a_round_says_so(tmp_path: Path, pictures: Callable[..., Recipe]) -> None:
    with Campaign.open(tmp_path, pictures()) as campaign:
        assert report_data(campaign).images is None, "nothing is known of the kind of designs before the first ask"
        campaign.ask()
        page = render(report_data(campaign))
    assert "No image has a measured value yet." in page
    assert "No round has been finished yet." in page


def test_a_missing_file_is_told_not_hidden(finished: Campaign) -> None:
    pair = finished.state.reports[-1].images[0]
    finished.ledger.artifacts.path(pair.before).unlink()
    data = report_data(finished)
    assert data.images is not None
    section = image_section(data, data.images)
    assert section.pairs[0].before.image is None
    assert section.pairs[0].after.image is None or pair.before != pair.after
    assert "images are not shown" in section.pairs_caption
    assert "not shown</em>" in render(data)


def test_a_prompt_is_escaped(finished: Campaign) -> None:
    data = report_data(finished)
    evil = "<script>alert(1)</script>"
    designs = tuple(replace(row, prompt=evil) for row in data.designs)
    page = render(replace(data, designs=designs))
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_naturalness_in_words() -> None:
    assert "look like the pretrained model's" in verdict(NATURAL)
    assert "have moved away" in verdict(replace(NATURAL, shift=0.5))
    assert "are far from" in verdict(replace(NATURAL, shift=1.2))
    assert "0.10 standard deviations" in verdict(NATURAL)
    assert "alignment" not in verdict(NATURAL)
    assert "an alignment of 20.0, the pretrained model's with 27.0" in verdict(
        replace(NATURAL, alignment=20.0, alignment_before=27.0)
    )


def test_alignment_is_a_column(finished: Campaign) -> None:
    data = report_data(finished)
    assert data.images is not None
    row = replace(NATURAL, alignment=20.0, alignment_before=27.0, alignment_chance=15.0)
    section = image_section(data, replace(data.images, naturalness=(NATURAL, row)))
    assert section.naturalness[1][-3:] == ("20.0", "27.0", "15.0")
    assert section.naturalness[0][-3:] == ("—",) * 3
    assert "an alignment of 20.0" in section.verdict


def test_the_unit_of_diversity_is_not_letters(finished: Campaign) -> None:
    data = report_data(finished)
    assert data.diversity_unit == "mean distance of images"
    assert not any("positions" in alarm for alarm in data.alarms)


# ------------------------------------------------------------ thumbnails


def test_large_images_become_small() -> None:
    found = Thumbnails().make(noise(3, 400, 300))
    assert found is not None
    assert found.uri.startswith("data:image/jpeg;base64,")
    assert (found.width, found.height, found.pixelated) == (SIDE * 3 // 4, SIDE, False)
    flat = Thumbnails().make(to_png(torch.full((3, 400, 300), 0.5)))
    assert flat is not None
    assert flat.uri.startswith("data:image/png;base64,"), "a flat image is smaller as PNG"


def test_small_images_stay_what_they_are() -> None:
    data = noise(1, 28, 28)
    found = Thumbnails().make(data)
    assert found is not None
    assert found.uri == f"data:image/png;base64,{base64.b64encode(data).decode()}"
    assert found.pixelated


def test_the_page_has_an_end() -> None:
    data = noise(1, 28, 28)
    size = len(Thumbnails().make(data).uri)  # type: ignore[union-attr]
    made = Thumbnails(budget=2 * size)
    assert [made.make(data) is not None for _ in range(4)] == [True, True, False, False]
    assert made.left_out == 2


def test_what_is_no_png_is_left_out() -> None:
    made = Thumbnails()
    jpeg, clear = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (8, 8)).save(jpeg, format="JPEG")
    Image.new("RGBA", (8, 8)).save(clear, format="PNG")
    for data in (None, b"", b"<svg/>", noise(1, 28, 28)[:80], jpeg.getvalue(), clear.getvalue()):
        assert made.make(data) is None
    assert made.left_out == 6


# --------------------------------------------------------------- nearest


def test_similarity_to_the_nearest_known_image() -> None:
    known = [to_png(torch.zeros(1, 4, 4)), to_png(torch.ones(1, 4, 4)), noise(3, 4, 4), b"no image"]
    nearest = Nearest(known)
    assert nearest(known[1]) == "similarity 1.00"
    assert nearest(to_png(torch.full((1, 4, 4), 51 / 255))) == "similarity 0.80"
    assert nearest(to_png(torch.zeros(1, 5, 5))) == "", "another size"
    assert nearest(None) == nearest(b"no image") == Nearest([])(known[0]) == ""


def test_known_images_of_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no PNG file"):
        known_images(tmp_path)
    for name in ("b.png", "a.PNG"):
        (tmp_path / name).write_bytes(noise(1, 4, 4, seed=ord(name[0])))
    (tmp_path / "notes.txt").write_text("not an image")
    assert known_images(tmp_path) == (noise(1, 4, 4, seed=97), noise(1, 4, 4, seed=98))


def test_other_runs_have_no_images(run: ReportData) -> None:
    assert run.images is None
    assert "Naturalness" not in render(run)
