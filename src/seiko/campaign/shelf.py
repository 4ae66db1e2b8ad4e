"""A mapping most of which lies in columns and stays there: what is looked up is made, what changes is kept beside them.

    keys   their column, and the rows in the order of their keys: a key is found by bisection, in O(log n) comparisons
    shelf  columns of values, some perhaps empty, and an ordinary dictionary of what was set since

The columns are never changed. Whoever looks many keys up pays once for a table of all of them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from itertools import compress
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from seiko.campaign.vectors import Column, Rows

__all__ = ["Keys", "Shelf", "in_order"]

T = TypeVar("T")

MANY = 10_000
"""Look-ups after which a table of all keys has paid for itself."""

_MISSING: Any = object()


def in_order(keys: Sequence[str], before: Rows | None = None) -> NDArray[np.int32]:
    """Return the rows of keys in the order of the keys.

    Args:
        keys: The keys.
        before: The order of the first of them, if it is known: then the sort has little left to do.
    """
    first = [] if before is None else before.tolist()
    return np.array(sorted([*first, *range(len(first), len(keys))], key=keys.__getitem__), dtype=np.int32)


class Keys:
    """A column of text in which a text is found.

    Args:
        text: The column; a text may be there several times.
        order: Its rows in the order of the texts.
    """

    def __init__(self, text: Column[str], order: Rows) -> None:
        self.text, self.order = text, order
        self._looked_up = 0
        self._table: dict[str, int] | None = None

    def __len__(self) -> int:
        return len(self.text)

    def row(self, key: str) -> int | None:
        """Return the row of a text that is there at most once."""
        if self._table is None:
            self._looked_up += 1
            if self._looked_up < MANY:
                return next(iter(self.rows(key)), None)
            self._table = dict(zip(self.text.take(), range(len(self)), strict=True))
        return self._table.get(key)

    def rows(self, key: str) -> list[int]:
        """Return the rows of a text."""
        text, order = self.text, self.order
        at = bisect_left(order, key, key=text.__getitem__)
        found = []
        while at < len(order) and text[row := int(order[at])] == key:
            found.append(row)
            at += 1
        return found


class Shelf(MutableMapping[str, T]):
    """A mapping over columns.

    Args:
        keys: Each once.
        column: A value for each.
        there: Which rows hold one; None for all.
    """

    def __init__(self, keys: Keys, column: Column[T], there: NDArray[np.bool_] | None = None) -> None:
        self._keys, self._column, self._there = keys, column, there
        self._set: dict[str, T] = {}
        self._removed: set[str] = set()  # of the columns
        self._count = len(keys) if there is None else int(there.sum())

    def __getitem__(self, key: str) -> T:
        if (value := self.get(key, _MISSING)) is _MISSING:
            raise KeyError(key)
        return value  # type: ignore[no-any-return]

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, or the default."""
        value = self._set.get(key, _MISSING)
        if value is not _MISSING:
            return value
        row = self._row(key)
        return default if row is None else self._column[row]

    def __contains__(self, key: object) -> bool:
        return key in self._set or (isinstance(key, str) and self._row(key) is not None)

    def __setitem__(self, key: str, value: T) -> None:
        if key not in self:
            self._count += 1
        self._set[key] = value

    def __delitem__(self, key: str) -> None:
        if key not in self:
            raise KeyError(key)
        self._count -= 1
        self._set.pop(key, None)
        if self._there_at(self._keys.row(key)):
            self._removed.add(key)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[str]:
        return (key for key, _ in self._all(values=False))

    def items(self) -> Any:
        """Return keys and values, those of the columns first; they are made at once."""
        return self._all(values=True)

    def values(self) -> Any:
        """Return the values in the same order."""
        return [value for _, value in self._all(values=True)]

    @property
    def fresh(self) -> Mapping[str, T]:
        """What was set since, in place of what the columns have or beside it."""
        return self._set

    def changed(self) -> Iterator[str]:
        """Yield the keys that are not as they are in the columns; a key that was set before the columns' end is one."""
        yield from self._set
        yield from self._removed - self._set.keys()

    def _row(self, key: str) -> int | None:
        """Return the row whose value counts, None if there is none."""
        row = None if key in self._removed else self._keys.row(key)
        return row if self._there_at(row) else None

    def _there_at(self, row: int | None) -> bool:
        return row is not None and (self._there is None or bool(self._there[row]))

    def _all(self, *, values: bool) -> list[tuple[str, Any]]:
        keys: Sequence[str] = self._keys.text.take()
        found: Sequence[Any] = self._column.take() if values else keys
        if self._there is not None:
            there = self._there.tolist()
            keys, found = list(compress(keys, there)), list(compress(found, there))
        if not self._set and not self._removed:
            return list(zip(keys, found, strict=True))
        mine = dict(self._set)
        pairs = [
            (key, mine.pop(key) if key in mine else value)
            for key, value in zip(keys, found, strict=True)
            if key not in self._removed
        ]
        return [*pairs, *mine.items()]
