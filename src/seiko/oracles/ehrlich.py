"""Ehrlich oracle: a closed-form landscape of Stanton et al. (2024) that reads designs and returns labels.

A design is text of kind "tokens", the letters' numbers with one space between them ("3 17 0 ..."). A sequence with a
forbidden transition is infeasible: it costs its label and has no value. The mathematics is in
`seiko.oracles.ehrlich_function`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from seiko.designs import Design
from seiko.oracles.base import Label
from seiko.oracles.ehrlich_function import EhrlichFunction, draw_function
from seiko.oracles.noise import Noisy

__all__ = ["Ehrlich", "tokens_to_designs"]


def tokens_to_designs(tokens: NDArray[np.integer]) -> list[Design]:
    """Return the designs of kind ``"tokens"`` of sequences `[n, L]`."""
    return [Design(" ".join(map(str, row)), "tokens") for row in np.asarray(tokens).tolist()]


@dataclass(frozen=True, kw_only=True)
class Ehrlich(Noisy):
    """Answer token sequences with an Ehrlich function; the optimum is 1.

    Args:
        vocabulary: Number of letters V.
        length: Letters L of a sequence.
        motifs: Number of motifs c that must all be present.
        motif_length: Letters k of a motif; c * k must not exceed L.
        quantisation: Levels q of a motif's presence; divides k, smaller is harder.
        epistasis: Penalty of partly present motifs, 0 (none) to 4.
        noise: Standard deviation of the Gaussian measurement noise, in units of the value; values span [0, 1].
        seed: Draws the instance and the noise; equal parameters and seed are the same oracle forever.

    Raises:
        ValueError: If a parameter is out of range, or a design is not of kind ``"tokens"``.

    References:
        Stanton, Alberstein, Frey, Watkins, Cho, 2024, https://arxiv.org/abs/2407.00236.
    """

    vocabulary: int = 32
    length: int = 32
    motifs: int = 2
    motif_length: int = 4
    quantisation: int = 4
    epistasis: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, least in (("vocabulary", 3), ("motifs", 1), ("motif_length", 2), ("quantisation", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if self.motifs * self.motif_length > self.length:
            raise ValueError(
                f"{self.motifs} motifs of {self.motif_length} letters do not fit in length {self.length}; "
                f"take a length of at least {self.motifs * self.motif_length}"
            )
        if self.motif_length % self.quantisation:
            raise ValueError(f"quantisation must divide motif_length {self.motif_length}, got {self.quantisation}")
        if not 0 <= self.epistasis <= 4:
            raise ValueError(f"epistasis must lie in 0..4, got {self.epistasis}")

    @cached_property
    def function(self) -> EhrlichFunction:
        """The instance: motifs, spacings, transition matrix."""
        return draw_function(
            vocabulary=self.vocabulary,
            length=self.length,
            motifs=self.motifs,
            motif_length=self.motif_length,
            quantisation=self.quantisation,
            epistasis=self.epistasis,
            seed=self.seed,
        )

    @property
    def name(self) -> str:
        """Name of the oracle in reports, with the numbers of the literature: (V, L, c, k)."""
        return f"ehrlich({self.vocabulary},{self.length},{self.motifs},{self.motif_length})"

    @property
    def kind(self) -> str:
        """Kind of the designs that are answered."""
        return "tokens"

    @property
    def optimum(self) -> float:
        """Largest noiseless label."""
        return 1.0

    @property
    def initial_solution(self) -> NDArray[np.int64]:
        """One feasible sequence `[L]`, always the same: where a search without data starts."""
        return np.asarray(self.sample_feasible(1, self.seed)[0])

    def value(self, tokens: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the noiseless value of sequences `[n, L]`, `[n]`, maximised; -inf where infeasible."""
        return self.function.value(tokens)

    def feasible(self, tokens: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return whether each sequence of `[n, L]` has allowed transitions only, `[n]`."""
        return self.function.feasible(tokens)

    def sample_feasible(self, n: int, seed: int) -> NDArray[np.int64]:
        """Draw n feasible sequences `[n, L]` from the ergodic Markov chain, the data of a prior."""
        return self.function.sample(n, seed)

    def optimal(self) -> NDArray[np.int64]:
        """Return a feasible sequence `[L]` of value 1."""
        return self.function.optimal()

    def __call__(self, designs: Sequence[Design]) -> list[Label]:
        """Return one label for each design, in order."""
        read = [self._read(design) for design in designs]
        legal = [tokens for tokens in read if not isinstance(tokens, Label)]
        values = iter(self.value(np.array(legal)).tolist() if legal else [])
        return [
            tokens if isinstance(tokens, Label) else self._measured(next(values), design)
            for design, tokens in zip(designs, read, strict=True)
        ]

    def _read(self, design: Design) -> list[int] | Label:
        """Return the letters of a feasible design, or the label that says why there are none."""
        if design.kind != self.kind:
            raise ValueError(f"oracle {self.name} answers designs of kind {self.kind!r}, got {design.kind!r}")
        words = design.content.split(" ")
        if len(words) != self.length:
            return Label.infeasible(f"a sequence of {self.length} tokens is needed, got {len(words)}")
        tokens = []
        for position, word in enumerate(words):
            # Only canonical numbers: "03" would be the same sequence under another key.
            if not (word.isascii() and word.isdigit() and str(int(word)) == word and int(word) < self.vocabulary):
                return Label.infeasible(f"token {word!r} at position {position} is not in 0..{self.vocabulary - 1}")
            tokens.append(int(word))
        for position in range(1, self.length):
            before, after = tokens[position - 1], tokens[position]
            if self.function.banned[before, after]:
                return Label.infeasible(f"banned transition {before}->{after} at position {position}")
        return tokens
