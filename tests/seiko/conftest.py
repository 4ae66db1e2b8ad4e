"""A run of tiny images: prompts, an oracle that looks at the file, and a whole round in a fraction of a second."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from seiko.acquisition import UCB
from seiko.campaign import Prompts, Recipe
from seiko.designs import Design
from seiko.imaging import pixels_of
from seiko.models import ImageToySource
from seiko.oracles import Label
from seiko.rewards import Identity, LastLayer
from seiko.updates import DirectBackprop, KLBudget


class Corner:
    """Answers with the brightness of the upper left quarter of an image's file; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Design] = []

    def __call__(self, designs: Sequence[Design]) -> list[Label]:
        self.asked += designs
        pixels = pixels_of(designs)
        half = pixels.shape[-1] // 2
        return [Label(value=float(image[:, :half, :half].mean())) for image in pixels]


@pytest.fixture
def corner() -> Corner:
    return Corner()


@pytest.fixture
def pictures() -> Callable[..., Recipe]:
    """Return a function that makes a small recipe of images, with changes."""
    recipe = Recipe(
        name="pictures",
        model=ImageToySource(size=4, batch=16),
        prompts=Prompts(querying=("left", "right"), training=("left", "top"), held_out=("bottom",)),
        reward_model=LastLayer(features=Identity()),
        acquisition=UCB(),
        update=DirectBackprop(learning_rate=3e-2),
        strength=KLBudget(nats=1.0),
        steps=4,
        samples=24,
        look=40,
        pool=50,
        budget=24,
        rounds=2,
    )

    def make(**changes: Any) -> Recipe:
        return dataclasses.replace(recipe, **changes)

    return make
