"""Several properties of molecules by one option: what it means, and a tiny run on the real oracles."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

pytest.importorskip("rdkit")
pytest.importorskip("selfies")
pytest.importorskip("botorch")

from seiko import config
from seiko.campaign import Campaign, run
from seiko.chemistry import FragmentAlphabet, to_symbols
from seiko.models import Architecture
from seiko.models.masked_lm import TokenIds, save_language_model
from seiko.oracles import QED, SA, oracle_named
from seiko.report.run import report_data
from seiko_recipes.molecules import molecules
from seiko_recipes.objectives import objectives_of


def test_plain_names_are_a_front() -> None:
    objectives, oracle = objectives_of("QED, sa", noise=0.1, seed=2)
    assert objectives.names == ("qed", "sa")
    assert objectives.combine == "pareto"
    assert all(part.reference is not None for part in objectives.properties)
    assert oracle.oracles == (QED(noise=0.1, seed=202), SA(noise=0.1, seed=203))


def test_a_limit_makes_a_constraint() -> None:
    objectives, _ = objectives_of("qed,sa>=0.8,plogp<=3")
    assert objectives.combine == "weighted"
    assert objectives.overall({"qed": 0.5, "sa": 0.9, "plogp": 1.0}) == pytest.approx(5.0)  # in units of .1
    assert objectives.overall({"qed": 0.9, "sa": 0.7, "plogp": 1.0}) == -10.0
    assert objectives.overall({"qed": 0.9, "sa": 0.9, "plogp": 3.5}) == -10.0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("qed,sa>0.8", "limits as in sa>=0.8, got 'sa>0.8'"),
        ("qed,,sa", "got ''"),
        ("qed,wings", "no molecule oracle is called 'wings'"),
        ("qed", "two properties at least"),
        ("qed>=1,sa>=1", "weights must not all be 0"),
        ("qed,qed", "as many names|is there twice"),
    ],
)
def test_what_cannot_be_meant_is_named(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        objectives_of(text)


def test_it_takes_the_place_of_the_oracle() -> None:
    recipe = molecules(objectives="qed,sa")
    assert config.from_json(config.to_json(recipe)) == recipe
    with pytest.raises(ValueError, match="take the place of the oracle"):
        molecules(objectives="qed,sa", oracle="plogp")


def test_a_tiny_run_on_qed_and_sa(tmp_path: Path) -> None:
    smiles = ["CCO", "CC(=O)O", "CCN", "c1ccccc1", "Cc1ccccc1", "CC(=O)Nc1ccccc1", "C1CCCCC1", "CC(N)=O", "COc1ccccc1"]
    alphabet = FragmentAlphabet.learn([to_symbols(s, "rings") for s in smiles], 30, "rings")
    torch.manual_seed(0)
    language_model = Architecture(width=8, layers=1, heads=1).build(len(alphabet), 8)
    save_language_model(language_model, TokenIds.plain(alphabet), alphabet, 8, tmp_path / "prior")
    recipe = molecules(
        objectives="qed,sa", prior=str(tmp_path / "prior"), reward="fingerprint", budget=12, rounds=2, steps=1,
        final_steps=1, samples=8, num_steps=4, pool=40, generations=1, kl_budget=None,
    )  # fmt: skip
    with Campaign.open(tmp_path / "run", recipe) as campaign:
        run(campaign)
        [(query, label), *_] = campaign.state.values()
        qed, sa = (oracle_named(name)([query.design])[0].value for name in ("qed", "sa"))
        assert dict(label.values) == pytest.approx({"qed": qed, "sa": sa})
        data = report_data(campaign)
    assert data.front is not None
    assert len(data.front.values) == 12
    assert any(data.front.front)
    volumes = [volume for _, volume in data.front.hypervolume]
    assert volumes == sorted(volumes)
