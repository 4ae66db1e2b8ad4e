"""TF Bind 8: the measured binding of the transcription factor SIX6 to every DNA sequence of eight letters.

A complete landscape of 4^8 = 65,536 designs, hence the place where regret, coverage and the regularised value J are
computed exactly. The label is the E-score of a protein-binding microarray, min-max normalised to [0, 1]; a sequence and
its reverse complement have the same label.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from seiko.data import fetch
from seiko.designs import Design
from seiko.oracles.base import Label
from seiko.oracles.noise import Noisy

__all__ = ["ALPHABET", "CITATION", "LENGTH", "TFBind8"]

ALPHABET = "ACGT"
LENGTH = 8
CITATION = (
    "Barrera et al., Survey of variation in human transcription factors reveals prevalent DNA binding changes, "
    "Science 351:1450, 2016, https://doi.org/10.1126/science.aad2257; "
    "Trabucco et al., Design-Bench, ICML 2022, https://arxiv.org/abs/2202.08450"
)


@cache
def _table() -> NDArray[np.float32]:
    with np.load(fetch("tfbind8"), allow_pickle=False) as archive:
        table: NDArray[np.float32] = archive["y_table"]
    if table.shape != (len(ALPHABET) ** LENGTH,):
        raise ValueError(f"the table of TF Bind 8 must hold 65,536 values, got shape {table.shape}")
    table.setflags(write=False)
    return table


@dataclass(frozen=True, kw_only=True)
class TFBind8(Noisy):
    """Answer DNA sequences of eight letters with their normalised binding to SIX6 (SIX6_REF_R1).

    Args:
        noise: Standard deviation of the Gaussian measurement noise, in units of the label; labels span [0, 1].
        seed: Seed of the noise; the same design always gets the same label.

    Raises:
        ValueError: If the noise is negative or not finite, or a design is not of kind ``"dna"``.
        seiko.data.DataUnavailable: On first use, if the table is neither on this machine nor downloadable.

    References:
        Barrera et al., Science 351:1450, 2016, https://doi.org/10.1126/science.aad2257 (accession SIX6_REF_R1).
        Trabucco, Geng, Kumar, Levine, "Design-Bench", ICML 2022, https://arxiv.org/abs/2202.08450.
    """

    @property
    def name(self) -> str:
        """Name of the oracle in reports."""
        return "tfbind8"

    @property
    def kind(self) -> str:
        """Kind of the designs that are answered."""
        return "dna"

    @property
    def table(self) -> NDArray[np.float32]:
        """Noiseless labels, `[65536]`, read-only; the index is the base-4 number with the first letter leading."""
        return _table()

    @property
    def optimum(self) -> float:
        """Largest noiseless label."""
        return float(self.table.max())

    def __call__(self, designs: Sequence[Design]) -> list[Label]:
        """Return one label for each design, in order."""
        return [self._label(design) for design in designs]

    def _label(self, design: Design) -> Label:
        if design.kind != self.kind:
            raise ValueError(f"oracle {self.name} answers designs of kind {self.kind!r}, got {design.kind!r}")
        sequence = design.content
        if len(sequence) != LENGTH:
            return Label.infeasible(f"a sequence of {LENGTH} letters is needed, got {len(sequence)}")
        index = 0
        for position, letter in enumerate(sequence):
            digit = ALPHABET.find(letter)
            if digit < 0:
                return Label.infeasible(f"letter {letter!r} at position {position} is not one of {ALPHABET}")
            index = index * len(ALPHABET) + digit
        return self._measured(float(self.table[index]), design)
