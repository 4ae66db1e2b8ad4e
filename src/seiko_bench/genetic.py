"""Genetic algorithm over token sequences of fixed length: the baseline that a fine-tuned model has to beat.

Generation 1 is drawn from a given sampler (feasible sequences, the data of a prior). Each further generation takes the
best designs labelled so far as parents, joins two of them, replaces letters, and labels the children:

    child = crossover(parent, mate) with probability `crossover`, else parent;  then 1 + Poisson(mutation - 1) edits

Crossover copies a run of positions from the mate, so that at most two junctions are new; an edit replaces a letter by a
uniform one or, with probability `shift`, deletes a letter and repeats another, which moves what lies between by one
place. Parents are drawn from the best `survivors` with weights falling linearly in rank; of equal ones the newest
survive and lead, which lets the population drift along plateaus. No design is labelled twice; an infeasible one costs
its label. The defaults were tuned on Ehrlich(32, 32, 2, 4), instances 100 to 104, for 1,280 labels.

References:
    The algorithm of Stanton et al., 2024, https://arxiv.org/abs/2407.00236 (top quantile survives, children
    by recombination and mutation), with elitism over all labels, runs instead of single letters in the crossover, and
    no repeated designs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seiko.designs import Design
from seiko.oracles import Label, Oracle, tokens_to_designs

__all__ = ["GeneticAlgorithm", "GeneticHistory"]

Tokens = NDArray[np.int64]
Sampler = Callable[[int, int], Tokens]
Screen = Callable[[Tokens], NDArray[np.bool_]]


@dataclass(frozen=True, kw_only=True)
class GeneticHistory:
    """What a run labelled, in order.

    Args:
        tokens: `[labels, L]` sequences.
        values: `[labels]` in the oracle's units, NaN where infeasible or failed.
        best: `[labels]` best value after each label, maximised; -inf before the first value.
        feasible: `[generations]` share of designs of each generation that got a value.
    """

    tokens: Tokens
    values: NDArray[np.float64]
    best: NDArray[np.float64]
    feasible: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class GeneticAlgorithm:
    """Search token sequences by selection, crossover and mutation.

    Args:
        batch: Labels a generation.
        survivors: Number of best designs that become parents.
        mutation: Expected number of edits a child, at least 1.
        crossover: Probability that a child has two parents.
        shift: Probability that an edit moves letters by one place instead of replacing one.

    Raises:
        ValueError: If a parameter is out of range.
    """

    batch: int = 128
    survivors: int = 16
    mutation: float = 1.5
    crossover: float = 1.0
    shift: float = 0.3

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise ValueError(f"batch must be a positive number of labels, got {self.batch}")
        if self.survivors < 1:
            raise ValueError(f"survivors must be a positive number of designs, got {self.survivors}")
        if not self.mutation >= 1:
            raise ValueError(f"mutation must be an expected number of edits of at least 1, got {self.mutation}")
        for name in ("crossover", "shift"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be a probability, got {getattr(self, name)}")

    def run(
        self,
        oracle: Oracle,
        sampler: Sampler,
        *,
        vocabulary: int,
        labels: int,
        seed: int,
        screen: Screen | None = None,
        to_designs: Callable[[Tokens], Sequence[Design]] = tokens_to_designs,
    ) -> GeneticHistory:
        """Spend a budget of labels.

        Args:
            oracle: Who labels; larger is better.
            sampler: Returns n starting sequences `[n, L]` of whole numbers for (n, seed).
            vocabulary: Letters are 0..vocabulary - 1.
            labels: Budget; the last generation is smaller if it is not a multiple of `batch`.
            seed: Seed of the whole run.
            screen: Says for sequences `[n, L]` which may be labelled, where something about feasibility is known before
                a label is spent; the others are thrown away free of cost. None labels whatever is bred.
            to_designs: Writes sequences in the oracle's language.

        Returns:
            The history of exactly `labels` labels.

        Raises:
            ValueError: If the budget is not positive.
            RuntimeError: If no design is left that has not been labelled.
        """
        if labels < 1:
            raise ValueError(f"labels must be a positive budget, got {labels}")
        rng = np.random.default_rng(seed)
        seen: set[bytes] = set()
        tokens: list[Tokens] = []
        values: list[NDArray[np.float64]] = []
        spent = 0
        while spent < labels:
            n = min(self.batch, labels - spent)
            parents = self._parents(tokens, values)

            def propose(m: int, parents: Tokens | None = parents) -> Tokens:
                if parents is None:
                    return sampler(m, int(rng.integers(2**31)))
                return self._children(parents, m, vocabulary, rng)

            batch = _unseen(propose, n, seen, screen)
            tokens.append(batch)
            values.append(np.array([_number(label) for label in oracle(to_designs(batch))]))
            spent += n
        flat = np.concatenate(values)
        return GeneticHistory(
            tokens=np.concatenate(tokens),
            values=flat,
            best=np.maximum.accumulate(np.where(np.isnan(flat), -np.inf, flat)),
            feasible=np.array([np.isfinite(part).mean() for part in values]),
        )

    def _parents(self, tokens: list[Tokens], values: list[NDArray[np.float64]]) -> Tokens | None:
        """Return the best designs labelled so far, of equal ones the newest; None before the first value."""
        if not tokens:
            return None
        flat, sequences = np.concatenate(values)[::-1], np.concatenate(tokens)[::-1]
        order = np.argsort(-flat, kind="stable")[: min(self.survivors, int(np.isfinite(flat).sum()))]
        return sequences[order] if len(order) else None

    def _children(self, parents: Tokens, n: int, vocabulary: int, rng: np.random.Generator) -> Tokens:
        length = parents.shape[1]
        weights = np.arange(len(parents), 0, -1) / (len(parents) * (len(parents) + 1) / 2)
        children, mates = (parents[rng.choice(len(parents), size=n, p=weights)] for _ in range(2))
        ends = np.sort(rng.integers(length + 1, size=(n, 2)), axis=1)
        places = np.arange(length)
        run = (places >= ends[:, :1]) & (places < ends[:, 1:]) & (rng.random((n, 1)) < self.crossover)
        children = np.where(run, mates, children)
        for child, edits in zip(children, 1 + rng.poisson(self.mutation - 1, size=n), strict=True):
            for _ in range(edits):
                place = int(rng.integers(length))
                if rng.random() < self.shift:
                    other = int(rng.integers(length))
                    child[:] = np.insert(np.delete(child, place), other, child[other])
                else:
                    child[place] = (child[place] + rng.integers(1, vocabulary)) % vocabulary
        return children


def _number(label: Label) -> float:
    return float("nan") if label.value is None else label.value


def _unseen(propose: Callable[[int], Tokens], n: int, seen: set[bytes], screen: Screen | None) -> Tokens:
    """Return n proposals that pass the screen and were never returned before, and remember them."""
    chosen: list[Tokens] = []
    for _ in range(1000):
        proposals = np.asarray(propose(n), dtype=np.int64)
        for row in proposals if screen is None else proposals[screen(proposals)]:
            mark = row.tobytes()
            if mark not in seen and len(chosen) < n:
                seen.add(mark)
                chosen.append(row)
        if len(chosen) == n:
            return np.stack(chosen)
    raise RuntimeError(f"only {len(chosen)} of {n} new designs were found; the space may be exhausted")
