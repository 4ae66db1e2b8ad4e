"""Ehrlich functions agree with pytorch-holo 0.0.5 in value, feasibility and optimum (scripts/golden_ehrlich.py)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seiko.oracles.ehrlich_function import EhrlichFunction, uniform_transition

INSTANCES = json.loads(Path(__file__).with_name("ehrlich_holo.json").read_text(encoding="utf-8"))["instances"]


def rebuild(instance: dict[str, Any]) -> EhrlichFunction:
    parameters = instance["parameters"]
    banned = np.zeros((parameters["num_states"],) * 2, dtype=bool)
    banned[tuple(np.array(instance["banned"]).T)] = True
    return EhrlichFunction(
        motifs=np.array(instance["motifs"]),
        spacings=np.array(instance["spacings"]),
        transition=uniform_transition(banned),
        length=parameters["dim"],
        quantisation=parameters["quantization"],
        epistasis=parameters.get("epistasis_factor", 0.0),
    )


@pytest.mark.parametrize("instance", INSTANCES, ids=["plain", "quantised", "epistasis", "quantised-epistasis"])
def test_value_and_feasibility_are_those_of_holo(instance: dict[str, Any]) -> None:
    function, sequences = rebuild(instance), np.array(instance["sequences"])
    expected = np.array([-np.inf if value is None else value for value in instance["values"]])
    np.testing.assert_array_equal(function.feasible(sequences), np.isfinite(expected))
    np.testing.assert_allclose(function.value(sequences), expected, atol=2e-7)
    np.testing.assert_array_equal(function.optimal(), instance["optimal"])
    # The file must be able to tell a wrong definition: several levels, and both feasible and infeasible sequences.
    assert len(set(expected.tolist())) >= 5
    assert 50 <= np.isfinite(expected).sum() <= 150
