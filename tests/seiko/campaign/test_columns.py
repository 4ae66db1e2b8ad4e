"""What is packed comes back equal, whatever its shape."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

import pytest

from seiko.campaign.columns import NotColumns, pack, shape, unpack
from seiko.campaign.state import RunState


class Mood(StrEnum):
    GOOD = "good"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Leaf:
    name: str
    value: float | None = None
    unseen: bytes | None = field(default=None, compare=False)


@dataclass(frozen=True, kw_only=True)
class Tree:
    leaves: tuple[Leaf, ...]
    best: Leaf | None
    kind: Literal["a", "b"]
    counts: dict[str, int]
    by_name: dict[str, list[Leaf]]
    names: set[str]
    mood: Mood
    pairs: list[tuple[int, Mood, Leaf | None]]
    keyed: dict[tuple[Any, ...], tuple[Leaf, int]]
    wells: Mapping[str, tuple[str, int]]
    anything: dict[str, Any]


TREES = [
    Tree(
        leaves=(Leaf("x", 0.1), Leaf("y")),
        best=None,
        kind="a",
        counts={"b": 2, "a": 1},
        by_name={"q": [Leaf("z", -0.0)], "p": []},
        names={"n", "m"},
        mood=Mood.BAD,
        pairs=[(1, Mood.GOOD, Leaf("a")), (2, Mood.BAD, None)],
        keyed={("a", None, True): (Leaf("b"), 3)},
        wells={"A1": ("x", 1)},
        anything={"deep": [1, {"x": None}]},
    ),
    Tree(
        leaves=(),
        best=Leaf("é"),
        kind="b",
        counts={},
        by_name={},
        names=set(),
        mood=Mood.GOOD,
        pairs=[],
        keyed={},
        wells={},
        anything={},
    ),
]


@pytest.mark.parametrize("trees", [TREES, TREES[:1], TREES[1:], []])
def test_it_comes_back(trees: list[Tree]) -> None:
    found = unpack(json.loads(json.dumps(pack(trees, Tree))), Tree)
    assert found == trees
    assert [list(tree.counts) for tree in found] == [list(tree.counts) for tree in trees], "the order of keys too"


def test_text_with_few_and_many_values() -> None:
    for many in (1, 256, 257, 5000):
        leaves = [Leaf(str(i % many)) for i in range(5000)]
        assert unpack(json.loads(json.dumps(pack(leaves, Leaf))), Leaf) == leaves


def test_what_does_not_count_is_not_kept() -> None:
    (found,) = unpack(pack([Leaf("x", 1.0, b"bytes")], Leaf), Leaf)
    assert (found.value, found.unseen) == (1.0, None)


def test_the_shape_names_all_fields() -> None:
    assert shape(Leaf) == "Leaf(name: str, value: float | None)"
    assert "counts: mapping[str, int]" in shape(Tree)
    assert "Query(" in shape(RunState)


@pytest.mark.parametrize("hint", [bytes, dict[str, bytes], Leaf | Tree, object()])
def test_other_annotations_are_refused(hint: Any) -> None:
    with pytest.raises(NotColumns, match="cannot be written as columns"):
        pack([], hint)
