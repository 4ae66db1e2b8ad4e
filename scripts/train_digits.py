"""Train the pixel prior that travels in the package: MNIST, 28 by 28, with and without a class.

    python scripts/train_digits.py --out src/seiko/priors/mnist

Ctrl-C stops it at the last checkpoint; the same command goes on from there. `scripts/gate_digits.py` measures it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from seiko import data
from seiko.models.pixel_pretrain import PixelPretraining
from seiko.models.pretrain import PretrainProgress
from seiko_bench.images.data import training_digits


def main() -> None:
    """Train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("src/seiko/priors/mnist"))
    parser.add_argument("--steps", type=int, default=6400)
    parser.add_argument("--until", type=int, help="end here, before the rate has fallen to 0")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=1.5e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    images, labels = training_digits()
    training = PixelPretraining(
        steps=arguments.steps,
        until=arguments.until,
        batch=arguments.batch,
        learning_rate=arguments.learning_rate,
        seed=arguments.seed,
    )
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as bar:
        task = bar.add_task("training", total=training.steps)

        def report(progress: PretrainProgress) -> None:
            text = f"loss {progress.loss:.4f}, validation {progress.validation:.4f}, {progress.seconds:.0f} s"
            bar.update(task, completed=progress.step, description=text)
            if not bar.console.is_terminal:
                print(f"step {progress.step}/{training.steps}: {text}", flush=True)

        provenance = {
            "script": "scripts/train_digits.py",
            "data": f"{len(images)} training images of MNIST (LeCun, Cortes, Burges; CC BY-SA 3.0)",
            "data_sha256": next(d.sha256[0] for d in data.list_datasets() if d.name == "mnist-train"),
        }
        try:
            found = training.run(
                images, labels, tuple("0123456789"), arguments.out, provenance=provenance, report=report
            )
        except KeyboardInterrupt:
            raise SystemExit(f"stopped; the same command goes on from {arguments.out / 'checkpoint.pt'}") from None
    print(f"validation {found:.4f} (mean squared error of v)")


if __name__ == "__main__":
    main()
