"""Sequences to pretrain on, from a text file (one a line), FASTA, or a CSV table.

All have one length and the letters of one alphabet. A line that does not fit is named; nothing is left out silently.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from seiko.cli.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from seiko.models import Alphabet

__all__ = ["alphabet_named", "read_sequences", "tokens"]

COLUMNS = ("sequence", "design", "seq")


def alphabet_named(name: str) -> Alphabet:
    """Return the alphabet ``dna``, ``protein`` or ``tokens:N``."""
    from seiko.models import Alphabet

    if name == "dna":
        return Alphabet.dna()
    if name == "protein":
        return Alphabet.protein()
    if match := re.fullmatch(r"tokens:([0-9]{1,6})", name, re.ASCII):
        if int(match[1]) < 2:
            raise InputError(f"--alphabet tokens:N needs at least 2 tokens, got {name!r}")
        return Alphabet.numbers(int(match[1]))
    raise InputError(f"--alphabet must be dna, protein or tokens:N, got {name!r}")


def read_sequences(path: Path) -> list[tuple[int, str]]:
    """Return (line, sequence) of each sequence in a file, blanks around it cut off.

    Raises:
        InputError: If the file is empty, not UTF-8, or a table without a column of sequences.
        OSError: If it cannot be read.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text") from error
    lines = text.splitlines()
    first = next((line for line in lines if line.strip()), "")
    if first.startswith(">"):
        found = _fasta(lines)
    elif "," in first or "\t" in first or first.strip().lower() in COLUMNS:
        found = _table(path, text, "\t" if "\t" in first else ",")
    else:
        found = [(number, line.strip()) for number, line in enumerate(lines, start=1) if line.strip()]
    if not found:
        raise InputError(f"{path} holds no sequence")
    if empty := [line for line, sequence in found if not sequence]:
        raise InputError(f"{path}, line {empty[0]}: there is no sequence")
    return found


def tokens(path: Path, rows: list[tuple[int, str]], alphabet: Alphabet, length: int | None) -> Tensor:
    """Return sequences as tokens `[n, L]`.

    Raises:
        InputError: At the first line with a letter that is not in the alphabet, or if lengths differ.
    """
    import torch

    index = {letter: i for i, letter in enumerate(alphabet.letters)}
    table = []
    for line, text in rows:
        letters = alphabet.split(text if alphabet.separator else text.upper())
        for position, letter in enumerate(letters, start=1):
            if letter not in index:
                raise InputError(
                    f"{path}, line {line}: {letter!r} at position {position} is not one of the {len(index)} letters "
                    f"of the alphabet {alphabet.kind} ({' '.join(alphabet.letters[:20])})"
                )
        table.append([index[letter] for letter in letters])
    lengths = Counter(map(len, table))
    wanted = length or lengths.most_common(1)[0][0]
    if wrong := [(line, len(row)) for (line, _), row in zip(rows, table, strict=True) if len(row) != wanted]:
        raise InputError(
            f"{path}: {len(wrong)} of {len(table)} sequences do not have {wanted} letters, the first on line "
            f"{wrong[0][0]} has {wrong[0][1]}; a model has one length, leave the others out"
        )
    return torch.tensor(table, dtype=torch.int64)


def _fasta(lines: list[str]) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    for number, line in enumerate(lines, start=1):
        if line.startswith(">"):
            found.append((number, ""))
        elif line.strip():
            found[-1] = (found[-1][0], found[-1][1] + line.strip())
    return found


def _table(path: Path, text: str, separator: str) -> list[tuple[int, str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    rows = []
    line = 1
    for cells in reader:
        start, line = line, reader.line_num + 1
        if any(cell.strip() for cell in cells):
            rows.append((start, cells))
    header = [cell.strip().lower() for cell in rows[0][1]]
    column = next((header.index(name) for name in COLUMNS if name in header), None)
    if column is None:
        raise InputError(f"{path} is a table without a column called {', '.join(COLUMNS)}; it has {', '.join(header)}")
    return [(start, cells[column].strip() if column < len(cells) else "") for start, cells in rows[1:]]
