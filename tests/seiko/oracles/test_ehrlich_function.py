"""Ehrlich function: values by hand, brute force, guarantees of a drawn instance, one instance pinned forever."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from seiko.oracles.ehrlich_function import EhrlichFunction, draw_function, uniform_transition


def by_hand(**changes: Any) -> EhrlichFunction:
    """Motif 0 1 with distance 2 and motif 2 3 with distance 1; 0 -> 3 is banned."""
    banned = np.zeros((4, 4), dtype=bool)
    banned[0, 3] = True
    arguments: dict[str, Any] = {
        "motifs": np.array([[0, 1], [2, 3]]),
        "spacings": np.array([[2], [1]]),
        "transition": uniform_transition(banned),
        "length": 6,
        "quantisation": 2,
    }
    return EhrlichFunction(**{**arguments, **changes})


def draw(**changes: Any) -> EhrlichFunction:
    arguments: dict[str, Any] = {
        "vocabulary": 32,
        "length": 32,
        "motifs": 2,
        "motif_length": 4,
        "quantisation": 4,
        "epistasis": 0.0,
        "seed": 0,
    }
    return draw_function(**{**arguments, **changes})


def test_values_by_hand() -> None:
    sequences = np.array(
        [
            [0, 0, 1, 2, 3, 3],  # both motifs
            [0, 1, 1, 2, 2, 2],  # 0 . 1 whole, half of 2 3
            [1, 1, 1, 1, 1, 1],  # half of the first, nothing of the second
            [0, 3, 1, 2, 3, 3],  # both motifs, 0 -> 3 banned
        ]
    )
    np.testing.assert_array_equal(by_hand().value(sequences), [1.0, 0.5, 0.0, -np.inf])
    np.testing.assert_array_equal(by_hand().feasible(sequences), [True, True, True, False])
    np.testing.assert_array_equal(by_hand().quality(sequences), [[1, 1], [1, 0.5], [0.5, 0], [1, 1]])
    # r(1/2) = 1/2 (1 + e (-1/4))
    np.testing.assert_allclose(by_hand(epistasis=1.0).value(sequences[:2]), [1.0, 0.375])
    # One level only: half a motif counts nothing.
    np.testing.assert_array_equal(by_hand(quantisation=1).value(sequences[:2]), [1.0, 0.0])


def test_value_agrees_with_a_plain_loop() -> None:
    function = draw(vocabulary=6, length=14, motifs=2, motif_length=4, quantisation=2, epistasis=0.8, seed=4)
    sequences = np.concatenate([function.sample(200, 1), np.random.default_rng(0).integers(6, size=(100, 14))])

    def slow(x: list[int]) -> float:
        if any(function.transition[a, b] == 0 for a, b in pairwise(x)):
            return -np.inf
        product = 1.0
        for motif, spacing in zip(function.motifs.tolist(), function.spacings.tolist(), strict=True):
            offsets = [sum(spacing[:j]) for j in range(4)]
            counts = [
                sum(x[start + o] == a for a, o in zip(motif, offsets, strict=True)) for start in range(14 - offsets[-1])
            ]
            h = max(count // 2 / 2 for count in counts)
            product *= h * (1 + 0.8 * h * (h - 1))
        return product

    expected = [slow(x) for x in sequences.tolist()]
    np.testing.assert_allclose(function.value(sequences), expected)
    assert len(set(expected)) >= 4


@pytest.mark.parametrize(("vocabulary", "length", "motifs", "k"), [(3, 8, 2, 4), (5, 13, 3, 4), (32, 32, 4, 4)])
def test_a_drawn_instance_keeps_its_guarantees(vocabulary: int, length: int, motifs: int, k: int) -> None:
    for seed in range(20):
        function = draw(vocabulary=vocabulary, length=length, motifs=motifs, motif_length=k, seed=seed)
        assert function.value(function.optimal()[None])[0] == 1.0
        assert (np.linalg.matrix_power(function.transition, 4 * vocabulary) > 0).all()  # ergodic
        assert not function.banned.diagonal().any()
        assert (1 + function.spacings.sum(axis=1) <= length // motifs).all()
        assert function.feasible(function.sample(50, seed)).all()
    assert function.banned.any()


def test_share_of_feasible_sequences() -> None:
    """Count them exactly: 1' A^31 1 / 32^32 for the 0/1 matrix A of allowed transitions."""
    shares = []
    for seed in range(20):
        allowed = ~draw(seed=seed).banned / 32
        shares.append(np.linalg.matrix_power(allowed, 31).sum() / 32)
    assert 5e-4 < np.mean(shares) < 8e-4


def test_samples_follow_the_chain() -> None:
    function = draw(vocabulary=5, length=10, motifs=1)
    draws = function.sample(20_000, 0)
    counts = np.zeros((5, 5))
    np.add.at(counts, (draws[:, :-1].ravel(), draws[:, 1:].ravel()), 1)
    np.testing.assert_allclose(counts / counts.sum(1, keepdims=True), function.transition, atol=0.02)
    first, last = (np.bincount(draws[:, i], minlength=5) / 20_000 for i in (0, -1))
    np.testing.assert_allclose(first, last, atol=0.02)
    np.testing.assert_array_equal(draws, function.sample(20_000, 0))
    assert (draws != function.sample(20_000, 1)).any()


def test_one_instance_is_pinned() -> None:
    """Equal parameters and seed are the same instance forever; results in files depend on it."""
    function = draw()
    text = repr([function.motifs.tolist(), function.spacings.tolist(), np.argwhere(function.banned).tolist()])
    weights = np.round(function.transition, 9).tolist()
    draws = function.sample(100, 0).tolist()
    assert hashlib.sha256(f"{text}{weights}{draws}".encode()).hexdigest()[:32] == "9bc8bce900d731d4f18867b886bf7f11"


def test_refuses_what_is_no_instance() -> None:
    with pytest.raises(ValueError, match="quantisation must divide the motif length 2, got 3"):
        by_hand(quantisation=3)
    with pytest.raises(ValueError, match="motifs need 5 letters, length is 4"):
        by_hand(length=4)
    with pytest.raises(ValueError, match=r"letters in 0\.\.3"):
        by_hand(motifs=np.array([[0, 1], [2, 4]]))
    with pytest.raises(ValueError, match="2 x 1 distances of at least 1"):
        by_hand(spacings=np.array([[0], [1]]))
    with pytest.raises(ValueError, match="row-stochastic"):
        by_hand(transition=np.ones((4, 4)))
    with pytest.raises(ValueError, match=r"epistasis must lie in 0\.\.4"):
        by_hand(epistasis=5.0)
    blocked = np.zeros((4, 4), dtype=bool)
    blocked[1, 2] = True
    with pytest.raises(ValueError, match="meet a banned transition"):
        by_hand(transition=uniform_transition(blocked)).optimal()


@pytest.mark.parametrize("tokens", [[0, 1, 2, 3, 0, 1], [[0, 1, 2]], [[0, 1, 2, 3, 0, 9]]])
def test_refuses_what_is_no_sequence(tokens: list[Any]) -> None:
    with pytest.raises(ValueError, match="tokens must"):
        by_hand().value(np.array(tokens))
