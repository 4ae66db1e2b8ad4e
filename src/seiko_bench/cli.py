"""`seiko bench`: run a benchmark over seeds and write its results as JSON."""

from __future__ import annotations

import fnmatch
import json
import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

import seiko

if TYPE_CHECKING:
    from seiko_bench.protocols import Protocol

__all__ = ["app"]

SECONDS = 120.0
CALLS = 1000
PRIOR = "seiko:zinc250k"
OPTIONAL = ("theory", "pmo", "qed", "prior", "digits", "estimators", "speed", "faults", "load", "web")
"""Benchmarks with options, or extras of their own: they are made when they are asked for."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What decides some benchmarks beside their name.

    Args:
        seconds: Processor time of each update in theory's fixed-*, and in estimators.
        calls: Oracle calls of each task of pmo.
        tasks: Tasks of pmo or digits, with commas between; empty for all.
        prior: Molecule model of pmo, qed and prior.
    """

    seconds: float = SECONDS
    calls: int = CALLS
    tasks: str = ""
    prior: str = PRIOR

    def written(self, name: str, method: str) -> str:
        """Return those that a benchmark heeds and that are not as usual, as they are typed."""
        heeded = {
            "pmo": ("calls", "tasks", "prior"),
            "qed": ("prior",),
            "prior": ("prior",),
            "digits": ("tasks",),
            "estimators": ("seconds",),
        }.get(name, ())
        if name == "theory" and method.startswith("fixed-"):
            heeded = ("seconds",)
        usual = Options()
        given = [(key, getattr(self, key)) for key in heeded if getattr(self, key) != getattr(usual, key)]
        return "".join(f" --{key} {f'{value:g}' if key == 'seconds' else value}" for key, value in given)


app = typer.Typer(add_completion=False, rich_markup_mode=None)
_console = Console(stderr=True)


@app.command()
def bench(
    name: Annotated[
        str,
        typer.Argument(
            help="tfbind8, ehrlich, theory, qed, pmo, prior, digits, estimators, speed, faults, load or web"
        ),
    ],
    seeds: Annotated[int, typer.Option(min=1, help="Seeds 0 to N - 1.")] = 10,
    methods: Annotated[str, typer.Option(help="Only these methods, with commas between; fixed-* is all such.")] = "",
    quick: Annotated[bool, typer.Option("--quick", help="A few labels only: does it run?")] = False,
    workers: Annotated[int, typer.Option(min=1, help="Runs at a time.")] = 2,
    threads: Annotated[int, typer.Option(min=1, help="Threads of each run; results depend on it in the digits.")] = 1,
    runs: Annotated[Path | None, typer.Option(help="Keep run folders here; an interrupted benchmark goes on.")] = None,
    keep: Annotated[
        bool,
        typer.Option("--keep", help="Seeds that OUT holds stay, and are not run again; likewise tasks."),
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder of the result files.")] = Path("benchmarks/results"),
    figures: Annotated[
        Path | None, typer.Option(help="Folder of the figures of theory, pmo, digits and estimators; without it, OUT.")
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=0.1, help="Processor time of each update in theory's fixed-* and estimators.")
    ] = SECONDS,
    calls: Annotated[int, typer.Option(min=1, help="Oracle calls of each task of pmo.")] = CALLS,
    tasks: Annotated[str, typer.Option(help="Only these tasks of pmo or digits, with commas between.")] = "",
    prior: Annotated[str, typer.Option(help="Molecule model of pmo, qed and prior: seiko:NAME or a folder.")] = PRIOR,
) -> None:
    """Run a benchmark: each method, each seed; results go to OUT/NAME-METHOD.json, or OUT/NAME.json without methods."""
    if name in ("faults", "load"):
        _of_the_ledger(name, [method for method in methods.split(",") if method], quick, out)
        return
    options = Options(seconds=seconds, calls=calls, tasks=tasks, prior=prior)
    protocol = _protocol(name, options)
    chosen = _chosen(name, protocol, methods)
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    known = {method: _before(out / f"{name}-{method}.json", protocol) for method in chosen if keep}
    wanted = {method: sorted({*range(seeds), *known.get(method, ())}) for method in chosen}
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
            task = progress.add_task(f"{name} {method}", total=len(wanted[method]))
            path = out / f"{name}-{method}.json"
            before = known.get(method, {})
            futures = [
                pool.submit(
                    _one,
                    name,
                    method,
                    seed,
                    str(folder / f"{name}-{method}-{seed}"),
                    quick,
                    threads,
                    options,
                    before.get(seed),
                )
                for seed in wanted[method]
            ]
            records = []
            for future in futures:
                records.append(future.result())
                progress.advance(task)
            command = (
                f"seiko bench {name} --seeds {wanted[method][-1] + 1} --methods {method}{' --quick' if quick else ''}"
            )
            command += options.written(name, method)
            if threads != 1:
                command += f" --threads {threads}"
            _write(path, protocol, method, command, workers, threads, records)
            print(path)
    if name == "theory":
        from seiko_bench.theory_figures import figures as draw

        for path in draw(out, figures or out):
            print(path)
    if name == "estimators":
        from seiko_bench.images.estimators import compare as reached

        found = reached(out)
        if found is not None:
            print(found)
    if name in ("digits", "estimators"):
        from seiko_bench.images.figures import figures as draw_images

        for path in draw_images(out, figures or out):
            print(path)
    if name == "pmo":
        from seiko_bench.molecules.compare import compare

        compared = compare(out)
        if compared is not None:
            print(compared)
        from seiko_bench.molecules.figures import figures as draw_pmo

        for path in draw_pmo(out, figures or out):
            print(path)


def _of_the_ledger(name: str, only: list[str], quick: bool, out: Path) -> None:
    """Run what has neither seeds nor methods of learning; exit with 1 if something was lost."""
    command = f"seiko bench {name}{' --quick' if quick else ''}"
    if name == "load":
        from seiko_bench.load import load

        print(load(out, command, quick))
        return
    from seiko_bench.faults import faults, save

    outcomes = []
    try:
        for outcome in faults(quick, only, _console.print):
            outcomes.append(outcome)
            path = save(outcomes, out, command)  # each, for all of them take an hour
            _console.print(
                f"{outcome.fault} ({outcome.where}): {outcome.same} of {outcome.trials} as if nothing had been, "
                f"{outcome.lost} lost, {outcome.twice} twice, {outcome.silent or 0} silent; {outcome.remark}"
            )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    print(path)
    if not all(outcome.good for outcome in outcomes):
        raise typer.Exit(1)


def _protocol(name: str, options: Options) -> Protocol:
    from seiko_bench.protocols import PROTOCOLS

    match name:
        case "theory":
            from seiko_bench.theory import theory

            return theory(options.seconds)
        case "pmo":
            from seiko_bench.molecules.pmo import pmo

            try:
                return pmo(options.calls, [task for task in options.tasks.split(",") if task], options.prior)
            except ValueError as error:
                raise typer.BadParameter(str(error)) from error
        case "qed":
            from seiko_bench.molecules.qed import qed

            return qed(options.prior)
        case "prior":
            from seiko_bench.molecules.prior import prior

            return prior(options.prior)
        case "web":
            from seiko_bench.web_load import web

            return web()
        case "digits":
            from seiko_bench.images.digits import digits

            try:
                return digits([task for task in options.tasks.split(",") if task])
            except ValueError as error:
                raise typer.BadParameter(str(error)) from error
        case "estimators":
            from seiko_bench.images.estimators import estimators

            return estimators(options.seconds)
        case "speed":
            from seiko_bench.speed.protocol import speed

            return speed()
    if name not in PROTOCOLS:
        raise typer.BadParameter(f"no benchmark is called {name!r}; there are: {', '.join((*PROTOCOLS, *OPTIONAL))}")
    return PROTOCOLS[name]


def _chosen(name: str, protocol: Protocol, methods: str) -> list[str]:
    """Return the methods that names and patterns with * choose, each once; all of them for no names."""
    chosen: dict[str, None] = {}
    for pattern in methods.split(",") if methods else ["*"]:
        matching = fnmatch.filter(protocol.methods, pattern)
        if not matching:
            raise typer.BadParameter(f"{name} has no method {pattern!r}; there are: {', '.join(protocol.methods)}")
        chosen |= dict.fromkeys(matching)
    return list(chosen)


def _before(path: Path, protocol: Protocol) -> dict[int, dict[str, Any]]:
    """Return the records of a result file by seed; none without a file.

    Raises:
        typer.BadParameter: If it is of another benchmark, or of a method that has changed since.
    """
    if not path.is_file():
        return {}
    found = json.loads(path.read_text())
    if protocol.parts is None and found["benchmark"] != protocol.description:
        raise typer.BadParameter(
            f"--keep adds to results of the same benchmark, and {path} holds those of {found['benchmark']!r}, not of "
            f"{protocol.description!r}: choose another --out"
        )
    if "superseded" in found:
        raise typer.BadParameter(
            f"{path} holds runs of {found['superseded']}, to which --keep would add others: leave --keep out to run "
            "all anew, or choose another --out"
        )
    return {record["seed"]: record for record in found["runs"]}


def _one(
    name: str,
    method: str,
    seed: int,
    folder: str,
    quick: bool,
    threads: int = 1,
    options: Options | None = None,
    before: dict[str, Any] | None = None,
) -> dict[str, Any]:
    import warnings

    import torch

    from seiko.updates import BiasedGradientWarning

    torch.set_num_threads(threads)
    warnings.simplefilter("ignore", BiasedGradientWarning)
    protocol = _protocol(name, options or Options())
    if before is None:
        return protocol.methods[method](seed, Path(folder), quick)
    return before if protocol.parts is None else protocol.parts(method, seed, Path(folder), quick, before)


def _write(
    path: Path,
    protocol: Protocol,
    method: str,
    command: str,
    workers: int,
    threads: int,
    records: list[dict[str, Any]],
) -> None:
    from seiko_bench.statistics import summarise

    summary = {}
    for key in protocol.headline:
        values = [value for record in records if (value := _found(record, key)) is not None]
        if values:
            summary[key] = asdict(summarise(values)) | {"min": min(values), "max": max(values)}
    result = {
        "benchmark": protocol.description,
        "method": method,
        "command": command,
        "version": seiko.__version__,
        "threads_a_run": threads,
        "runs_at_a_time": workers,
        "summary": summary,
        "runs": records,
    }
    path.write_text(json.dumps(result, indent=1) + "\n")


def _found(record: dict[str, Any], key: str) -> Any:
    """Return the value of a key, or of keys in each other with dots between; None where there is none."""
    found: Any = record
    for part in key.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found
