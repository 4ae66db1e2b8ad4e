"""Ratings: the latest word stands, enough scores make a label in the same append, what was said can be taken back."""

from __future__ import annotations

import math
import statistics
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seiko.campaign import Campaign, Ledger, Recipe, UnknownQuery
from seiko.campaign.errors import LabelConflict
from seiko.campaign.ledger import LedgerCorrupted, NewEvent
from seiko.campaign.ratings import Rating, RatingBook, complete, label_of_scores

Tiny = Callable[..., Recipe]


@pytest.fixture
def campaign(tmp_path: Path, tiny: Tiny) -> Iterator[Campaign]:
    with Campaign.open(tmp_path / "run", tiny()) as campaign:
        yield campaign


def says(query: str, score: float | None, rater: str = "ada") -> Rating:
    return Rating(query=query, rater=rater, score=score, skipped=score is None)


def kinds(campaign: Campaign) -> list[str]:
    return [event.kind for event in campaign.ledger]


# ------------------------------------------------------------ scores and labels


def test_a_rating_is_a_score_or_a_skip() -> None:
    for wrong in ({}, {"score": math.nan}, {"score": 1.0, "skipped": True}):
        with pytest.raises(ValueError, match="score"):
            Rating(query="q", rater="ada", **wrong)
    with pytest.raises(ValueError, match="name of its rater"):
        Rating(query="q", rater="", score=1.0)


def test_one_score_has_no_noise() -> None:
    label = label_of_scores([4.0], step=1.0)
    assert (label.value, label.noise) == (4.0, None)
    with pytest.raises(ValueError, match="at least one score"):
        label_of_scores([], step=1.0)
    with pytest.raises(ValueError, match="step"):
        label_of_scores([1.0], step=-1.0)


@given(st.lists(st.integers(1, 5), min_size=2, max_size=9))
def test_several_scores_have_the_standard_error_of_their_mean(scores: list[int]) -> None:
    label = label_of_scores([float(score) for score in scores], step=1.0)
    n = len(scores)
    assert label.value == pytest.approx(statistics.mean(scores))
    assert label.noise == pytest.approx(max(statistics.stdev(scores) / math.sqrt(n), 1 / math.sqrt(12 * n)))


def test_raters_who_agree_to_the_star_have_still_rounded() -> None:
    assert label_of_scores([3.0, 3.0, 3.0], step=1.0).noise == pytest.approx(1 / 6)  # 1 / sqrt(12 * 3)
    assert label_of_scores([3.0, 3.0], step=0.0).noise == 0


def test_only_scores_complete_a_label() -> None:
    book = RatingBook()
    book.take([{"query": "q", "rater": "ada", "score": 2.0, "skipped": False}], [], {"q": 0})
    assert complete(book, [says("q", None, "bo")], 2, 1.0) == {}
    assert complete(book, [says("q", 5.0)], 2, 1.0) == {}  # the same rater again
    assert complete(book, [says("q", 5.0, "bo")], 2, 1.0)["q"].value == 3.5
    assert book.scores("q") == [2.0]  # it only looked


# ------------------------------------------------------------ in a campaign


def test_the_label_is_told_in_the_append_of_the_rating_that_completes_it(campaign: Campaign) -> None:
    a, b, *_ = (query.id for query in campaign.ask())
    assert campaign.rate([says(a, 2.0), says(b, None)], raters=2, step=1.0) == []
    assert campaign.state.pending(1)[0].id == a
    assert campaign.rate([says(a, 4.0, "bo")], raters=2, step=1.0) == [a]
    assert kinds(campaign)[-3:] == ["rated", "rated", "told"]
    assert campaign.state.labels[a].value == 3.0
    assert campaign.state.labels[a].noise == pytest.approx(1.0)
    assert campaign.rate([says(a, 4.0, "bo")], raters=2) == []  # the same again
    assert len(kinds(campaign)) == len(set(kinds(campaign))) + 1


def test_a_score_after_the_label_is_kept_and_changes_nothing(campaign: Campaign) -> None:
    a, *_ = (query.id for query in campaign.ask())
    campaign.rate([says(a, 2.0)])
    assert campaign.rate([says(a, 5.0, "bo")]) == []
    assert campaign.state.labels[a].value == 2.0
    assert campaign.state.ratings.scores(a) == [2.0, 5.0]
    campaign.unrate(a, "bo")  # it made no label, and takes none away
    assert campaign.state.labels[a].value == 2.0


def test_the_latest_word_stands_until_it_is_a_label(campaign: Campaign) -> None:
    a, *_ = (query.id for query in campaign.ask())
    campaign.rate([says(a, 2.0)], raters=2)
    campaign.rate([says(a, 5.0)], raters=2)
    assert campaign.state.ratings.scores(a) == [5.0]
    campaign.rate([says(a, 1.0, "bo")], raters=2)
    with pytest.raises(LabelConflict, match="take that back first"):
        campaign.rate([says(a, 2.0)], raters=2)
    assert campaign.state.labels[a].value == 3.0


def test_what_is_taken_back_takes_its_label_with_it(campaign: Campaign) -> None:
    a, b, *_ = (query.id for query in campaign.ask())
    campaign.rate([says(a, 2.0), says(b, 4.0)])
    assert campaign.unrate(a, "ada") == says(a, 2.0)
    assert a not in campaign.state.labels
    assert a in [query.id for query in campaign.state.pending()]
    assert campaign.state.labels[b].value == 4.0
    campaign.rate([says(a, 3.0)])
    assert campaign.state.labels[a].value == 3.0
    with pytest.raises(UnknownQuery, match="has not rated"):
        campaign.unrate(a, "bo")


def test_the_label_of_a_file_is_not_taken_back_with_a_rating(campaign: Campaign) -> None:
    a, *_ = (query.id for query in campaign.ask())
    campaign.rate([says(a, 2.0)], raters=3)
    campaign.tell({a: 0.5})
    campaign.unrate(a, "ada")
    assert campaign.state.labels[a].value == 0.5


def test_a_round_that_was_fitted_keeps_its_labels(campaign: Campaign) -> None:
    queries = campaign.ask()
    campaign.rate([says(query.id, float(i)) for i, query in enumerate(queries)])
    campaign.advance()
    with pytest.raises(LabelConflict, match="round 1 was fitted to"):
        campaign.unrate(queries[0].id, "ada")
    assert campaign.state.labels[queries[0].id].value == 0.0


def test_nothing_is_taken_if_one_is_wrong(campaign: Campaign) -> None:
    a, *_ = (query.id for query in campaign.ask())
    before = len(campaign.ledger)
    with pytest.raises(UnknownQuery, match="'9-0001' was never asked"):
        campaign.rate([says(a, 2.0), says("9-0001", 2.0)])
    with pytest.raises(ValueError, match="raters must be a positive number"):
        campaign.rate([says(a, 2.0)], raters=0)
    assert len(campaign.ledger) == before


def test_two_raters_at_once_lose_nothing(campaign: Campaign, tmp_path: Path) -> None:
    """Each with a campaign of their own, as two processes have, on the same designs at the same time."""
    ids = [query.id for query in campaign.ask(12)]
    start, failures = threading.Barrier(3), []

    def work(rater: str, score: float) -> None:
        try:
            with Campaign.open(tmp_path / "run") as own:
                start.wait(30)
                for id in ids:
                    own.rate([says(id, score, rater)], raters=3, step=1.0)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(f"r{i}", float(i))) for i in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    state = campaign.state
    assert [state.labels[id].value for id in ids] == [2.0] * 12
    assert kinds(campaign).count("rated") == 36
    assert kinds(campaign).count("told") == 12


def test_a_past_that_makes_no_sense_is_refused(campaign: Campaign, tmp_path: Path) -> None:
    campaign.ask()
    row = {"query": "9-0001", "rater": "ada", "score": 1.0, "skipped": False}
    campaign.ledger.append([NewEvent("rated", {"ratings": [row], "labels": []})], expected=campaign.state.last_seq)
    with pytest.raises(LedgerCorrupted, match="rated"):
        _ = campaign.state
    with Ledger.open(tmp_path / "run") as ledger:
        assert len(ledger) == 3
