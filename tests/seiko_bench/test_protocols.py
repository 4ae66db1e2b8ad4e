"""Each method of each benchmark gives a record with the promised keys, in its quick form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seiko.oracles import Ehrlich
from seiko_bench import protocols
from seiko_bench.protocols import PROTOCOLS

ROUND_KEYS = {"round", "labels", "best", "feasible"}


def quick(name: str, method: str, folder: Path, seed: int = 0) -> dict[str, Any]:
    """Return a record as it comes back from its file: what is not JSON fails here."""
    record = PROTOCOLS[name].methods[method](seed, folder, True)
    found: dict[str, Any] = json.loads(json.dumps(record, allow_nan=False))
    return found


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_protocol_has_seiko_itself_and_something_to_compare_it_with(name: str) -> None:
    protocol = PROTOCOLS[name]
    assert next(iter(protocol.methods)) == "seiko"
    assert len(protocol.methods) >= 2
    assert protocol.description
    assert len(set(protocol.headline)) == len(protocol.headline) > 0


@pytest.mark.parametrize("method", ["genetic", "genetic-screened"])
def test_the_genetic_baselines(tmp_path: Path, method: str) -> None:
    record = quick("ehrlich", method, tmp_path)
    assert {"best", "top10", "labels", "seed", "seconds", "rounds"} == set(record)
    assert record["labels"] == 48
    assert [row["labels"] for row in record["rounds"]] == [24, 48]
    assert all(set(row) == ROUND_KEYS for row in record["rounds"])
    assert record["rounds"][-1]["best"] == record["best"] >= record["top10"]
    assert quick("ehrlich", method, tmp_path) | {"seconds": 0} == record | {"seconds": 0}


def test_a_screen_knows_what_a_prior_has_seen() -> None:
    oracle = Ehrlich()
    screen = protocols._seen_transitions(oracle)
    assert screen(oracle.sample_feasible(200, 5)).mean() > 0.95
    uniform = np.random.default_rng(0).integers(32, size=(300, 32))
    assert not bool((screen(uniform) & ~oracle.feasible(uniform)).any()), "what is forbidden was never seen"


def test_uniform_queries(tmp_path: Path, data_dir: Path) -> None:
    record = quick("tfbind8", "uniform", tmp_path)
    assert {"best", "top10", "top100", "labels", "duplicates", "seed"} == set(record)
    assert (record["labels"], record["duplicates"], record["seed"]) == (60, 0, 0)
    assert 1 >= record["best"] >= record["top10"] >= record["top100"] >= 0
    assert quick("tfbind8", "uniform", tmp_path, seed=1)["top10"] != record["top10"]


def test_uniform_queries_reach_what_is_published(tmp_path: Path, data_dir: Path) -> None:
    # 500 of all 65,536 sequences, means over many seeds: best .973, top-10 .921, top-100 .734
    records = [PROTOCOLS["tfbind8"].methods["uniform"](seed, tmp_path, False) for seed in range(200)]
    for key, expected in (("best", 0.973), ("top10", 0.921), ("top100", 0.734)):
        assert np.mean([record[key] for record in records]) == pytest.approx(expected, abs=0.006), key


@pytest.mark.slow
@pytest.mark.parametrize("method", ["seiko", "paper"])
def test_the_loop_on_tfbind8(tmp_path: Path, data_dir: Path, method: str) -> None:
    record = quick("tfbind8", method, tmp_path)
    assert set(PROTOCOLS["tfbind8"].headline) <= set(record)
    assert record["labels"] == 60
    assert [row["labels"] for row in record["rounds"]] == [30, 60]
    assert all(set(row) >= ROUND_KEYS for row in record["rounds"])
    assert (record["duplicates"] == 0) or method == "paper"


@pytest.mark.slow
def test_the_loop_on_ehrlich(tmp_path: Path) -> None:
    record = quick("ehrlich", "seiko", tmp_path)
    assert set(PROTOCOLS["ehrlich"].headline) <= set(record)
    assert (record["labels"], record["duplicates"]) == (48, 0)


def test_paper_mode_is_the_paper_s_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from seiko.acquisition import BootstrapMax
    from seiko.campaign import Recipe
    from seiko.rewards import Ensemble
    from seiko.updates import DirectBackprop

    made: list[Recipe] = []
    monkeypatch.setattr(protocols, "run_and_judge", lambda recipe, folder, also: made.append(recipe) or {})
    for method in PROTOCOLS["tfbind8"].methods.values():
        if method is not protocols._uniform:
            method(4, tmp_path, False)
    seiko, paper = made
    assert (seiko.budget, seiko.rounds, seiko.seed) == (paper.budget, paper.rounds, paper.seed) == (500, 5, 4)
    assert paper.selection.iid
    assert paper.same is None
    assert isinstance(paper.update, DirectBackprop)
    assert isinstance(paper.acquisition, BootstrapMax)
    assert isinstance(paper.reward_model, Ensemble)
    assert not seiko.selection.iid
    assert paper.final_acquisition is None
    assert seiko.model.name == paper.model.name  # type: ignore[attr-defined]
