"""A campaign so small that a round takes a moment: what faults and load are measured on, for they are not of the model.

A random masked model of DNA, two denoising steps, a linear belief, three steps of PPO; the oracle counts the letter A.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from seiko.acquisition import UCB
from seiko.campaign import Fresh, Recipe, Remask
from seiko.designs import Design
from seiko.models import Alphabet, Architecture, MaskedLMSource, Pretraining
from seiko.oracles import Label
from seiko.oracles.noise import noisy_label
from seiko.rewards import LastLayer, OneHot, ReverseComplement
from seiko.updates import PPO, KLBudget

__all__ = ["answer", "make_model", "tiny"]


def make_model(folder: Path, letters: int = 6) -> Path:
    """Write a random model of DNA into a folder, the same every time, and return the folder."""
    tokens = torch.randint(4, (64, letters), generator=torch.Generator().manual_seed(0))
    small = Architecture(width=8, layers=1, heads=1)
    Pretraining(architecture=small, steps=1, batch=8).run(tokens, Alphabet.dna(), folder)
    return folder


def tiny(model: Path, **changes: Any) -> Recipe:
    """Return the recipe, with changes."""
    values: dict[str, Any] = {
        "name": "tiny",
        "model": MaskedLMSource(name=str(model), num_steps=2),
        "reward_model": LastLayer(features=OneHot(vocabulary=4)),
        "acquisition": UCB(),
        "update": PPO(learning_rate=1e-2),
        "strength": KLBudget(nats=1.0),
        "steps": 3,
        "samples": 32,
        "look": 200,
        "candidates": (Fresh(share=0.5), Remask(share=0.5)),
        "pool": 80,
        "same": ReverseComplement(),
        "budget": 24,
        "rounds": 3,
    }
    return Recipe(**(values | changes))


def answer(designs: Sequence[Design]) -> list[Label]:
    """Return the share of the letter A in each, with a noise that belongs to the design."""
    return [
        noisy_label(design.content.count("A") / len(design.content), noise=0.1, seed=0, key=design.key)
        for design in designs
    ]
