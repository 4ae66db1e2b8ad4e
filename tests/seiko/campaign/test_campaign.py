"""Ask, tell and advance: in any order, any number of times, by any number of processes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from seiko.campaign import (
    BudgetSpent,
    Campaign,
    Everything,
    Fresh,
    LabelConflict,
    NoRun,
    NothingAsked,
    PendingLabels,
    PoolExhausted,
    Query,
    Recipe,
    RecipeMismatch,
    Remask,
    UnknownQuery,
)
from seiko.campaign.ledger import Ledger, LedgerCorrupted, NewEvent
from seiko.diffusion import Noise, path_kl, rollout
from seiko.models import MaskedLMSource, ModelPolicy
from seiko.oracles import Label
from seiko.rewards import ReverseComplement
from seiko.updates import KLBudget

Tiny = Callable[..., Recipe]
Story = Callable[[Campaign], dict[str, Any]]


@pytest.fixture
def campaign(tmp_path: Path, tiny: Tiny) -> Iterator[Campaign]:
    with Campaign.open(tmp_path / "run", tiny()) as campaign:
        yield campaign


def value(query: Query) -> float:
    return query.design.content.count("A") / len(query.design.content)


def play(campaign: Campaign, rounds: int = 1) -> None:
    for _ in range(rounds):
        campaign.tell({query.id: value(query) for query in campaign.ask()})
        campaign.advance()


# ------------------------------------------------------------------ ask


def test_asking_again_changes_nothing(campaign: Campaign) -> None:
    first = campaign.ask()
    assert [query.id for query in first] == ["1-0001", "1-0002", "1-0003", "1-0004"]  # a third of the budget of 12
    assert all(query.round == 1 and query.source == "fresh" and query.mean is None for query in first)
    events = len(campaign.ledger)
    assert campaign.ask() == first
    assert campaign.ask(4) == first
    assert campaign.ask(2) == first
    assert len(campaign.ledger) == events
    assert campaign.state.charged == 4


def test_answered_queries_are_not_returned_again(campaign: Campaign) -> None:
    first = campaign.ask()
    campaign.tell({first[1].id: 0.5})
    assert campaign.ask() == [first[0], *first[2:]]
    assert campaign.state.charged == 4


def test_a_larger_batch_is_added_to(campaign: Campaign) -> None:
    first = campaign.ask(3)
    more = campaign.ask(5)
    assert more[:3] == first
    assert [query.id for query in more] == [f"1-000{i}" for i in range(1, 6)]
    assert len({query.design.key for query in more}) == 5
    assert campaign.state.charged == 5


def test_later_queries_carry_a_prediction_and_come_from_both_sources(tmp_path: Path, tiny: Tiny) -> None:
    with Campaign.open(tmp_path, tiny(budget=40, rounds=2)) as campaign:
        play(campaign)
        queries = campaign.ask()
    assert {query.source for query in queries} == {"fresh", "remask"}
    assert all(query.mean is not None and query.std is not None and query.std > 0 for query in queries)


def test_the_budget_is_kept(campaign: Campaign) -> None:
    with pytest.raises(BudgetSpent, match="13 more labels are asked for, the budget of 12 has 12 left"):
        campaign.ask(13)
    campaign.ask(8)  # reserves, though nothing is told
    with pytest.raises(BudgetSpent, match="5 more labels are asked for, the budget of 12 has 4 left"):
        campaign.ask(13)
    assert len(campaign.ask(12)) == 12
    assert campaign.state.charged == 12


def test_what_is_left_is_parted_among_the_rounds_left(tmp_path: Path, tiny: Tiny) -> None:
    sizes = []
    with Campaign.open(tmp_path, tiny(budget=11, rounds=3)) as campaign:
        while not campaign.done:
            sizes.append(len(campaign.ask()))
            play(campaign)
    assert sizes == [4, 4, 3]


@pytest.mark.parametrize("n", [0, -3])
def test_a_batch_of_nothing_is_refused(campaign: Campaign, n: int) -> None:
    with pytest.raises(ValueError, match=f"n must be a positive number of designs, got {n}"):
        campaign.ask(n)


def test_a_space_that_is_used_up_costs_nothing(tmp_path: Path, tiny: Tiny, models: Path) -> None:
    recipe = tiny(model=MaskedLMSource(name=str(models / "two")), candidates=(Fresh(),), budget=40, rounds=2)
    with Campaign.open(tmp_path, recipe) as campaign:
        assert len(campaign.ask(16)) == 16
        with pytest.raises(PoolExhausted, match="only 0 new designs"):
            campaign.ask(17)
        assert campaign.state.charged == 16


# ----------------------------------------------------------------- tell


def test_labels_come_in_any_order_and_part_by_part(tmp_path: Path, tiny: Tiny, story: Story) -> None:
    told = []
    for name, order in (("a", 1), ("b", -1)):
        with Campaign.open(tmp_path / name, tiny()) as campaign:
            for _ in range(2):
                queries = campaign.ask()[::order]
                for part in (queries[:1], queries[1:]) if order < 0 else (queries,):
                    assert campaign.tell({query.id: value(query) for query in part}) == len(part)
                campaign.advance()
            told.append(story(campaign))
    assert told[0] == told[1]


def test_the_same_label_twice_is_taken_once(campaign: Campaign) -> None:
    query, other = campaign.ask()[:2]
    assert campaign.tell({query.id: 0.5}) == 1
    events = len(campaign.ledger)
    assert campaign.tell({query.id: 0.5}) == 0
    assert campaign.tell({query.id: Label(value=0.5)}) == 0
    assert campaign.tell({}) == 0
    assert len(campaign.ledger) == events
    assert campaign.tell({query.id: 0.5, other.id: 0.25}) == 1
    assert campaign.state.answered == 2


@pytest.mark.parametrize(
    ("second", "words"),
    [(0.25, "0.5 already, got 0.25"), (None, "0.5 already, got infeasible"), (Label.failed("x"), "got failed")],
)
def test_a_different_second_label_is_a_conflict(campaign: Campaign, second: Any, words: str) -> None:
    query, other = campaign.ask()[:2]
    campaign.tell({query.id: 0.5})
    with pytest.raises(LabelConflict, match=f"{query.id}.*{words}; nothing was taken"):
        campaign.tell({other.id: 0.7, query.id: second})
    assert campaign.state.labels == {query.id: Label(value=0.5)}


def test_infeasible_is_an_answer_and_stays_one(campaign: Campaign) -> None:
    query = campaign.ask()[0]
    campaign.tell({query.id: None})
    assert campaign.state.labels[query.id].status == "infeasible"
    assert (campaign.state.charged, campaign.state.answered) == (4, 1)
    assert campaign.tell({query.id: None}) == 0
    with pytest.raises(LabelConflict, match=r"infeasible already, got 0\.5"):
        campaign.tell({query.id: 0.5})


def test_an_unknown_query_is_refused(campaign: Campaign) -> None:
    query = campaign.ask()[0]
    with pytest.raises(UnknownQuery, match="query '9-0001' was never asked in this run; nothing was taken"):
        campaign.tell({query.id: 0.5, "9-0001": 0.5})
    assert campaign.state.labels == {}


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf, "high"])
def test_what_is_no_finite_number_is_refused(campaign: Campaign, wrong: Any) -> None:
    first, second = campaign.ask()[:2]
    with pytest.raises(ValueError, match=f"query '{second.id}': .*nothing was taken"):
        campaign.tell({first.id: 0.5, second.id: wrong})
    assert campaign.state.labels == {}


def test_a_failed_measurement_is_not_charged_and_may_be_told_again(campaign: Campaign) -> None:
    query = campaign.ask()[0]
    campaign.tell({query.id: Label.failed("the plate broke")})
    assert (campaign.state.charged, campaign.state.answered) == (3, 0)
    assert campaign.tell({query.id: Label.failed("the plate broke")}) == 0
    assert campaign.tell({query.id: 0.5}) == 1
    assert (campaign.state.charged, campaign.state.answered) == (4, 1)
    with pytest.raises(LabelConflict):
        campaign.tell({query.id: Label.failed("the plate broke")})


def test_a_failed_label_goes_back_into_the_budget(campaign: Campaign) -> None:
    first = campaign.ask()
    campaign.tell({query.id: Label.failed("broke") if query is first[0] else value(query) for query in first})
    assert campaign.advance().labels_used == 3
    assert len(campaign.ask(9)) == 9


# -------------------------------------------------------------- advance


def test_nothing_asked_nothing_to_advance(campaign: Campaign) -> None:
    with pytest.raises(NothingAsked, match="round 1 has no batch yet: ask first"):
        campaign.advance()


def test_missing_labels_hold_the_round_unless_it_goes_on_without(campaign: Campaign) -> None:
    queries = campaign.ask()
    campaign.tell({query.id: value(query) for query in queries[:2]})
    with pytest.raises(PendingLabels, match=rf"2 labels of round 1 are missing \({queries[2].id}, ...\)"):
        campaign.advance()
    assert campaign.state.reports == []
    report = campaign.advance(without_pending=True)
    assert (report.round, report.labels_used) == (1, 2)
    assert campaign.state.round == 2
    # late labels are taken, and the round that they belong to does not hold the next one
    assert campaign.tell({queries[2].id: 0.5}) == 1
    second = campaign.ask()
    campaign.tell({query.id: value(query) for query in second})
    assert campaign.advance().labels_used == 3 + len(second)
    assert [query.id for query in campaign.state.pending()] == [queries[3].id]


def test_late_labels_do_not_change_what_was_fitted(tmp_path: Path, tiny: Tiny) -> None:
    with Campaign.open(tmp_path, tiny()) as campaign:
        queries = campaign.ask()
        campaign.tell({query.id: value(query) for query in queries[:3]})
        campaign.advance(without_pending=True)
        before = campaign.belief()
        campaign.tell({queries[3].id: 5.0})
        x = campaign.model.ingest([query.design for query in queries])
    with Campaign.open(tmp_path) as again:
        after = again.belief()
        assert before is not None
        assert after is not None
        assert torch.equal(before.posterior(x).mean, after.posterior(x).mean)


def test_a_round_in_which_nothing_is_feasible(campaign: Campaign) -> None:
    campaign.tell({query.id: None for query in campaign.ask()})
    report = campaign.advance()
    assert (report.feasible, report.batch_mean, report.best, report.believed_mean) == (0.0, None, None, None)
    assert (report.alpha, report.kl_pretrained, report.labels_used) == (None, 0.0, 4)
    assert campaign.belief() is None
    play(campaign, 2)
    assert campaign.done
    assert campaign.state.reports[-1].best is not None


def test_a_round_whose_labels_all_failed(campaign: Campaign) -> None:
    campaign.tell({query.id: Label.failed("broke") for query in campaign.ask()})
    report = campaign.advance()
    assert (report.feasible, report.labels_used) == (None, 0)


def test_the_report_says_what_the_labels_say(campaign: Campaign) -> None:
    queries = campaign.ask()
    campaign.tell(dict(zip([query.id for query in queries], [0.1, 0.4, None, Label.failed("x")], strict=True)))
    stages = []
    report = campaign.advance(progress=lambda stage, done, total, numbers: stages.append((stage, done, total)))
    assert report.batch_mean == pytest.approx(0.25)
    assert (report.best, report.labels_used) == (0.4, 3)
    assert report.feasible == pytest.approx(2 / 3)
    assert report.prequential is None
    assert 0 < report.kl_pretrained <= 1.2  # the recipe's budget is 1, kept on other samples than these
    assert report.kl_previous == pytest.approx(report.kl_pretrained, rel=1e-4)
    assert len(report.samples) == 200
    assert 0 < report.diversity < 6
    assert 0 < report.distinct <= 1
    updates = [("update", step, 3) for step in (1, 2, 3)]
    assert stages == [("fit", 0, 1), *updates, ("land", 0, 1), ("look", 0, 1)]
    play(campaign)
    prequential = campaign.state.reports[1].prequential
    assert prequential is not None
    assert prequential.n == 5  # nine labels were left for two rounds


def test_the_end(campaign: Campaign) -> None:
    play(campaign, 3)
    assert campaign.done
    assert campaign.ask() == []
    with pytest.raises(BudgetSpent, match="all 3 rounds are finished"):
        campaign.advance()
    assert campaign.state.charged == 12


def test_a_budget_spent_early_ends_the_run(campaign: Campaign) -> None:
    campaign.tell({query.id: value(query) for query in campaign.ask(12)})
    assert not campaign.done
    campaign.advance()
    assert campaign.done
    assert campaign.ask() == []
    with pytest.raises(BudgetSpent, match="all 12 labels are spent"):
        campaign.advance()


def test_a_failed_label_that_comes_after_all_when_its_money_is_spent(campaign: Campaign) -> None:
    first = campaign.ask(6)
    campaign.tell({query.id: Label.failed("broke") if query is first[0] else value(query) for query in first})
    campaign.advance()
    campaign.tell({query.id: value(query) for query in campaign.ask(7)})
    assert campaign.state.charged == 12
    campaign.advance()
    assert campaign.tell({first[0].id: 0.5}) == 1  # a measurement that exists is never thrown away
    assert campaign.state.charged == 13
    assert campaign.done
    assert campaign.ask() == []


def test_a_model_that_does_not_move(tmp_path: Path, tiny: Tiny) -> None:
    with Campaign.open(tmp_path, tiny(update=None)) as campaign:
        play(campaign, 2)
        assert [report.kl_pretrained for report in campaign.state.reports] == [0.0, 0.0]
        assert campaign.state.weights[0] == campaign.state.weights[1]


def test_the_final_acquisition_is_that_of_the_last_round(tmp_path: Path, tiny: Tiny, story: Story) -> None:
    from seiko.acquisition import Greedy

    found = []
    for name, final in (("a", None), ("b", Greedy())):
        with Campaign.open(tmp_path / name, tiny(rounds=2, final_acquisition=final)) as campaign:
            play(campaign, 2)
            found.append(story(campaign))
    assert found[0]["queries"] == found[1]["queries"]
    assert found[0]["weights"][0] == found[1]["weights"][0]
    assert found[0]["weights"][1] != found[1]["weights"][1]


# ---------------------------------------------------- several processes


def test_a_second_process_sees_the_same(tmp_path: Path, tiny: Tiny) -> None:
    with Campaign.open(tmp_path, tiny()) as one, Campaign.open(tmp_path) as two:
        queries = one.ask()
        assert two.ask() == queries
        assert two.tell({queries[0].id: 0.5}) == 1
        with pytest.raises(LabelConflict):
            one.tell({queries[0].id: 0.6})
        one.tell({query.id: value(query) for query in queries[1:]})
        report = two.advance()
        assert one.state.reports == [report]
        assert one.ask() == two.ask()


def test_two_that_ask_at_once_get_the_same_queries(tmp_path: Path, tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    with Campaign.open(tmp_path, tiny()) as slow, Campaign.open(tmp_path) as quick:
        append, given = Campaign._append, []

        def append_second(self: Campaign, kind: str, payload: dict[str, Any]) -> None:
            if self is slow and not given:
                given.append(quick.ask(2))
            append(self, kind, payload)

        monkeypatch.setattr(Campaign, "_append", append_second)
        assert slow.ask(2) == given[0]
        assert slow.state.charged == 2


def test_two_that_tell_at_once_are_both_heard(tmp_path: Path, tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    with Campaign.open(tmp_path, tiny()) as slow, Campaign.open(tmp_path) as quick:
        queries = slow.ask()
        append, told = Campaign._append, []

        def append_second(self: Campaign, kind: str, payload: dict[str, Any]) -> None:
            if self is slow and not told:
                told.append(quick.tell({queries[0].id: 0.5, queries[1].id: 0.25}))
            append(self, kind, payload)

        monkeypatch.setattr(Campaign, "_append", append_second)
        assert slow.tell({queries[0].id: 0.5, queries[2].id: 0.75}) == 1
        assert slow.state.answered == 3


def test_two_that_advance_at_once_finish_one_round(
    tmp_path: Path, tiny: Tiny, monkeypatch: pytest.MonkeyPatch, story: Story
) -> None:
    with Campaign.open(tmp_path / "alone", tiny()) as alone:
        play(alone, 2)
        expected = story(alone)
    with Campaign.open(tmp_path / "run", tiny()) as slow, Campaign.open(tmp_path / "run") as quick:
        slow.tell({query.id: value(query) for query in slow.ask()})
        append, advanced = Campaign._append, []

        def append_second(self: Campaign, kind: str, payload: dict[str, Any]) -> None:
            if self is slow and kind == "advanced" and not advanced:
                advanced.append(quick.advance())
            append(self, kind, payload)

        monkeypatch.setattr(Campaign, "_append", append_second)
        with pytest.raises(NothingAsked):  # the round that it was to finish is finished, the next one has no batch
            slow.advance()
        assert len(slow.state.reports) == 1
        play(slow)  # its model was moved for nothing: it must start again from the ledger's weights
        assert story(slow) == expected


def test_two_that_start_a_run_at_once(tmp_path: Path, tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    append, quick = Campaign._append, []

    def append_second(self: Campaign, kind: str, payload: dict[str, Any]) -> None:
        if not quick:
            quick.append(None)
            Campaign.open(tmp_path, tiny()).close()
        append(self, kind, payload)

    monkeypatch.setattr(Campaign, "_append", append_second)
    with Campaign.open(tmp_path, tiny()) as campaign:
        assert [event.kind for event in campaign.ledger] == ["opened"]
        assert len(campaign.ask()) == 4
    quick.clear()
    with pytest.raises(RecipeMismatch, match="seed"):
        Campaign.open(tmp_path, tiny(seed=1))


# --------------------------------------------------------------- opening


def test_another_recipe_is_refused_and_the_difference_named(tmp_path: Path, tiny: Tiny) -> None:
    Campaign.open(tmp_path, tiny()).close()
    with pytest.raises(RecipeMismatch, match=r"another recipe \(.*budget.*12.*24.*choose another folder"):
        Campaign.open(tmp_path, tiny(budget=24))
    with pytest.raises(RecipeMismatch, match=r"candidates\[1\].*mask_rate"):
        Campaign.open(tmp_path, tiny(candidates=(Fresh(share=0.5), Remask(share=0.5, mask_rate=0.9))))
    Campaign.open(tmp_path, tiny()).close()


def test_a_run_of_which_nothing_was_asked_is_started_anew_with_another_recipe(tmp_path: Path, tiny: Tiny) -> None:
    Campaign.open(tmp_path, tiny()).close()
    with pytest.raises(RecipeMismatch, match=r"start it anew \(--anew\), for nothing was asked yet"):
        Campaign.open(tmp_path, tiny(budget=24))
    with Campaign.open(tmp_path, tiny(budget=24), anew=True) as campaign:
        assert campaign.recipe.budget == 24
        assert [event.kind for event in campaign.ledger] == ["opened", "opened"]
        assert len(campaign.ask()) == 8
    with Campaign.open(tmp_path, tiny(budget=24), anew=True) as campaign:  # the same recipe goes on
        assert len(campaign.ask()) == 8
    with pytest.raises(RecipeMismatch, match=r"choose another folder, or the options that it was started with$"):
        Campaign.open(tmp_path, tiny(), anew=True)
    with Campaign.open(tmp_path) as campaign:
        assert campaign.recipe.budget == 24
        assert [event.kind for event in campaign.ledger] == ["opened", "opened", "asked"]


def test_a_process_whose_run_was_started_anew_asks_nothing(
    tmp_path: Path, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, others = Campaign._append, []

    def append_second(self: Campaign, kind: str, payload: dict[str, Any]) -> None:
        if self is old and kind == "asked":
            others.append(Campaign.open(tmp_path, tiny(budget=24), anew=True))
        append(self, kind, payload)

    with Campaign.open(tmp_path, tiny()) as old:
        monkeypatch.setattr(Campaign, "_append", append_second)
        with pytest.raises(RecipeMismatch, match="started anew with another recipe by another process"):
            old.ask()
        with pytest.raises(RecipeMismatch, match="by another process"):
            old.state  # noqa: B018  # it folds the ledger
    (other,) = others
    assert [event.kind for event in other.ledger] == ["opened", "opened"]
    assert len(other.ask()) == 8
    other.close()


def test_one_that_asks_while_another_starts_anew_keeps_its_run(
    tmp_path: Path, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = Campaign._append
    with Campaign.open(tmp_path, tiny()) as old:

        def append_second(self: Campaign, kind: str, payload: dict[str, Any]) -> None:
            if kind == "opened":
                old.ask()
            append(self, kind, payload)

        monkeypatch.setattr(Campaign, "_append", append_second)
        with pytest.raises(RecipeMismatch, match="budget"):
            Campaign.open(tmp_path, tiny(budget=24), anew=True)
        assert [event.kind for event in old.ledger] == ["opened", "asked"]
        assert len(old.ask()) == 4


def test_a_recipe_after_the_first_query_makes_no_sense(campaign: Campaign) -> None:
    campaign.ask()
    payload = next(iter(campaign.ledger)).payload
    campaign.ledger.append([NewEvent("opened", payload)], expected=2)
    with pytest.raises(LedgerCorrupted, match=r"event 3 \(opened\) makes no sense: a recipe comes before"):
        campaign.state  # noqa: B018  # it folds the ledger


def test_no_run_and_no_recipe(tmp_path: Path) -> None:
    with pytest.raises(NoRun):
        Campaign.open(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()
    Ledger.create(tmp_path / "blank").close()
    with pytest.raises(NoRun, match="never given a recipe"):
        Campaign.open(tmp_path / "blank")


def test_the_recipe_comes_back_from_the_ledger(tmp_path: Path, tiny: Tiny) -> None:
    Campaign.open(tmp_path, tiny()).close()
    with Campaign.open(tmp_path) as campaign:
        assert campaign.recipe == tiny()


# -------------------------------------------------- resuming and samples


def test_a_run_closed_after_every_verb_is_the_same_run(tmp_path: Path, tiny: Tiny, story: Story) -> None:
    with Campaign.open(tmp_path / "whole", tiny()) as campaign:
        play(campaign, 3)
        expected = story(campaign)
    for _ in range(3):
        with Campaign.open(tmp_path / "parts", tiny()) as campaign:
            queries = campaign.ask()
        for part in (queries[::2], queries[1::2]):
            with Campaign.open(tmp_path / "parts", tiny()) as campaign:
                campaign.tell({query.id: value(query) for query in part})
        with Campaign.open(tmp_path / "parts", tiny()) as campaign:
            campaign.advance()
    with Campaign.open(tmp_path / "parts") as campaign:
        assert story(campaign) == expected
    assert len(set(expected["weights"])) == 3


def test_a_round_that_was_interrupted_in_its_middle_is_the_same_round(tmp_path: Path, tiny: Tiny, story: Story) -> None:
    with Campaign.open(tmp_path / "whole", tiny()) as campaign:
        play(campaign, 2)
        expected = story(campaign)

    def interrupt(stage: str, done: int, total: int, numbers: Any) -> None:
        if (stage, done) == ("update", 2):
            raise KeyboardInterrupt

    with Campaign.open(tmp_path / "broken", tiny()) as campaign:
        for _ in range(2):
            campaign.tell({query.id: value(query) for query in campaign.ask()})
            with pytest.raises(KeyboardInterrupt):
                campaign.advance(progress=interrupt)
            campaign.advance()
        assert story(campaign) == expected


def test_the_previous_anchor_is_the_model_of_the_round_before(tmp_path: Path, tiny: Tiny) -> None:
    with Campaign.open(tmp_path, tiny(strength=KLBudget(nats=3.0), look=1000)) as campaign:
        play(campaign, 2)
        first, second = (campaign.ledger.artifacts.get_tensors(sha or "") for sha in campaign.state.weights)
        report = campaign.state.reports[1]
        model = campaign.recipe.model.load()
    assert model.versions is not None
    model.versions.load_state_dict(first)
    model.versions.remember()
    model.versions.load_state_dict(second)
    with torch.no_grad():
        trajectory = rollout(ModelPolicy(model), None, Noise.seeded(1, 2000))
        previous = float(path_kl(trajectory, ModelPolicy(model, "previous")).mean())
        pretrained = float(path_kl(trajectory, ModelPolicy(model, "pretrained")).mean())
    assert report.kl_previous == pytest.approx(previous, rel=0.1)
    assert report.kl_pretrained == pytest.approx(pretrained, rel=0.1)
    assert previous < 0.8 * pretrained


def test_seeds_give_other_runs(tmp_path: Path, tiny: Tiny, story: Story) -> None:
    found = []
    for seed in (0, 1):
        with Campaign.open(tmp_path / str(seed), tiny(seed=seed, rounds=1)) as campaign:
            play(campaign)
            found.append(story(campaign))
    assert found[0]["queries"] != found[1]["queries"]
    assert found[0]["weights"] != found[1]["weights"]


def test_samples_of_each_round_are_repeatable_and_leave_the_model_as_it_was(tmp_path: Path, tiny: Tiny) -> None:
    with Campaign.open(tmp_path, tiny(steps=8)) as campaign:
        play(campaign, 2)
        last = campaign.ledger.artifacts.get_tensors(campaign.state.weights[-1] or "")
        drawn = [campaign.sample(300, round=round) for round in range(3)]
        assert [campaign.sample(300, round=round) for round in range(3)] == drawn
        assert campaign.sample(300) == drawn[2]
        assert len({tuple(designs) for designs in drawn}) == 3, "each round's model draws its own"
        assert campaign.sample(300, seed=1) != drawn[2]
        campaign.sample(5, round=0)
        now = campaign.model.versions.state_dict()  # type: ignore[union-attr]
        assert all(torch.equal(now[name], last[name]) for name in last)
        queries = campaign.ask()
    with Campaign.open(tmp_path) as again:
        assert [again.sample(300, round=round) for round in (2, 0, 1)] == [drawn[2], drawn[0], drawn[1]]
        assert again.ask() == queries


def test_samples_of_a_round_that_is_not_finished_are_refused(campaign: Campaign) -> None:
    with pytest.raises(ValueError, match=r"round must be one of 0 \(pretrained\) to 0 .*got 1"):
        campaign.sample(5, round=1)
    with pytest.raises(ValueError, match=r"round must be .*got -1"):
        campaign.sample(5, round=-1)
    with pytest.raises(ValueError, match="n must be a positive number of designs, got 0"):
        campaign.sample(0)


# ------------------------------------------------------------ duplicates


def test_no_molecule_is_ever_sent_twice(tmp_path: Path, tiny: Tiny) -> None:
    recipe = tiny(same=ReverseComplement(), update=None, budget=120, rounds=12, pool=100)
    with Campaign.open(tmp_path, recipe) as campaign:
        play(campaign, 12)
        sent = [query.design.content for query in campaign.state.queries.values()]
    molecules = {min(s, s[::-1].translate(str.maketrans("ACGT", "TGCA"))) for s in sent}
    assert len(sent) == len(molecules) == 120


def test_without_the_symmetry_both_strands_may_be_sent(tmp_path: Path, tiny: Tiny, models: Path) -> None:
    recipe = tiny(model=MaskedLMSource(name=str(models / "two")), budget=16, rounds=2, candidates=(Fresh(),))
    with Campaign.open(tmp_path, recipe) as campaign:
        play(campaign, 2)
        assert len({query.design.key for query in campaign.state.queries.values()}) == 16


def test_paper_mode_buys_each_draw(tmp_path: Path, tiny: Tiny, models: Path) -> None:
    two = MaskedLMSource(name=str(models / "two"))
    with Campaign.open(
        tmp_path, tiny(model=two, selection=Everything(paper=True), candidates=(Fresh(),), budget=40, rounds=2)
    ) as campaign:
        play(campaign, 2)
        queries = list(campaign.state.queries.values())
    assert len(queries) == 40
    assert len({query.design.key for query in queries}) <= 16


def test_paper_mode_adds_new_draws_to_a_batch(tmp_path: Path, tiny: Tiny) -> None:
    with Campaign.open(tmp_path, tiny(selection=Everything(paper=True), candidates=(Fresh(),))) as campaign:
        designs = [query.design for query in campaign.ask(6)]
        more = [query.design for query in campaign.ask(12)]
    assert more[:6] == designs
    assert more[6:] != designs
