"""`seiko bench` writes one file a method, with everything that the tables need."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import seiko
from seiko_bench import cli
from seiko_bench.protocols import PROTOCOLS


class Here:
    """A process pool that works in this process, at once."""

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def __enter__(self) -> Here:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(function(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    monkeypatch.setattr(cli, "ProcessPoolExecutor", Here)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(cli.app, list(arguments))

    return invoke


def test_a_quick_run_writes_its_file(bench: Callable[..., Result], tmp_path: Path) -> None:
    result = bench("ehrlich", "--quick", "--seeds", "2", "--methods", "genetic,genetic-screened", "--out", "results")
    assert result.exit_code == 0, result.output
    assert result.stdout.split() == ["results/ehrlich-genetic.json", "results/ehrlich-genetic-screened.json"]
    found = json.loads((tmp_path / "results" / "ehrlich-genetic.json").read_text())
    assert found["benchmark"] == PROTOCOLS["ehrlich"].description
    assert found["method"] == "genetic"
    assert found["command"] == "seiko bench ehrlich --seeds 2 --methods genetic --quick"
    assert found["version"] == seiko.__version__
    assert (found["threads_a_run"], found["runs_at_a_time"]) == (1, 2)
    assert [run["seed"] for run in found["runs"]] == [0, 1]
    best = [run["best"] for run in found["runs"]]
    assert set(found["summary"]) == {"best", "top10", "seconds"}, "what no run has is left out"
    summary = found["summary"]["best"]
    assert summary["n"] == 2
    assert summary["mean"]["value"] == pytest.approx(sum(best) / 2)
    assert (summary["min"], summary["max"]) == (min(best), max(best))
    assert {"value", "low", "high"} == set(summary["median"]) == set(summary["iqm"])


def test_all_methods_by_default_and_folders_for_runs(
    bench: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def one(name: str, method: str, seed: int, folder: str, quick: bool, threads: int, *rest: Any) -> dict[str, Any]:
        calls.append((method, seed, folder, quick, threads))
        return {"best": 0.5, "seed": seed, "kl": None}

    monkeypatch.setattr(cli, "_one", one)
    assert bench("tfbind8", "--seeds", "2", "--runs", "runs", "--out", "new/results").exit_code == 0
    expected = [(m, s, f"runs/tfbind8-{m}-{s}", False, 1) for m in PROTOCOLS["tfbind8"].methods for s in (0, 1)]
    assert calls == expected
    files = {path.name for path in (tmp_path / "new" / "results").iterdir()}
    assert files == {f"tfbind8-{method}.json" for method in PROTOCOLS["tfbind8"].methods}
    summary = json.loads((tmp_path / "new" / "results" / "tfbind8-seiko.json").read_text())["summary"]
    assert set(summary) == {"best"}, "a value that is None is no number to summarise"


def test_seeds_that_are_there_are_kept(
    bench: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genetic = ("ehrlich", "--methods", "genetic", "--quick")
    assert bench(*genetic, "--seeds", "3", "--out", "once").exit_code == 0
    assert bench(*genetic, "--seeds", "2", "--out", "twice").exit_code == 0
    method, ran = PROTOCOLS["ehrlich"].methods["genetic"], []

    def noted(seed: int, folder: Path, quick: bool) -> dict[str, Any]:
        ran.append(seed)
        return method(seed, folder, quick)

    monkeypatch.setitem(PROTOCOLS["ehrlich"].methods, "genetic", noted)  # type: ignore[arg-type]
    assert bench(*genetic, "--seeds", "3", "--keep", "--out", "twice").exit_code == 0
    assert ran == [2]
    once, twice = (json.loads((tmp_path / name / "ehrlich-genetic.json").read_text()) for name in ("once", "twice"))
    for found in (once, twice):
        found["summary"].pop("seconds")
        for run in found["runs"]:
            run.pop("seconds")
    assert once == twice
    path = tmp_path / "twice" / "ehrlich-genetic.json"
    assert bench(*genetic, "--seeds", "1", "--keep", "--out", "twice").exit_code == 0
    assert [run["seed"] for run in json.loads(path.read_text())["runs"]] == [0, 1, 2], "none is thrown away"
    path.write_text(json.dumps(once | {"benchmark": "another"}))
    result = bench(*genetic, "--seeds", "4", "--keep", "--out", "twice")
    assert result.exit_code == 2
    assert "holds those of 'another'" in " ".join(result.stderr.replace("│", " ").split())
    path.write_text(json.dumps(once | {"superseded": "the old rules"}))
    result = bench(*genetic, "--seeds", "4", "--keep", "--out", "twice")
    assert result.exit_code == 2
    assert "holds runs of the old rules" in " ".join(result.stderr.replace("│", " ").split())
    assert ran == [2], "nothing was run"


def test_seeds_run_on_one_thread_in_their_own_processes(tmp_path: Path) -> None:
    record = cli._one("ehrlich", "genetic", 3, str(tmp_path), True)
    assert record["seed"] == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "no benchmark is called 'nothing'; there are: tfbind8, ehrlich"),
        (["ehrlich", "--methods", "genetic,magic"], "ehrlich has no method 'magic'; there are: seiko, genetic"),
        (["ehrlich", "--seeds", "0"], "--seeds"),
    ],
)
def test_wrong_usage_is_named_and_costs_nothing(
    bench: Callable[..., Result], tmp_path: Path, arguments: list[str], message: str
) -> None:
    result = bench(*arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.replace("│", " ").split())
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_breaks_leaves_no_file(
    bench: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: Any) -> dict[str, Any]:
        raise RuntimeError("the oracle is on fire")

    monkeypatch.setattr(cli, "_one", broken)
    result = bench("ehrlich", "--quick", "--seeds", "1", "--methods", "genetic", "--out", "results")
    assert result.exit_code == 1
    assert list((tmp_path / "results").iterdir()) == []
