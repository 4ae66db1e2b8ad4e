"""The letters of a sequence model and what they are called outside.

`Letters` is what a model needs of them. `Alphabet` is for text in which a design is its letters; molecules, whose
rows of letters are one of many spellings, have `seiko.chemistry.FragmentAlphabet`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from seiko.designs import Design

__all__ = ["Alphabet", "Fragmented", "Letters", "alphabet_of"]


@runtime_checkable
class Letters(Protocol):
    """An ordered set of letters, and how rows of them are read as designs."""

    @property
    def letters(self) -> tuple[str, ...]:
        """Names; letter i is token i."""
        ...

    @property
    def kind(self) -> str:
        """Kind of the designs."""
        ...

    def __len__(self) -> int:
        """Return the number of letters, the mask not counted."""
        ...

    def write(self, x: Int64[Tensor, "n l"]) -> list[Design]:
        """Return tokens as designs."""
        ...

    def read(self, designs: Sequence[Design], length: int | None = None) -> Int64[Tensor, "n l"]:
        """Return designs as tokens; raises `ValueError` on one that is none of these."""
        ...

    def distance(self, x: Int64[Tensor, "n l"], z: Int64[Tensor, "m l"]) -> Float[Tensor, "n m"]:
        """Return the domain's distance between every x and every z."""
        ...


@runtime_checkable
class Fragmented(Protocol):
    """Letters that are pieces of molecules."""

    @property
    def empty(self) -> int:
        """The token that fills a row up."""
        ...

    def holding(self, row: Sequence[int], smarts: str) -> list[bool]:
        """Return which letters hold an atom of a substructure."""
        ...


def alphabet_of(fields: dict[str, Any]) -> Letters:
    """Return the letters that `dataclasses.asdict` wrote down, with tuples for JSON's lists."""
    if "merges" in fields:
        from seiko.chemistry import FragmentAlphabet

        return FragmentAlphabet.from_fields(fields)
    return Alphabet(**{**fields, "letters": tuple(fields["letters"])})


@dataclass(frozen=True, kw_only=True)
class Alphabet:
    """An ordered set of letters; letter i is token i, the mask is one past the last.

    Args:
        letters: Names of the letters, all different and without blanks.
        kind: Kind of the designs that are written in it.
        separator: Put between letters in a design's content; empty for one-character letters.
    """

    letters: tuple[str, ...]
    kind: str
    separator: str = ""

    def __post_init__(self) -> None:
        if len(self.letters) < 2 or len(set(self.letters)) != len(self.letters):
            raise ValueError(f"letters must be at least two different names, got {self.letters!r}")
        if self.separator == "" and any(len(letter) != 1 for letter in self.letters):
            raise ValueError("letters of more than one character need a separator, for example separator=' '")
        if self.separator and any(letter == "" or self.separator in letter for letter in self.letters):
            raise ValueError(
                f"no letter may be empty or contain the separator {self.separator!r}, got {self.letters!r}"
            )

    @classmethod
    def dna(cls) -> Alphabet:
        """Return A, C, G, T."""
        return cls(letters=tuple("ACGT"), kind="dna")

    @classmethod
    def protein(cls) -> Alphabet:
        """Return the twenty amino acids."""
        return cls(letters=tuple("ACDEFGHIKLMNPQRSTVWY"), kind="protein")

    @classmethod
    def numbers(cls, count: int) -> Alphabet:
        """Return the numbers 0 to count - 1, written with blanks between them."""
        return cls(letters=tuple(str(i) for i in range(count)), kind="tokens", separator=" ")

    def __len__(self) -> int:
        """Return the number of letters, the mask not counted."""
        return len(self.letters)

    @cached_property
    def _index(self) -> dict[str, int]:
        return {letter: i for i, letter in enumerate(self.letters)}

    def write(self, x: Int64[Tensor, "n l"]) -> list[Design]:
        """Return tokens as designs."""
        return [Design(content=self.separator.join(self.letters[i] for i in row), kind=self.kind) for row in x.tolist()]

    def split(self, content: str) -> list[str]:
        """Return the letters of a text."""
        return content.split(self.separator) if self.separator else list(content)

    def read(self, designs: Sequence[Design], length: int | None = None) -> Int64[Tensor, "n l"]:
        """Return designs as tokens.

        Raises:
            ValueError: If a design has another kind, an unknown letter or another length; it is named.
        """
        rows = []
        for design in designs:
            letters = self.split(design.content)
            if design.kind != self.kind:
                raise ValueError(
                    f"design {design.content!r} is of kind {design.kind!r}, this model's are {self.kind!r}"
                )
            if unknown := [letter for letter in letters if letter not in self._index]:
                raise ValueError(f"design {design.content!r} has the letter {unknown[0]!r}, known are {self.letters}")
            if length is not None and len(letters) != length:
                raise ValueError(f"design {design.content!r} has {len(letters)} letters, this model's have {length}")
            rows.append([self._index[letter] for letter in letters])
        if not rows:
            return torch.empty((0, length or 0), dtype=torch.int64)
        return torch.tensor(rows, dtype=torch.int64)

    def distance(self, x: Int64[Tensor, "n l"], z: Int64[Tensor, "m l"]) -> Float[Tensor, "n m"]:
        """Return the Hamming distance, in positions."""
        one_hot = torch.nn.functional.one_hot
        matches = one_hot(x, len(self)).flatten(1).float() @ one_hot(z, len(self)).flatten(1).float().T
        return x.shape[1] - matches
