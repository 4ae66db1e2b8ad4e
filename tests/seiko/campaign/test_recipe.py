"""A recipe that cannot be is refused when it is made, and what can be survives JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from seiko import config
from seiko.campaign import Diverse, Everything, Fresh, OneByOne, Recipe, Remask
from seiko.rewards import MLP, Ensemble, OneHot, PreferenceEnsemble, ReverseComplement
from seiko.updates import FixedStrength


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"budget": 0}, "budget must be a positive number of labels, got 0"),
        ({"budget": -5}, "budget must be a positive number of labels, got -5"),
        ({"rounds": 0}, "rounds must be at least 1, got 0"),
        ({"rounds": 13}, "a round needs a label: got 13 rounds, budget 12"),
        ({"steps": 0}, "steps must be at least 1, got 0; update=None leaves"),
        ({"final_steps": 0}, "final_steps must be at least 1, got 0"),
        ({"samples": 1}, "samples must be at least 2 trajectories a step, got 1"),
        ({"look": 1}, "look must be at least 2 samples, got 1"),
        ({"pool": 0}, "pool must be at least 1 candidate, got 0"),
        (
            {"selection": OneByOne(), "reward_model": Ensemble(network=MLP(feature=OneHot(vocabulary=4)))},
            "go together, and Ensemble does not",
        ),
        (
            {"selection": OneByOne(), "reward_model": PreferenceEnsemble(network=MLP(feature=OneHot(vocabulary=4)))},
            "go together, and PreferenceEnsemble does not",
        ),
        ({"candidates": ()}, "candidates must name at least one source"),
        ({"candidates": (Remask(), Fresh())}, "the first source of candidates must be Fresh"),
    ],
)
def test_a_number_out_of_range_is_named(tiny: Callable[..., Recipe], changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tiny(**changes)


def test_the_limits_themselves_are_allowed(tiny: Callable[..., Recipe]) -> None:
    assert tiny(budget=1, rounds=1, steps=1, samples=2, pool=1, candidates=(Fresh(),)).budget == 1


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"update": None, "strength": FixedStrength(), "same": ReverseComplement()},
        {"selection": Diverse(shortlist=2.0), "candidates": (Fresh(), Remask(mask_rate=(0.1, 0.4)))},
        {"selection": Everything(paper=True), "candidates": (Fresh(),), "seed": 7},
    ],
)
def test_a_recipe_survives_json(tiny: Callable[..., Recipe], changes: dict[str, Any]) -> None:
    recipe = tiny(**changes)
    assert config.from_json(config.read_json(config.canonical_json(config.to_json(recipe)))) == recipe
