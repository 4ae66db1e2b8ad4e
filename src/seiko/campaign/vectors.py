"""Many values of one kind as an array in a file of bytes, read one by one or all at once, and only when asked for.

    same      one value, however often
    numbers   floats (NaN: None), integers in as few bytes as they need, truth values
    few       numbers into a list of the distinct ones, where those are few
    text      UTF-8 in a row, and where each ends
    plain     anything else, as JSON

Which of them it is, is seen from the values: what comes back has their types and their exact values. A file is a JSON
header and the arrays behind it, each at a multiple of eight bytes; opening it reads nothing but the header.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["Column", "Reader", "Vector", "Writer", "pack_vector", "vector"]

T_co = TypeVar("T_co", covariant=True)
Rows = NDArray[np.integer[Any]]
Ref = list[Any]

_FEW = 256
_MAGIC = b"seikocol"
_INTEGERS = ("int8", "int16", "int32", "int64")


class Column(Protocol[T_co]):
    """Values in order."""

    def __len__(self) -> int:
        """Return how many there are."""
        ...

    def __getitem__(self, at: int) -> T_co:
        """Return one."""
        ...

    def take(self, rows: Rows | None = None) -> Sequence[T_co]:
        """Return those of some rows, or all; no list of the caller's."""
        ...


class Writer:
    """Collects arrays."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._end = 0

    def put(self, array: NDArray[Any] | bytes) -> Ref:
        """Keep an array and return where it is, as JSON."""
        kind, data = ("bytes", array) if isinstance(array, bytes) else (array.dtype.str, array.tobytes())
        start, padded = self._end, data + bytes(-len(data) % 8)
        self._parts.append(padded)
        self._end += len(padded)
        return [kind, start, len(data)]

    def sealed(self, tree: Any) -> bytes:
        """Return the file: a header that says where things are, and the arrays."""
        header = json.dumps(tree, separators=(",", ":")).encode()
        header += b" " * (-len(header) % 8)
        return b"".join((_MAGIC, len(header).to_bytes(8, "little"), header, *self._parts))


class Reader:
    """Reads what a `Writer` wrote.

    Args:
        data: The file.

    Raises:
        ValueError: If it is none.
    """

    def __init__(self, data: bytes) -> None:
        if data[:8] != _MAGIC:
            raise ValueError("these bytes hold no columns")
        size = int.from_bytes(data[8:16], "little")
        self.tree = json.loads(data[16 : 16 + size])
        self._rest = memoryview(data)[16 + size :]

    def array(self, ref: Ref) -> NDArray[Any]:
        """Return an array; it cannot be written to."""
        kind, start, size = ref
        return np.frombuffer(self._rest[start : start + size], dtype=kind)

    def text(self, ref: Ref) -> bytes:
        """Return bytes."""
        _, start, size = ref
        return bytes(self._rest[start : start + size])


class Vector:
    """A column of plain values.

    Args:
        count: How many there are.
        one: Returns one.
        some: Returns those of some rows, or all of them.
        equal: Returns where they equal a value.
        numbers: The array itself, where they are numbers: None is NaN.
    """

    def __init__(
        self,
        count: int,
        one: Callable[[int], Any],
        some: Callable[[Rows | None], list[Any]],
        equal: Callable[[Any], NDArray[np.bool_]] | None = None,
        numbers: Callable[[], NDArray[Any]] | None = None,
    ) -> None:
        self._count, self._one, self._some, self._equal, self._numbers = count, one, some, equal, numbers

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, at: int) -> Any:
        return self._one(at)

    def take(self, rows: Rows | None = None) -> list[Any]:
        """Return those of some rows, or all."""
        return self._some(rows)

    def equal(self, value: Any) -> NDArray[np.bool_]:
        """Return where they equal a value."""
        if self._equal is not None:
            return self._equal(value)
        return np.fromiter((item == value for item in self._some(None)), bool, self._count)

    def numbers(self) -> NDArray[Any]:
        """Return them as numbers; None is NaN."""
        if self._numbers is not None:
            return self._numbers()
        return np.array([math.nan if item is None else item for item in self._some(None)], dtype=np.float64)


def pack_vector(values: Sequence[Any], writer: Writer) -> Any:
    """Keep plain values and return where and how, as JSON."""
    kinds = set(map(type, values))
    if kinds <= {type(None), bool, int, str} and len(kinds) == 1 and values.count(values[0]) == len(values):
        return {"is": "same", "n": len(values), "value": values[0]}
    if kinds and kinds <= {float, type(None)}:
        array = np.array([math.nan if value is None else value for value in values], dtype="<f8")
        if int(np.isnan(array).sum()) == values.count(None):
            return {"is": "floats", "none": type(None) in kinds, "at": writer.put(array)}
    if kinds == {bool}:
        return {"is": "bools", "at": writer.put(np.array(values, dtype="?"))}
    if kinds == {int} and (fits := _integers(values)) is not None:
        return {"is": "integers", "at": writer.put(fits)}
    if kinds and kinds <= {str, type(None)}:
        if (coded := _coded(values)) is not None:
            few, at = coded
            return {"is": "few", "values": few, "at": writer.put(at)}
        if kinds == {str}:
            parts = [value.encode("utf-8", "surrogatepass") for value in values]
            ends = np.cumsum(np.fromiter(map(len, parts), np.int64, len(parts)))
            ends = ends.astype("<u4") if ends[-1] < 2**32 else ends
            return {"is": "text", "ends": writer.put(ends), "at": writer.put(b"".join(parts))}
    return {"is": "plain", "values": list(values)}


def vector(tree: Any, reader: Reader) -> Vector:
    """Return the values that `pack_vector` was given."""
    match tree["is"]:
        case "same":
            return _same(tree["n"], tree["value"])
        case "floats":
            return _floats(reader.array(tree["at"]), tree["none"])
        case "bools" | "integers":
            return _exact(reader.array(tree["at"]))
        case "few":
            return _few(tree["values"], reader.array(tree["at"]))
        case "text":
            return _text(reader.text(tree["at"]), reader.array(tree["ends"]))
    return _plain(tree["values"])


def _same(count: int, value: Any) -> Vector:
    def some(rows: Rows | None) -> list[Any]:
        return [value] * (count if rows is None else len(rows))

    def numbers() -> NDArray[Any]:
        return np.full(count, math.nan if value is None else value)

    return Vector(count, lambda at: value, some, lambda other: np.full(count, other == value), numbers)


def _floats(array: NDArray[Any], none: bool) -> Vector:
    def one(at: int) -> float | None:
        value = float(array[at])
        return None if value != value else value

    def some(rows: Rows | None) -> list[Any]:
        found: list[Any] = (array if rows is None else array[rows]).tolist()
        return [None if value != value else value for value in found] if none else found

    return Vector(
        len(array), one, some, lambda value: np.isnan(array) if value is None else array == value, lambda: array
    )


def _exact(array: NDArray[Any]) -> Vector:
    def some(rows: Rows | None) -> list[Any]:
        found: list[Any] = (array if rows is None else array[rows]).tolist()
        return found

    return Vector(len(array), lambda at: array[at].item(), some, lambda value: array == value, lambda: array)


def _few(values: list[Any], at: NDArray[Any]) -> Vector:
    def some(rows: Rows | None) -> list[Any]:
        return list(map(values.__getitem__, (at if rows is None else at[rows]).tolist()))

    def equal(value: Any) -> NDArray[np.bool_]:
        return at == values.index(value) if value in values else np.zeros(len(at), bool)

    return Vector(len(at), lambda row: values[at[row]], some, equal)


def _text(data: bytes, ends: NDArray[Any]) -> Vector:
    letters = data.decode() if data.isascii() else None  # then a place in the text is a place among the bytes

    def one(at: int) -> str:
        start, end = int(ends[at - 1]) if at else 0, int(ends[at])
        return letters[start:end] if letters is not None else data[start:end].decode("utf-8", "surrogatepass")

    def some(rows: Rows | None) -> list[Any]:
        if rows is not None:
            starts = np.where(rows > 0, ends[rows - 1], 0)
            spans: Iterable[tuple[int, int]] = zip(starts.tolist(), ends[rows].tolist(), strict=True)
        else:
            spans = pairwise([0, *ends.tolist()])
        if letters is not None:
            return [letters[start:end] for start, end in spans]
        return [data[start:end].decode("utf-8", "surrogatepass") for start, end in spans]

    return Vector(len(ends), one, some)


def _plain(values: list[Any]) -> Vector:
    def some(rows: Rows | None) -> list[Any]:
        return list(values) if rows is None else [values[row] for row in rows.tolist()]

    return Vector(len(values), values.__getitem__, some)


def _integers(values: Sequence[int]) -> NDArray[Any] | None:
    least, most = min(values), max(values)
    for name in _INTEGERS:
        limits = np.iinfo(name)
        if limits.min <= least and most <= limits.max:
            return np.array(values, dtype=np.dtype(name).newbyteorder("<"))
    return None


def _coded(values: Sequence[Any]) -> tuple[list[Any], NDArray[Any]] | None:
    numbers: dict[Any, int] = {}
    for value in values:
        if numbers.setdefault(value, len(numbers)) >= _FEW:
            return None
    codes = np.fromiter(map(numbers.__getitem__, values), np.uint8, len(values))
    return list(numbers), codes
