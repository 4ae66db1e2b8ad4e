"""Tiny images of known law: prompts draw their patterns, files come back, and what makes no sense is refused."""

from __future__ import annotations

import pytest
import torch

from seiko.diffusion import Noise, rollout
from seiko.models import Bounded, ImageToySource, ModelPolicy, Observing, Prompted
from seiko.models.toy_images import TOY_PROMPTS


def test_each_prompt_draws_its_pattern() -> None:
    source = ImageToySource(channels=3)
    toy = source.load()
    assert all(isinstance(toy, protocol) for protocol in (Bounded, Observing, Prompted))
    for row, prompt in enumerate((*TOY_PROMPTS, None)):
        given = None if prompt is None else toy.encode([prompt]).expand(2000)
        x_0 = rollout(ModelPolicy(toy), given, Noise.seeded(row, 2000)).x_0
        torch.testing.assert_close(x_0.mean(0), source.patterns[row], atol=0.03, rtol=0)
    assert len({source.patterns[row].numpy().tobytes() for row in range(5)}) == 5


def test_images_are_observed_and_read_back() -> None:
    toy = ImageToySource().load()
    x_0 = rollout(ModelPolicy(toy), None, Noise.seeded(0, 5)).x_0
    designs = toy.export(x_0)
    torch.testing.assert_close(toy.observe(designs), toy.decode(x_0), atol=0.5 / 255 + 1e-6, rtol=0)
    assert toy.export(toy.ingest(designs)) == designs
    assert toy.ingest([]).shape == (0, 1, 8, 8)
    assert toy.distance(x_0, x_0[:2]).shape == (5, 2)
    with pytest.raises(ValueError, match=r"\(1, 4, 4\), got \(1, 8, 8\)"):
        ImageToySource(size=4).load().observe(designs)


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="left, right, top, bottom, got the prompt 'middle'"):
        ImageToySource().load().encode(["left", "middle"])
    with pytest.raises(ValueError, match="got 7 and 1"):
        ImageToySource(size=7)
    with pytest.raises(ValueError, match=r"got 0.0, 4, 256"):
        ImageToySource(std=0.0)
