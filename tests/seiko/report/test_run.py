"""The record is what the ledger says; only the logo's first half is drawn anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from seiko.acquisition import UCB
from seiko.campaign import Campaign, Recipe
from seiko.designs import Design
from seiko.models import Alphabet, Architecture, MaskedLMSource, Pretraining
from seiko.oracles import Label
from seiko.report import render
from seiko.report.run import report_data
from seiko.rewards import LastLayer, OneHot
from seiko.updates import PPO, FixedStrength, KLBudget, Strength


@pytest.fixture(scope="module")
def prior(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prior")
    tokens = torch.randint(4, (64, 4), generator=torch.Generator().manual_seed(0))
    small = Architecture(width=8, layers=1, heads=1)
    Pretraining(architecture=small, steps=1, batch=8).run(tokens, Alphabet.dna(), folder)
    return folder


def a_recipe(prior: Path, strength: Strength, *, moves: bool = True) -> Recipe:
    return Recipe(
        name="tiny",
        model=MaskedLMSource(name=str(prior)),
        reward_model=LastLayer(features=OneHot(vocabulary=4)),
        acquisition=UCB(),
        update=PPO() if moves else None,
        strength=strength,
        steps=2,
        samples=16,
        pool=40,
        budget=12,
        rounds=2,
        seed=5,
    )


@pytest.fixture
def campaign(prior: Path, tmp_path: Path) -> Iterator[Campaign]:
    """Return a run in its second round: one label late, one infeasible, one failed."""
    with Campaign.open(tmp_path / "six", a_recipe(prior, KLBudget(nats=3.0))) as campaign:
        queries = campaign.ask()
        assert len(queries) == 6
        for i, query in enumerate(queries[:3]):
            campaign.tell({query.id: Label(value=query.design.content.count("A") / 4, noise=0.1 * (i + 1))})
        campaign.tell({queries[3].id: None, queries[4].id: Label.failed("dropped")})
        campaign.advance(without_pending=True)
        campaign.ask()
        yield campaign


def test_the_record_is_what_the_ledger_says(campaign: Campaign) -> None:
    data = report_data(campaign)
    assert (data.title, data.recipe_name, data.run_name, data.seed) == ("tiny", "tiny", "six", 5)
    assert (data.budget, data.labels_used, data.rounds_planned, data.kl_budget) == (12, 4, 2, 3.0)
    assert [row.status for row in data.designs[:6]] == ["value"] * 3 + ["infeasible", "failed", "pending"]
    assert all(row.status == "pending" and row.round == 2 for row in data.designs[6:])
    assert [row.noise for row in data.designs[:3]] == pytest.approx([0.1, 0.2, 0.3])
    state = campaign.state
    for row, query in zip(data.designs, state.queries.values(), strict=True):
        assert (row.query_id, row.content, row.source) == (query.id, query.design.content, query.source)
        assert (row.predicted_mean, row.predicted_std) == (query.mean, query.std)
    assert data.designs[-1].predicted_std is not None
    [first] = data.rounds
    assert (first.round, first.labels_used, first.kl_pretrained) == (1, 4, state.reports[0].kl_pretrained)
    assert data.created_at.endswith(" UTC")
    assert '"seed": 5' in data.recipe_json
    assert data.recommendations
    assert data.diversity_max == 4.0


def test_the_logos_are_of_the_pretrained_model_and_of_the_last_round(campaign: Campaign) -> None:
    logos = report_data(campaign).logos
    assert logos is not None
    before = [design.content for design in campaign.sample(200, round=0)]
    after = campaign.state.reports[-1].samples
    assert len(after) == 200
    for rows, texts in ((logos.before, before), (logos.after, after)):
        for position, row in enumerate(rows):
            letters = [text[position] for text in texts]
            assert row == pytest.approx([letters.count(letter) / 200 for letter in "ACGT"])


def test_the_same_run_gives_the_same_page(campaign: Campaign) -> None:
    page = render(report_data(campaign))
    assert page == render(report_data(campaign))
    with Campaign.open(campaign.ledger.root) as again:
        assert page == render(report_data(again))


def test_before_the_first_round_no_model_is_needed(tmp_path: Path, prior: Path) -> None:
    recipe = a_recipe(tmp_path / "no-such-model", FixedStrength(), moves=False)
    with Campaign.open(tmp_path / "new", recipe) as campaign:
        data = report_data(campaign, title="A new run")
    assert data.title == "A new run"
    assert data.logos is None
    assert data.rounds == data.designs == ()
    assert data.kl_budget is None
    assert "A new run" in render(data)


def test_what_was_retracted_abandoned_or_attached_is_told_apart(tmp_path: Path, prior: Path) -> None:
    with Campaign.open(tmp_path / "laboratory", a_recipe(prior, FixedStrength(), moves=False)) as campaign:
        campaign.attach({Design("AAAA"): 9.0})
        a, b, c, *_ = campaign.ask(4)
        campaign.tell({a.id: 0.5, b.id: 0.25})
        campaign.retract([b.id], "wrong well")
        campaign.abandon([c.id], "lost")
        data = report_data(campaign)
    assert [row.status for row in data.designs] == ["value", "retracted", "abandoned", "pending"]
    assert "AAAA" not in {row.content for row in data.designs}
    assert data.labels_used == 2
    page = render(data)
    for words in ("1 retracted.", "1 abandoned.", "1 pending."):
        assert words in page
