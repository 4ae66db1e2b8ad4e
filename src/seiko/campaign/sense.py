"""Whether what an event holds is of the types that it must have: digests prove that nothing changed, not that it is so.

An import takes a file of somebody else's, whose digests may be right whatever is in it. Without this, a text in place
of a number would be found much later, far from where it is, and not in words.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import types
import typing
from collections.abc import Callable
from functools import cache
from typing import Any, Literal, TypeVar, Union

__all__ = ["check_recipe", "sound"]

T = TypeVar("T")
Check = Callable[[Any], bool]

_RECIPE: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "budget": (int,),
    "rounds": (int,),
    "seed": (int,),
    "strength": (dict, type(None)),
    "stop": (list, type(None)),
    "objectives": (dict, type(None)),
}
"""Fields of a recipe that are read without making it, whose classes may not be installed."""


def sound(value: T) -> T:
    """Return a dataclass's object if all its fields are of the types that they are annotated with.

    Raises:
        TypeError: If one is not; names the field.
    """
    cls: Any = type(value)
    for name, kinds, check in _checks(cls):
        field = getattr(value, name)
        if type(field) not in kinds and (check is None or not check(field)):
            raise TypeError(f"{type(value).__name__}.{name} must not be {field!r:.60}")
    return value


def check_recipe(recipe: object) -> None:
    """Raise `TypeError` if the JSON of a recipe is none, or a field that everybody reads is of another type."""
    if not isinstance(recipe, dict):
        raise TypeError(f"a recipe must be a JSON object, not {recipe!r:.60}")
    for name, kinds in _RECIPE.items():
        if name in recipe and type(recipe[name]) not in kinds:
            raise TypeError(f"{name} of the recipe must not be {recipe[name]!r:.60}")
    nats = (recipe.get("strength") or {}).get("nats", 0.0)
    if type(nats) not in (int, float):
        raise TypeError(f"nats of the recipe's strength must not be {nats!r:.60}")


@cache
def _checks(cls: Any) -> list[tuple[str, frozenset[type], Check | None]]:
    hints = typing.get_type_hints(cls)
    return [(field.name, *_kinds(hints[field.name])) for field in dataclasses.fields(cls)]


def _kinds(hint: Any) -> tuple[frozenset[type], Check | None]:
    """Return the types of which nothing more is to be asked, and what to ask of others."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return frozenset(), lambda value: True
    if hint is float:
        return frozenset({float, int}), None  # JSON has 1 for 1.0
    if origin is Literal:
        return frozenset(), lambda value: type(value) is str and value in args
    if origin in (Union, types.UnionType):
        arms = [_kinds(arm) for arm in args]
        asked = [check for _, check in arms if check is not None]
        kinds = frozenset().union(*(kinds for kinds, _ in arms))
        return kinds, (lambda value: any(check(value) for check in asked)) if asked else None
    if origin in (tuple, list, set, frozenset, collections.abc.Sequence):
        return frozenset(), _items(origin, args)
    if origin in (dict, collections.abc.Mapping):
        key, item = (_check(arg) for arg in args)
        return frozenset(), lambda value: isinstance(value, dict) and all(key(k) and item(v) for k, v in value.items())
    if dataclasses.is_dataclass(hint):
        cls: Any = hint
        return frozenset(), lambda value: isinstance(value, cls) and sound(value) is value
    return frozenset({hint}), None


def _items(origin: Any, args: tuple[Any, ...]) -> Check:
    if origin is tuple and Ellipsis not in args:
        places = [_check(arg) for arg in args]
        return lambda value: (
            type(value) is tuple
            and len(value) == len(places)
            and all(check(item) for check, item in zip(places, value, strict=True))
        )
    of = _check(args[0])
    return lambda value: isinstance(value, origin) and all(of(item) for item in value)


def _check(hint: Any) -> Check:
    kinds, check = _kinds(hint)
    return lambda value: type(value) in kinds or (check is not None and check(value))
