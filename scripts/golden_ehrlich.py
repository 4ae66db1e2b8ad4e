"""Dump Ehrlich functions of pytorch-holo with their values, the reference of tests/golden/test_ehrlich_holo.py.

Run it where pytorch-holo 0.0.5 is installed (its own environment: it pins an older numpy); seiko is not needed:

    python -m venv holo && holo/bin/pip install torch pytorch-holo==0.0.5
    holo/bin/python scripts/golden_ehrlich.py tests/golden/ehrlich_holo.json

Four instances, about 200 sequences each: uniform ones (mostly infeasible), draws from the Markov chain, and the optimum
with 0 to L/2 letters replaced, half of the time by a repeat of the letter before, which is always a legal transition.
A value of null stands for minus infinity (infeasible).
"""

from __future__ import annotations

import argparse
import json
import math
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from holo.test_functions.closed_form import Ehrlich

__all__ = ["dump", "main"]

INSTANCES: list[dict[str, Any]] = [
    {"num_states": 32, "dim": 32, "num_motifs": 2, "motif_length": 4, "quantization": 4, "random_seed": 0},
    {"num_states": 20, "dim": 24, "num_motifs": 3, "motif_length": 4, "quantization": 2, "random_seed": 1},
    {
        "num_states": 8,
        "dim": 16,
        "num_motifs": 2,
        "motif_length": 4,
        "quantization": 4,
        "epistasis_factor": 0.5,
        "random_seed": 2,
    },
    {
        "num_states": 10,
        "dim": 30,
        "num_motifs": 3,
        "motif_length": 6,
        "quantization": 3,
        "epistasis_factor": 1.5,
        "random_seed": 3,
    },
]


def near_optimal(function: Any, n: int, generator: torch.Generator) -> torch.Tensor:
    """Return the optimum with a growing number of letters replaced, `[n, L]`."""
    length = function.dim
    sequences = function.optimal_solution().repeat(n, 1)
    for row in range(n):
        for _ in range((row * (length // 2)) // n):
            position = int(torch.randint(1, length, (1,), generator=generator))
            if torch.rand(1, generator=generator) < 0.5:
                sequences[row, position] = sequences[row, position - 1]
            else:
                sequences[row, position] = torch.randint(function.num_states, (1,), generator=generator)
    return sequences


def dump(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return one instance, its sequences and pytorch-holo's values as plain data."""
    function = Ehrlich(**parameters)
    generator = torch.Generator().manual_seed(17)
    sequences = torch.cat(
        [
            torch.randint(function.num_states, (20, function.dim), generator=generator),
            function.initial_solution(60),
            near_optimal(function, 120, generator),
        ]
    )
    values = function.evaluate_true(sequences).tolist()
    return {
        "parameters": parameters,
        "motifs": [motif.tolist() for motif in function.motifs],
        "spacings": [spacing.tolist() for spacing in function.spacings],
        "banned": torch.nonzero(function.transition_matrix == 0).tolist(),
        "optimal": function.optimal_solution().tolist(),
        "sequences": sequences.tolist(),
        "values": [value if math.isfinite(value) else None for value in values],
    }


def main() -> None:
    """Write the file named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("out", type=Path)
    out: Path = parser.parse_args().out
    data = {"pytorch-holo": version("pytorch-holo"), "instances": [dump(parameters) for parameters in INSTANCES]}
    out.write_text(json.dumps(data, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
