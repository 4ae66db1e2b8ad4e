"""Measure reward models on TF Bind 8: ranking, calibration and time from a few hundred labels.

Labels are uniform random draws, so nothing here depends on a campaign: `low` draws n sequences from the lower half of
the affinities (the first round of a run whose prior was trained on them), `mixed` draws 200 from the lower half and 300
from the top fifth (a later round). The belief is then compared with all 65,536 measured values.

    python benchmarks/reward_models.py --out benchmarks/results/reward_models.json [--seeds 3] [--quick]

Data: `SEIKO_DATA` must name the folder with `tfbind8_six6_ref_r1.npz`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from seiko.metrics import top_k_mean
from seiko.rewards import (
    CNN,
    MLP,
    Ensemble,
    LastLayer,
    Learned,
    OneHot,
    ReverseComplement,
    RewardModel,
    SpacedPairs,
    Windows,
    calibration,
    spearman,
)

SCENARIOS: dict[str, tuple[int, int]] = {
    "low100": (100, 0),
    "low300": (300, 0),
    "low500": (500, 0),
    "mixed500": (200, 300),
}


def models() -> dict[str, RewardModel]:
    """Return the configurations under comparison."""
    strands, letters = ReverseComplement(), OneHot(vocabulary=4)
    return {
        "ensemble mlp": Ensemble(network=MLP(feature=letters)),
        "ensemble mlp, both strands": Ensemble(network=MLP(feature=letters), symmetry=strands),
        "ensemble cnn, both strands": Ensemble(network=CNN(vocabulary=4), symmetry=strands),
        "last layer one-hot, both strands": LastLayer(features=letters, symmetry=strands),
        "last layer learned mlp, both strands": LastLayer(
            features=Learned(network=MLP(feature=letters)), symmetry=strands
        ),
        "last layer learned cnn, both strands": LastLayer(
            features=Learned(network=CNN(vocabulary=4)), symmetry=strands
        ),
        "last layer windows 6, both strands": LastLayer(features=Windows(vocabulary=4, widths=(6,)), symmetry=strands),
        "last layer windows 2 4 6": LastLayer(features=Windows(vocabulary=4)),
        "last layer windows 2 4 6, both strands": LastLayer(features=Windows(vocabulary=4), symmetry=strands),
        "last layer spaced pairs, both strands": LastLayer(features=SpacedPairs(vocabulary=4), symmetry=strands),
    }


def space() -> tuple[Tensor, Tensor]:
    """Return all 8-mers and their affinities, in the order of the table."""
    folder = os.environ.get("SEIKO_DATA")
    if not folder:
        raise SystemExit("SEIKO_DATA must name the folder with tfbind8_six6_ref_r1.npz")
    with np.load(Path(folder) / "tfbind8_six6_ref_r1.npz") as arrays:
        y = torch.from_numpy(arrays["y_table"])
    return torch.cartesian_prod(*[torch.arange(4)] * 8), y


def draw(y: Tensor, low: int, top: int, seed: int) -> Tensor:
    """Return the indices of the labelled sequences: from the lower half and from the top fifth."""
    generator = torch.Generator().manual_seed(seed)
    pools = [(y <= y.median(), low), (y >= y.quantile(0.8), top)]
    chosen = []
    for pool, count in pools:
        indices = pool.nonzero()[:, 0]
        chosen.append(indices[torch.randperm(len(indices), generator=generator)[:count]])
    return torch.cat(chosen)


def measure(model: RewardModel, x: Tensor, y: Tensor, labelled: Tensor, seed: int) -> dict[str, float]:
    """Fit the labels and compare the belief with the whole space."""
    start = time.perf_counter()
    belief = model.fit(x[labelled], y[labelled], None, seed)
    fitted = time.perf_counter()
    with torch.no_grad():
        posterior = belief.posterior(x)
    done = time.perf_counter()
    std = (posterior.std.square() + belief.report.residual_std**2).sqrt()
    whole = calibration(posterior.mean, std, y)
    best = y >= y.quantile(0.9)
    held_out = belief.report.held_out
    return {
        "spearman": whole.spearman,
        "pearson": float(torch.corrcoef(torch.stack([posterior.mean.double(), y.double()]))[0, 1]),
        "spearman_top_tenth": spearman(posterior.mean[best], y[best]),
        "mean_of_top_1000": float(y[posterior.mean.topk(1000).indices].mean()),
        "coverage": whole.coverage,
        "held_out_coverage": held_out.coverage if held_out else float("nan"),
        "mean_std": float(posterior.std.mean()),
        "residual_std": belief.report.residual_std,
        "std_scale": belief.report.std_scale,
        "fit_seconds": fitted - start,
        "posterior_seconds": done - fitted,
    }


def rows(seeds: int, quick: bool) -> Iterator[dict[str, object]]:
    """Yield one row a model and scenario, means over seeds."""
    x, y = space()
    for scenario, (low, top) in SCENARIOS.items():
        if quick and scenario not in ("low300", "mixed500"):
            continue
        for name, model in models().items():
            found = [measure(model, x, y, draw(y, low, top, seed), seed) for seed in range(seeds)]
            row = {key: round(sum(f[key] for f in found) / seeds, 4) for key in found[0]}
            print(f"{scenario} {name}: {row}", file=sys.stderr, flush=True)
            yield {"scenario": scenario, "model": name, "seeds": seeds, **row}


def main() -> None:
    """Measure and write JSON to a file or to standard output."""
    parser = argparse.ArgumentParser(description="Measure reward models on TF Bind 8.")
    parser.add_argument("--seeds", type=int, default=3, help="draws of labels that are averaged")
    parser.add_argument("--quick", action="store_true", help="two scenarios instead of four")
    parser.add_argument("--out", type=Path, default=None, help="JSON file; standard output without it")
    arguments = parser.parse_args()
    _, y = space()
    best = {"space": {"mean": float(y.double().mean()), "mean_of_top_1000": top_k_mean(y, 1000)}}
    text = json.dumps({**best, "rows": list(rows(arguments.seeds, arguments.quick))}, indent=2)
    if arguments.out is None:
        print(text)
    else:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
