"""A recipe small enough that a whole run takes a second: DNA of six letters, a random model, a closed-form oracle."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from seiko.acquisition import UCB
from seiko.campaign import Campaign, Fresh, Recipe, Remask
from seiko.designs import Design
from seiko.models import Alphabet, Architecture, MaskedLM, MaskedLMSource, Pretraining
from seiko.oracles import Label
from seiko.oracles.noise import noisy_label
from seiko.rewards import LastLayer, OneHot
from seiko.updates import PPO, KLBudget


class CountA:
    """Answers with the share of the letter A and a noise that belongs to the design; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Design] = []

    def __call__(self, designs: Sequence[Design]) -> list[Label]:
        self.asked += designs
        return [
            noisy_label(design.content.count("A") / len(design.content), noise=0.1, seed=0, key=design.key)
            for design in designs
        ]


@pytest.fixture
def oracle() -> CountA:
    return CountA()


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a random model of 6 letters, `six`, and one of 2 letters, `two`: 16 designs in all."""
    folder = tmp_path_factory.mktemp("models")
    training = Pretraining(architecture=Architecture(width=8, layers=1, heads=1), steps=1, batch=8)
    for name, length in (("six", 6), ("two", 2)):
        tokens = torch.randint(4, (64, length), generator=torch.Generator().manual_seed(0))
        training.run(tokens, Alphabet.dna(), folder / name)
    return folder


@pytest.fixture
def model(models: Path) -> MaskedLM:
    return MaskedLMSource(name=str(models / "six")).load()


@pytest.fixture(scope="session")
def tiny(models: Path) -> Callable[..., Recipe]:
    """Return a function that makes the small recipe, with changes."""
    recipe = Recipe(
        name="tiny",
        model=MaskedLMSource(name=str(models / "six"), num_steps=2),
        reward_model=LastLayer(features=OneHot(vocabulary=4)),
        acquisition=UCB(),
        update=PPO(learning_rate=1e-2),
        strength=KLBudget(nats=1.0),
        steps=3,
        samples=32,
        look=200,
        candidates=(Fresh(share=0.5), Remask(share=0.5)),
        pool=60,
        budget=12,
        rounds=3,
    )

    def make(**changes: Any) -> Recipe:
        return dataclasses.replace(recipe, **changes)

    return make


@pytest.fixture
def story() -> Callable[[Campaign], dict[str, Any]]:
    """Return a function that tells everything a run decided: all but the seconds it took."""

    def tell(campaign: Campaign) -> dict[str, Any]:
        state = campaign.state
        return {
            "queries": list(state.queries.values()),
            "labels": dict(state.labels),
            "weights": list(state.weights),
            "reports": [dataclasses.replace(report, seconds=0.0) for report in state.reports],
        }

    return tell
