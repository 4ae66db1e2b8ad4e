"""A few hundred inputs of each kind; `scripts/fuzz.py` draws ten thousand, and as many by coverage."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from seiko_bench.fuzz_inputs import STRATEGIES, good
from seiko_bench.fuzz_targets import TARGETS

HOW_MANY = {"labels": 300, "recipe": 300, "ledger": 200}


@pytest.mark.parametrize("name", TARGETS)
def test_good_inputs_are_taken(name: str) -> None:
    assert all(TARGETS[name](data) for data in good(name))


@pytest.mark.parametrize("name", TARGETS)
def test_some_inputs_find_nothing(name: str) -> None:
    phases = (Phase.explicit, Phase.generate, Phase.target, Phase.shrink)

    @settings(max_examples=HOW_MANY[name], deadline=None, phases=phases, suppress_health_check=list(HealthCheck))
    @given(STRATEGIES[name])
    def found(data: bytes) -> None:
        TARGETS[name](data)

    found()
