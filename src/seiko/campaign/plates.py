"""Where on a plate each measurement is: wells A01, A02, ... of 96 or 384, controls, replicates, places by lot.

Rows are letters, columns numbers of two digits. Replicates of a query are on one plate; the first wells are used, row
by row, and who is in which is decided by

    the order of SHA-256(seed, plate, query, replicate),

so that the same plate comes of the same seed on any machine, and no place is a matter of rank: a gradient across the
plate is then noise, not bias. The layout is kept with the run: a result file needs to name wells only.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["SIZES", "Measurement", "Plate", "lay_out", "well_name", "well_names"]

SIZES: Mapping[int, tuple[int, int]] = {96: (8, 12), 384: (16, 24)}
"""Rows and columns of a plate, by its number of wells."""

_WELL = re.compile(r"([A-Z])0*([1-9][0-9]?)", re.ASCII)

Measurement = tuple[str, int]
"""Query (or the name of a control that is no design), and replicate."""


@dataclass(frozen=True, kw_only=True)
class Plate:
    """One plate.

    Args:
        name: ``"P1"``.
        wells: 96 or 384.
        seed: What its places were drawn by.
        at: Query and replicate by well, in the order of wells.
        seq: Event that laid it out.
    """

    name: str
    wells: int
    seed: int
    at: Mapping[str, Measurement]
    seq: int = 0

    def row(self) -> dict[str, Any]:
        """Return it as the ledger keeps it."""
        return {
            "name": self.name,
            "wells": self.wells,
            "seed": self.seed,
            "at": {well: list(held) for well, held in self.at.items()},
        }

    @classmethod
    def from_row(cls, row: Mapping[str, Any], seq: int) -> Plate:
        """Read it back.

        Raises:
            ValueError: If a well is not on such a plate, or holds no measurement.
        """
        names = set(well_names(row["wells"]))
        at = {}
        for well, (query, replicate) in row["at"].items():
            if well not in names or not isinstance(query, str) or not isinstance(replicate, int):
                raise ValueError(f"well {well!r} of plate {row['name']!r}")
            at[well] = (query, replicate)
        return cls(name=row["name"], wells=row["wells"], seed=row["seed"], at=at, seq=seq)


def well_names(wells: int) -> list[str]:
    """Return the wells of a plate, row by row.

    Raises:
        ValueError: If there is no such plate.
    """
    if wells not in SIZES:
        raise ValueError(f"a plate has {' or '.join(map(str, SIZES))} wells, got {wells}")
    rows, columns = SIZES[wells]
    return [f"{chr(ord('A') + row)}{column:02d}" for row in range(rows) for column in range(1, columns + 1)]


def well_name(text: str) -> str | None:
    """Return A01 for A1, a01, A001; None for what is no well."""
    found = _WELL.fullmatch(text.strip().upper())
    return f"{found[1]}{int(found[2]):02d}" if found else None


def lay_out(
    queries: Sequence[Sequence[Measurement]],
    controls: Sequence[Measurement],
    *,
    wells: int,
    seed: int,
    first: int,
) -> list[Plate]:
    """Return the plates that hold some measurements.

    Args:
        queries: The replicates of each query; those of one query stay on one plate.
        controls: What is on every plate; of a design, the replicates of later plates are numbered on.
        wells: 96 or 384.
        seed: Draws the places.
        first: Number of the first plate.

    Raises:
        ValueError: If there is no such plate, or not even one query finds room beside the controls.
    """
    names = well_names(wells)
    most = max(map(len, queries), default=0)
    room = (len(names) - len(controls)) // most if most else 0
    if queries and room < 1:
        raise ValueError(
            f"{len(controls)} controls and {most} replicates of a query do not fit into {wells} wells: use a larger "
            "plate, or less of either"
        )
    plates: list[Plate] = []
    for start in range(0, len(queries), room or 1):
        name = f"P{first + len(plates)}"
        later = len(plates)
        own = [(id, replicate + later * _wells_of(controls, id)) for id, replicate in controls]
        held = own + [measurement for query in queries[start : start + room] for measurement in query]
        held.sort(key=lambda measurement: _lot(seed, name, *measurement))
        plates.append(Plate(name=name, wells=wells, seed=seed, at=dict(zip(names, held, strict=False))))
    return plates


def _wells_of(controls: Sequence[Measurement], id: str) -> int:
    return sum(1 for other, _ in controls if other == id)


def _lot(seed: int, plate: str, query: str, replicate: int) -> str:
    return hashlib.sha256(f"{seed}\0{plate}\0{query}\0{replicate}".encode()).hexdigest()
