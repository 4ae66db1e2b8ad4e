"""What a laboratory does beside asking and telling: several batches at once, replicates, errors, old measurements."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from seiko.campaign import Believer, BudgetSpent, Campaign, LabelConflict, Query, Recipe, State, UnknownQuery
from seiko.campaign.foresight import outlook
from seiko.designs import Design
from seiko.oracles import Label

Tiny = Callable[..., Recipe]


@pytest.fixture
def campaign(tmp_path: Path, tiny: Tiny) -> Iterator[Campaign]:
    with Campaign.open(tmp_path / "run", tiny()) as campaign:
        yield campaign


def value(query: Query) -> float:
    return query.design.content.count("A") / len(query.design.content)


def test_several_batches_are_open_at_once(campaign: Campaign) -> None:
    first = campaign.ask(3)
    second = campaign.ask(4, another=True)
    assert [query.id for query in second] == ["1-0004", "1-0005", "1-0006", "1-0007"]
    assert {query.batch for query in first} == {1}
    assert {query.batch for query in second} == {2}
    assert campaign.ask() == first + second
    assert len({query.design.key for query in first + second}) == 7, "what waits is never asked twice"
    with pytest.raises(BudgetSpent, match="6 more labels are asked for, the budget of 12 has 5 left"):
        campaign.ask(6, another=True)
    campaign.tell({query.id: value(query) for query in second})
    assert campaign.ask() == first
    campaign.tell({query.id: value(query) for query in first})
    assert campaign.advance().labels_used == 7
    again = [query.batch for query in campaign.ask(2, another=True)]
    assert again == [1, 1], "the first batch of its round, whatever it is called"


def test_another_batch_learns_from_labels_that_are_there_already(campaign: Campaign) -> None:
    campaign.tell({query.id: value(query) for query in campaign.ask(4)})
    assert all(query.mean is not None for query in campaign.ask(4, another=True))


def test_what_waits_is_believed_and_looked_away_from(tmp_path: Path, tiny: Tiny) -> None:
    with Campaign.open(tmp_path / "run", tiny(budget=60, rounds=2)) as campaign:
        campaign.tell({query.id: value(query) for query in campaign.ask()})
        campaign.advance()
        history = campaign._history
        assert outlook(history) == (history.belief(1), history.objective(1)), "nothing waits: the belief of the round"
        waiting = campaign.ask(5)
        z = history.model.decode(history.model.ingest([query.design for query in waiting]))
        plain = history.belief(1)
        assert plain is not None
        believed = Believer()(history, plain, [query.design for query in waiting], 2)
        assert (believed.posterior(z).std < plain.posterior(z).std).all()
        timid = Believer(noise=100.0)(history, plain, [query.design for query in waiting], 2)
        assert (believed.posterior(z).std < timid.posterior(z).std).all()
        drift = (believed.posterior(z).mean - plain.posterior(z).mean).abs().mean()
        assert drift < 0.5 * plain.posterior(z).std.mean(), "it believes itself"
        belief, objective = outlook(history)
        assert belief is plain, "labels are predicted by what is known"
        assert objective is not None
        shift = objective(z) - history.objective(1)(z)  # type: ignore[misc]
        assert torch.isfinite(shift).all()
        assert shift.mean() < 0
    with pytest.raises(ValueError, match="noise must be a positive factor, got 0"):
        Believer(noise=0)


def test_replicates_are_kept_and_seen_as_one_label(campaign: Campaign) -> None:
    a, b, c, d = campaign.ask(4)
    assert campaign.tell({a.id: [0.0, 0.2], b.id: [0.5, None, Label.failed("bubble", retry=True)], c.id: 0.5}) == 6
    assert campaign.tell({a.id: [0.0, 0.2]}) == 0
    assert campaign.tell({a.id: Label(value=0.4, replicate=3)}) == 1
    with pytest.raises(LabelConflict, match=rf"'{a.id}' \(replicate 2\) has the label 0.2 already, got 0.3"):
        campaign.tell({d.id: 0.5, a.id: [0.0, 0.3]})
    with pytest.raises(ValueError, match="replicate 2 is there twice"):
        campaign.tell({d.id: [Label(value=1.0, replicate=2), Label(value=2.0, replicate=2)]})
    state = campaign.state
    assert [label.value for label in state.standing(a.id)] == [0.0, 0.2, 0.4]
    seen = {query.id: label for query, label in state.values()}
    assert seen[a.id].value == pytest.approx(0.2)
    assert seen[a.id].noise == pytest.approx(0.2 / math.sqrt(3))
    assert (seen[b.id].value, seen[b.id].noise, seen[c.id].noise) == (0.5, None, None)
    assert (state.charged, state.answered) == (4, 3), "a replicate costs no label of the budget"
    assert campaign.ask() == [d]


def test_a_measurement_to_be_repeated_holds_the_round(campaign: Campaign) -> None:
    queries = campaign.ask(3)
    campaign.tell({query.id: Label.failed("the plate fell", retry=True) for query in queries})
    assert campaign.ask() == queries
    assert campaign.state.charged == 3
    campaign.tell({queries[0].id: 0.5, queries[1].id: Label.failed("it fell again")})
    assert campaign.ask() == [queries[2]]
    assert campaign.state.charged == 2, "what failed for good goes back into the budget"


def test_a_label_is_retracted_and_told_anew(campaign: Campaign) -> None:
    a, b, *_ = campaign.ask(4)
    campaign.tell({a.id: 5.0, b.id: 0.5})
    assert campaign.retract([a.id], "wrong well") == 1
    assert campaign.retract([a.id], "wrong well") == 0
    state = campaign.state
    assert state.stage(a.id) is State.RETRACTED
    assert [query.id for query, _ in state.values()] == [b.id]
    assert (state.charged, state.answered) == (4, 2)
    assert a not in campaign.ask()
    assert campaign.tell({a.id: 5.0, b.id: 0.5}) == 0, "the same file again brings nothing back"
    assert campaign.tell({a.id: 0.25}) == 1
    assert state.records[a.id].reason == "wrong well"
    with pytest.raises(LabelConflict, match=r"'1-0003': 'retract' cannot happen to a query that is pending"):
        campaign.retract([a.id, "1-0003"], "x")
    with pytest.raises(UnknownQuery, match="'7-0001' was never asked"):
        campaign.retract(["7-0001"], "x")
    with pytest.raises(ValueError, match="say why"):
        campaign.retract([a.id], " ")
    assert state.labels[a.id] == Label(value=0.25)


def test_a_retraction_does_not_change_the_rounds_before(tmp_path: Path, tiny: Tiny) -> None:
    with Campaign.open(tmp_path / "run", tiny()) as campaign:
        queries = campaign.ask()
        campaign.tell({query.id: value(query) for query in queries})
        report = campaign.advance()
        belief = campaign.belief()
        campaign.retract([queries[0].id], "contaminated")
        x = campaign.model.ingest([query.design for query in queries])
    with Campaign.open(tmp_path / "run") as again:
        after = again.belief()
        assert belief is not None
        assert after is not None
        assert torch.equal(belief.posterior(x).mean, after.posterior(x).mean)
        assert again.state.reports == [report]
        assert len(again.state.values()) == 3
        assert again.state.records[queries[0].id].reason == "contaminated"


def test_what_is_abandoned_goes_back_into_the_budget(campaign: Campaign) -> None:
    a, b, c, *_ = campaign.ask(4)
    campaign.tell({a.id: 0.5, b.id: Label.failed("x", retry=True)})
    assert campaign.abandon([b.id, c.id], "no sample left") == 2
    assert campaign.abandon([b.id], "no sample left") == 0
    assert campaign.state.charged == 2
    assert len(campaign.ask()) == 1
    with pytest.raises(LabelConflict, match=f"'{a.id}': 'abandon' cannot happen to a query that is labelled"):
        campaign.abandon([c.id, a.id], "x")
    more = campaign.ask(6)
    assert c.design not in {query.design for query in more}, "it is not asked again"
    assert campaign.tell({c.id: 0.5}) == 1, "a label that comes after all is taken"


def test_old_measurements_are_fitted_never_asked_and_cost_nothing(campaign: Campaign) -> None:
    old = {Design("AAAAAA"): 1.0, Design("CCCCCC"): [0.0, 0.2], Design("GGGGGG"): None}
    assert campaign.attach(old) == 4
    assert campaign.attach(old) == 0
    assert campaign.attach({Design("AAAAAA"): Label(value=0.9, replicate=2)}) == 1
    state = campaign.state
    assert [query.id for query in state.queries.values()] == ["0-0001", "0-0002", "0-0003"]
    assert (state.charged, state.answered, state.pending()) == (0, 0, [])
    assert len(state.judged()) == 3
    queries = campaign.ask()
    assert all(query.mean is not None for query in queries), "the first batch is chosen by what is known"
    assert not {query.design for query in queries} & set(old)
    with pytest.raises(LabelConflict, match=f"was asked for as query {queries[0].id}: tell its label under that id"):
        campaign.attach({Design("TTTTTT"): 0.5, queries[0].design: 0.5})
    with pytest.raises(LabelConflict, match=r"'0-0001' has the label 1\.0 already, got 0\.5"):
        campaign.attach({Design("AAAAAA"): 0.5})
    with pytest.raises(ValueError, match="'AAX' is no design of this run's model"):
        campaign.attach({Design("AAX"): 0.5})
    with pytest.raises(ValueError, match="a failed measurement says nothing"):
        campaign.attach({Design("TTTTTT"): Label.failed("x")})
    campaign.tell({query.id: 0.25 for query in queries})
    report = campaign.advance()
    assert (report.labels_used, report.batch_mean, report.best) == (4, 0.25, 0.25)
    assert campaign.retract(["0-0001"], "another assay") == 1
    assert len(campaign.state.queries) == 3 + len(queries)
