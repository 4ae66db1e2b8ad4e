"""What an event holds is of the types that it must have, or the event is named."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from seiko.campaign.ledger import Event, LedgerCorrupted
from seiko.campaign.sense import check_recipe, sound
from seiko.campaign.state import RunState, fold
from seiko.oracles import Label
from seiko_bench.fuzz_targets import story

WRONG: list[tuple[int, tuple[Any, ...], Any]] = [
    (0, ("recipe",), ["a list"]),
    (0, ("recipe", "budget"), "many"),
    (0, ("recipe", "strength"), 5),
    (0, ("recipe", "strength", "nats"), [1.0]),
    (1, ("round",), "1"),
    (1, ("queries", 0, "mean"), {"a": 1}),
    (1, ("queries", 0, "content"), 7),
    (1, ("queries", 0, "kind"), {}),
    (2, ("plates", 0, "seed"), None),
    (3, ("labels", "1-0001", "value"), "0.5"),
    (3, ("labels", "1-0001", "value"), True),
    (3, ("labels", "1-0002", "reason"), 5),
    (7, ("comparisons", 0, "rater"), {"name": "ann"}),
    (8, ("ratings", 0, "rater"), 1),
    (11, ("report", "kl_pretrained"), [1.0]),
    (11, ("report", "samples"), [1]),
    (11, ("report", "prequential", "n"), 0.5),
    (11, ("weights",), 3),
    (11, ("fitted_to",), None),
]


def folded(events: list[tuple[str, dict[str, Any]]]) -> RunState:
    state = RunState()
    for seq, (kind, payload) in enumerate(events, start=1):
        fold(state, Event(seq, kind, payload, ""))
    return state


def test_the_story_makes_sense() -> None:
    assert len(folded(story()).reports) == 1


@pytest.mark.parametrize(("at", "where", "value"), WRONG)
def test_another_type_is_named(at: int, where: tuple[Any, ...], value: Any) -> None:
    events = copy.deepcopy(story())
    owner: Any = events[at][1]
    for key in where[:-1]:
        owner = owner[key]
    owner[where[-1]] = value
    with pytest.raises(LedgerCorrupted, match=rf"event {at + 1} \({events[at][0]}\) makes no sense"):
        folded(events)


def test_a_whole_number_is_a_number_and_no_truth_value() -> None:
    assert sound(Label(value=1)).value == 1
    with pytest.raises(TypeError, match=r"Label.value must not be True"):
        sound(Label(value=True))


def test_a_recipe_of_classes_that_are_not_here_is_one() -> None:
    check_recipe({"type": "mine.Recipe", "budget": 5, "strength": {"type": "mine.Budget"}})
