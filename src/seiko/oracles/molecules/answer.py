"""How a molecule oracle answers: read the SMILES, compute the value, add the noise that belongs to the design.

A design that is not of kind "smiles", or that RDKit cannot read, is infeasible: it costs its label and has no value.
Two spellings of a molecule have the same value but, being two designs, different noise: send canonical SMILES.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from seiko.designs import Design
from seiko.oracles.base import Label
from seiko.oracles.noise import Noisy

if TYPE_CHECKING:
    from rdkit.Chem import Mol

__all__ = ["KIND", "MoleculeOracle"]

KIND = "smiles"


@dataclass(frozen=True, kw_only=True)
class MoleculeOracle(Noisy, ABC):
    """Answer molecules with a number that RDKit computes; what such oracles have in common.

    Args:
        noise: Standard deviation of the Gaussian measurement noise, in units of the value.
        seed: Seed of the noise; the same design always gets the same label.

    Raises:
        ValueError: If the noise is negative or not finite.
    """

    @property
    def kind(self) -> str:
        """Kind of the designs that are answered."""
        return KIND

    @property
    @abstractmethod
    def name(self) -> str:
        """Name of the oracle in reports."""

    @abstractmethod
    def _value(self, mol: Mol) -> float:
        """Return the noiseless value of a molecule, larger is better."""

    def __call__(self, designs: Sequence[Design]) -> list[Label]:
        """Return one label for each design, in order."""
        return [self._label(design) for design in designs]

    def _label(self, design: Design) -> Label:
        from seiko.chemistry import parse

        if design.kind != KIND:
            return Label.infeasible(f"a molecule is a design of kind {KIND!r}, got {design.kind!r}")
        mol = parse(design.content)
        if mol is None:
            return Label.infeasible("RDKit cannot read this SMILES")
        number = self._value(mol)
        if not math.isfinite(number):
            return Label.infeasible("the value of this molecule is not a finite number")
        return self._measured(number, design)
