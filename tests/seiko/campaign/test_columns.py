"""What is packed comes back equal, whatever its shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

import numpy as np
import pytest

from seiko.campaign.columns import NotColumns, column, pack, shape, written
from seiko.campaign.state import RunState
from seiko.campaign.vectors import Reader, Writer


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


def unpacked(values: Sequence[Any], hint: Any) -> list[Any]:
    """Return values as they come back, all at once; one by one and some of them must give the same."""
    reader = Reader(written(values, hint))
    found = column(reader.tree, hint, reader)
    every = list(found.take())
    assert [found[at] for at in range(len(values))] == every
    assert len(found) == len(values)
    some = np.arange(len(values))[::2]
    assert list(found.take(some)) == every[::2]
    return every


@pytest.mark.parametrize("trees", [TREES, TREES[:1], TREES[1:], []])
def test_it_comes_back(trees: list[Tree]) -> None:
    found = list(unpacked(trees, Tree))
    assert found == trees
    assert [list(tree.counts) for tree in found] == [list(tree.counts) for tree in trees], "the order of keys too"


def test_text_with_few_and_many_values() -> None:
    for many in (1, 256, 257, 5000):
        leaves = [Leaf(str(i % many)) for i in range(5000)]
        assert unpacked(leaves, Leaf) == leaves


def test_what_does_not_count_is_not_kept() -> None:
    (found,) = unpacked([Leaf("x", 1.0, b"bytes")], Leaf)
    assert (found.value, found.unseen) == (1.0, None)


def test_the_shape_names_all_fields() -> None:
    assert shape(Leaf) == "Leaf(name: str, value: float | None)"
    assert "counts: mapping[str, int]" in shape(Tree)
    assert "Query(" in shape(RunState)


@pytest.mark.parametrize("hint", [bytes, dict[str, bytes], Leaf | Tree, object()])
def test_other_annotations_are_refused(hint: Any) -> None:
    with pytest.raises(NotColumns, match="cannot be written as columns"):
        pack([], hint, Writer())
