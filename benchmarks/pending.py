"""What is made of designs that wait for their labels, when a second batch is chosen beside the first.

    python benchmarks/pending.py --seeds 8 --out benchmarks/results/pending.json

TF Bind 8 by screening (the model is left as it is): in each of four rounds 25 designs are asked for, and 25 more while
those wait; then all are labelled. Printed are means over seeds with their standard errors: the best ten and hundred of
the 200 labels, the labels of the second batches, and how far each of their designs is from the nearest of the first
(positions of eight).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import tempfile
from pathlib import Path

import torch

from seiko.campaign import Believer, Campaign, Foresight, LocalPenalisation
from seiko_recipes.sequences import tfbind8

WAYS: dict[str, Foresight | None] = {
    "nothing": None,
    "believer": Believer(),
    "local penalisation": LocalPenalisation(),
}


def main() -> None:
    """Run each way with each seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--size", type=int, default=25)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/pending.json"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows: list[dict[str, float | str | int]] = []
    for seed in range(arguments.seeds):
        for name, way in WAYS.items():
            rows.append({"pending": name, "seed": seed} | _run(way, seed, arguments.size, arguments.rounds))
            print(rows[-1], flush=True)
            arguments.out.write_text(json.dumps(rows, indent=1) + "\n")
    for name in WAYS:
        words = []
        for key in ("top10", "top100", "second", "apart"):
            found = [float(row[key]) for row in rows if row["pending"] == name]
            error = statistics.stdev(found) / len(found) ** 0.5 if len(found) > 1 else 0.0
            words.append(f"{key} {statistics.mean(found):.3f} ± {error:.3f}")
        print(f"{name}: {', '.join(words)}")


def _run(way: Foresight | None, seed: int, size: int, rounds: int) -> dict[str, float]:
    recipe = tfbind8(budget=2 * size * rounds, rounds=rounds, seed=seed, update="none")
    recipe = dataclasses.replace(recipe, pending=way, look=50, stop=())
    assert recipe.oracle is not None
    values: list[float] = []
    second: list[float] = []
    apart: list[float] = []
    with tempfile.TemporaryDirectory() as folder, Campaign.open(Path(folder) / "run", recipe) as campaign:
        for _ in range(rounds):
            batches = [campaign.ask(size), campaign.ask(size, another=True)]
            for batch in batches:
                labels = recipe.oracle([query.design for query in batch])
                campaign.tell({query.id: label for query, label in zip(batch, labels, strict=True)})
                values += [label.value for label in labels if label.value is not None]
            second += values[-size:]
            x, z = (campaign.model.ingest([query.design for query in batch]) for batch in batches)
            apart += campaign.model.distance(z, x).amin(1).tolist()
            campaign.advance()
    best = sorted(values, reverse=True)
    return {
        "top10": statistics.mean(best[:10]),
        "top100": statistics.mean(best[:100]),
        "second": statistics.mean(second[size:]),  # in the first round nothing is believed
        "apart": statistics.mean(apart[size:]),
    }


if __name__ == "__main__":
    main()
