"""A finished run is judged by the oracle, and the numbers are those of its ledger."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from seiko.acquisition import Greedy
from seiko.campaign import Campaign, Everything, Recipe, run
from seiko.designs import Design
from seiko.models import Alphabet, Architecture, MaskedLMSource, Pretraining
from seiko.oracles import Ehrlich, Label
from seiko.rewards import LastLayer, OneHot
from seiko.updates import PPO
from seiko_bench.measure import judge, run_and_judge


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """Return a run on an Ehrlich function of four letters and length four, every draw labelled."""
    folder = tmp_path_factory.mktemp("model")
    oracle = Ehrlich(vocabulary=4, length=4, motifs=1, motif_length=2, quantisation=2)
    tokens = torch.from_numpy(oracle.sample_feasible(64, 0)).long()
    training = Pretraining(architecture=Architecture(width=8, layers=1, heads=1), steps=1, batch=8)
    training.run(tokens, Alphabet.numbers(4), folder)
    return Recipe(
        name="measured",
        model=MaskedLMSource(name=str(folder), num_steps=2),
        oracle=oracle,
        reward_model=LastLayer(features=OneHot(vocabulary=4)),
        acquisition=Greedy(),
        update=PPO(),
        steps=1,
        samples=8,
        look=50,
        selection=Everything(paper=True),
        budget=200,
        rounds=2,
        seed=3,
    )


def test_what_is_measured(recipe: Recipe, tmp_path: Path) -> None:
    record = run_and_judge(recipe, tmp_path)
    with Campaign.open(tmp_path) as campaign:
        state, designs = campaign.state, campaign.sample(500)
        again = judge(campaign)
    assert {k: v for k, v in record.items() if k not in ("seed", "seconds")} == again
    assert record["seed"] == 3
    assert record["seconds"] > 0
    bought = [query.design.key for query in state.queries.values()]
    values = sorted({query.design.key: label.value for query, label in state.values()}.values(), reverse=True)  # type: ignore[type-var]
    assert record["labels"] == 200
    assert record["duplicates"] == 200 - len(set(bought)) > 0
    assert record["best"] == values[0]
    assert record["top10"] == pytest.approx(sum(v or 0.0 for v in values[:10]) / 10)
    assert record["top100"] == pytest.approx(sum(v or 0.0 for v in values[:100]) / len(values[:100]))
    # other samples of the same model agree, within their errors
    labels = recipe.oracle(designs) if recipe.oracle else []
    found = [label.value for label in labels if label.value is not None]
    assert record["model_feasible"] == pytest.approx(len(found) / 500, abs=0.1)
    assert record["model_mean"] == pytest.approx(sum(found) / len(found), abs=0.1)
    assert 0 <= record["kl"] == pytest.approx(state.reports[-1].kl_pretrained, abs=0.1)
    assert 0 < record["diversity"] <= 4
    assert 0 < record["distinct"] <= 256 / 2000
    assert [row["labels"] for row in record["rounds"]] == [report.labels_used for report in state.reports]
    assert [row["best"] for row in record["rounds"]] == [report.best for report in state.reports]
    keys = {"round", "labels", "best", "batch_mean", "feasible", "kl", "diversity", "alpha", "believed_mean"}
    assert all(keys | {"coverage", "spearman"} == set(row) for row in record["rounds"])
    assert record["rounds"][0]["coverage"] is None, "nothing was predicted of the first batch"
    assert record["rounds"][1]["coverage"] is not None


def test_an_interrupted_run_is_resumed(recipe: Recipe, tmp_path: Path) -> None:
    whole = run_and_judge(recipe, tmp_path / "whole")
    with Campaign.open(tmp_path / "parts", recipe) as campaign:
        campaign.ask()
    resumed = run_and_judge(recipe, tmp_path / "parts")
    assert resumed | {"seconds": 0} == whole | {"seconds": 0}


@dataclass(frozen=True)
class Nothing:
    """Finds every design infeasible."""

    def __call__(self, designs: Sequence[Design]) -> list[Label]:
        return [Label.infeasible("no") for _ in designs]


def test_a_run_in_which_nothing_was_feasible_has_no_values(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ehrlich, "__call__", Nothing.__call__)
    record = run_and_judge(recipe, tmp_path)
    assert (record["model_mean"], record["model_feasible"], record["best"], record["top10"]) == (None, 0.0, None, None)
    assert record["labels"] == 200


def test_only_what_has_an_oracle_can_be_judged(recipe: Recipe, tmp_path: Path) -> None:
    with Campaign.open(tmp_path, dataclasses.replace(recipe, oracle=None)) as campaign:
        run(campaign, recipe.oracle)
        with pytest.raises(ValueError, match="only a recipe with an oracle can be judged"):
            judge(campaign)
