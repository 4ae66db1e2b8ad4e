"""Keep many objects of one class as columns; make them again one by one or all at once, none before it is asked for.

    dataclass          one column a field
    X | None           where there is one, and those that there are
    list, tuple, set   lengths, and all items in a row; a tuple of fixed length, one column a place
    dict               lengths, keys and values in a row
    anything else      a vector; see `seiko.campaign.vectors`

What to expect is read from the annotations. Objects are made without their constructors, which have checked the same
values before: only what a hash protects is to be read back.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import types
import typing
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from itertools import chain, pairwise, repeat
from typing import Any, Generic, Literal, TypeVar, Union

import numpy as np
from numpy.typing import NDArray

from seiko.campaign.vectors import Column, Reader, Rows, Vector, Writer, pack_vector, vector

__all__ = ["NotColumns", "Objects", "Patched", "column", "pack", "shape", "written"]

T = TypeVar("T")

_UNIONS = (Union, types.UnionType)
_LEAVES = (Any, bool, int, float, str, type(None))
_MAKE: dict[str, type] = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}


class NotColumns(TypeError):
    """An annotation is of a kind that cannot be written as columns."""


class Objects(Generic[T]):
    """Objects of one class, a column a field.

    Args:
        cls: The class.
        columns: By field; what they leave out has its default.
        count: How many objects there are.
    """

    def __init__(self, cls: type[T], columns: Mapping[str, Column[Any]], count: int) -> None:
        self.cls, self.columns, self._count = cls, columns, count
        self._fields = dataclasses.fields(cls)  # type: ignore[arg-type]  # checked where the hint was read

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, at: int) -> T:
        made = object.__new__(self.cls)
        for field in self._fields:
            column = self.columns.get(field.name)
            object.__setattr__(made, field.name, _default(field) if column is None else column[at])
        return made

    def take(self, rows: Rows | None = None) -> list[T]:
        """Return those of some rows, or all, a field at a time: the loops are the interpreter's own."""
        count = self._count if rows is None else len(rows)
        made = list(map(object.__new__, repeat(self.cls, count)))
        for field in self._fields:
            column = self.columns.get(field.name)
            if column is not None:
                values: Iterable[Any] = column.take(rows)
            elif field.default_factory is not dataclasses.MISSING:
                values = [field.default_factory() for _ in range(count)]
            else:
                values = repeat(field.default, count)
            deque(map(object.__setattr__, made, repeat(field.name), values), maxlen=0)
        return made

    def vector(self, name: str) -> Vector:
        """Return the column of a field that holds plain values."""
        found = self.columns[name]
        if not isinstance(found, Vector):
            raise TypeError(f"{self.cls.__name__}.{name} is no column of plain values")
        return found


@dataclasses.dataclass(frozen=True)
class Patched:
    """A column as it is now: some values are others, and some have come since.

    Args:
        column: As it was; None for empty.
        changed: Values by row.
        added: Those that follow.
    """

    column: Column[Any] | None
    changed: Mapping[int, Any]
    added: Sequence[Any]

    def field(self, name: str) -> Patched:
        """Return the column of a field of its objects."""
        assert self.column is None or isinstance(self.column, Objects)
        column = None if self.column is None else self.column.columns[name]
        changed = {row: getattr(value, name) for row, value in self.changed.items()}
        return Patched(column, changed, [getattr(value, name) for value in self.added])

    def all(self) -> list[Any]:
        """Return all values."""
        values = [*(() if self.column is None else self.column.take()), *self.added]
        for row, value in self.changed.items():
            values[row] = value
        return values

    def __len__(self) -> int:
        return (0 if self.column is None else len(self.column)) + len(self.added)


def pack(values: Sequence[Any] | Patched, hint: Any, writer: Writer) -> Any:
    """Keep values of one annotation; return where and how, as JSON.

    Raises:
        NotColumns: If the annotation is of another kind than those above.
    """
    kind, inner = _kind(hint)
    if kind == "object":
        now = values if isinstance(values, Patched) else Patched(None, {}, values)
        return {"n": len(now), "of": {name: pack(now.field(name), of, writer) for name, of in inner.items()}}
    if isinstance(values, Patched):
        values = values.all()
    match kind:
        case "leaf":
            return pack_vector(values, writer)
        case "enum":
            return pack_vector([value.value for value in values], writer)
        case "places":
            return {
                "n": len(values),
                "of": [pack([value[at] for value in values], of, writer) for at, of in enumerate(inner)],
            }
        case "maybe":
            there = [value is not None for value in values]
            some = [value for value in values if value is not None]
            return {"is": pack_vector(there, writer), "of": pack(some, inner, writer)}
        case "mapping":
            keys, of = inner
            return {
                "ends": _ends(values, writer),
                "keys": pack([key for value in values for key in value], keys, writer),
                "of": pack([item for value in values for item in value.values()], of, writer),
            }
    if kind in ("set", "frozenset"):
        values = [sorted(value) for value in values]
    return {"ends": _ends(values, writer), "of": pack([item for value in values for item in value], inner, writer)}


def column(tree: Any, hint: Any, reader: Reader) -> Column[Any]:
    """Return the values that `pack` was given."""
    kind, inner = _kind(hint)
    match kind:
        case "leaf":
            return vector(tree, reader)
        case "enum":
            return _Members(vector(tree, reader), {member.value: member for member in hint})
        case "places":
            return _Places([column(part, of, reader) for part, of in zip(tree["of"], inner, strict=True)], tree["n"])
        case "maybe":
            return _Maybe(vector(tree["is"], reader), column(tree["of"], inner, reader))
        case "object":
            return Objects(hint, {name: column(tree["of"][name], of, reader) for name, of in inner.items()}, tree["n"])
        case "mapping":
            pairs = _Places([column(tree["keys"], inner[0], reader), column(tree["of"], inner[1], reader)])
            return _Parts(pairs, reader.array(tree["ends"]), dict)
    return _Parts(column(tree["of"], inner, reader), reader.array(tree["ends"]), _MAKE[kind])


def written(values: Sequence[Any], hint: Any) -> bytes:
    """Return a file of its own with these values."""
    writer = Writer()
    return writer.sealed(pack(values, hint, writer))


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


class _Members:
    """Members of an enumeration."""

    def __init__(self, values: Vector, meaning: dict[Any, Any]) -> None:
        self._values, self._meaning = values, meaning

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, at: int) -> Any:
        return self._meaning[self._values[at]]

    def take(self, rows: Rows | None = None) -> list[Any]:
        return list(map(self._meaning.__getitem__, self._values.take(rows)))


class _Places:
    """Tuples of fixed length."""

    def __init__(self, columns: list[Column[Any]], count: int | None = None) -> None:
        self._columns, self._count = columns, len(columns[0]) if count is None else count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, at: int) -> tuple[Any, ...]:
        return tuple(column[at] for column in self._columns)

    def take(self, rows: Rows | None = None) -> list[tuple[Any, ...]]:
        return list(zip(*(column.take(rows) for column in self._columns), strict=True))


class _Maybe:
    """Values and None."""

    def __init__(self, there: Vector, some: Column[Any]) -> None:
        self._there, self._some = there, some
        self._before: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self._there)

    def __getitem__(self, at: int) -> Any:
        return self._some[int(self._ranks()[at])] if self._there[at] else None

    def take(self, rows: Rows | None = None) -> list[Any]:
        there = self._there.take(rows)
        if rows is None:
            some = iter(self._some.take())
        else:
            some = iter(self._some.take(self._ranks()[rows][np.array(there, dtype=bool)]))
        return [next(some) if one else None for one in there]

    def _ranks(self) -> NDArray[np.int64]:
        if self._before is None:
            self._before = np.cumsum(self._there.equal(True)) - 1
        return self._before


class _Parts:
    """Lists, tuples, sets and mappings: pieces of one column."""

    def __init__(self, items: Column[Any], ends: NDArray[Any], make: type) -> None:
        self._items, self._ends, self._make = items, ends, make

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, at: int) -> Any:
        start, end = int(self._ends[at - 1]) if at else 0, int(self._ends[at])
        return self._make(self._items[item] for item in range(start, end))

    def take(self, rows: Rows | None = None) -> list[Any]:
        if rows is not None:
            return [self[int(row)] for row in rows]
        items = self._items.take()
        return [self._make(items[start:end]) for start, end in pairwise(chain((0,), self._ends.tolist()))]


def _ends(values: Sequence[Any], writer: Writer) -> Any:
    return writer.put(np.cumsum(np.fromiter(map(len, values), np.uint32, len(values)), dtype=np.uint32))


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


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
    if origin in (dict, collections.abc.Mapping, collections.abc.MutableMapping):
        # a mapping of anything is JSON already
        return ("leaf", None) if args[1] in (Any, object) else ("mapping", args)
    raise NotColumns(f"{hint} cannot be written as columns")
