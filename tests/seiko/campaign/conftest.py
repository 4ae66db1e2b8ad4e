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
from seiko.models.masked_lm import TokenIds, save_language_model
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


MOLECULES = """
CCO CC(=O)O CCN CC(C)O c1ccccc1 Cc1ccccc1 Oc1ccccc1 CC(=O)Nc1ccccc1 CCOC(C)=O c1ccncc1 CN1CCNCC1 C1CCCCC1 CC(N)=O
OCC1CC1 CCCl N#CC FC(F)F Clc1ccccc1 CCS CS(C)(=O)=O O=C1CCCN1 C1CCOC1 CNC CCCC COc1ccccc1 Nc1ccccc1 CC#N
O=Cc1ccccc1 C[N+](C)(C)C CC(=O)[O-]
""".split()  # noqa: SIM905


@pytest.fixture(scope="session")
def molecules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with random models of molecules: `rings`, of fragments, and `smiles`, half of it nonsense."""
    pytest.importorskip("rdkit")
    from seiko.chemistry import FragmentAlphabet, to_symbols

    folder = tmp_path_factory.mktemp("molecules")
    learnt = FragmentAlphabet.learn([to_symbols(smiles, "rings") for smiles in MOLECULES], 30, "rings")
    plain = FragmentAlphabet(letters=("C", "N", "O", "1", ""), symbols=("C", "N", "O", "1"), syntax="smiles")
    for name, alphabet, length in (("rings", learnt, 10), ("smiles", plain, 4)):
        torch.manual_seed(0)
        language_model = Architecture(width=8, layers=1, heads=1).build(len(alphabet), length)
        save_language_model(language_model, TokenIds.plain(alphabet), alphabet, length, folder / name)
    return folder


@pytest.fixture
def molecule(molecules: Path) -> MaskedLM:
    return MaskedLMSource(name=str(molecules / "rings")).load()
