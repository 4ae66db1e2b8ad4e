"""What is never sent to the oracle, whatever the model draws: rules that are known beforehand and cost nothing.

A design of kind "invalid" is refused always. A screen refuses more: what lacks a substructure, what lies outside of a
range of a property. What only the world can tell (infeasible labels) is `seiko.rewards.Feasibility`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from seiko.designs import Design

__all__ = ["PropertyRange", "Screen", "Substructure", "sendable"]


class Screen(Protocol):
    """Says of each design whether it may be sent."""

    def __call__(self, designs: Sequence[Design]) -> list[bool]:
        """Return one answer for each design, in order."""
        ...


@dataclass(frozen=True, kw_only=True)
class Substructure:
    """Only molecules that have a substructure, or only those that have not.

    Args:
        smarts: The substructure, for example a scaffold that must stay.
        wanted: False refuses what has it (structural alerts).

    Raises:
        ValueError: If the text is no SMARTS.
    """

    smarts: str
    wanted: bool = True

    def __post_init__(self) -> None:
        from seiko.chemistry import pattern

        pattern(self.smarts)

    def __call__(self, designs: Sequence[Design]) -> list[bool]:
        """Return whether each molecule agrees."""
        from seiko.chemistry import parse, pattern

        query = pattern(self.smarts)
        mols = [parse(design.content) for design in designs]
        return [mol is not None and mol.HasSubstructMatch(query) == self.wanted for mol in mols]


@dataclass(frozen=True, kw_only=True)
class PropertyRange:
    """Only molecules whose property lies in a range, both ends included.

    Args:
        descriptor: One of `seiko.chemistry.PROPERTIES`: weight, logp, sa, largest_ring and others.
        low: Smallest value; None for any.
        high: Largest value; None for any.

    Raises:
        ValueError: If there is no such property, or the range is empty.
    """

    descriptor: str
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        from seiko.chemistry import PROPERTIES

        if self.descriptor not in PROPERTIES:
            raise ValueError(f"no property is called {self.descriptor!r}; there are: {', '.join(PROPERTIES)}")
        if self.low is not None and self.high is not None and not self.low <= self.high:
            raise ValueError(f"the range of {self.descriptor} must not be empty, got {self.low} to {self.high}")

    def __call__(self, designs: Sequence[Design]) -> list[bool]:
        """Return whether each molecule lies inside."""
        from seiko.chemistry import properties

        values = properties([design.content for design in designs], [self.descriptor])[:, 0].tolist()
        return [
            (self.low is None or value >= self.low) and (self.high is None or value <= self.high) for value in values
        ]


def sendable(designs: Sequence[Design], screens: Sequence[Screen]) -> list[int]:
    """Return the rows that are designs at all and that no screen refuses."""
    rows = [row for row, design in enumerate(designs) if design.valid]
    for screen in screens:
        passed = screen([designs[row] for row in rows])
        rows = [row for row, good in zip(rows, passed, strict=True) if good]
    return rows
