"""Write many objects of one class as columns of JSON, and make them again fast: a million take seconds, not a minute.

    dataclass          one column a field
    X | None           where there is one, and those that there are
    list, tuple, set   lengths, and all items in a row; a tuple of fixed length, one column a place
    dict               lengths, keys and values in a row
    text, enumeration  numbers into a list of the distinct ones, where those are few

What to expect is read from the annotations. Objects are made without their constructors, which have checked the same
values before: only what a hash protects is to be read back.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import types
import typing
from collections import deque
from collections.abc import Iterable, Sequence
from enum import Enum
from itertools import accumulate, chain, pairwise, repeat
from typing import Any, Literal, Union

__all__ = ["NotColumns", "pack", "shape", "unpack"]

_FEW = 256
_UNIONS = (Union, types.UnionType)
_LEAVES = (Any, bool, int, float, str, type(None))


class NotColumns(TypeError):
    """An annotation is of a kind that cannot be written as columns."""


def pack(values: Sequence[Any], hint: Any) -> Any:
    """Return values of one annotation as JSON.

    Raises:
        NotColumns: If the annotation is of another kind than those above.
    """
    kind, inner = _kind(hint)
    match kind:
        case "leaf":
            return _pack_text(values) if hint is str or typing.get_origin(hint) is Literal else list(values)
        case "enum":
            return _pack_text([value.value for value in values])
        case "places":
            return [pack([value[at] for value in values], of) for at, of in enumerate(inner)]
        case "maybe":
            return {"is": [int(value is not None) for value in values],
                    "of": pack([value for value in values if value is not None], inner)}  # fmt: skip
        case "object":
            return {name: pack([getattr(value, name) for value in values], of) for name, of in inner.items()}
        case "mapping":
            keys, of = inner
            return {
                "n": [len(value) for value in values],
                "keys": pack([key for value in values for key in value], keys),
                "of": pack([item for value in values for item in value.values()], of),
            }
    if kind in ("set", "frozenset"):
        values = [sorted(value) for value in values]
    return {"n": [len(value) for value in values], "of": pack([item for value in values for item in value], inner)}


def unpack(data: Any, hint: Any) -> list[Any]:
    """Return the values that `pack` was given."""
    kind, inner = _kind(hint)
    match kind:
        case "leaf":
            return _unpack_text(data) if hint is str or typing.get_origin(hint) is Literal else data
        case "enum":
            return _unpack_text(data, {member.value: member for member in hint})
        case "places":
            return list(zip(*(unpack(column, of) for column, of in zip(data, inner, strict=True)), strict=True))
        case "maybe":
            some = iter(unpack(data["of"], inner))
            return [next(some) if there else None for there in data["is"]]
        case "object":
            return _made(hint, {name: unpack(data[name], of) for name, of in inner.items()})
        case "mapping":
            keys, of = inner
            pairs = list(zip(unpack(data["keys"], keys), unpack(data["of"], of), strict=True))
            return [dict(part) for part in _parts(pairs, data["n"])]
    make = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}[kind]
    return [make(part) for part in _parts(unpack(data["of"], inner), data["n"])]


def shape(hint: Any) -> str:
    """Return in words what an annotation asks for, all the way down: another shape cannot be read as this one."""
    kind, inner = _kind(hint)
    if kind == "object":
        return f"{hint.__name__}({', '.join(f'{name}: {shape(of)}' for name, of in inner.items())})"
    if kind == "leaf":
        return getattr(hint, "__name__", str(hint))
    if kind == "enum":
        return f"{hint.__name__}({', '.join(str(member.value) for member in hint)})"
    return f"{kind}[{', '.join(shape(of) for of in (inner if kind in ('mapping', 'places') else (inner,)))}]"


def _kind(hint: Any) -> tuple[str, Any]:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint in _LEAVES or hint is object or origin is Literal:
        return "leaf", None
    if isinstance(hint, type) and issubclass(hint, Enum):
        return "enum", None
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        # what does not count for equality is no part of the value
        return "object", {field.name: hints[field.name] for field in dataclasses.fields(hint) if field.compare}
    if origin in _UNIONS:
        some = [arm for arm in args if arm is not type(None)]
        if all(_kind(arm)[0] == "leaf" for arm in some):
            return "leaf", None
        if len(some) == 1 and len(args) == 2:
            return "maybe", some[0]
    if origin in (list, set, frozenset) or (origin is tuple and len(args) == 2 and args[1] is Ellipsis):
        return origin.__name__, args[0]
    if origin is tuple and args and Ellipsis not in args:
        return "places", args
    if isinstance(hint, type) and issubclass(hint, dict):
        return _kind(hint.__orig_bases__[0])  # type: ignore[attr-defined]
    if origin in (dict, collections.abc.Mapping):
        # a mapping of anything is JSON already
        return ("leaf", None) if args[1] in (Any, object) else ("mapping", args)
    raise NotColumns(f"{hint} cannot be written as columns")


def _made(cls: Any, columns: dict[str, list[Any]]) -> list[Any]:
    """Make objects without their constructor, a field at a time: the loops are the interpreter's own."""
    count = len(next(iter(columns.values()), []))
    made = list(map(object.__new__, repeat(cls, count)))
    for field in dataclasses.fields(cls):
        if field.name in columns:
            values: Iterable[Any] = columns[field.name]
        elif field.default_factory is not dataclasses.MISSING:
            values = [field.default_factory() for _ in range(count)]
        else:
            values = repeat(field.default, count)
        deque(map(object.__setattr__, made, repeat(field.name), values), maxlen=0)
    return made


def _parts(items: list[Any], lengths: list[int]) -> list[list[Any]]:
    if len(lengths) == 1:
        return [items]
    return [items[start:end] for start, end in pairwise(chain((0,), accumulate(lengths)))]


def _pack_text(values: Sequence[str]) -> Any:
    numbers: dict[str, int] = {}
    coded = []
    for value in values:
        if len(numbers) > _FEW:
            return list(values)
        coded.append(numbers.setdefault(value, len(numbers)))
    return {"few": list(numbers), "at": coded}


def _unpack_text(data: Any, meaning: dict[Any, Any] | None = None) -> list[Any]:
    if isinstance(data, list):
        return data if meaning is None else [meaning[value] for value in data]
    few = data["few"] if meaning is None else [meaning[value] for value in data["few"]]
    return list(map(few.__getitem__, data["at"]))
