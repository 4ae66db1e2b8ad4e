"""Benchmarks of images: quick runs write what their tables show, and the comparison of estimators adds up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("diffusers")
pytest.importorskip("PIL")

from seiko_bench.images.data import held_out_digits, training_digits
from seiko_bench.images.digits import ADAPTIVE, digits
from seiko_bench.images.estimators import METHODS, compare, estimators


def test_digits_has_the_methods_of_the_paper() -> None:
    protocol = digits()
    assert set(protocol.methods) == {*ADAPTIVE, "non-adaptive", "online-ppo"}
    assert "thickness.mean_1000" in protocol.headline
    assert all(key.startswith("thickness.") for key in digits(["thickness"]).headline)
    with pytest.raises(ValueError, match="has the tasks incompressibility, thickness, not 'beauty'"):
        digits(["beauty"])


@pytest.mark.parametrize("method", ["seiko-ucb", "non-adaptive", "online-ppo"])
def test_a_quick_run_is_judged_after_each_round(tmp_path: Path, method: str) -> None:
    found = digits(["incompressibility"]).methods[method](0, tmp_path, True)["incompressibility"]
    assert [row["labels"] for row in found["curve"]] == [0, 10, 20]
    for row in found["curve"]:
        assert 0 <= row["accuracy"] <= 1
        assert row["mean"] > 0.5
    assert found["mean_20"] == found["curve"][-1]["mean"]
    assert found["kl_0"] == 0


def test_a_quick_estimator_has_a_curve(tmp_path: Path) -> None:
    record = estimators().methods["short"](0, tmp_path, True)
    (run,) = record["runs"]
    assert run["curve"][0] == {
        "objective": pytest.approx(run["curve"][0]["objective"]),
        "kl": 0,
        "step": 0,
        "seconds": 0,
    }
    assert record["steps"] >= 1
    assert record["kl"] > 0


def test_the_comparison_says_when_each_update_was_where_the_full_window_ended(tmp_path: Path) -> None:
    def write(name: str, *curves: list[tuple[float, float, float]]) -> None:
        runs = [
            {"curve": [{"seconds": s, "objective": a, "kl": k} for s, a, k in curve], "rate": 1.0} for curve in curves
        ]
        last = runs[0]["curve"][-1]  # type: ignore[index]
        record: dict[str, Any] = {"seed": 0, "objective": last["objective"], "kl": last["kl"], "runs": runs}
        (tmp_path / f"estimators-{name}.json").write_text(json.dumps({"runs": [record]}))

    assert compare(tmp_path) is None
    write("full", [(0, 1, 0), (10, 1.5, 3), (20, 2, 5)])
    write("window", [(0, 1, 0), (2, 1.95, 9), (4, 1.95, 5)], [(0, 1, 0), (3, 1.92, 5.4)])  # too far, then near enough
    write("ppo", [(0, 1, 0), (20, 1.2, 1)])
    path = compare(tmp_path)
    assert path is not None
    (seed,) = json.loads(path.read_text())["seeds"]
    assert seed["seconds"] == {"full": 20, "window": 3, "ppo": None}
    assert seed["of_full"] == {"full": 1.0, "window": 0.15, "ppo": None}
    assert next(iter(METHODS)) == "full"


def test_the_data_are_the_real_ones(data_dir: Path) -> None:
    x, y = training_digits()
    assert (len(x), x.shape[1:], len(y)) == (60_000, (1, 28, 28), 60_000)
    assert y[:5].tolist() == [5, 0, 4, 1, 9]
    test, labels = held_out_digits()
    assert float(test.max()) == 1
    assert labels[:5].tolist() == [7, 2, 1, 0, 4]
