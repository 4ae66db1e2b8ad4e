"""Ehrlich oracle: designs in, labels out; infeasible is a flag; parameters are checked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from seiko.designs import Design
from seiko.oracles import Ehrlich, Oracle, tokens_to_designs


def test_labels_are_the_function_in_order() -> None:
    oracle = Ehrlich(seed=1)
    assert isinstance(oracle, Oracle)
    uniform = np.random.default_rng(0).integers(32, size=(40, 32))
    sequences = np.concatenate([oracle.sample_feasible(40, 2), oracle.optimal()[None], uniform])
    sequences = sequences[np.random.default_rng(1).permutation(len(sequences))]
    for label, value in zip(oracle(tokens_to_designs(sequences)), oracle.value(sequences).tolist(), strict=True):
        assert label.status == ("value" if np.isfinite(value) else "infeasible")
        assert label.value == (value if np.isfinite(value) else None)
    assert oracle([]) == []


def test_reason_names_the_first_banned_transition() -> None:
    oracle = Ehrlich()
    before, after = np.argwhere(oracle.function.banned)[0].tolist()
    tokens = np.full((1, 32), before)
    tokens[0, 4] = after
    (label,) = oracle(tokens_to_designs(tokens))
    assert label.status == "infeasible"
    assert label.reason == f"banned transition {before}->{after} at position 4"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("1 2 3", "32 tokens is needed, got 3"),
        ("", "got 1"),
        (" ".join(["0"] * 31 + ["32"]), "token '32' at position 31"),
        (" ".join(["0"] * 31 + ["-1"]), "token '-1'"),
        (" ".join(["0"] * 31 + ["00"]), "token '00'"),
        (" ".join(["0"] * 31 + ["²"]), "token '²'"),
        (" ".join(["0"] * 31 + ["x"]), "token 'x'"),
        ("  ".join(["0"] * 32), "got 63"),
    ],
)
def test_what_is_no_sequence_is_infeasible(content: str, reason: str) -> None:
    (label,) = Ehrlich()([Design(content, "tokens")])
    assert label.status == "infeasible"
    assert reason in (label.reason or "")


def test_noise_belongs_to_the_design() -> None:
    oracle = Ehrlich(noise=0.2, seed=3)
    designs = tokens_to_designs(oracle.sample_feasible(10, 0))
    labels = oracle(designs)
    assert oracle(designs[::-1]) == labels[::-1]
    assert all(label.noise == 0.2 for label in labels)
    clean = [label.value or 0.0 for label in Ehrlich(seed=3)(designs)]
    assert 0.05 < np.std([(label.value or 0.0) - value for label, value in zip(labels, clean, strict=True)]) < 0.4


def test_solutions() -> None:
    oracle = Ehrlich(vocabulary=20, length=40, motifs=3, motif_length=6, quantisation=3, epistasis=1.0)
    assert oracle.value(oracle.optimal()[None]) == [oracle.optimum]
    np.testing.assert_array_equal(oracle.initial_solution, oracle.initial_solution)
    assert oracle.feasible(oracle.initial_solution[None]).all()
    assert oracle.name == "ehrlich(20,40,3,6)"
    assert oracle == Ehrlich(vocabulary=20, length=40, motifs=3, motif_length=6, quantisation=3, epistasis=1.0)


def test_refuses_another_kind() -> None:
    with pytest.raises(ValueError, match="designs of kind 'tokens', got 'dna'"):
        Ehrlich()([Design("ACGT")])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"vocabulary": 2}, "vocabulary must be at least 3, got 2"),
        ({"motifs": 0}, "motifs must be at least 1, got 0"),
        ({"motif_length": 1}, "motif_length must be at least 2, got 1"),
        ({"motifs": 9}, "9 motifs of 4 letters do not fit in length 32; take a length of at least 36"),
        ({"quantisation": 3}, "quantisation must divide motif_length 4, got 3"),
        ({"quantisation": 0}, "quantisation must be at least 1, got 0"),
        ({"epistasis": -1.0}, r"epistasis must lie in 0\.\.4, got -1"),
        ({"noise": -1.0}, "noise must be a finite standard deviation"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
    ],
)
def test_refuses_bad_parameters(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Ehrlich(**parameters)
