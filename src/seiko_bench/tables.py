"""Write the tables of the docs from committed result files; no number in the docs is typed by hand.

python -m seiko_bench.tables benchmarks/results docs/results.md
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from seiko_bench.images.tables import sections as image_sections
from seiko_bench.ledger_tables import ledger_tables
from seiko_bench.molecules.tables import more
from seiko_bench.speed.tables import sections

__all__ = ["page"]

COLUMNS = {
    "tfbind8": {
        "model_mean": "mean of 2,000 fresh samples",
        "kl": "KL from the prior, nats",
        "diversity": "diversity, positions of 8",
        "best": "best label",
        "top10": "top-10 labels",
        "top100": "top-100 labels",
        "duplicates": "labels bought twice",
        "share": "share of the attainable gain in J",
        "coverage_space": "coverage over the space, nominal .95",
        "seconds": "seconds a run",
    },
    "ehrlich": {
        "best": "best label",
        "top10": "top-10 labels",
        "model_mean": "mean of 2,000 fresh samples",
        "model_feasible": "feasible share of them",
        "kl": "KL from the prior, nats",
        "seconds": "seconds a run",
    },
    "qed": {
        **{f"mean_{labels}": f"mean at {labels:,} labels" for labels in (0, 250, 500, 1000, 2000)},
        **{f"best_of_mean_{labels}": f"best of four, at {labels:,} labels" for labels in (500, 1000, 2000)},
        "best_of_diversity_1000": "internal diversity of those at 1,000",
        "validity_1000": "validity at 1,000",
        "diversity_1000": "internal diversity at 1,000",
        "sa_1000": "SA at 1,000",
        "kl_1000": "KL from the prior at 1,000, nats",
        "seconds": "seconds a run",
    },
    "pmo": {
        "ran": "tasks run",
        "auc10": "AUC top-10, sum over these",
        "auc1": "AUC top-1",
        "auc100": "AUC top-100",
        "top10": "top-10 at the end",
        "risen": "tasks where fresh samples are above ZINC250k's mean",
        "longest": "seconds of the longest task",
    },
    "prior": {
        "validity": "validity",
        "uniqueness": "uniqueness",
        "novelty": "novelty",
        "internal_diversity": "internal diversity",
        "qed": "mean QED",
        "sa": "mean SA",
        "logp": "mean logP",
        "large_rings": "share with a ring above six atoms",
        "nearest_similarity": "SNN to the test split",
        "fragment_similarity": "fragment similarity to the test split",
        "seconds_for_1000": "seconds for 1,000 samples",
    },
    "web": {
        "errors": "errors",
        "lost": "scores or labels lost",
        "requests_a_second": "requests a second",
        "score.p50": "seconds to take a score, median",
        "score.p95": "95 %",
        "gallery.p95": "a gallery, 95 %",
        "picture.p95": "a picture, 95 %",
        "server_ms_a_request": "processor milliseconds a request",
    },
}

DISTANCE = {"tv": "total variation to the closed form", "kl_to_closed": "KL to it, nats"}
BELIEF = {
    "share": "share of the attainable gain",
    "exact_mean": "mean of the law",
    "exact_kl": "KL from the prior, nats",
    "top100": "top-100 labels",
    "nominal": "coverage of mean ± 1.96 std",
    "regret": "mean regret",
    "bound": "its bound",
}
THEORY = {
    "fixed": (
        "A known objective, A = r: what each update reaches in the same seconds of one core. Guidance and SMC are"
        " judged by the frequencies of their draws; the last columns say what exact draws, as many, would show.",
        {"ratio": "J / J*", **DISTANCE, "exact_kl": "KL from the prior, nats", "steps": "steps", "seconds": "seconds",
         "floor": "total variation of exact draws", "floor_ratio": "J / J* of them"},
    ),
    "rounds": ("Five rounds of 100 labels: the model's exact law against the closed form of its last round.",
               DISTANCE | BELIEF | {"seconds": "seconds of fits and updates"}),
    "ablation": ("One thing left out or wrong, with reward model windows and update memory.", DISTANCE | BELIEF),
    "closed": ("The same rounds with the closed form in the model's place: what belief and acquisition allow.", BELIEF),
}  # fmt: skip
"""By kind of method: what the table shows, and its columns."""


def page(results: Path) -> str:
    """Return the page for all result files in a folder: medians over seeds with bootstrap 95 % intervals."""
    parts = [
        "# Results\n\nMade from `benchmarks/results/` by"
        " `python -m seiko_bench.tables benchmarks/results docs/results.md`. Medians over seeds, with"
        " bootstrap 95 % intervals in brackets. Each run had one thread, or as many as its command says,"
        " of a two-core machine that was busy with other work, so that its seconds are an upper bound.\n"
    ]
    for name, columns in COLUMNS.items():
        files = sorted(results.glob(f"{name}-*.json"), key=lambda path: (path.stem != f"{name}-seiko", path.stem))
        if not files:
            continue
        found = [json.loads(path.read_text()) for path in files]
        parts.append(f"## {found[0]['benchmark']}\n")
        parts.append(_table(["method", "seeds", *columns.values()], [_row(result, list(columns)) for result in found]))
        parts.append("Commands:\n\n" + "\n".join(f"    {_command(result)}" for result in found) + "\n")
        if any("rounds" in run for result in found for run in result["runs"]):
            parts.append("By round, medians over seeds:\n")
            parts.append(_rounds(found))
        for text, header, rows in more(name, found):
            parts += [f"{text}\n", _table(header, rows)]
    parts += _theory(results) + _images(results) + _speed(results)
    for heading, header, rows, text in ledger_tables(results):
        parts += [f"## {heading}\n", _table(header, rows), text]
    return "\n".join(parts)


def _images(results: Path) -> list[str]:
    """Return the sections on images, as far as there are files."""
    parts: list[str] = []
    for heading, text, header, rows, commands in image_sections(results):
        parts += [f"## {heading}\n"] if heading else []
        parts += [f"{text}\n", _table(header, rows)]
        parts += ["Commands:\n\n" + "\n".join(f"    {command}" for command in commands) + "\n"] if commands else []
    return parts


def _speed(results: Path) -> list[str]:
    """Return the section on speed, a table for each file that there is."""
    parts: list[str] = []
    for text, header, rows in sections(results):
        if not parts:
            parts.append("## Images: a step of the update, in seconds and bytes\n")
        parts += [f"{text}\n", _table(header, rows)]
    return parts


def _theory(results: Path) -> list[str]:
    """Return the section on theory, a table for each kind of method that there are files of."""
    parts: list[str] = []
    for kind, (text, columns) in THEORY.items():
        found = [json.loads(path.read_text()) for path in sorted(results.glob(f"theory-{kind}-*.json"))]
        if not found:
            continue
        if not parts:
            parts.append(f"## {found[0]['benchmark']}\n")
        header, rows = ["method", "seeds", *columns.values()], [_row(result, list(columns)) for result in found]
        if "bound" in columns:
            header.append("seeds where its conditions hold")
            for row, result in zip(rows, found, strict=True):
                row.append(str(sum(run["holds"] for run in result["runs"])))
        parts += [f"{text}\n", _table(header, rows)]
        parts.append("Commands:\n\n" + "\n".join(f"    {result['command']}" for result in found) + "\n")
    return parts


def _command(result: dict[str, Any]) -> str:
    """Return the command that made a file, with what it was of where the method has changed since."""
    superseded = result.get("superseded")
    return str(result["command"]) + (f"  # {superseded}" if superseded else "")


def _row(result: dict[str, Any], keys: list[str]) -> list[str]:
    cells = [result["method"], str(len(result["runs"]))]
    for key in keys:
        summary = result["summary"].get(key)
        if summary is None:
            cells.append("—")
        else:
            median = summary["median"]
            cells.append(f"{_number(median['value'])} [{_number(median['low'])}, {_number(median['high'])}]")
    return cells


def _rounds(found: list[dict[str, Any]]) -> str:
    keys = {"best": "best", "batch_mean": "batch mean", "feasible": "feasible", "kl": "KL", "coverage": "coverage"}
    rows = []
    for result in found:
        runs = [run["rounds"] for run in result["runs"] if "rounds" in run]
        for at in range(min((len(run) for run in runs), default=0)):
            cells = [result["method"], str(at + 1), str(round(_median([run[at]["labels"] for run in runs]) or 0))]
            for key in keys:
                value = _median([run[at][key] for run in runs if run[at].get(key) is not None])
                cells.append("—" if value is None else _number(value))
            rows.append(cells)
    return _table(["method", "round", "labels", *keys.values()], rows)


def _median(values: list[float]) -> float | None:
    if not values:
        return None
    ordered, middle = sorted(values), len(values) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 20 or (value == int(value) and value > 1) else f"{value:.3f}"


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(page(Path(sys.argv[1])))
