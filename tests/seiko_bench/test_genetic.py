"""Genetic algorithm: budget, no repeats, infeasible designs cost, progress on a problem that it must solve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from seiko.designs import Design
from seiko.oracles import Ehrlich, Label
from seiko_bench.genetic import GeneticAlgorithm


class CountOnes:
    """Value is the share of ones; a sequence that starts with 3 is infeasible, one that ends in 3 fails."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, designs: Sequence[Design]) -> list[Label]:
        self.asked += [design.content for design in designs]
        return [self._label(design.content.split()) for design in designs]

    def _label(self, words: list[str]) -> Label:
        if words[0] == "3":
            return Label.infeasible("starts with 3")
        if words[-1] == "3":
            return Label.failed("ends in 3")
        return Label(value=words.count("1") / len(words))


def uniform(n: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(4, size=(n, 12))


def test_spends_exactly_the_budget_and_never_repeats_a_design() -> None:
    oracle = CountOnes()
    history = GeneticAlgorithm(batch=50).run(oracle, uniform, vocabulary=4, labels=330, seed=0)
    assert len(oracle.asked) == len(set(oracle.asked)) == 330
    assert history.tokens.shape == (330, 12)
    assert history.values.shape == history.best.shape == (330,)
    assert history.feasible.shape == (7,)


def test_history_is_what_the_oracle_said() -> None:
    oracle = CountOnes()
    history = GeneticAlgorithm(batch=64).run(oracle, uniform, vocabulary=4, labels=256, seed=1)
    assert [" ".join(map(str, row)) for row in history.tokens.tolist()] == oracle.asked
    bad = (history.tokens[:, 0] == 3) | (history.tokens[:, -1] == 3)
    assert 0 < bad.sum() < 256
    np.testing.assert_array_equal(np.isnan(history.values), bad)
    np.testing.assert_array_equal(history.values[~bad], (history.tokens[~bad] == 1).mean(axis=1))
    np.testing.assert_allclose(history.feasible, 1 - bad.reshape(4, 64).mean(axis=1))
    best = -np.inf
    for value, reported in zip(history.values, history.best, strict=True):
        best = max(best, value) if np.isfinite(value) else best
        assert reported == best


def test_solves_counting_ones_where_random_search_does_not() -> None:
    history = GeneticAlgorithm(batch=64).run(CountOnes(), uniform, vocabulary=4, labels=1280, seed=2)
    assert history.best[-1] == 1.0
    assert (uniform(1280, 3) == 1).mean(axis=1).max() < 1.0


def test_same_seed_same_run() -> None:
    one, same, other = (
        GeneticAlgorithm(batch=32).run(CountOnes(), uniform, vocabulary=4, labels=128, seed=seed).tokens
        for seed in (4, 4, 5)
    )
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_beats_draws_from_the_prior_on_ehrlich() -> None:
    gains = []
    for seed in (100, 101, 102):
        oracle = Ehrlich(seed=seed)
        history = GeneticAlgorithm().run(oracle, oracle.sample_feasible, vocabulary=32, labels=640, seed=0)
        assert history.feasible[0] == 1.0
        gains.append(history.best[-1] - oracle.value(oracle.sample_feasible(640, 1)).max())
    assert min(gains) >= 0
    assert max(gains) > 0


def test_screened_children_are_not_labelled() -> None:
    oracle = Ehrlich(seed=100)
    history = GeneticAlgorithm(batch=64).run(
        oracle, oracle.sample_feasible, vocabulary=32, labels=256, seed=0, screen=oracle.feasible
    )
    assert history.feasible.min() == 1.0


def test_starts_again_from_the_sampler_while_nothing_has_a_value() -> None:
    def barren(n: int, seed: int) -> NDArray[np.int64]:
        tokens = uniform(n, seed)
        tokens[:, 0] = 3
        return tokens

    history = GeneticAlgorithm(batch=16).run(CountOnes(), barren, vocabulary=4, labels=48, seed=0)
    assert (history.best == -np.inf).all()
    np.testing.assert_array_equal(history.feasible, 0)


def test_exhausted_space_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="only 2 of 16 new designs"):
        GeneticAlgorithm(batch=16).run(
            CountOnes(), lambda n, seed: uniform(n, seed)[:, :1] % 2, vocabulary=2, labels=16, seed=0
        )


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"batch": 0}, "batch must be a positive number of labels, got 0"),
        ({"survivors": 0}, "survivors must be a positive number of designs, got 0"),
        ({"mutation": 0.5}, "mutation must be an expected number of edits of at least 1, got 0.5"),
        ({"crossover": 1.5}, "crossover must be a probability, got 1.5"),
        ({"shift": -0.1}, "shift must be a probability, got -0.1"),
    ],
)
def test_refuses_bad_parameters(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GeneticAlgorithm(**parameters)


def test_refuses_an_empty_budget() -> None:
    with pytest.raises(ValueError, match="labels must be a positive budget, got 0"):
        GeneticAlgorithm().run(CountOnes(), uniform, vocabulary=4, labels=0, seed=0)
