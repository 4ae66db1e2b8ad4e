"""Finished rounds come back from the ledger: beliefs, objectives, and the laws of rounds that were steered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from seiko.acquisition import Feasible, Greedy, Thompson
from seiko.campaign import Campaign, Everything, Fresh, Query, Recipe
from seiko.campaign.history import History
from seiko.campaign.sampler import ModelSampler, SteeredSampler
from seiko.models import MaskedLMSource
from seiko.oracles import Label
from seiko.rewards import Feasibility, OneHot
from seiko.updates import SMC, FixedStrength, Guidance, KLBudget, SoftBestOf, Steering

Tiny = Callable[..., Recipe]
Story = Callable[[Campaign], dict[str, Any]]

GUIDANCE, PARTICLES = Guidance(completions=32), SMC(particles=16)
ALL = pytest.mark.parametrize(
    "steering", [GUIDANCE, PARTICLES, SoftBestOf(draws=8)], ids=["guidance", "smc", "best-of"]
)


def value(query: Query) -> float:
    return query.design.content.count("A") / len(query.design.content)


def play(campaign: Campaign, rounds: int = 1) -> None:
    for _ in range(rounds):
        campaign.tell({query.id: value(query) for query in campaign.ask()})
        campaign.advance()


# -------------------------------------------------------------- steered


@ALL
def test_a_steered_run_goes_to_its_end_and_moves_no_weights(tmp_path: Path, tiny: Tiny, steering: Steering) -> None:
    stages = []
    with Campaign.open(tmp_path, tiny(update=steering, budget=48, look=600)) as campaign:
        play(campaign)
        campaign.tell({query.id: value(query) for query in campaign.ask()})
        campaign.advance(progress=lambda stage, done, total, numbers: stages.append((stage, done, sorted(numbers))))
        play(campaign)
        assert campaign.done
        reports = campaign.state.reports
        assert len(set(campaign.state.weights)) == 1
        before, after = campaign.sample(400, round=0), campaign.sample(400)
    assert stages == [("fit", 0, []), ("steer", 0, []), ("steer", 1, ["alpha", "kl", "objective"]), ("look", 0, [])]
    assert all(report.alpha is not None and report.beta == 0.02 for report in reports)
    assert all(report.kl_previous is None for report in reports)
    assert all(report.believed_mean is not None for report in reports)
    letters = [sum(design.content.count("A") for design in designs) / len(designs) for designs in (before, after)]
    assert letters[1] > letters[0] + 0.4
    assert reports[-1].batch_mean > reports[0].batch_mean  # type: ignore[operator]


@pytest.mark.parametrize(
    ("steering", "samples"),
    [(GUIDANCE, 512), (SMC(particles=32), 4096), (SoftBestOf(), 512)],
    ids=["guidance", "smc", "best-of"],
)
@pytest.mark.parametrize("nats", [0.5, 1.5])
def test_a_steered_round_keeps_its_budget_and_uses_it(
    tmp_path: Path, tiny: Tiny, steering: Steering, samples: int, nats: float
) -> None:
    recipe = tiny(update=steering, strength=KLBudget(nats=nats), samples=samples, look=4096, budget=40, rounds=2)
    with Campaign.open(tmp_path, recipe) as campaign:
        play(campaign, 2)
        found = [report.kl_pretrained for report in campaign.state.reports]
    assert all(0.85 * nats < kl < 1.15 * nats for kl in found), found  # other samples than those it was found on


@ALL
def test_a_steered_run_closed_after_every_verb_is_the_same_run(
    tmp_path: Path, tiny: Tiny, story: Story, steering: Steering
) -> None:
    recipe = tiny(update=steering, acquisition=Thompson(), feasibility=Feasibility(features=OneHot(vocabulary=4)))
    with Campaign.open(tmp_path / "whole", recipe) as campaign:
        play(campaign, 3)
        expected, drawn = story(campaign), [campaign.sample(40, round=round) for round in range(4)]
        assert campaign.sample(20) == drawn[3][:20]
    for _ in range(3):
        with Campaign.open(tmp_path / "parts", recipe) as campaign:
            queries = campaign.ask()
        with Campaign.open(tmp_path / "parts") as campaign:
            campaign.tell({query.id: value(query) for query in queries})
        with Campaign.open(tmp_path / "parts") as campaign:
            campaign.advance()
    with Campaign.open(tmp_path / "parts") as campaign:
        assert story(campaign) == expected
        for round in (2, 0, 3, 1):
            assert campaign.sample(40, round=round) == drawn[round]
    assert len({tuple(designs) for designs in drawn}) == 4, "each round's law draws its own"


def test_a_steered_round_that_was_interrupted_is_the_same_round(tmp_path: Path, tiny: Tiny, story: Story) -> None:
    recipe = tiny(update=PARTICLES, rounds=2)
    with Campaign.open(tmp_path / "whole", recipe) as campaign:
        play(campaign, 2)
        expected = story(campaign)

    def interrupt(stage: str, done: int, total: int, numbers: Any) -> None:
        if stage == "look":
            raise KeyboardInterrupt

    with Campaign.open(tmp_path / "broken", recipe) as campaign:
        for _ in range(2):
            campaign.tell({query.id: value(query) for query in campaign.ask()})
            with pytest.raises(KeyboardInterrupt):
                campaign.advance(progress=interrupt)
            campaign.advance()
        assert story(campaign) == expected


def test_the_laws_of_steered_rounds_follow_the_two_anchors(tmp_path: Path, tiny: Tiny) -> None:
    alpha, beta = 0.6, 0.3
    recipe = tiny(update=GUIDANCE, strength=FixedStrength(alpha=alpha, beta=beta), budget=24)
    with Campaign.open(tmp_path, recipe) as campaign:
        play(campaign, 3)
    with Campaign.open(tmp_path) as campaign:
        history = campaign._history
        x = history.model.ingest([query.design for query in campaign.state.queries.values()])
        expected = torch.zeros(len(x))
        for round in (1, 2, 3):
            belief, objective, tilt = history.belief(round), history.objective(round), history.tilt(round)
            assert belief is not None
            assert objective is not None
            assert tilt is not None
            expected = (objective(x) / belief.scale + beta * expected) / (alpha + beta)
            torch.testing.assert_close(tilt(x), expected)
        assert history.tilt(0) is None


def test_without_a_previous_anchor_no_earlier_round_is_fitted_again(
    tmp_path: Path, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted: list[int] = []
    fit = History.fit

    def counted(self: History, round: int, up_to: int | None = None) -> Any:
        fitted.append(round)
        return fit(self, round, up_to)

    for beta, expected in ((0.0, [2]), (0.02, [1, 2])):
        place = tmp_path / str(beta)
        with Campaign.open(place, tiny(update=GUIDANCE, strength=KLBudget(nats=1, beta=beta))) as campaign:
            play(campaign, 2)
        with monkeypatch.context() as patch, Campaign.open(place) as campaign:
            patch.setattr(History, "fit", counted)
            campaign.sample(3)
        assert sorted(fitted) == expected
        fitted.clear()


def test_a_steered_round_without_a_value_is_that_of_the_pretrained_model(tmp_path: Path, tiny: Tiny) -> None:
    with Campaign.open(tmp_path, tiny(update=PARTICLES)) as campaign:
        campaign.tell({query.id: None for query in campaign.ask()})
        report = campaign.advance()
        assert (report.alpha, report.kl_pretrained, campaign.objective()) == (None, 0.0, None)
        assert isinstance(campaign.sampler, ModelSampler)
        assert campaign.sample(50) == campaign.sample(50, round=0)
        play(campaign)
        assert isinstance(campaign.sampler, SteeredSampler)
        assert campaign.state.reports[1].alpha is not None


def test_paper_mode_labels_steered_draws(tmp_path: Path, tiny: Tiny) -> None:
    recipe = tiny(update=PARTICLES, selection=Everything(paper=True), candidates=(Fresh(),), budget=30)
    with Campaign.open(tmp_path, recipe) as campaign:
        play(campaign, 3)
        assert len(campaign.state.queries) == 30


# ------------------------------------------------ beliefs and objectives


def test_the_objective_is_that_of_the_last_finished_round(tmp_path: Path, tiny: Tiny) -> None:
    recipe = tiny(acquisition=Thompson(), final_acquisition=Greedy(), rounds=2)
    with Campaign.open(tmp_path, recipe) as campaign:
        assert campaign.objective() is None
        play(campaign)
        x = campaign.model.ingest([query.design for query in campaign.state.queries.values()])
        belief, objective = campaign.belief(), campaign.objective()
        assert belief is not None
        assert objective is not None
        values = objective(x)
        assert not torch.allclose(values, belief.posterior(x).mean)
        with Campaign.open(tmp_path) as again:
            drawn_again = again.objective()
            assert drawn_again is not None
            assert torch.equal(drawn_again(x), values), "an acquisition that draws must draw the same again"
        play(campaign)
        last, final = campaign.belief(), campaign.objective()
        assert last is not None
        assert final is not None
        torch.testing.assert_close(final(x), last.posterior(x).mean)


def test_beliefs_of_earlier_rounds_are_fitted_again_on_what_they_had_seen(tmp_path: Path, tiny: Tiny) -> None:
    with Campaign.open(tmp_path, tiny()) as campaign:
        queries = campaign.ask()
        campaign.tell({query.id: value(query) for query in queries[1:]})
        campaign.advance(without_pending=True)
        x = campaign.model.ingest([query.design for query in queries])
        first = campaign.belief()
        campaign.tell({queries[0].id: 7.0})
        play(campaign)
    with Campaign.open(tmp_path) as campaign:
        again = campaign._history.belief(1)
        assert first is not None
        assert again is not None
        assert torch.equal(again.posterior(x).mean, first.posterior(x).mean)
        assert not torch.allclose(campaign.belief().posterior(x).mean, first.posterior(x).mean)  # type: ignore[union-attr]


# ---------------------------------------------------------- feasibility


def cannot_be_made(query: Query) -> float | None:
    """Count the letter A; what ends in G or T cannot be made."""
    return None if query.design.content[-1] in "GT" else value(query)


FEASIBILITY = Feasibility(features=OneHot(vocabulary=4))


def teach(campaign: Campaign) -> list[Query]:
    """Play a round with infeasible labels; return the batch that follows."""
    campaign.tell({query.id: cannot_be_made(query) for query in campaign.ask()})
    campaign.advance()
    return campaign.ask()


@pytest.mark.parametrize("update", [None, PARTICLES], ids=["screening", "smc"])
def test_infeasible_labels_teach_what_not_to_ask(tmp_path: Path, tiny: Tiny, update: Steering | None) -> None:
    share = {}
    for name, feasibility in (("without", None), ("with", FEASIBILITY)):
        recipe = tiny(update=update, feasibility=feasibility, budget=96, rounds=2, pool=200, candidates=(Fresh(),))
        with Campaign.open(tmp_path / name, recipe) as campaign:
            batch = teach(campaign)
            labels = list(campaign.state.labels.values())
            assert {label.status for label in labels} == {"value", "infeasible"}
            share[name] = sum(cannot_be_made(query) is not None for query in batch) / len(batch)
    assert share["with"] > share["without"] + 0.2


def test_feasibility_comes_back_as_it_was_learnt(tmp_path: Path, tiny: Tiny) -> None:
    with Campaign.open(tmp_path, tiny(feasibility=FEASIBILITY, budget=40, rounds=2)) as campaign:
        first = campaign.ask()
        broken = Label.failed("the plate broke")
        campaign.tell({query.id: broken if query is first[0] else cannot_be_made(query) for query in first})
        campaign.advance()
        queries = campaign.ask(4)
        objective = campaign.objective()
        assert isinstance(objective, Feasible)
        told = [label for label in campaign.state.labels.values() if label.status != "failed"]
        assert objective.feasibility.labels == len(told) == 19  # a failed measurement says nothing of feasibility
        assert objective.feasibility.infeasible == sum(label.status == "infeasible" for label in told)
        assert objective.reference == min(label.value for label in told if label.value is not None)
        campaign.tell({query.id: None for query in queries})  # of the next round: not of this objective
        x = campaign.model.ingest([query.design for query in first])
        with Campaign.open(tmp_path) as again:
            same = again.objective()
            assert isinstance(same, Feasible)
            assert torch.equal(same(x), objective(x))


def test_without_an_infeasible_label_the_batch_is_the_same(tmp_path: Path, tiny: Tiny, models: Path) -> None:
    found = []
    for name, feasibility in (("without", None), ("with", FEASIBILITY)):
        recipe = tiny(update=None, feasibility=feasibility, model=MaskedLMSource(name=str(models / "six")))
        with Campaign.open(tmp_path / name, recipe) as campaign:
            play(campaign)
            found.append({query.design for query in campaign.ask()})
    assert found[0] == found[1]  # one probability for all: A is scaled about the lowest label, its order stays
