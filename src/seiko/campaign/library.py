"""Candidates from a library: designs that exist already, a supplier's catalogue or the user's own.

    a file of text     one design a line, first column, `#` and a header `smiles` or `sequence` are skipped; .gz too
    a name             of a data set of one design a line, for example "zinc250k"

Rows are drawn at random, again and again; the proposal drops those that were bought. What the model cannot read (too
long for it, letters that it does not know) is passed over, for the update could not learn from it.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch

from seiko.campaign.candidates import Labelled, check_share
from seiko.campaign.parents import editable
from seiko.campaign.sampler import Sampler
from seiko.designs import Design
from seiko.diffusion import Noise, State, Transition
from seiko.models import DiffusionModel

__all__ = ["Library", "check_library", "read_library"]

_ROW = 15  # sub-stream: which design
_TRIES = 20


@dataclass(frozen=True, kw_only=True)
class Library:
    """Designs from a file or a data set.

    Args:
        path: A file, or the name of a data set.
        share: Part of the pool, relative to the other sources'.
    """

    path: str
    share: float = 1.0

    def __post_init__(self) -> None:
        check_share(self.share)

    @property
    def source(self) -> str:
        """``"library"``."""
        return "library"

    @property
    def edits(self) -> bool:
        """False."""
        return False

    def propose(self, sampler: Sampler, labelled: Labelled, noise: Noise) -> State:
        """Return one design of the library for each stream.

        Raises:
            FileNotFoundError: If there is no such file.
            TypeError: If the model's designs are no text.
            ValueError: If the file is empty, or the model can read next to nothing of it.
        """
        rows, kind = read_library(self.path), editable(sampler, "a library").kind
        u = noise.fold_in(_ROW).uniform((_TRIES,)).tolist()
        found = []
        for numbers in u:
            tries = (_ingested(sampler.model, rows[int(number * len(rows))], kind) for number in numbers)
            state = next((state for state in tries if state is not None), None)
            if state is None:
                raise ValueError(f"the model can read next to nothing of the library {self.path}: not one in {_TRIES}")
            found.append(state)
        return torch.stack(found)


def _ingested(model: DiffusionModel[Transition], text: str, kind: str) -> State | None:
    try:
        return model.ingest([Design(text, kind)])[0]
    except ValueError:
        return None


def check_library(path: str) -> None:
    """Raise `FileNotFoundError` if there is no such file, and no data set of that name; nothing is read or fetched."""
    from seiko.data import list_datasets

    if not Path(path).is_file() and path not in {dataset.name for dataset in list_datasets()}:
        raise FileNotFoundError(f"there is no library {path!r}: neither a file nor the name of a data set")


@lru_cache(maxsize=4)
def read_library(path: str) -> tuple[str, ...]:
    """Return the designs of a file or a data set, in order.

    Raises:
        FileNotFoundError: If there is no such file, and no data set of that name.
        ValueError: If the file has no design.
    """
    check_library(path)
    place = Path(path)
    if not place.is_file():
        from seiko.data import fetch

        place = fetch(path)
    text = gzip.decompress(place.read_bytes()) if place.suffix == ".gz" else place.read_bytes()
    lines = (line.strip() for line in text.decode("utf-8-sig").splitlines())
    columns = [line.replace(",", " ").split()[0] for line in lines if line and not line.startswith("#")]
    rows = tuple(column for i, column in enumerate(columns) if i or column.lower() not in ("smiles", "sequence"))
    if not rows:
        raise ValueError(f"the library {path} has no design: one a line is expected, in the first column")
    return rows
