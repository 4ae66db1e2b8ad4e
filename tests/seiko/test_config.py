"""Recipes survive the trip through JSON, and nothing else gets in that way."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Literal, Protocol, TypeVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seiko.config import ConfigError, canonical_json, difference, digest, from_json, read_json, to_json

__all__ = ["Broken", "Clash", "Ensemble", "Everything", "Mutable", "Odd", "Plain", "Ridge", "Run", "Tree", "helper"]

MODULES = (__name__,)
T = TypeVar("T")


class Believes(Protocol[T]):
    @property
    def width(self) -> int: ...

    def fit(self) -> None: ...


class Callsomething(Protocol):
    def __call__(self) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Ensemble:
    members: int = 8
    width: int = 64

    def __post_init__(self) -> None:
        if self.members < 1:
            raise ValueError(f"members must be at least 1, got {self.members}")

    def fit(self) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Ridge(Ensemble):
    penalty: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Run:
    budget: int
    reward_model: Believes[int] = Ensemble()
    alpha: float | None = 0.1
    optimiser: Literal["adam", "sgd", 1] = "adam"
    steps: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Everything:
    flag: bool
    count: int
    rate: float
    name: str
    path: Path
    nothing: None
    either: int | float | bool | None
    texts: Sequence[str]
    pair: tuple[int, float]
    grid: tuple[tuple[float, ...], ...]
    noted: Annotated[int, "nats"]
    anything: Any
    loose: tuple = ()  # type: ignore[type-arg]
    derived: int = field(init=False, default=3)


@dataclass(frozen=True, kw_only=True)
class Tree:
    value: float
    children: tuple[Tree | Everything, ...] = ()
    left: Tree | int | None = None


@dataclass(frozen=True)
class Odd:
    table: Mapping[str, int] | None = None
    call: Callsomething | None = None


@dataclass(frozen=True)
class Clash:
    type: str = "x"


@dataclass(frozen=True)
class Broken:
    thing: Unresolvable = None  # type: ignore[name-defined]


@dataclass
class Mutable:
    count: int = 1


class Plain:
    pass


@dataclass(frozen=True)
class Hidden:
    count: int = 1


def helper() -> None: ...


def write(recipe: object) -> dict[str, Any]:
    return to_json(recipe, modules=MODULES)


def read(data: Any) -> Any:
    return from_json(data, modules=MODULES)


def node(cls: type, **fields: Any) -> dict[str, Any]:
    return {"type": f"{__name__}.{cls.__name__}", **fields}


INTS = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
LEAVES = st.none() | st.booleans() | INTS | FLOATS | st.text(max_size=5)
EVERYTHING = st.builds(
    Everything,
    flag=st.booleans(),
    count=INTS,
    rate=FLOATS | st.integers(-(2**53), 2**53),  # beyond, an int in a float field comes back as another number
    name=st.text(max_size=5),
    path=st.text("ab./", max_size=6).map(Path),
    nothing=st.none(),
    either=st.none() | st.booleans() | INTS | FLOATS,
    texts=st.lists(st.text(max_size=3), max_size=3).map(tuple),
    pair=st.tuples(INTS, FLOATS),
    grid=st.lists(st.lists(FLOATS, max_size=2).map(tuple), max_size=3).map(tuple),
    noted=INTS,
    anything=st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=4),
    loose=st.lists(LEAVES, max_size=2).map(tuple),
)
TREES = st.recursive(
    st.builds(Tree, value=FLOATS),
    lambda inner: st.builds(
        Tree,
        value=FLOATS,
        children=st.lists(inner | EVERYTHING, max_size=3).map(tuple),
        left=st.none() | INTS | inner,
    ),
    max_leaves=5,
)


@settings(max_examples=40)
@given(TREES | EVERYTHING)
def test_round_trip(recipe: object) -> None:
    text = canonical_json(write(recipe))
    back = read(read_json(text))
    assert back == recipe
    assert canonical_json(write(back)) == text
    assert digest(back, modules=MODULES) == digest(recipe, modules=MODULES) == digest(json.loads(text))
    assert difference(write(back), write(recipe)) == []


def test_written_form() -> None:
    assert write(Run(budget=5, alpha=1, steps=(1, 2))) == {
        "type": f"{__name__}.Run",
        "budget": 5,
        "reward_model": {"type": f"{__name__}.Ensemble", "members": 8, "width": 64},
        "alpha": 1.0,
        "optimiser": "adam",
        "steps": [1, 2],
    }


def test_digest_is_pinned() -> None:
    """Run folders keep it: another value for the same recipe would orphan them."""
    assert canonical_json({"b": [1, 1.0, None], "a": "é"}) == '{"a":"\\u00e9","b":[1,1.0,null]}'
    assert digest({"b": [1, 1.0, None], "a": "é"}) == "825d621a6729f3137ef6f5a204b79d8da1d4f4417011a0c41f1952a5e8a3f3da"


def test_equal_recipes_have_equal_digests() -> None:
    assert digest(Run(budget=5, alpha=1), modules=MODULES) == digest(Run(budget=5, alpha=1.0), modules=MODULES)
    assert digest(Run(budget=5, alpha=np.float64(0.5)), modules=MODULES) == digest(
        Run(budget=5, alpha=0.5), modules=MODULES
    )
    assert digest(Run(budget=5), modules=MODULES) != digest(Run(budget=6), modules=MODULES)


def test_numbers_keep_their_type_in_unions_and_literals() -> None:
    fields = {"flag": True, "count": 1, "rate": 1, "name": "", "path": "p", "nothing": None, "texts": [], "noted": 0}
    for value in (1, 1.0, True, None):
        back = read(node(Everything, **fields, either=value, pair=[1, 2], grid=[], anything=value))
        assert type(back.either) is type(back.anything) is type(value)
        assert type(back.rate) is type(back.pair[1]) is float
    with pytest.raises(ConfigError, match="optimiser must be one of 'adam', 'sgd', 1, got True"):
        read(node(Run, budget=1, optimiser=True))


def test_defaults_may_be_left_out_and_lists_become_tuples() -> None:
    assert read(node(Run, budget=3, steps=[4, 5])) == Run(budget=3, steps=(4, 5))


def test_the_public_name_is_that_of_the_exporting_module(monkeypatch: pytest.MonkeyPatch) -> None:
    private, public = ModuleType("parts._private"), ModuleType("parts")

    @dataclass(frozen=True)
    class Part:
        count: int = 1

    Part.__module__, Part.__qualname__ = "parts._private", "Part"
    private.Part = public.Part = Part  # type: ignore[attr-defined]
    private.__all__ = public.__all__ = ["Part"]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "parts", public)
    monkeypatch.setitem(sys.modules, "parts._private", private)
    other = ModuleType("other")
    other.Part, other.__all__ = Part, ["Part"]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "other", other)
    assert to_json(Part(), modules=("other",))["type"] == "other.Part"
    assert to_json(Part(), modules=("other", "parts"))["type"] == "parts.Part", "its own package comes first"
    modules = ("no_such_module", "parts")
    assert to_json(Part(), modules=modules) == {"type": "parts.Part", "count": 1}
    assert from_json({"type": "parts.Part", "count": 2}, modules=modules) == Part(2)
    with pytest.raises(ConfigError, match=r"parts\._private\.Part.*not on the allow-list"):
        from_json({"type": "parts._private.Part"}, modules=modules)
    with pytest.raises(ConfigError, match="no_such_module, which cannot be imported"):
        from_json({"type": "no_such_module.Part"}, modules=modules)
    public.__all__ = []  # type: ignore[attr-defined]
    with pytest.raises(ConfigError, match="no module of the allow-list exports"):
        to_json(Part(), modules=modules)


def test_default_modules_hold_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"'os\.system', whose module is not on the allow-list \(seiko\.models, "):
        from_json({"type": "os.system"})
    stub = ModuleType("seiko.acquisition")
    stub.Hidden, stub.__all__ = Hidden, ["Hidden"]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "seiko.acquisition", stub)
    assert to_json(Hidden(), modules=("seiko.acquisition",)) == {"type": "seiko.acquisition.Hidden", "count": 1}
    assert from_json({"type": "seiko.acquisition.Hidden"}) == Hidden()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (node(Run, budget=1, reward_model=node(Ensemble, members="8")), "reward_model.members must be int, got '8'"),
        (node(Run, budget=1, reward_model=node(Ensemble, members=8.0)), "reward_model.members must be int, got 8.0"),
        (node(Run, budget=True), "budget must be int, got True"),
        (node(Run, budget=1, alpha="x"), "alpha must be float or None, got 'x'"),
        (node(Run, budget=1, alpha=True), "alpha must be float or None, got True"),
        (node(Run, budget=1, alpha=math.nan), "alpha must be a finite number, got nan"),
        (node(Run, budget=2**63), "budget must be an integer of at most 64 bits, got one of 64"),
        (node(Run, budget=10**5000), "budget must be an integer of at most 64 bits"),
        (node(Run, budget=1, alpha=10**400), "alpha must be an integer of at most 64 bits"),
        (node(Run, budget=1, steps=[1, "2"]), "steps[1] must be int, got '2'"),
        (node(Run, budget=1, steps=3), "steps must be a list of int, got 3"),
        (node(Run, budget=1, steps={"a": 1}), "steps must be a list of int with a 'type'"),
        (node(Run, budget=1, steps=node(Ensemble)), "steps must be a list of int, got a "),
        (node(Run, budget=[1]), "budget must be int, got [1]"),
        (node(Run), "budget is missing"),
        (node(Run, budget=1, bugdet=2), "has no field 'bugdet'; did you mean 'budget'?"),
        (node(Run, budget=1, q=2), "its fields are budget, reward_model, alpha, optimiser, steps"),
        (node(Run, budget=1, reward_model=node(Ensemble, members=0)), "members must be at least 1, got 0"),
        (node(Run, budget=1, reward_model=node(Tree, value=1)), "reward_model must be a Believes, got a "),
        (node(Run, budget=1, reward_model=None), "reward_model must be a Believes, got None"),
        (node(Run, budget=1, reward_model={"members": 3}), "reward_model must be a Believes with a 'type'"),
        (node(Run, budget=1, reward_model={"type": 3}), "reward_model must be a Believes with a 'type'"),
        (node(Tree, value=1, left=node(Ensemble)), "left must be a Tree or int or None, got a "),
        (node(Tree, value=1, children=[node(Tree)]), "children[0].value is missing"),
        (node(Odd, table={"a": 1}), "table must be a Mapping or None with a 'type'"),
        (node(Odd, call=node(Ensemble)), "call must be a Callsomething or None, got a "),
        (node(Clash), "has a field 'type', which names the class in JSON"),
        (node(Broken), "cannot be resolved at run time"),
        (node(Mutable), "which is not frozen"),
        (node(Plain), "which is not a dataclass"),
        (node(helper), "which is not a dataclass"),  # type: ignore[arg-type]
        (node(Hidden), "exports no 'Hidden'"),
        ({"type": "Run"}, "not on the allow-list"),
        ({"type": "os.system"}, "not on the allow-list"),
        ({"type": f"{__name__}.pytest.exit"}, "not on the allow-list"),
        ({"type": f"{__name__}.__builtins__"}, "exports no '__builtins__'"),
        ({}, "the recipe must be a value with a 'type', got {}"),
        ([], "a recipe must be a JSON object with a 'type', got []"),
        ("x", "a recipe must be a JSON object with a 'type', got 'x'"),
        (None, "a recipe must be a JSON object with a 'type', got None"),
    ],
)
def test_reading_refuses(data: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(data)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        (Run(budget=1, alpha=math.inf), "alpha must be a finite number, got inf"),
        (Run(budget="5"), "budget must be int, got '5'"),  # type: ignore[arg-type]
        (Run(budget=5.0), "budget must be int, got 5.0"),  # type: ignore[arg-type]
        (Run(budget=2**70), "budget must be an integer of at most 64 bits"),
        (Run(budget=np.int64(5)), "budget cannot be kept in a recipe"),  # type: ignore[arg-type]
        (Run(budget=1, reward_model=Hidden()), "Hidden, which no module of the allow-list exports"),  # type: ignore[arg-type]
        (Run(budget=1, reward_model=Mutable()), "which is not frozen"),  # type: ignore[arg-type]
        (Run(budget=1, reward_model=Tree(value=1)), "reward_model must be a Believes, got a "),  # type: ignore[arg-type]
        (Odd({"a": 1}), "table cannot be kept in a recipe, got {'a': 1}"),
        (Odd(None, helper), "call cannot be kept in a recipe, got <function hel"),
        (Tree(value=1, children=({1, 2},)), "children[0] cannot be kept"),  # type: ignore[arg-type]
        (Clash(), "has a field 'type'"),
        (Run, "a recipe must be a frozen dataclass"),
        (5, "a recipe must be a frozen dataclass, got 5"),
    ],
)
def test_writing_refuses_what_could_not_be_read(recipe: object, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        write(recipe)
    assert message in str(caught.value)


def test_subclasses_fit_where_their_base_is_asked_for() -> None:
    recipe = Run(budget=1, reward_model=Ridge(penalty=2.0))
    assert read(write(recipe)) == recipe


def nested(levels: int, wrap: Callable[[Any], Any], inner: Any) -> Any:
    for _ in range(levels):
        inner = wrap(inner)
    return inner


def test_depth_bombs_are_refused() -> None:
    deep = nested(3000, lambda inner: node(Tree, value=1.0, left=inner), None)
    with pytest.raises(ConfigError, match="nested too deeply"):
        read(deep)
    with pytest.raises(ConfigError, match="nested too deeply"):
        write(nested(3000, lambda inner: Tree(value=1, left=inner), None))
    with pytest.raises(ConfigError, match="nested too deeply"):
        canonical_json(nested(100, lambda inner: [inner], 1))
    for text in ("[" * 100_000, "[" * 500 + "]" * 500, '{"a":' * 100_000):
        with pytest.raises(ConfigError, match=r"nested too deeply|not valid JSON"):
            read_json(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": NaN}', "must be finite, got NaN"),
        ("-Infinity", "must be finite, got -Infinity"),
        ('{"a": [0, 1e999]}', "a[1] must be a finite number, got inf"),
        ('{"a": 99999999999999999999}', "a must be an integer of at most 64 bits"),
        ("9" * 5000, "not valid JSON"),
        ('{"a": 1, "a": 2}', "'a' appears twice"),
        ("{'a': 1}", "not valid JSON"),
        ("", "not valid JSON"),
        (b"\xff\xfe\xfa", "not valid JSON"),
    ],
)
def test_strict_json(text: str | bytes, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_json(text)
    assert message in str(caught.value)


def test_canonical_json_refuses_what_is_not_json() -> None:
    values: list[tuple[Any, str]] = [
        ({1: "a"}, "keys of the recipe must be text, got 1"),
        ([math.nan], r"\[0\] must be a finite number"),
        ({"a": [0, {"b": {1}}]}, r"a\[1\]\.b must be plain JSON, got \{1\} \(set\)"),
        ([2**64], r"\[0\] must be an integer of at most 64 bits, got one of 65"),
    ]
    for value, message in values:
        with pytest.raises(ConfigError, match=message):
            canonical_json(value)


def test_difference_speaks() -> None:
    run = write(Run(budget=500, reward_model=Ensemble(members=8), alpha=None, steps=(1, 2)))
    asked = write(Run(budget=1000, reward_model=Ensemble(members=16), alpha=0.5, steps=(1, 3)))
    assert difference(run, asked) == [
        "budget: 500 in the run, 1000 asked for",
        "reward_model.members: 8 in the run, 16 asked for",
        "alpha: null in the run, 0.5 asked for",
        "steps[1]: 2 in the run, 3 asked for",
    ]
    other = write(Run(budget=500, reward_model=Ridge(), alpha=None, steps=(1,)))
    del other["optimiser"]
    assert difference(run, other) == [
        f"reward_model: {__name__}.Ensemble in the run, {__name__}.Ridge asked for",
        'optimiser: "adam" in the run, absent asked for',
        "steps: [1, 2] in the run, [1] asked for",
    ]
    assert difference({"a": 1}, {"a": 1.0}) == ["a: 1 in the run, 1.0 asked for"]
    assert difference(run, write(Ensemble())) == [f"recipe: {__name__}.Run in the run, {__name__}.Ensemble asked for"]
    assert len(difference({"a": "x" * 1000}, {"a": ""})[0]) < 120
