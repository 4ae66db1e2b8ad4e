"""Ehrlich functions: a closed-form landscape with forbidden transitions and motifs that must all be present.

    f(x) = prod_i r(h_i(x))  if every transition x_l -> x_{l+1} is allowed, else -inf (infeasible)
    h_i(x) = max_l floor(q/k * |{j : x_{l + s_ij} = a_ij}|) / q
    r(h) = h (1 + e h (h - 1))

with c motifs a_i of k letters, offsets s_i (s_i1 = 0), quantisation q and epistasis e. The maximum is 1. This module
holds the function and how an instance is drawn; `seiko.oracles.ehrlich` makes an oracle of it.

References:
    Stanton, Alberstein, Frey, Watkins, Cho, "Closed-Form Test Functions for Biophysical Sequence Optimization
    Algorithms", 2024, https://arxiv.org/abs/2407.00236. Values agree with pytorch-holo 0.0.5 (tests/golden); the
    epistasis factor is that of the package.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

__all__ = ["EhrlichFunction", "draw_function", "uniform_transition"]

Tokens = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class EhrlichFunction:
    """One Ehrlich function, given explicitly.

    Args:
        motifs: `[c, k]` letters of the c motifs.
        spacings: `[c, k - 1]` distances from one letter of a motif to its next, at least 1.
        transition: `[V, V]` row-stochastic matrix of the Markov chain of legal sequences; zero where banned.
        length: Letters L of a sequence; the motifs must fit one behind the other.
        quantisation: Levels q of a motif's presence; divides k.
        epistasis: Penalty e of a partly present motif, at least 0 and at most 4, beyond which r falls below 0.

    Raises:
        ValueError: If shapes, ranges or divisibility do not hold.
    """

    motifs: Tokens
    spacings: Tokens
    transition: NDArray[np.float64]
    length: int
    quantisation: int
    epistasis: float = 0.0

    def __post_init__(self) -> None:
        c, k = self.motifs.shape
        vocabulary = len(self.transition)
        if self.spacings.shape != (c, k - 1) or (self.spacings < 1).any():
            raise ValueError(f"spacings must be {c} x {k - 1} distances of at least 1, got {self.spacings.tolist()}")
        if self.transition.shape != (vocabulary, vocabulary) or not np.allclose(self.transition.sum(1), 1):
            raise ValueError(f"transition must be a square row-stochastic matrix, got shape {self.transition.shape}")
        if (self.motifs < 0).any() or (self.motifs >= vocabulary).any():
            raise ValueError(f"motifs must hold letters in 0..{vocabulary - 1}, got {self.motifs.tolist()}")
        if int((1 + self.spacings.sum(1)).sum()) > self.length:
            raise ValueError(f"the motifs need {(1 + self.spacings.sum(1)).sum()} letters, length is {self.length}")
        if self.quantisation < 1 or k % self.quantisation:
            raise ValueError(f"quantisation must divide the motif length {k}, got {self.quantisation}")
        if not 0 <= self.epistasis <= 4:
            raise ValueError(f"epistasis must lie in 0..4, got {self.epistasis}")

    @property
    def vocabulary(self) -> int:
        """Number of letters V."""
        return len(self.transition)

    @cached_property
    def banned(self) -> NDArray[np.bool_]:
        """`[V, V]`, true where the transition from row to column is forbidden."""
        return np.asarray(self.transition == 0)

    def feasible(self, tokens: Tokens) -> NDArray[np.bool_]:
        """Return for each sequence of `[n, L]` whether all of its transitions are allowed, `[n]`."""
        tokens = self._checked(tokens)
        return np.asarray(~self.banned[tokens[:, :-1], tokens[:, 1:]].any(axis=1))

    def quality(self, tokens: Tokens) -> NDArray[np.float64]:
        """Return the quantised presence h of each motif, `[n, c]`, in [0, 1], feasible or not."""
        tokens = self._checked(tokens)
        k = self.motifs.shape[1]
        best = np.empty((len(tokens), len(self.motifs)), dtype=np.int64)
        for i, (motif, spacing) in enumerate(zip(self.motifs, self.spacings, strict=True)):
            offsets = np.concatenate([[0], np.cumsum(spacing)])
            places = self.length - int(offsets[-1])
            count = np.zeros((len(tokens), places), dtype=np.int16)
            for letter, offset in zip(motif, offsets, strict=True):
                count += tokens[:, offset : offset + places] == letter
            best[:, i] = count.max(axis=1)
        return np.asarray(best * self.quantisation // k / self.quantisation)

    def value(self, tokens: Tokens) -> NDArray[np.float64]:
        """Return the noiseless value of each sequence of `[n, L]`, `[n]`, maximised; -inf where infeasible."""
        h = self.quality(tokens)
        response = h * (1 + self.epistasis * h * (h - 1))
        return np.where(self.feasible(tokens), response.prod(axis=1), -np.inf)

    def sample(self, n: int, seed: int) -> Tokens:
        """Draw n feasible sequences `[n, L]` from the Markov chain, started in its stationary law."""
        return _walk(self.transition, n, self.length, np.random.default_rng(seed))

    def optimal(self) -> Tokens:
        """Return a feasible sequence `[L]` of value 1: the motifs in order, gaps filled with the letter before.

        Raises:
            ValueError: If that sequence is not feasible, which an explicit instance may bring about.
        """
        pieces = [np.repeat(motif, [*spacing, 1]) for motif, spacing in zip(self.motifs, self.spacings, strict=True)]
        sequence = np.concatenate(pieces)
        sequence = np.concatenate([sequence, np.repeat(sequence[-1:], self.length - len(sequence))])
        if self.value(sequence[None])[0] != 1:
            raise ValueError("the motifs in order with repeated letters in the gaps meet a banned transition")
        return sequence

    def _checked(self, tokens: Tokens) -> Tokens:
        tokens = np.asarray(tokens)
        if tokens.ndim != 2 or tokens.shape[1] != self.length or not np.issubdtype(tokens.dtype, np.integer):
            raise ValueError(f"tokens must be whole numbers [n, {self.length}], got {tokens.dtype} {tokens.shape}")
        if tokens.size and (tokens.min() < 0 or tokens.max() >= self.vocabulary):
            raise ValueError(f"tokens must lie in 0..{self.vocabulary - 1}, got {tokens.min()}..{tokens.max()}")
        return tokens


def draw_function(
    *, vocabulary: int, length: int, motifs: int, motif_length: int, quantisation: int, epistasis: float, seed: int
) -> EhrlichFunction:
    """Draw an instance whose optimum is feasible: the same arguments give the same instance.

    Of the V(V-1) transitions to another letter, V - 2 floor(.4 V) - 1 a row are banned at random (at least one; at
    V = 32 seven of 31), but never one along a random cycle through all letters, and repeats are always allowed: the
    chain is irreducible and aperiodic. The others have softmax(2 N(0, 1)) probabilities. All motifs are cut from one
    walk of the chain. Each motif spans at most floor(L / c) letters.
    """
    rng = np.random.default_rng(seed)
    transition = _draw_transition(vocabulary, rng)
    letters = _walk(transition, 1, motifs * motif_length, rng)[0].reshape(motifs, motif_length)
    slack = length // motifs - motif_length
    weights = rng.random((motifs, motif_length - 1))
    spacings = 1 + np.floor(slack * weights / weights.sum(axis=1, keepdims=True)).astype(np.int64)
    return EhrlichFunction(
        motifs=letters,
        spacings=spacings,
        transition=transition,
        length=length,
        quantisation=quantisation,
        epistasis=epistasis,
    )


def uniform_transition(banned: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the matrix that gives each transition that is not banned the same probability, `[V, V]`."""
    allowed = ~banned
    return np.asarray(allowed / allowed.sum(axis=1, keepdims=True))


def _draw_transition(vocabulary: int, rng: np.random.Generator) -> NDArray[np.float64]:
    count = max(1, vocabulary - 2 * int(0.4 * vocabulary) - 1)
    priority = rng.random((vocabulary, vocabulary))
    np.fill_diagonal(priority, 2)
    banned = np.argsort(np.argsort(priority, axis=1), axis=1) < count
    cycle = np.argsort(rng.random(vocabulary))
    banned[cycle, np.roll(cycle, -1)] = False
    weights = np.where(banned, 0, np.exp(2 * ndtri(rng.random((vocabulary, vocabulary)))))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _walk(transition: NDArray[np.float64], n: int, length: int, rng: np.random.Generator) -> Tokens:
    """Return n walks of the chain `[n, length]`; one table of cumulative rows, row i shifted to i..i+1, serves all."""
    vocabulary = len(transition)
    stationary = np.linalg.lstsq(
        np.vstack([np.eye(vocabulary) - transition.T, np.ones(vocabulary)]), np.eye(vocabulary + 1)[-1], rcond=None
    )[0]
    start = np.cumsum(stationary.clip(0))
    rows = np.cumsum(transition, axis=1)
    table = (rows / rows[:, -1:] + np.arange(vocabulary)[:, None]).ravel()
    # Kept below 1 so that adding the row number cannot round up into the next row.
    draws = np.minimum(rng.random((length, n)), 1 - 2.0**-36)
    tokens = np.empty((n, length), dtype=np.int64)
    tokens[:, 0] = np.searchsorted(start / start[-1], draws[0], side="right")
    for position in range(1, length):
        state = tokens[:, position - 1]
        tokens[:, position] = np.searchsorted(table, state + draws[position], side="right") - state * vocabulary
    return tokens
