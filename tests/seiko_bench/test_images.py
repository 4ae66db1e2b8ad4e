"""Benchmarks of images: quick runs write what their tables show, and the comparison of estimators adds up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("diffusers")
pytest.importorskip("PIL")

from seiko.campaign.prompts import conditioner_of
from seiko.imaging.digits import DIGITS
from seiko.models import PixelImageSource
from seiko_bench.images.data import held_out_digits, training_digits
from seiko_bench.images.digits import ADAPTIVE, SHOWN, TASKS, digits
from seiko_bench.images.estimators import METHODS, NATS, _look, compare, estimators
from seiko_bench.images.figures import figures
from seiko_bench.tables import page


def test_digits_has_the_methods_of_the_paper() -> None:
    protocol = digits()
    assert set(protocol.methods) == {*ADAPTIVE, "non-adaptive", "online-ppo"}
    assert "thickness.mean_1000" in protocol.headline
    assert all(key.startswith("thickness.") for key in digits(["thickness"]).headline)
    with pytest.raises(ValueError, match="has the tasks incompressibility, thickness, not 'beauty'"):
        digits(["beauty"])


def test_a_task_that_is_known_is_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def solve(task: str, seed: int, folder: Path, quick: bool) -> dict[str, Any]:
        asked.append(task)
        return {"curve": [{"labels": 20, **dict.fromkeys(SHOWN, 1.0)}], "best": 1.0, "seconds": 0.1}

    monkeypatch.setattr("seiko_bench.images.digits.SOLVERS", {"greedy": solve})
    protocol = digits()
    assert protocol.parts is not None
    whole = {"curve": [{"labels": 20}], "best": 7.0}
    short = {"curve": [{"labels": 10}], "best": 3.0}
    for before, run in [({"thickness": whole}, ["incompressibility"]), ({"thickness": short}, list(TASKS))]:
        asked.clear()
        found = protocol.parts("greedy", 5, tmp_path, True, before)
        assert asked == run
        assert found["thickness"]["best"] == (7.0 if before["thickness"] is whole else 1.0)
    assert (found["seed"], found["thickness"]["mean_20"]) == (5, 1.0)


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
    start, end = run["curve"][0], run["curve"][-1]
    assert (start["step"], start["seconds"], start["kl"], start["kl_before"]) == (0, 0, 0, 0)
    assert start["objective"] == start["objective_before"]
    assert record["steps"] >= 1
    assert record["objective"] == end["objective"]
    assert 0 < record["kl"] == end["kl"] <= NATS


def test_a_look_leads_a_copy_back_to_the_budget() -> None:
    model = PixelImageSource(num_steps=4).load()
    with torch.no_grad():
        for weight in model.versions.parameters():
            weight += 0.02 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(0))
    weights = model.versions.state_dict()
    look = _look(model, lambda x_0: x_0.mean((1, 2, 3)), conditioner_of(model, DIGITS), 8)
    assert look["kl_before"] > NATS
    assert 0.9 * NATS < look["kl"] <= NATS
    assert look["objective"] != look["objective_before"]
    assert all(torch.equal(weights[name], value) for name, value in model.versions.state_dict().items())


def test_the_comparison_says_when_each_update_was_where_the_full_window_ended(tmp_path: Path) -> None:
    def write(name: str, *curves: list[tuple[float, float]]) -> None:
        runs = [{"curve": [{"seconds": s, "objective": a} for s, a in curve], "rate": 1.0} for curve in curves]
        record: dict[str, Any] = {"seed": 0, "objective": curves[0][-1][1], "runs": runs}
        (tmp_path / f"estimators-{name}.json").write_text(json.dumps({"runs": [record]}))

    assert compare(tmp_path) is None
    write("full", [(0, 1), (10, 1.5), (20, 2)])
    write("window", [(0, 1), (2, 1.6), (4, 2.2)], [(0, 1), (2, 1.8), (4, 2.0), (6, 1.5)])  # slower, then sooner
    write("ppo", [(0, 1), (20, 1.2)])
    path = compare(tmp_path)
    assert path is not None
    (seed,) = json.loads(path.read_text())["seeds"]
    assert seed["goal"] == pytest.approx(1.9)
    assert seed["seconds"] == {"full": pytest.approx(18), "window": pytest.approx(3), "ppo": None}
    assert seed["of_full"] == {"full": 1.0, "window": pytest.approx(1 / 6), "ppo": None}
    assert next(iter(METHODS)) == "full"


def test_tables_and_figures_say_what_the_files_say(tmp_path: Path) -> None:
    def estimate(value: float) -> dict[str, Any]:
        return {"median": {"value": value, "low": value - 0.25, "high": value + 0.25}}

    def digits_file(name: str, means: list[float | None]) -> None:
        runs = [
            {
                "seed": seed,
                "thickness": {
                    "mean_1000": mean,
                    "curve": [
                        {
                            "labels": labels,
                            "mean": None if mean is None else mean * labels / 1000,
                            "accuracy": 0.9,
                            "shift": None if not labels else 1.0,
                        }
                        for labels in (0, 1000)
                    ],
                },
            }
            for seed, mean in enumerate(means)
        ]
        written = {
            "method": name,
            "benchmark": "MNIST",
            "command": f"seiko bench digits --methods {name}",
            "runs": runs,
        }
        summary = {"thickness.mean_1000": estimate(means[0] or 0.0), "thickness.seconds": estimate(60.25)}
        (tmp_path / f"digits-{name}.json").write_text(json.dumps(written | {"summary": summary}))

    def estimators_file(name: str, seconds: float | None) -> None:
        curve = [
            {"seconds": s, "objective": 1.0 + s, "objective_before": 1.0 + s, "kl_before": s / 2} for s in (0.0, 4.0)
        ]
        record = {"seed": 0, "rate": 1e-4, "runs": [{"rate": 1e-4, "curve": curve}]}
        summary = {"objective": estimate(5.0), "kl": estimate(2.0), "seconds_a_step": estimate(1.5)}
        written = {"method": name, "benchmark": "updates", "command": "seiko bench estimators", "runs": [record]}
        (tmp_path / f"estimators-{name}.json").write_text(json.dumps(written | {"summary": summary}))
        reached[name] = seconds

    assert figures(tmp_path, tmp_path) == []
    assert "MNIST" not in page(tmp_path)
    reached: dict[str, float | None] = {}
    digits_file("greedy", [3.0, 3.5, 9.0, 9.0])  # the third seed's partner has no mean, the fourth seed no partner
    digits_file("seiko-ucb", [4.0, 4.0, None])
    estimators_file("full", 4.0)
    estimators_file("ppo", None)
    seeds = [
        {"seed": 0, "seconds": reached, "of_full": {"full": 1.0, "ppo": None}},
        {"seed": 1, "seconds": {"full": 5.0}, "of_full": {"full": 1.0}},  # ppo was not run with it
    ]
    (tmp_path / "estimators.json").write_text(json.dumps({"share": 0.9, "nats": 10.0, "seeds": seeds}))
    text = page(tmp_path)
    ours, greedy = (line for line in text.splitlines() if line.startswith(("| seiko-ucb", "| greedy")))
    assert ours.startswith("| seiko-ucb | 3 | — | — | — | 4.000 [3.750, 4.250] | — |")
    assert greedy.startswith("| greedy | 4 | — | — | — | 3.000 [2.750, 3.250] | -0.750 [-1.000, -0.500] |")
    full = next(line for line in text.splitlines() if line.startswith("| full |"))
    assert full.startswith("| full | 1 | 1.50 [1.25, 1.75] | 0.0001 | 5.000 [4.750, 5.250] | 2.000 [1.750, 2.250] |")
    assert full.endswith("| 4.0, 5.0 | 1.00, 1.00 |")
    assert "| never | never |" in text
    assert [path.name for path in figures(tmp_path, tmp_path)] == ["digits-labels.png", "estimators.png"]


def test_the_page_takes_quick_files_and_tasks_that_a_method_lacks(tmp_path: Path) -> None:
    curve = [{"labels": labels, "mean": 2.0, "accuracy": 0.9, "shift": 0.1} for labels in (0, 20)]
    for name, task in (("seiko-ucb", "incompressibility"), ("greedy", "thickness")):
        runs = [{"seed": 0, task: {"mean_20": 2.0, "curve": curve}}]
        written = {"method": name, "benchmark": "MNIST", "command": "seiko bench digits --quick", "runs": runs}
        (tmp_path / f"digits-{name}.json").write_text(json.dumps(written | {"summary": {}}))
    rows = [line for line in page(tmp_path).splitlines() if line.startswith(("| seiko-ucb", "| greedy"))]
    assert rows == [f"| {name} | 1 |{' — |' * 9}" for name in ("seiko-ucb", "greedy")]
    assert len(figures(tmp_path, tmp_path)) == 1


def test_the_data_are_the_real_ones(data_dir: Path) -> None:
    x, y = training_digits()
    assert (len(x), x.shape[1:], len(y)) == (60_000, (1, 28, 28), 60_000)
    assert y[:5].tolist() == [5, 0, 4, 1, 9]
    test, labels = held_out_digits()
    assert float(test.max()) == 1
    assert labels[:5].tolist() == [7, 2, 1, 0, 4]
