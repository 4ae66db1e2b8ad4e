"""The paper's recipe: its published numbers, and whole runs on a tiny random pipeline of each family."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from seiko import config
from seiko.campaign import Campaign, run
from seiko.models import RandomPipeline
from seiko.models.random_pipeline import FAMILY_NAMES
from seiko.updates import DirectBackprop
from seiko_recipes.aesthetic import aesthetic


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(RandomPipeline(family="sd").save(tmp_path_factory.mktemp("sd")))


def tiny(model: str, clip: str, **options: Any) -> Any:
    small = {"budget": 9, "rounds": 2, "steps": 1, "samples": 2, "look": 3, "num_steps": 3, "size": 16, "seen": 16}
    return aesthetic(model=model, clip=clip, **{**small, **options})


def test_the_published_numbers() -> None:
    recipe: Any = aesthetic()
    assert recipe.batches == (1024, 2048, 4096, 8192)
    assert recipe.budget == 15360
    assert recipe.model.num_steps == 50
    assert recipe.model.eta == 1.0
    assert recipe.model.guidance == 7.5
    assert recipe.model.tuning.rank == 4
    assert recipe.update == DirectBackprop(learning_rate=1e-3, weight_decay=1e-4, window=(1, 50), kept=0, outside=1)
    assert recipe.selection.iid
    assert len(recipe.prompts.querying) == 45
    assert not set(recipe.prompts.querying) & set(recipe.prompts.held_out)
    assert config.from_json(config.to_json(recipe)) == recipe


def test_what_it_was_compared_with() -> None:
    alone: Any = aesthetic(method="non-adaptive")
    assert (alone.rounds, alone.batches) == (1, (15360,))
    for method in ("bootstrap", "greedy", "guidance", "ppo"):
        recipe = aesthetic(method=method)  # type: ignore[arg-type]
        assert config.from_json(config.to_json(recipe)) == recipe


@pytest.mark.usefixtures("data_dir")
@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_a_full_round_of_every_family(family: Any, clip: str, tmp_path: Path) -> None:
    folder = RandomPipeline(family=family).save(tmp_path / "model")
    recipe = tiny(str(folder), clip, budget=4, rounds=1)
    with Campaign.open(tmp_path / "run", recipe) as campaign:
        run(campaign)
        state = campaign.state
        assert len(state.labels) == 4
        assert all(label.status == "value" for label in state.labels.values())
        assert state.reports[0].kl_pretrained > 0  # it moved
        assert {query.design.kind for query in state.queries.values()} == {"image"}


@pytest.mark.usefixtures("data_dir")
@pytest.mark.parametrize("method", ["ucb", "bootstrap", "guidance", "ppo", "non-adaptive"])
def test_every_method_runs(method: Any, clip: str, model: str, tmp_path: Path) -> None:
    recipe = tiny(model, clip, method=method, alpha=0.5, beta=0.5)
    with Campaign.open(tmp_path / "run", recipe) as campaign:
        run(campaign)
        rounds = Counter(query.round for query in campaign.state.queries.values())
        assert dict(rounds) == ({1: 9} if method == "non-adaptive" else {1: 3, 2: 6})
        designs = campaign.sample(2)
        assert len({design.content for design in designs}) == 2


def test_a_tuned_run_is_an_adapter(clip: str, model: str, tmp_path: Path) -> None:
    recipe = tiny(model, clip, oracle="compressibility", budget=4, rounds=1)
    with Campaign.open(tmp_path / "run", recipe) as campaign:
        run(campaign)
        loaded: Any = campaign.model
        loaded.save_pretrained(tmp_path / "adapter")
    assert (tmp_path / "adapter" / "pytorch_lora_weights.safetensors").is_file()


def test_prompts_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text("a red car\na blue car\n")
    (tmp_path / "held.txt").write_text("a green car\n")
    recipe: Any = aesthetic(prompts=str(tmp_path / "own.txt"), held_out=str(tmp_path / "held.txt"))
    assert recipe.prompts.querying == ("a red car", "a blue car")
    assert recipe.prompts.judged == ("a green car",)
    assert aesthetic(prompts=str(tmp_path / "own.txt")).prompts.judged == ("a red car", "a blue car")  # type: ignore[union-attr]
