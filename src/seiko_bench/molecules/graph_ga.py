"""Graph GA: a genetic algorithm on molecular graphs, in PMO the strongest method that learns nothing.

    start         `population` random molecules of the library, all labelled
    mating pool   as many of the population, with replacement, P(x) ∝ value
    offspring     crossover of two of the pool, mutated with probability `mutation_rate`; what is new is labelled
    survivors     the best `population` of old and new

A generation that brings nothing new takes in some random molecules of the library instead. The configuration is
PMO's; the early stop of its code is left out, so that all calls are made.

References:
    Jensen, Chem. Sci. 10:3567, 2019, https://doi.org/10.1039/C8SC05372C; Gao, Fu, Sun, Coley, "Sample efficiency
    matters", 2022, https://arxiv.org/abs/2206.12411.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from seiko_bench.molecules.counted import Calls
from seiko_bench.molecules.crossover import crossover
from seiko_bench.molecules.known import draw_known
from seiko_bench.molecules.mutation import mutate

__all__ = ["GraphGA", "breed", "mating_pool"]

IMMIGRANTS = 10


@dataclass(frozen=True, kw_only=True)
class GraphGA:
    """Search molecules by selection, crossover and mutation.

    Args:
        population: Molecules that survive a generation, and that the search starts from.
        offspring: Children bred a generation.
        mutation_rate: Probability that a child is mutated.

    Raises:
        ValueError: If a parameter is out of range.
    """

    population: int = 120
    offspring: int = 70
    mutation_rate: float = 0.067

    def __post_init__(self) -> None:
        for name in ("population", "offspring"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be a positive number of molecules, got {getattr(self, name)}")
        if not 0 <= self.mutation_rate <= 1:
            raise ValueError(f"mutation_rate must be a probability, got {self.mutation_rate}")

    def run(self, calls: Calls, seed: int) -> None:
        """Spend all calls.

        Args:
            calls: The oracle and its budget; afterwards it holds what was found.
            seed: Seed of the whole run.

        Raises:
            RuntimeError: If neither the algorithm nor the library has a new molecule left.
        """
        rng = np.random.default_rng(seed)
        calls(draw_known(min(self.population, calls.left), rng))
        while calls.left:
            survivors = heapq.nlargest(self.population, calls.values, key=calls.values.__getitem__)
            pool = mating_pool(survivors, [calls.values[text] for text in survivors], self.population, rng)
            if calls(breed(pool, self.offspring, self.mutation_rate, rng)):
                continue
            if not calls(draw_known(IMMIGRANTS, rng, calls.values)):
                raise RuntimeError(f"no new molecule is left after {len(calls.values)}, with {calls.left} calls to go")


def mating_pool(population: Sequence[str], fitness: ArrayLike, size: int, rng: np.random.Generator) -> list[str]:
    """Return members drawn with replacement, P ∝ fitness; negative fitness counts as 0, and all 0 as all equal."""
    weights = np.clip(np.asarray(fitness, dtype=np.float64), 0.0, None) + 1e-10
    return [population[i] for i in rng.choice(len(population), size=size, p=weights / weights.sum())]


def breed(pool: Sequence[str], n: int, mutation_rate: float, rng: np.random.Generator) -> list[str]:
    """Return the children of n pairs drawn from the pool; pairs without an allowed child leave none."""
    children = []
    for first, second in rng.integers(len(pool), size=(n, 2)).tolist():
        child = crossover(pool[first], pool[second], rng)
        if child is not None and rng.random() < mutation_rate:
            child = mutate(child, rng)
        if child is not None:
            children.append(child)
    return children
