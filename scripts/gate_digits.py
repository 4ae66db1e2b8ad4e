"""Measure the MNIST prior against the data: does it draw digits, the ones asked for, in all their variety?

    python scripts/gate_digits.py --results benchmarks/results/mnist_prior.json --grid digits.png

Beside each number of the model stands the same number of held-out data, and beside the distance of features from the
data the distance between two halves of the data, which is what is left when nothing is wrong.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from pathlib import Path
from typing import Any

import torch

from seiko.diffusion import Noise, draw
from seiko.imaging import to_png
from seiko.imaging.digits import DIGITS, digit_classifier
from seiko.metrics import frechet_distance, wasserstein_distances
from seiko.models import ModelPolicy, PixelImage, PixelImageSource
from seiko.oracles.images.digits import stroke_thickness
from seiko.oracles.images.jpeg import jpeg_kilobytes
from seiko_bench.images.data import held_out_digits

WIDE = 500  # images drawn at a time


@torch.no_grad()
def drawn(model: PixelImage, prompts: list[str | None], seed: int) -> torch.Tensor:
    """Return the pixels of one image for each prompt, rounded to grey levels as a file would be."""
    noise, labels = Noise.seeded(seed, len(prompts)), model.encode(prompts)
    parts = []
    for i in range(0, len(prompts), WIDE):
        x_0 = draw(ModelPolicy(model), None if labels is None else labels[i : i + WIDE], noise[i : i + WIDE])
        parts.append((model.decode(x_0) * 255).round() / 255)
    return torch.cat(parts)


@torch.no_grad()
def describe(pixels: torch.Tensor, asked: torch.Tensor | None) -> dict[str, Any]:
    """Return what images are like; `asked` are their classes."""
    found = digit_classifier()(pixels).log_softmax(1)
    likeliest = found.argmax(1)
    thickness = [value for image in pixels if (value := stroke_thickness(image)) is not None]
    result: dict[str, Any] = {
        "images": len(pixels),
        "confident": float((found.max(1).values.exp() > 0.8).float().mean()),
        "log_probability_of_likeliest": float(found.max(1).values.mean()),
        "classes": [round(float((likeliest == digit).float().mean()), 4) for digit in range(10)],
        "thickness": _spread(torch.tensor(thickness)),
        "intensity": _spread(pixels.flatten(1).mean(1)),
        "kilobytes": _spread(torch.tensor([jpeg_kilobytes(image) for image in pixels])),
        "pixel_std": float(pixels.std(0).mean()),
        "empty": len(pixels) - len(thickness),
    }
    if asked is not None:
        result["accuracy"] = float((likeliest == asked).float().mean())
        result["log_probability"] = float(found[torch.arange(len(asked)), asked].mean())
        result["accuracy_by_class"] = [
            round(float((likeliest == digit)[asked == digit].float().mean()), 3) for digit in range(10)
        ]
    return result


def _spread(values: torch.Tensor) -> dict[str, float]:
    low, middle, high = values.quantile(torch.tensor([0.1, 0.5, 0.9])).tolist()
    return {"mean": float(values.mean()), "std": float(values.std()), "p10": low, "p50": middle, "p90": high}


@torch.no_grad()
def distances(pixels: torch.Tensor, reference: torch.Tensor) -> dict[str, float]:
    """Return how far two sets of images are apart."""
    a, b = (digit_classifier().features(images) for images in (pixels, reference))
    simple = [torch.stack([images.flatten(1).mean(1), _thick(images)], 1) for images in (pixels, reference)]
    apart = wasserstein_distances(simple[0], simple[1], ["intensity", "thickness"])
    return {"frechet_features": frechet_distance(a, b)} | {f"wasserstein_{key}": value for key, value in apart.items()}


def _thick(images: torch.Tensor) -> torch.Tensor:
    return torch.tensor([stroke_thickness(image) or float("nan") for image in images])


def grid(pixels: torch.Tensor, columns: int) -> torch.Tensor:
    """Return images side by side, with a white line between."""
    padded = torch.nn.functional.pad(pixels, (1, 1, 1, 1), value=1.0)
    rows = [torch.cat(list(row), 2) for row in torch.split(padded, columns)]
    return torch.cat(rows, 1)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="seiko:mnist")
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--num-steps", type=int, nargs="+", default=[15, 20, 50])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results", type=Path, help="where the measured numbers are written")
    parser.add_argument("--grid", type=Path, help="where 100 images are drawn, ten of each class")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    images, labels = held_out_digits()
    count = arguments.samples
    first, second = (slice(0, count), slice(count, 2 * count))
    source = PixelImageSource(name=arguments.model)
    weights = source.locate() / "unet" / "diffusion_pytorch_model.safetensors"
    found: dict[str, Any] = {
        "model": arguments.model,
        "weights_sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "seed": arguments.seed,
        "data": describe(images[first], labels[first]),
        "halves_of_the_data": distances(images[first], images[second]),
    }
    for num_steps in arguments.num_steps:
        model = PixelImageSource(name=arguments.model, num_steps=num_steps).load()
        asked = [DIGITS[i % 10] for i in range(count)]
        started = time.monotonic()
        pixels = drawn(model, list(asked), arguments.seed)
        seconds = time.monotonic() - started
        free = drawn(model, [None] * (count // 2), arguments.seed + 1)
        found[f"steps_{num_steps}"] = {
            "seconds": round(seconds, 1),
            "by_class": describe(pixels, torch.tensor([int(digit) for digit in asked]))
            | {"distance": distances(pixels, images[second])},
            "without_class": describe(free, None) | {"distance": distances(free, images[second])},
        }
        if arguments.grid:
            path = arguments.grid.with_stem(f"{arguments.grid.stem}-{num_steps}")
            path.write_bytes(to_png(grid(pixels[:100], 10)))
    text = json.dumps(found, indent=1) + "\n"
    print(text)
    if arguments.results:
        arguments.results.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
