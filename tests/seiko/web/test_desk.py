"""The run behind a lock: many at once, and what is wrong is wrong for one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from seiko.campaign import Ledger, UnknownQuery
from seiko.campaign.ratings import Rating
from seiko.web.desk import Desk


@pytest.fixture
def desk(images: Path) -> Iterator[Desk]:
    desk = Desk(str(images))
    yield desk
    desk.close()


def says(query: str, rater: str, score: float = 3.0) -> Rating:
    return Rating(query=query, rater=rater, score=score)


def test_ratings_that_come_together_are_taken_together(desk: Desk, images: Path) -> None:
    """While one append waits, the others gather: 24 ratings in far fewer events, none lost, none twice."""
    raters = [f"r{i}" for i in range(24)]
    ready = threading.Barrier(len(raters) + 1)
    found: list[list[str]] = []

    def work(rater: str) -> None:
        ready.wait(60)
        found.append(desk.rate(says("1-0001", rater), raters=24, step=1.0))

    threads = [threading.Thread(target=work, args=(rater,)) for rater in raters]
    for thread in threads:
        thread.start()
    with desk.campaign():  # as an append does that waits for the disk
        ready.wait(60)
        while len(desk._ratings) < len(raters):
            pass
    for thread in threads:
        thread.join(60)
    with Ledger.open(images) as ledger:
        rated = [event.payload["ratings"] for event in ledger if event.kind == "rated"]
    assert len(rated) == 1
    assert sorted(row["rater"] for row in rated[0]) == sorted(raters)
    assert found == [["1-0001"]] * 24
    with desk.reading() as state:
        assert state.labels["1-0001"].value == 3


def test_one_wrong_rating_among_many_is_wrong_for_its_rater_only(desk: Desk) -> None:
    outcomes: dict[str, object] = {}
    ready = threading.Barrier(4)

    def work(rater: str, query: str) -> None:
        ready.wait(60)
        try:
            outcomes[rater] = desk.rate(says(query, rater), raters=1, step=1.0)
        except UnknownQuery as error:
            outcomes[rater] = str(error)

    given = {"anna": "1-0001", "ben": "9-0001", "cleo": "1-0003"}
    threads = [threading.Thread(target=work, args=pair) for pair in given.items()]
    for thread in threads:
        thread.start()
    with desk.campaign():
        ready.wait(60)
        while len(desk._ratings) < len(given):
            pass
    for thread in threads:
        thread.join(60)
    assert outcomes["anna"] == ["1-0001"]
    assert outcomes["cleo"] == ["1-0003"]
    assert "'9-0001' was never asked" in str(outcomes["ben"])


def test_another_process_may_go_on_beside_the_server(desk: Desk, images: Path) -> None:
    from seiko.campaign import Campaign

    with desk.reading() as state:
        assert len(state.pending()) == 24
    with Campaign.open(images) as other:
        other.tell({"1-0001": 1.0})
    with desk.reading() as state:
        assert len(state.pending()) == 23
    assert desk.rate(says("1-0002", "anna"), raters=1, step=1.0) == ["1-0002"]


def test_no_change_of_a_label_loads_a_model(desk: Desk) -> None:
    from seiko.oracles import Label

    desk.rate(says("1-0001", "anna"), raters=1, step=1.0)
    desk.tell({"1-0002": [Label(value=0.5)]})
    desk.choose("1-0003", ["1-0004"], "anna")
    desk.unrate("1-0001", "anna")
    with desk.campaign() as campaign:
        assert "_history" not in vars(campaign)
