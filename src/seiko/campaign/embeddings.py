"""What a view sees of an image, computed once a run: vectors kept by image, prompt and view.

    key    SHA-256 of (the view with its settings, SHA-256 of the PNG, prompt)
    row    key -> float32 vector, in `embeddings.sqlite` of the run folder; for a run on a server in memory alone

Images go through the view one at a time, so that a fit holds vectors of all of them and pixels of one, and a vector
does not depend, in its last digits, on what else stands in its batch: a file that was lost, or cut short by a kill, is
made again as it was. (To draw an image costs a hundred times more.) It decides nothing and may be deleted at any time.
Who puts other weights under the same name is found out: one kept vector is computed again in every process, and if it
has changed, none of them counts.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from seiko.designs import Design
from seiko.rewards import Feature, PromptFeature

__all__ = ["FILE", "Embeddings"]

FILE = "embeddings.sqlite"
KEEP_EVERY = 128  # images: what a kill can cost
TOLERANCE = 1e-3  # of a vector's length: more than another processor's rounding, less than another network


class Embeddings:
    """Vectors of images under one view.

    Args:
        view: Its class and settings are a part of the vectors' names.
        file: Where they are kept; None for in memory alone.
    """

    def __init__(self, view: Feature | PromptFeature, file: Path | None) -> None:
        self._view = f"{type(view).__module__}:{view!r}"
        self._file = file
        self._known: dict[str, Tensor] = {}
        self._trusted = False

    def __call__(
        self,
        designs: Sequence[Design],
        compute: Callable[[Design], Float[Tensor, "d"]],
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Float[Tensor, "n d"]:
        """Return one vector for each image.

        Args:
            designs: At least one; they may come without their files.
            compute: Returns the vector of an image.
            progress: Called with images embedded and to be embedded, while there are any.
        """
        keys = [self._key(design) for design in designs]
        self._look_up([key for key in dict.fromkeys(keys) if key not in self._known])
        kept = next((row for row, key in enumerate(keys) if key in self._known), None)
        if not self._trusted and kept is not None:
            self._verify(keys[kept], self._vector(compute, designs[kept]))
        missing = {key: design for key, design in zip(keys, designs, strict=True) if key not in self._known}
        new: dict[str, Tensor] = {}
        for done, (key, design) in enumerate(missing.items(), 1):
            new[key] = self._vector(compute, design)
            progress(done, len(missing))
            if len(new) == KEEP_EVERY or done == len(missing):
                self._known |= new
                self._keep(new)
                new = {}
        self._trusted = True
        return torch.stack([self._known[key] for key in keys])

    @staticmethod
    def _vector(compute: Callable[[Design], Tensor], design: Design) -> Tensor:
        with torch.no_grad():
            return compute(design).to("cpu", torch.float32)

    def _key(self, design: Design) -> str:
        prompt = "" if design.prompt is None else f"\0{design.prompt}"
        return hashlib.sha256(f"{self._view}\0{design.content}{prompt}".encode()).hexdigest()

    def _verify(self, key: str, found: Tensor) -> None:
        """Forget everything if a vector is not what it was."""
        kept = self._known[key]
        if kept.shape != found.shape or not float((kept - found).norm()) <= TOLERANCE * float(found.norm()):
            self._known.clear()
            with suppress(sqlite3.Error, OSError):
                if self._file is not None:
                    self._file.unlink(missing_ok=True)

    def _look_up(self, keys: list[str]) -> None:
        """Take vectors from the file; one that cannot be read counts as empty."""
        if self._file is None or not keys or not self._file.is_file():
            return
        with suppress(sqlite3.Error), closing(self._open()) as connection:
            for start in range(0, len(keys), 500):
                part = keys[start : start + 500]
                marks = ",".join("?" * len(part))
                rows = connection.execute(f"SELECT key, vector FROM embeddings WHERE key IN ({marks})", part)
                self._known |= {key: torch.from_numpy(np.frombuffer(vector, "<f4").copy()) for key, vector in rows}

    def _keep(self, new: dict[str, Tensor]) -> None:
        """Write vectors; a folder that cannot be written, or a damaged file, costs the next process its time."""
        if self._file is None or not new:
            return
        rows = [(key, vector.numpy().astype("<f4").tobytes()) for key, vector in new.items()]
        for attempt in range(2):
            try:
                with closing(self._open()) as connection, connection:
                    connection.execute("CREATE TABLE IF NOT EXISTS embeddings (key TEXT PRIMARY KEY, vector BLOB)")
                    connection.executemany("INSERT OR REPLACE INTO embeddings VALUES (?, ?)", rows)
                    return
            except sqlite3.DatabaseError as error:
                if attempt or isinstance(error, sqlite3.OperationalError):
                    return
                with suppress(OSError):  # it is no database: made anew
                    self._file.unlink()

    def _open(self) -> sqlite3.Connection:
        assert self._file is not None
        return sqlite3.connect(self._file, timeout=30.0)
