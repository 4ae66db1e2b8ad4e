"""Train the digit classifier that travels beside the MNIST prior.

    python scripts/train_digit_classifier.py --out src/seiko/priors/mnist

On MNIST's training images, each shifted by up to two pixels; labels are smoothed so that a clear digit and a very clear
one still differ. Its accuracy on the test images is written beside it.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch
from safetensors.torch import save_file

from seiko import data
from seiko.imaging.digits import CLASSIFIER, DigitClassifier
from seiko_bench.images.data import held_out_digits, training_digits


def shifted(images: torch.Tensor, generator: torch.Generator, most: int = 2) -> torch.Tensor:
    """Return a batch, each image moved by up to `most` pixels."""
    padded = torch.nn.functional.pad(images, (most,) * 4)
    corners = torch.randint(2 * most + 1, (len(images), 2), generator=generator).tolist()
    return torch.stack([image[:, r : r + 28, c : c + 28] for image, (r, c) in zip(padded, corners, strict=True)])


def main() -> None:
    """Train and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("src/seiko/priors/mnist"))
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--smoothing", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(arguments.seed)
    images, labels = training_digits()
    images = images.float() / 255
    classifier, generator = DigitClassifier(), torch.Generator().manual_seed(arguments.seed)
    optimiser = torch.optim.AdamW(classifier.parameters(), lr=arguments.learning_rate)
    steps = arguments.epochs * (len(images) // arguments.batch)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    started = time.monotonic()
    for epoch in range(arguments.epochs):
        order = torch.randperm(len(images), generator=generator)
        for rows in torch.split(order, arguments.batch)[: len(images) // arguments.batch]:
            logits = classifier(shifted(images[rows], generator))
            loss = torch.nn.functional.cross_entropy(logits, labels[rows], label_smoothing=arguments.smoothing)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            cosine.step()
        print(
            f"epoch {epoch + 1}/{arguments.epochs}: loss {float(loss.detach()):.4f}, {time.monotonic() - started:.0f} s"
        )
    with torch.no_grad():
        x, y = held_out_digits()
        found = torch.cat([classifier(part) for part in torch.split(x, 1000)]).log_softmax(1)
    arguments.out.mkdir(parents=True, exist_ok=True)
    weights = {name: value.half().contiguous() for name, value in classifier.state_dict().items()}
    save_file(weights, arguments.out / CLASSIFIER)
    side = {
        "script": "scripts/train_digit_classifier.py",
        "data_sha256": next(d.sha256[0] for d in data.list_datasets() if d.name == "mnist-train"),
        "epochs": arguments.epochs,
        "smoothing": arguments.smoothing,
        "seed": arguments.seed,
        "test_accuracy": float((found.argmax(1) == y).float().mean()),
        "test_log_probability": float(found[torch.arange(len(y)), y].mean()),
    }
    (arguments.out / "classifier.json").write_text(json.dumps(side, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(side, indent=2))


if __name__ == "__main__":
    main()
