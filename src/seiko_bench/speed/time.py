"""Seconds of a step, the three ways by turns in one process, and how well their gradients agree."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import torch

from seiko_bench.speed.setting import Setting
from seiko_bench.speed.ways import OURS, Spent, Theirs, floor, ours, timed

__all__ = ["measure_time"]


def measure_time(setting: Setting, turns: int) -> dict[str, Any]:
    """Return seconds, ratios and relative differences of the gradients.

    Args:
        setting: What is timed.
        turns: Measurements of each way; the quickest counts, since others can only slow a process down.
    """
    subject = setting.build()
    theirs = Theirs(subject)
    found: dict[str, list[Spent]] = {"theirs": [], "floor": [], **{name: [] for name in OURS}}
    differences: dict[str, float] = {}
    for _ in range(turns):
        subject.clear()
        found["theirs"].append(timed(theirs.step))
        expected = subject.gradient()
        found["floor"].append(floor(subject))
        for name, update in OURS.items():
            subject.clear()
            found[name].append(timed(lambda update=update: ours(subject, update)))  # type: ignore[misc]
            difference = (subject.gradient() - expected).norm() / expected.norm()
            differences[name] = max(differences.get(name, 0.0), float(difference))
    best = {name: min(spent, key=lambda s: s.processor) for name, spent in found.items()}
    return {
        "parameters": sum(p.numel() for p in subject.model.pipeline.unet.parameters()),
        "adapters": sum(p.numel() for p in subject.model.versions.parameters()),
        "steps": setting.steps,
        "window": setting.window,
        "samples": setting.samples,
        "threads": torch.get_num_threads(),
        "seconds": {name: asdict(spent) for name, spent in best.items()},
        "turns": {name: [asdict(one) for one in spent] for name, spent in found.items()},
        "gradient_difference": differences,
        "gradient_norm": float(subject.gradient().norm()),
        "of_theirs": {name: best[name].processor / best["theirs"].processor for name in OURS},
        "of_floor": {name: best[name].processor / best["floor"].processor for name in OURS},
    }
