"""A small classifier of MNIST's digits, which travels in the package: what looks like which digit, and how clearly.

    logits(x) = W h(x) + b,      h: three convolutions and a dense layer, 64 features

It answers three questions: how clearly is this the digit asked for (an oracle), are these samples still digits (a
metric), and how far are their features from the data's (another). It was trained on MNIST's training images by
`scripts/train_digit_classifier.py`; beyond digits it says nothing.

References:
    LeCun, Bottou, Bengio, Haffner, "Gradient-Based Learning Applied to Document Recognition", Proc. IEEE 86, 1998.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from pathlib import Path

from jaxtyping import Float
from safetensors.torch import load_file
from torch import Tensor, nn

from seiko.priors import prior_folder

__all__ = ["CLASSIFIER", "DIGITS", "DigitClassifier", "digit_classifier", "read_classifier"]

CLASSIFIER = "classifier.safetensors"  # beside the prior's weights
DIGITS = tuple("0123456789")
SIZE = 28


class DigitClassifier(nn.Module):
    """Three convolutions, a dense layer and a linear head.

    Args:
        channels: Of the first convolution; the others have two and four times as many.
    """

    def __init__(self, channels: int = 16) -> None:
        super().__init__()
        widths = (1, channels, 2 * channels, 4 * channels)
        self.body = nn.Sequential(
            *(
                layer
                for inputs, outputs in pairwise(widths)
                for layer in (nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
            )
        )
        self.dense = nn.Linear(4 * channels * 9, 4 * channels)
        self.last = nn.Linear(4 * channels, len(DIGITS))

    def features(self, pixels: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n d"]:
        """Return the last hidden layer of images in [0, 1], 28 pixels high and wide.

        Raises:
            ValueError: If they have another size.
        """
        if tuple(pixels.shape[1:]) != (1, SIZE, SIZE):
            raise ValueError(f"digits are [1, {SIZE}, {SIZE}], got {list(pixels.shape[1:])}")
        return self.dense(self.body(2 * pixels - 1).flatten(1)).relu()  # type: ignore[no-any-return]

    def forward(self, pixels: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n 10"]:
        """Return logits of the ten digits."""
        return self.last(self.features(pixels))  # type: ignore[no-any-return]


@cache
def digit_classifier(name: str = "seiko:mnist") -> DigitClassifier:
    """Return the classifier that travels with a prior, frozen; loaded once a process.

    Raises:
        FileNotFoundError: If there is none beside that model.
    """
    path = prior_folder(name) / CLASSIFIER
    if not path.is_file():
        raise FileNotFoundError(f"{name} has no {CLASSIFIER} beside its weights: take 'seiko:mnist'")
    return read_classifier(path)


def read_classifier(path: Path) -> DigitClassifier:
    """Return the classifier of a file, frozen."""
    state = {key: value.float() for key, value in load_file(path).items()}
    classifier = DigitClassifier(channels=len(state["body.0.weight"]))
    classifier.load_state_dict(state)
    return classifier.requires_grad_(False).eval()
