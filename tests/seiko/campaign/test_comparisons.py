"""Comparisons: told twice taken once, contradictions kept, earlier rounds as they were."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from seiko.campaign import Campaign, Comparison, Recipe, UnknownQuery, best_of
from seiko.campaign.comparisons import Comparisons, agreement, check_comparisons
from seiko.campaign.ledger import LedgerCorrupted, NewEvent
from seiko.designs import Design
from seiko.rewards import RBF, OneHot, PreferenceProcess

Tiny = Callable[..., Recipe]


@pytest.fixture
def campaign(tmp_path: Path, tiny: Tiny) -> Iterator[Campaign]:
    with Campaign.open(tmp_path / "run", tiny()) as campaign:
        yield campaign


def beats(winner: str, loser: str, rater: str = "ada", **more: str) -> Comparison:
    return Comparison(winner=winner, loser=loser, rater=rater, **more)


def test_the_same_comparison_is_taken_once_and_its_opposite_is_data(campaign: Campaign) -> None:
    a, b, c, _ = (query.id for query in campaign.ask())
    assert campaign.compare([beats(a, b), beats(a, b), beats(b, c), beats(c, a)]) == 3  # a cycle
    events = len(campaign.ledger)
    assert campaign.compare([beats(a, b)]) == 0
    assert len(campaign.ledger) == events
    assert campaign.compare([beats(b, a), beats(a, b, "bo")]) == 2
    assert len(campaign.state.comparisons) == 5


def test_a_compared_query_waits_for_nothing_and_is_charged_once(campaign: Campaign) -> None:
    a, b, c, d = (query.id for query in campaign.ask())
    campaign.compare([beats(a, b), beats(a, c)])
    assert [query.id for query in campaign.ask()] == [d]
    campaign.tell({a: 1.0})  # a score beside: still one label
    assert (campaign.state.answered, campaign.state.charged) == (3, 4)


def test_nothing_is_taken_if_one_is_wrong(campaign: Campaign) -> None:
    a, b, c, d = (query.id for query in campaign.ask())
    with pytest.raises(UnknownQuery, match="'9-0001' was never asked"):
        campaign.compare([beats(a, b), beats(a, "9-0001")])
    with pytest.raises(ValueError, match="compared with itself"):
        beats(a, a)
    with pytest.raises(ValueError, match="a choice has one of each"):
        campaign.compare([beats(a, b, choice="x"), beats(c, d, choice="x")])
    assert len(campaign.state.comparisons) == 0


def test_taken_back_but_not_from_the_past(campaign: Campaign, tmp_path: Path) -> None:
    a, b, c, _ = (query.id for query in campaign.ask())
    campaign.compare([beats(a, b)])
    before = campaign.state.last_seq
    assert campaign.withdraw([beats(a, b), beats(b, c)]) == 1
    assert campaign.withdraw([beats(a, b)]) == 0
    state = campaign.state
    assert list(state.comparisons) == []
    assert a in {query.id for query in state.pending()}
    assert state.comparisons.up_to(before) == [beats(a, b)]
    assert campaign.compare([beats(a, b)]) == 1
    assert campaign.state.comparisons.up_to(state.last_seq - 1) == []
    with Campaign.open(tmp_path / "run") as again:
        assert list(again.state.comparisons) == [beats(a, b)]


def test_the_best_of_four_is_one_choice() -> None:
    found = best_of("a", ["d", "b", "c"], "ada")
    assert [c.loser for c in found] == ["d", "b", "c"]
    assert len({c.choice for c in found}) == 1
    assert found[0].choice is not None
    assert {c.choice for c in best_of("a", ["b", "c", "d"], "ada")} == {found[0].choice}  # the order shown is no matter
    assert best_of("b", ["a", "c", "d"], "ada")[0].choice != found[0].choice
    assert best_of("a", ["b"]) == [Comparison(winner="a", loser="b")]


def test_a_tie_has_no_order() -> None:
    known = Comparisons()
    known.fold(1, {"comparisons": [Comparison(winner="a", loser="b", tie=True).row()]}, {"a", "b"}.__contains__)
    assert check_comparisons(known, [Comparison(winner="b", loser="a", tie=True)]) == []
    assert len(check_comparisons(known, [Comparison(winner="b", loser="a")])) == 1


def test_two_processes_that_told_the_same_told_it_once() -> None:
    known, row = Comparisons(), beats("a", "b").row()
    for seq in (1, 2):
        known.fold(seq, {"comparisons": [row]}, {"a", "b"}.__contains__)
    assert len(known) == 1
    known.fold(3, {"comparisons": [], "withdrawn": [row]}, {"a", "b"}.__contains__)
    assert not known.names("a")
    assert known.up_to(2) == [beats("a", "b")]


def test_an_event_that_names_an_unknown_query_is_refused(campaign: Campaign) -> None:
    campaign.ask()
    campaign.ledger.append([NewEvent("compared", {"comparisons": [beats("1-0001", "7-0001").row()]})], expected=2)
    with pytest.raises(LedgerCorrupted, match="7-0001"):
        campaign.state  # noqa: B018


def test_agreement_counts_what_was_predicted_before() -> None:
    predicted = {"a": 2.0, "b": 1.0, "c": 1.0, "d": None}
    told = [beats("a", "b"), beats("b", "a"), beats("a", "c"), beats("b", "c"), beats("a", "d"), beats("d", "e")]
    assert agreement(told, predicted) == (2, 3)
    assert agreement([Comparison(winner="a", loser="b", tie=True)], predicted) == (0, 0)


def prefer_a(campaign: Campaign) -> None:
    """Say of each pair of a batch which has more of the letter A; equals are ties."""
    queries = campaign.ask()
    told = []
    for i, one in enumerate(queries):
        for other in queries[i + 1 :]:
            a, b = (query.design.content.count("A") for query in (one, other))
            winner, loser = (one, other) if a >= b else (other, one)
            told.append(Comparison(winner=winner.id, loser=loser.id, tie=a == b))
    campaign.compare(told)


def test_a_run_learns_from_comparisons_alone(tmp_path: Path, tiny: Tiny) -> None:
    recipe = tiny(reward_model=PreferenceProcess(kernel=RBF(feature=OneHot(vocabulary=4))), budget=24, rounds=3)
    with Campaign.open(tmp_path / "run", recipe) as campaign:
        for _ in range(2):
            prefer_a(campaign)
            campaign.advance()
        belief, model = campaign.belief(), campaign.model
        assert belief is not None
        few, many = model.ingest([Design("CGTCGT"), Design("AAAAAA")])
        posterior = belief.posterior(model.decode(torch.stack([few, many])))
        assert posterior.mean[1] > posterior.mean[0] + belief.scale
        report = campaign.state.reports[-1]
        assert report.best is None
        assert report.alpha is not None  # the model was moved
        assert {query.source for query in campaign.ask()} == {"fresh", "remask"}  # parents without a single number
        assert all(query.mean is not None for query in campaign.ask())
        asked, first = campaign.ask(), belief.posterior(model.decode(few[None])).mean
    with Campaign.open(tmp_path / "run") as again:  # in another process
        assert again.ask() == asked
        refitted = again.belief()
        assert refitted is not None
        assert torch.equal(refitted.posterior(again.model.decode(few[None])).mean, first)


def test_scores_and_comparisons_are_one_fit(tmp_path: Path, tiny: Tiny) -> None:
    recipe = tiny(reward_model=PreferenceProcess(kernel=RBF(feature=OneHot(vocabulary=4))))
    with Campaign.open(tmp_path / "run", recipe) as campaign:
        queries = campaign.ask()
        campaign.tell({queries[0].id: 5.0, queries[1].id: 6.0})
        campaign.compare(best_of(queries[2].id, [queries[0].id, queries[1].id, queries[3].id]))
        campaign.advance()
        belief, model = campaign.belief(), campaign.model
        assert belief is not None
        mean = belief.posterior(model.decode(model.ingest([query.design for query in queries]))).mean
        assert belief.report.labels == 4
        assert int(mean.argmax()) == 2
        assert 4.0 < float(mean.min()) < 8.0  # in the oracle's units


def test_a_reward_model_that_cannot_use_them_is_known_beforehand(campaign: Campaign) -> None:
    assert not campaign.learns_from_comparisons
    queries = campaign.ask()
    campaign.compare(best_of(queries[0].id, [query.id for query in queries[1:]]))
    assert campaign.advance().believed_mean is None  # kept, but nothing was learnt
