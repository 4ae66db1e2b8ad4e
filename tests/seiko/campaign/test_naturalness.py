"""Alarms of images: each rings, and stays silent next to where it rings."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seiko.campaign import NaturalnessReport
from seiko.campaign.naturalness import drifted

SOUND = NaturalnessReport(
    features="VisionEmbedding", dimensions=769, samples=64, frechet=1.0, shift=0.2, diversity_before=0.5,
    alignment=25.0, alignment_before=27.0, alignment_chance=15.0,
)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "diversity", "names"),
    [
        ({}, 0.5, []),
        ({"shift": 1.1}, 0.5, ["naturalness"]),
        ({}, 0.2, ["diversity"]),
        ({"alignment": 21.5}, 0.5, []),
        ({"alignment": 20.5}, 0.5, ["alignment"]),
        ({"alignment": None, "alignment_before": None, "alignment_chance": None}, 0.5, []),
        ({"alignment": 22.0, "alignment_chance": None}, 0.5, []),
        ({"alignment": 21.0, "alignment_chance": None}, 0.5, ["alignment"]),
        ({"alignment": 14.0, "alignment_before": 15.5, "alignment_chance": 15.0}, 0.5, []),
    ],
)
def test_drifts(changes: dict[str, float | None], diversity: float, names: list[str]) -> None:
    found = dict(drifted(replace(SOUND, **changes), diversity))  # type: ignore[arg-type]
    assert list(found) == names


def test_sentences_have_their_numbers() -> None:
    [(_, words)] = drifted(replace(SOUND, alignment=16.0), 0.5)
    assert "is 16.0, the pretrained model's 27.0; with other prompts those have 15.0." in words
