"""Searches that go by a Gaussian process alone, without a generative model: GP BO, and screening of the library.

    round       fit all labels; A = mean + c std;  label the `batch` of largest A among the candidates
    GP BO       candidates bred by Graph GA with A as its fitness, from the best labelled molecules and random ones of
                the library; c drawn a round, log10 c ~ U(-.5, 1.5); Tanimoto kernel on count fingerprints
    screening   candidates are random molecules of the library; c and the belief of the recipe `molecules`

GP BO follows PMO but for the sizes that suit 1,000 calls: batches of 25, the best of those tried (docs/log.md), where
PMO, at ten times the calls, has up to 1,000; counts where it has bits; the mating pool goes by A less the smallest A of
the population, for A may be negative.

References:
    Tripp, Simm, Hernández-Lobato, "A fresh look at de novo molecular design benchmarks", 2021; Gao, Fu, Sun, Coley,
    2022, https://arxiv.org/abs/2206.12411.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from seiko.acquisition import UCB
from seiko.chemistry import atom_pair_counts, element_counts, morgan_counts, properties
from seiko.rewards import RBF, GaussianProcess, Linear, Sum, Tanimoto
from seiko.rewards.molecules import DESCRIPTORS, ELEMENTS, scaled
from seiko_bench.molecules.counted import Calls
from seiko_bench.molecules.graph_ga import breed, mating_pool
from seiko_bench.molecules.known import draw_known

__all__ = ["GPBO", "Screening"]

Score = Callable[[Sequence[str]], list[float]]
SIZE = 2048  # of the fingerprint


@dataclass(frozen=True, kw_only=True)
class GPBO:
    """Bayesian optimisation whose acquisition a genetic algorithm maximises.

    Args:
        start: Random molecules labelled first.
        batch: Calls a round.
        generations: Of the inner search.
        offspring: Children a generation.
        population: Survivors a generation.
        mutation_rate: Probability that a child is mutated.
        best: Best labelled molecules that the inner search starts from.
        others: Random molecules of the library beside them.
    """

    start: int = 25
    batch: int = 25
    generations: int = 25
    offspring: int = 100
    population: int = 500
    mutation_rate: float = 0.01
    best: int = 250
    others: int = 250

    def run(self, calls: Calls, seed: int) -> None:
        """Spend all calls."""
        rng = np.random.default_rng(seed)
        model = GaussianProcess(kernel=Tanimoto())

        def round(n: int) -> list[str]:
            c = float(10 ** rng.uniform(-0.5, 1.5))
            return self._bred(calls, _fitted(model, calls, _counts, c, int(rng.integers(2**31))), n, rng)

        _rounds(calls, self.start, self.batch, round, rng)

    def _bred(self, calls: Calls, score: Score, n: int, rng: np.random.Generator) -> list[str]:
        first = heapq.nlargest(self.best, calls.values, key=calls.values.__getitem__)
        first += draw_known(self.others, rng, calls.values)
        scores = dict(zip(first, score(first), strict=True))
        for _ in range(self.generations):
            survivors = heapq.nlargest(self.population, scores, key=scores.__getitem__)
            fitness = np.array([scores[text] for text in survivors])
            pool = mating_pool(survivors, fitness - fitness.min(), self.population, rng)
            children = breed(pool, self.offspring, self.mutation_rate, rng)
            new = [text for text in dict.fromkeys(children) if text not in scores]
            scores |= dict(zip(new, score(new), strict=True)) if new else {}
        return heapq.nlargest(n, (text for text in scores if text not in calls.values), key=scores.__getitem__)


@dataclass(frozen=True, kw_only=True)
class Screening:
    """Choose from a library by a Gaussian process: neither a generative model nor edits of molecules.

    Args:
        batch: Calls a round, also of the first, which is random.
        pool: Random molecules of the library that a batch is chosen from.
        c: Standard deviations of optimism.
    """

    batch: int = 25
    pool: int = 1500
    c: float = 0.5

    def run(self, calls: Calls, seed: int) -> None:
        """Spend all calls."""
        rng = np.random.default_rng(seed)
        model = screening_model()

        def round(n: int) -> list[str]:
            score = _fitted(model, calls, screened, self.c, int(rng.integers(2**31)))
            pool = draw_known(self.pool, rng, calls.values)
            values = score(pool)
            return [pool[i] for i in np.argsort(-np.array(values), kind="stable")[:n]]

        _rounds(calls, self.batch, self.batch, round, rng)


def _rounds(calls: Calls, start: int, batch: int, round: Callable[[int], list[str]], rng: np.random.Generator) -> None:
    calls(draw_known(start, rng))
    while calls.left:
        if not calls(round(min(batch, calls.left))):
            raise RuntimeError(f"no new molecule is left after {len(calls.values)}, with {calls.left} calls to go")


def _fitted(
    model: GaussianProcess, calls: Calls, feature: Callable[[Sequence[str]], Tensor], c: float, seed: int
) -> Score:
    """Return the upper confidence bound of a fit to all labels, as a function of molecules."""
    y = torch.tensor(list(calls.values.values()), dtype=torch.float32)
    belief = model.fit(feature(list(calls.values)), y, None, seed)
    objective = UCB(c=c)(belief, torch.Generator())

    def score(smiles: Sequence[str]) -> list[float]:
        with torch.no_grad():
            values: list[float] = objective(feature(smiles)).tolist()
        return values

    return score


def _counts(smiles: Sequence[str]) -> Float[Tensor, "n d"]:
    return morgan_counts(smiles, size=SIZE)


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Some columns of what `screened` returns.

    Args:
        first: The first of them.
        last: The one behind the last.
    """

    first: int
    last: int

    def __call__(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        """Return them."""
        return x[:, self.first : self.last]


def screened(smiles: Sequence[str]) -> Float[Tensor, "n d"]:
    """Return side by side what the kernel of the recipe `molecules` sees of molecules."""
    descriptors = properties(smiles, list(DESCRIPTORS))
    formula = element_counts(smiles, list(ELEMENTS))
    return torch.cat(
        [
            _counts(smiles),
            morgan_counts(smiles, size=SIZE, by_role=True),
            atom_pair_counts(smiles, size=SIZE),
            scaled(descriptors, list(DESCRIPTORS.values())),
            scaled(formula, list(ELEMENTS.values())),
        ],
        dim=1,
    )


def screening_model() -> GaussianProcess:
    """Return the recipe's reward model for the rows of `screened`."""
    ends = list(itertools.accumulate((SIZE, SIZE, SIZE, len(DESCRIPTORS), len(ELEMENTS)), initial=0))
    *counts, descriptors, formula = (Columns(first=first, last=last) for first, last in itertools.pairwise(ends))
    alike = [Tanimoto(feature=feature) for feature in counts]
    scales = [RBF(feature=feature, ard=True) for feature in (descriptors, formula)]
    kernel = Sum(kernels=(*alike, *scales, Linear(feature=counts[0])))
    return GaussianProcess(kernel=kernel, mean="likelihood", tuned_on=256)
