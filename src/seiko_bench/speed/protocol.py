"""`seiko bench speed`: what a step of the images' update costs, against the pattern of the authors' code and the floor.

time     seconds of three ways to the same gradient on a U-Net of 50 M parameters, by turns in one process
memory   resident memory of each way on the same U-Net, each in a process of its own
sizes    Stable Diffusion 1.5 and XL as published: weights and graphs counted, and what each way needs of them
full     one step on Stable Diffusion 1.5's full size with random weights: does it fit, and in what?
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seiko.models.random_pipeline import SD15_UNET, SDXL_UNET
from seiko_bench.protocols import Protocol
from seiko_bench.speed.memory import counted, measure_memory, measured
from seiko_bench.speed.setting import MIDDLE, TINY
from seiko_bench.speed.time import measure_time
from seiko_bench.speed.ways import COPIES

__all__ = ["speed"]

TURNS = 2


def speed() -> Protocol:
    """Return the benchmark."""
    return Protocol(
        description="Images: a step of the update, in seconds and bytes",
        methods={"time": _time, "memory": _memory, "sizes": _sizes, "full": _full},
        headline=(
            *(f"of_theirs.{way}" for way in ("kept-none", "kept-one", "kept-all")),
            *(f"of_floor.{way}" for way in ("kept-none", "kept-one", "kept-all")),
        ),
    )


def _time(seed: int, folder: Path, quick: bool) -> dict[str, Any]:
    return measure_time(TINY if quick else MIDDLE, 1 if quick else TURNS) | {"seed": seed}


def _memory(seed: int, folder: Path, quick: bool) -> dict[str, Any]:
    return measure_memory("tiny" if quick else "middle") | {"seed": seed}


def _sizes(seed: int, folder: Path, quick: bool) -> dict[str, Any]:
    """Return counts of the published sizes, bytes, single precision, one image with both halves of guidance.

    Theirs holds five networks and, as each half is computed again apart, the graph of one half; ours one network and
    the graph of both; the floor one network and the graph of both as torch keeps it.
    """
    found: dict[str, Any] = {}
    for name, unet in (("sd15", SD15_UNET), ("sdxl", SDXL_UNET)):
        both, half = counted(unet, 2), counted(unet, 1, frugal=False)
        usual = counted(unet, 2, frugal=False)
        weights = both["weights"]
        theirs, ours = COPIES * weights + half["graph"], weights + both["graph"]
        found[name] = {
            "parameters": both["parameters"],
            "weights": weights,
            "graph_both": both["graph"],
            "graph_both_usual": usual["graph"],
            "graph_half_usual": half["graph"],
            "theirs": theirs,
            "ours": ours,
            "floor": weights + usual["graph"],
            "of_theirs": ours / theirs,
            "of_floor": ours / (weights + usual["graph"]),
        }
    return found | {"seed": seed}


def _full(seed: int, folder: Path, quick: bool) -> dict[str, Any]:
    return measured("tiny" if quick else "full", "kept-none") | {"seed": seed}
