"""Recipes that were mangled by hand or by disk are refused in a sentence, or they are recipes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seiko.config import ConfigError, from_json, read_json, to_json
from seiko_bench.fuzz_inputs import places
from seiko_bench.tiny import tiny

WRITTEN: dict[str, Any] = to_json(tiny(Path("model")))
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(st.characters(), max_size=6)
    | st.sampled_from(
        ["seiko.models.MaskedLMSource", "seiko.updates.PPO", "seiko.campaign.Recipe", "os.system", "type"]
    )
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


PLACES = places(WRITTEN)
CHANGES = st.lists(
    st.tuples(st.sampled_from(PLACES), st.sampled_from(["put", "drop", "add"]), VALUES, st.text(max_size=6)),
    min_size=1,
    max_size=3,
)


def mangled(changes: list[tuple[tuple[Any, ...], str, Any, str]]) -> Any:
    value = json.loads(json.dumps(WRITTEN))
    for where, how, new, name in changes:
        owner = value
        try:
            for key in where[:-1]:
                owner = owner[key]
            if how == "put":
                owner[where[-1]] = new
            elif how == "drop":
                del owner[where[-1]]
            else:
                owner[where[-1]][name] = new
        except (IndexError, KeyError, TypeError):
            continue  # an earlier change has taken it away
    return value


def refused_or_read(data: Any) -> None:
    """A recipe comes back, or a sentence; anything else is a fault of ours."""
    try:
        text = json.dumps(data)
    except ValueError:
        return
    try:
        recipe = from_json(read_json(text))
    except ConfigError as error:
        words = str(error)
    else:
        words = "a recipe"
        assert from_json(to_json(recipe)) == recipe
    assert words
    assert len(words) < 2000


@settings(max_examples=150)
@given(CHANGES.map(mangled) | VALUES)
def test_mangled_recipes_are_refused_in_a_sentence(data: Any) -> None:
    refused_or_read(data)


@pytest.mark.slow
@settings(max_examples=10_000)
@given(CHANGES.map(mangled) | VALUES)
def test_many_mangled_recipes_are_refused_in_a_sentence(data: Any) -> None:
    refused_or_read(data)


@settings(max_examples=100)
@given(st.tuples(st.integers(0, len(json.dumps(WRITTEN))), st.integers(0, 20), st.binary(max_size=6)))
def test_torn_text_is_refused_in_a_sentence(cut: tuple[int, int, bytes]) -> None:
    start, length, put = cut
    text = json.dumps(WRITTEN).encode()
    try:
        read_json(text[:start] + put + text[start + length :])
    except ConfigError as error:
        words = str(error)
    else:
        words = "JSON all the same"
    assert 0 < len(words) < 2000
