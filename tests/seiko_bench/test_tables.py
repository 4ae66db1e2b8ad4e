"""The page of results is made from result files alone: these files give this page, and the docs hold that page."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from seiko_bench.tables import page

ROOT = Path(__file__).resolve().parents[2]


def estimate(value: float, low: float, high: float) -> dict[str, Any]:
    return {"median": {"value": value, "low": low, "high": high}}


def write(folder: Path, name: str, method: str, summary: dict[str, Any], runs: list[dict[str, Any]]) -> None:
    result = {
        "benchmark": "Benchmark of two letters",
        "method": method,
        "command": f"seiko bench {name} --seeds {len(runs)} --methods {method}",
        "summary": summary,
        "runs": runs,
    }
    (folder / f"{name}-{method}.json").write_text(json.dumps(result))


def rounds(*best: float, kl: float | None = None) -> list[dict[str, Any]]:
    return [
        {"round": i + 1, "labels": 24 * (i + 1), "best": value, "feasible": 0.5, "kl": kl, "batch_mean": value / 2}
        for i, value in enumerate(best)
    ]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    write(tmp_path, "ehrlich", "genetic", {"best": estimate(0.5, 0.25, 0.5)}, [{"rounds": rounds(0.125, 0.25)}])
    seiko = {
        "best": estimate(1.0, 1.0, 1.0),
        "kl": estimate(7.94321, 6.0, 12.5),
        "seconds": estimate(1234.56, 45.67, 1999.5),
    }
    runs = [{"rounds": rounds(0.2, 1.0, kl=2.0)}, {"rounds": rounds(0.4, 1.0, kl=4.5)}]
    write(tmp_path, "ehrlich", "seiko", seiko, runs)
    return tmp_path


EXPECTED = """\
## Benchmark of two letters

| method | seeds | best label | top-10 labels | mean of 2,000 fresh samples | feasible share of them \
| KL from the prior, nats | seconds a run |
| --- | --- | --- | --- | --- | --- | --- | --- |
| seiko | 2 | 1.000 [1.000, 1.000] | — | — | — | 7.943 [6, 12.500] | 1235 [46, 2000] |
| genetic | 1 | 0.500 [0.250, 0.500] | — | — | — | — | — |

Commands:

    seiko bench ehrlich --seeds 2 --methods seiko
    seiko bench ehrlich --seeds 1 --methods genetic

By round, medians over seeds:

| method | round | labels | best | batch mean | feasible | KL | coverage |
| --- | --- | --- | --- | --- | --- | --- | --- |
| seiko | 1 | 24 | 0.300 | 0.150 | 0.500 | 3.250 | — |
| seiko | 2 | 48 | 1.000 | 0.500 | 0.500 | 3.250 | — |
| genetic | 1 | 24 | 0.125 | 0.062 | 0.500 | — | — |
| genetic | 2 | 48 | 0.250 | 0.125 | 0.500 | — | — |
"""


def test_the_page_of_two_small_files(results: Path) -> None:
    head, found = page(results).split("\n## ", 1)
    assert "## " + found == EXPECTED
    assert head.startswith("# Results\n")


def test_a_command_says_what_it_was_of_where_the_method_has_changed(results: Path) -> None:
    path = results / "ehrlich-genetic.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"superseded": "the old rules"}))
    assert "    seiko bench ehrlich --seeds 1 --methods genetic  # the old rules\n" in page(results)


def test_a_page_without_rounds_has_no_table_of_them(tmp_path: Path) -> None:
    write(tmp_path, "tfbind8", "uniform", {"best": estimate(0.973, 0.97, 0.98)}, [{"best": 0.973}])
    found = page(tmp_path)
    assert "| uniform | 1 | — | — | — | 0.973 [0.970, 0.980] |" in found
    assert "By round" not in found


def test_no_files_no_tables(tmp_path: Path) -> None:
    assert "|" not in page(tmp_path)


def test_it_can_be_run(results: Path, tmp_path: Path) -> None:
    written = tmp_path / "results.md"
    command = [sys.executable, "-m", "seiko_bench.tables", str(results), str(written)]
    environment = {"PYTHONPATH": str(ROOT / "src")}
    subprocess.run(command, check=True, env=environment, timeout=60)
    assert written.read_text() == page(results)


def test_the_docs_hold_no_number_typed_by_hand() -> None:
    written = ROOT / "docs" / "results.md"
    if not written.exists():
        pytest.skip("docs/results.md is not written yet")
    assert written.read_text() == page(ROOT / "benchmarks" / "results"), (
        "make it again: python -m seiko_bench.tables benchmarks/results docs/results.md"
    )
