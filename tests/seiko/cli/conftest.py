"""A recipe small enough that a whole run takes a second: DNA of four letters, a random model, a closed-form oracle."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner, Result

from seiko.cli import app
from seiko.models import Alphabet, Architecture, Pretraining

PLATE = '''
"""A recipe of somebody's own, with an oracle of their own."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from seiko.acquisition import UCB
from seiko.campaign import Recipe
from seiko.models import MaskedLMSource
from seiko.oracles import Label, TFBind8
from seiko.rewards import LastLayer, OneHot
from seiko.updates import PPO, KLBudget

__all__ = ["CountA", "broken", "by_hand", "six6", "tiny"]


@dataclass(frozen=True, kw_only=True)
class CountA:
    scale: float = 1.0

    def __call__(self, designs):
        return [Label(value=self.scale * design.content.count("A") / 4) for design in designs]


def tiny(
    *,
    budget: int = 12,
    rounds: int = 2,
    seed: int = 0,
    update: Literal["ppo", "none"] = "ppo",
    kl_budget: float | None = 3.0,
    scale: float = 1.0,
    mirror: bool = False,
    steps: int = 2,
) -> Recipe:
    """Count the letter A.

    More words about it.

    Args:
        budget: Labels in all.
        rounds: Batches.
        seed: Seeds everything.
        update: How the model
            moves.
        kl_budget: Nats from the pretrained model.
        scale: Of the label.
        mirror: Not used.

    Returns:
        The recipe.
    """
    return Recipe(
        name="tiny",
        model=MaskedLMSource(name="MODEL"),
        oracle=CountA(scale=scale),
        reward_model=LastLayer(features=OneHot(vocabulary=4)),
        acquisition=UCB(),
        update=PPO() if update == "ppo" else None,
        strength=KLBudget(nats=kl_budget or 100.0),
        steps=steps,
        samples=16,
        pool=40,
        budget=budget,
        rounds=rounds,
        seed=seed,
    )


def by_hand(*, budget: int = 8, rounds: int = 2, seed: int = 0) -> Recipe:
    """Wait for people."""
    recipe = tiny(budget=budget, rounds=rounds, seed=seed)
    return Recipe(**{**recipe.__dict__, "oracle": None})


def six6(*, budget: int = 8) -> Recipe:
    """Ask the real landscape."""
    recipe = tiny(budget=budget)
    return Recipe(**{**recipe.__dict__, "oracle": TFBind8(), "model": MaskedLMSource(name="MODEL8")})


def broken(*, budget: int = 8) -> int:
    """Return no recipe."""
    return budget
'''


@pytest.fixture(scope="session")
def plates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the folder of the module `plate` and of its model, which can be imported from there."""
    folder = tmp_path_factory.mktemp("plates")
    small = Pretraining(architecture=Architecture(width=8, layers=1, heads=1), steps=1, batch=8)
    for length, name in ((4, "model"), (8, "model8")):
        tokens = torch.randint(4, (64, length), generator=torch.Generator().manual_seed(0))
        small.run(tokens, Alphabet.dna(), folder / name)
    text = PLATE.replace("MODEL8", str(folder / "model8")).replace("MODEL", str(folder / "model"))
    (folder / "plate.py").write_text(text)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    yield folder
    sys.path.remove(str(folder))
    sys.modules.pop("plate", None)


Invoke = Callable[..., Result]


@pytest.fixture
def seiko(plates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Return a function that runs a command line in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEIKO_DEBUG", raising=False)
    monkeypatch.setenv("SEIKO_MODULES", "plate")

    def invoke(*args: str, input: str | None = None) -> Result:
        return CliRunner().invoke(app, list(args), input=input, prog_name="seiko")

    return invoke


@pytest.fixture
def waiting(seiko: Invoke, tmp_path: Path) -> Path:
    """Return a run whose first batch of four waits for labels."""
    assert seiko("init", "plate:by_hand", "--out", "waiting").exit_code == 0
    assert seiko("ask", "waiting").exit_code == 0
    return tmp_path / "waiting"


@pytest.fixture(scope="session")
def finished_run(plates: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a finished run; tests must not change it."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    result = CliRunner().invoke(app, ["run", "plate:tiny", "--out", str(folder)])
    assert result.exit_code == 0, result.output
    return folder
