"""`seiko bench`: run a benchmark over seeds and write its results as JSON."""

from __future__ import annotations

import json
import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

import seiko

__all__ = ["app"]

app = typer.Typer(add_completion=False, rich_markup_mode=None)
_console = Console(stderr=True)


@app.command()
def bench(
    name: Annotated[str, typer.Argument(help="tfbind8 or ehrlich")],
    seeds: Annotated[int, typer.Option(min=1, help="Seeds 0 to N - 1.")] = 10,
    methods: Annotated[str, typer.Option(help="Only these methods, with commas between.")] = "",
    quick: Annotated[bool, typer.Option("--quick", help="A few labels only: does it run?")] = False,
    workers: Annotated[int, typer.Option(min=1, help="Runs at a time, each on one thread.")] = 2,
    runs: Annotated[Path | None, typer.Option(help="Keep run folders here; an interrupted benchmark goes on.")] = None,
    out: Annotated[Path, typer.Option(help="Folder of the result files.")] = Path("benchmarks/results"),
) -> None:
    """Run a benchmark: each method, each seed; results go to OUT/NAME-METHOD.json."""
    from seiko_bench.protocols import PROTOCOLS

    if name not in PROTOCOLS:
        raise typer.BadParameter(f"no benchmark is called {name!r}; there are: {', '.join(PROTOCOLS)}")
    protocol = PROTOCOLS[name]
    chosen = methods.split(",") if methods else list(protocol.methods)
    if unknown := [method for method in chosen if method not in protocol.methods]:
        raise typer.BadParameter(f"{name} has no method {unknown[0]!r}; there are: {', '.join(protocol.methods)}")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    folder = runs or Path(tempfile.mkdtemp(prefix="seiko-bench-"))
    out.mkdir(parents=True, exist_ok=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=_console) as progress, ProcessPoolExecutor(workers) as pool:
        for method in chosen:
            task = progress.add_task(f"{name} {method}", total=seeds)
            futures = [
                pool.submit(_one, name, method, seed, str(folder / f"{name}-{method}-{seed}"), quick)
                for seed in range(seeds)
            ]
            records = []
            for future in futures:
                records.append(future.result())
                progress.advance(task)
            path = out / f"{name}-{method}.json"
            command = f"seiko bench {name} --seeds {seeds} --methods {method}{' --quick' if quick else ''}"
            _write(path, name, method, command, workers, records)
            print(path)


def _one(name: str, method: str, seed: int, folder: str, quick: bool) -> dict[str, Any]:
    import warnings

    import torch

    from seiko.updates import BiasedGradientWarning
    from seiko_bench.protocols import PROTOCOLS

    torch.set_num_threads(1)
    warnings.simplefilter("ignore", BiasedGradientWarning)
    return PROTOCOLS[name].methods[method](seed, Path(folder), quick)


def _write(path: Path, name: str, method: str, command: str, workers: int, records: list[dict[str, Any]]) -> None:
    from seiko_bench.protocols import PROTOCOLS
    from seiko_bench.statistics import summarise

    summary = {}
    for key in PROTOCOLS[name].headline:
        values = [record[key] for record in records if record.get(key) is not None]
        if values:
            summary[key] = asdict(summarise(values)) | {"min": min(values), "max": max(values)}
    result = {
        "benchmark": PROTOCOLS[name].description,
        "method": method,
        "command": command,
        "version": seiko.__version__,
        "threads_a_run": 1,
        "runs_at_a_time": workers,
        "summary": summary,
        "runs": records,
    }
    path.write_text(json.dumps(result, indent=1) + "\n")
