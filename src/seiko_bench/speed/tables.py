"""The tables on speed for the page of results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["sections"]

_WAYS = {
    "theirs": "pattern of the authors' code",
    "kept-none": "ours, no activation kept (the recipe's)",
    "kept-one": "ours, those of the last step kept",
    "kept-all": "ours, all of the window's kept",
    "floor": "floor",
}


def sections(results: Path) -> list[tuple[str, list[str], list[list[str]]]]:
    """Return (text, header, rows) of each table that there is a file of."""
    made = []
    for name, make in (("time", _time), ("memory", _memory), ("sizes", _sizes), ("full", _full)):
        path = results / f"speed-{name}.json"
        if path.is_file():
            written = json.loads(path.read_text())
            text, header, rows = make(written["runs"][0])
            made.append((f"{text} Command: `{written['command']}`.", header, rows))
    return made


def _time(run: dict[str, Any]) -> tuple[str, list[str], list[list[str]]]:
    text = (
        f"A U-Net of {run['parameters'] / 1e6:.0f} M parameters, {run['steps']} steps, window {run['window']}, "
        f"{run['samples']} image, {run['threads']} thread; processor seconds, the best of turns."
    )
    rows = []
    for way, words in _WAYS.items():
        spent = run["seconds"][way]["processor"]
        ratios = [run[of].get(way) for of in ("of_theirs", "of_floor")]
        difference = run["gradient_difference"].get(way)
        rows.append(
            [
                words,
                f"{spent:.1f}",
                *("—" if ratio is None else f"{ratio:.2f}" for ratio in ratios),
                "—" if difference is None else f"{difference:.1e}",
            ]
        )
    return text, ["way", "seconds a step", "of theirs", "of the floor", "gradient, relative difference"], rows


def _memory(run: dict[str, Any]) -> tuple[str, list[str], list[list[str]]]:
    text = "The same step: resident memory at its largest less that of the bare process, a process each."
    rows = []
    for way, words in _WAYS.items():
        ratios = [run[of].get(way) for of in ("of_theirs", "of_floor")]
        rows.append(
            [words, f"{run['held'][way] / 1e9:.2f}", *("—" if ratio is None else f"{ratio:.2f}" for ratio in ratios)]
        )
    return text, ["way", "GB", "of theirs", "of the floor"], rows


def _sizes(run: dict[str, Any]) -> tuple[str, list[str], list[list[str]]]:
    text = (
        "Published sizes, counted without computing: U-Net alone, single precision, one image under guidance, GB. "
        "Autoencoder, text encoders and reward model come to it in each way alike."
    )
    keys = ("weights", "graph_both", "ours", "theirs", "floor")
    rows = [
        [
            {"sd15": "Stable Diffusion 1.5", "sdxl": "Stable Diffusion XL"}[name],
            f"{one['parameters'] / 1e6:.0f} M",
            *(f"{one[key] / 1e9:.1f}" for key in keys),
            f"{one['of_theirs']:.2f}",
            f"{one['of_floor']:.2f}",
        ]
        for name, one in run.items()
        if name in ("sd15", "sdxl")
    ]
    header = [
        "model",
        "parameters",
        "weights",
        "graph of a pass",
        "ours",
        "theirs",
        "floor",
        "of theirs",
        "of the floor",
    ]
    return text, header, rows


def _full(run: dict[str, Any]) -> tuple[str, list[str], list[list[str]]]:
    text = (
        "One step of the update on Stable Diffusion 1.5's full size with random weights (text encoder, U-Net with "
        "LoRA, autoencoder in the gradient), 512 pixels, 2 denoising steps, window 1, single precision, one thread."
    )
    row = [f"{run['parameters'] / 1e6:.0f} M", f"{run['before_step'] / 1e9:.1f}", f"{run['peak'] / 1e9:.1f}"]
    return (
        text,
        ["U-Net", "GB before the step", "GB at the peak", "processor seconds"],
        [[*row, f"{run['processor_seconds']:.0f}"]],
    )
