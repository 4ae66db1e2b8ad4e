"""The letters of a molecule model: groups of symbols that often stand together, each group one letter.

    [=C][C][=C][C][=C][r6]      is one letter: what closes a benzene ring

Groups are learnt by byte-pair encoding of the symbols. A molecule of ZINC has 34 symbols but fewer than ten such
letters, so a model makes a quarter of the decisions, and rings mostly come whole. Whatever groups are put beside each
other means a molecule, in symbols of `sized_rings` and of SELFIES; a row of SMILES may mean none. A row is filled up
with the empty letter, the last one, which a model draws like any other: so it decides the length itself, and the start
of the chain stays one state that says nothing of the end.

References:
    Sennrich, Haddow, Birch, "Neural machine translation of rare words with subword units", 2016,
    https://arxiv.org/abs/1508.07909; Li, Fourches, "SMILES pair encoding", 2021, https://doi.org/10.1021/acs.jcim.0c01127.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from seiko.chemistry.fingerprints import morgan_counts, tanimoto
from seiko.chemistry.sized_rings import SYMBOL
from seiko.chemistry.strings import SMILES_SYMBOL, Syntax, flat, from_symbols, places_of, to_symbols
from seiko.designs import INVALID, Design

__all__ = ["FragmentAlphabet"]

# a SELFIES letter may begin with the dot between two parts, which `selfies.split_selfies` passes over
_SYMBOLS = {"rings": SYMBOL, "selfies": re.compile(r"\[[^\]]*\]|\."), "smiles": SMILES_SYMBOL}
_FIRST = 0x4E00  # each symbol is one character to the encoder, from here on: none of them is white space


@dataclass(frozen=True, kw_only=True)
class FragmentAlphabet:
    """Molecules as rows of fragments; letter i is token i, the mask is one past the last.

    Args:
        letters: Each some symbols in a row; the last one is empty and fills a row up.
        symbols: Single symbols, in the order in which the merges count them.
        merges: Pairs of letters that are joined where they meet, first ones first; none for single symbols.
        syntax: What the symbols are.
    """

    letters: tuple[str, ...]
    symbols: tuple[str, ...]
    merges: tuple[tuple[str, str], ...] = ()
    syntax: Syntax = "rings"

    kind = "smiles"

    def __post_init__(self) -> None:
        if len(self.letters) < 2 or len(set(self.letters)) != len(self.letters):
            raise ValueError(f"letters must be at least two different fragments, got {self.letters!r}")
        if self.letters[-1] != "" or "" in self.letters[:-1]:
            raise ValueError("the last letter, and no other, must be the empty one that fills a row up")

    @classmethod
    def learn(cls, molecules: Iterable[Sequence[str]], size: int, syntax: Syntax) -> FragmentAlphabet:
        """Return the alphabet of the `size` most useful groups, the empty letter beside them.

        Args:
            molecules: Symbols of each, from `to_symbols`.
            size: Letters, the empty one not counted; at least as many as there are symbols.
            syntax: What the symbols are.

        Raises:
            ValueError: If there are more symbols than letters asked for.
        """
        from tokenizers import Tokenizer, models, trainers

        rows = [tuple(row) for row in molecules]
        symbols = tuple(sorted({symbol for row in rows for symbol in row}))
        if size < len(symbols):
            raise ValueError(f"size must be at least the {len(symbols)} symbols of these molecules, got {size}")
        characters = {symbol: chr(_FIRST + i) for i, symbol in enumerate(symbols)}
        encoder = Tokenizer(models.BPE())
        trainer = trainers.BpeTrainer(vocab_size=size, show_progress=False)
        encoder.train_from_iterator(("".join(characters[s] for s in row) for row in rows), trainer)
        vocabulary = sorted(encoder.get_vocab().items(), key=lambda item: item[1])
        merges = _merges(encoder)

        def spelt(text: str) -> str:
            return "".join(symbols[ord(c) - _FIRST] for c in text)

        letters = tuple(spelt(text) for text, _ in vocabulary)
        return cls(
            letters=(*letters, ""),
            symbols=symbols,
            merges=tuple((spelt(a), spelt(b)) for a, b in merges),
            syntax=syntax,
        )

    @classmethod
    def of_vocabulary(cls, letters: Sequence[str], syntax: Syntax) -> FragmentAlphabet:
        """Return the alphabet of another model's letters; molecules are read symbol by symbol."""
        symbols = tuple(letter for letter in letters if _SYMBOLS[syntax].fullmatch(letter))
        return cls(letters=(*letters, ""), symbols=symbols, syntax=syntax)

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> FragmentAlphabet:
        """Return the alphabet that `dataclasses.asdict` and JSON wrote down."""
        return cls(
            letters=tuple(fields["letters"]),
            symbols=tuple(fields["symbols"]),
            merges=tuple((first, second) for first, second in fields["merges"]),
            syntax=fields["syntax"],
        )

    def __len__(self) -> int:
        """Return the number of letters, the empty one counted, the mask not."""
        return len(self.letters)

    @property
    def empty(self) -> int:
        """The token that fills a row up."""
        return len(self.letters) - 1

    @cached_property
    def _characters(self) -> dict[str, str]:
        return {symbol: chr(_FIRST + i) for i, symbol in enumerate(self.symbols)}

    @cached_property
    def _encoder(self) -> Any:
        from tokenizers import Tokenizer, models

        def short(letter: str) -> str:
            return "".join(self._characters[s] for s in self.split(letter))

        vocabulary = {short(letter): i for i, letter in enumerate(self.letters[:-1])}
        return Tokenizer(models.BPE(vocab=vocabulary, merges=[(short(a), short(b)) for a, b in self.merges]))

    def split(self, content: str) -> list[str]:
        """Return the symbols of joined symbols."""
        return _SYMBOLS[self.syntax].findall(content)

    def tokens(self, smiles: str) -> list[int]:
        """Return a molecule's tokens, not filled up.

        Raises:
            ValueError: If the text is no molecule, has a symbol that is not in the alphabet, or the symbols mean
                another molecule; it is named.
        """
        return list(self._cached_tokens(smiles))

    @cached_property
    def _cached_tokens(self) -> Callable[[str], list[int]]:
        return lru_cache(maxsize=100_000)(self._tokens)

    def _tokens(self, smiles: str) -> list[int]:
        symbols = to_symbols(smiles, self.syntax)
        if unknown := [symbol for symbol in symbols if symbol not in self._characters]:
            raise ValueError(f"{smiles!r} has {unknown[0]}, which this model does not know")
        if (found := from_symbols("".join(symbols), self.syntax)) != flat(smiles):  # a radical, an odd valence
            raise ValueError(f"{smiles!r} cannot be said in this model's letters: they would mean {found!r}")
        return self.encode([symbols])[0]

    def encode(self, molecules: Sequence[Sequence[str]]) -> list[list[int]]:
        """Return the tokens of molecules given as known symbols, not filled up."""
        texts = ["".join(self._characters[symbol] for symbol in row) for row in molecules]
        return [found.ids for found in self._encoder.encode_batch(texts)]

    def write(self, x: Int64[Tensor, "n l"]) -> list[Design]:
        """Return tokens as molecules, in canonical SMILES; what is none is a design of kind "invalid"."""
        designs = []
        for row in x.tolist():
            text = "".join(self.letters[i] for i in row)
            smiles = from_symbols(text, self.syntax)
            designs.append(Design(text, INVALID) if smiles is None else Design(smiles, self.kind))
        return designs

    def read(self, designs: Sequence[Design], length: int | None = None) -> Int64[Tensor, "n l"]:
        """Return molecules as tokens, filled up to `length`, or to the longest.

        What is no molecule becomes the empty row, which is none either.

        Raises:
            ValueError: If a design has another kind, is none that RDKit can read, has an unknown symbol or too many
                letters; it is named.
        """
        rows: list[list[int]] = []
        for design in designs:
            if not design.valid:
                rows.append([])
                continue
            if design.kind != self.kind:
                raise ValueError(
                    f"design {design.content!r} is of kind {design.kind!r}, this model's are {self.kind!r}"
                )
            row = self.tokens(design.content)
            if length is not None and len(row) > length:
                raise ValueError(
                    f"design {design.content!r} has {len(row)} letters, this model's have {length} at most"
                )
            rows.append(row)
        width = max((len(row) for row in rows), default=0) if length is None else length
        x = torch.full((len(rows), width), self.empty, dtype=torch.int64)
        for i, row in enumerate(rows):
            x[i, : len(row)] = torch.tensor(row, dtype=torch.int64)
        return x

    def holding(self, row: Sequence[int], smarts: str) -> list[bool]:
        """Return which letters of a row hold an atom of the first match of a substructure; none without a match.

        Raises:
            ValueError: If the text is no SMARTS, or the symbols are SMILES, which say nothing of where an atom is from.
        """
        letters = [self.letters[token] for token in row]
        owners = [i for i, letter in enumerate(letters) for _ in (self.split(letter) if letter else ())]
        held = {owners[place] for place in places_of("".join(letters), smarts, self.syntax)}
        return [i in held for i in range(len(letters))]

    def distance(self, x: Int64[Tensor, "n l"], z: Int64[Tensor, "m l"]) -> Float[Tensor, "n m"]:
        """Return 1 - Tanimoto similarity of count fingerprints, 0 to 1."""
        a, b = (morgan_counts([design.content for design in self.write(rows)]) for rows in (x, z))
        return 1 - tanimoto(a, b)


def _merges(encoder: Any) -> list[tuple[str, str]]:
    import json

    found = json.loads(encoder.to_str())["model"]["merges"]
    return [(pair[0], pair[1]) if not isinstance(pair, str) else tuple(pair.split(" ")) for pair in found]  # type: ignore[misc]
