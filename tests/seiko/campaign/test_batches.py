from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from seiko.campaign import Campaign, Recipe
from seiko.campaign.batches import batch_size, check_batches, doubling
from seiko.oracles import Oracle
from seiko_recipes.sequences import tfbind8


@pytest.mark.parametrize(
    ("batches", "message"),
    [((3, 7), "for each of 3 rounds, got 2"), ((0, 3, 7), "at least 1 label"), ((1, 2, 4), "add up to the budget")],
)
def test_batches_must_fit(batches: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_batches(batches, 10, 3)
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(tfbind8(budget=10, rounds=3), batches=batches)


def test_the_papers_batches_double() -> None:
    assert doubling(15360, 4) == (1024, 2048, 4096, 8192)
    assert doubling(9, 2) == (3, 6)
    assert doubling(7, 1) == (7,)
    for budget in range(7, 40):
        check_batches(doubling(budget, 3), budget, 3)
    with pytest.raises(ValueError, match="at least 7 labels, got 6"):
        doubling(6, 3)


def test_the_next_batch() -> None:
    assert [batch_size(left, 3, (2, 3, 5), done) for done, left in enumerate((10, 8, 5))] == [2, 3, 5]
    assert batch_size(1, 3, (2, 3, 5), 1) == 1  # more was bought before than planned
    assert batch_size(7, 3, (2, 3, 5), 2) == 7  # less was
    assert [batch_size(left, 3, None, done) for done, left in enumerate((10, 6, 3))] == [4, 3, 3]


def test_a_run_buys_them(tmp_path: Path, tiny: Callable[..., Recipe], oracle: Oracle) -> None:
    recipe = tiny(budget=9, rounds=3, batches=(1, 2, 6))
    with Campaign.open(tmp_path, recipe) as campaign:
        while not campaign.done:
            queries = campaign.ask()
            labels = oracle([query.design for query in queries])
            campaign.tell({query.id: label for query, label in zip(queries, labels, strict=True)})
            campaign.advance()
        assert Counter(query.round for query in campaign.state.queries.values()) == {1: 1, 2: 2, 3: 6}
