"""What a regression sees of an image: a small network on its pixels, or a frozen one that knows digits.

    PixelCNN       convolutions that halve the image, then pooled or flattened: a body for `Ensemble` and `Learned`
    DigitFeatures  hidden layer of the digit classifier that travels with the MNIST prior

Both take pixels in [0, 1], `[n, c, h, w]`, and pass the gradient on: through a model's `decode` it reaches the chain.
With few labels the mean over the image is the better summary (strokes and texture are the same everywhere); where the
place matters, flatten.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from seiko.rewards.network import Parameters, dense, dense_parameters

__all__ = ["DigitFeatures", "PixelCNN"]

_KERNEL = 3


@dataclass(frozen=True, kw_only=True)
class PixelCNN:
    """Convolutions of stride 2 over pixels, one stack a member, then a hidden layer.

    Args:
        channels: Of each convolution; each halves height and width.
        pooling: ``"mean"`` and spread over the last map, or ``"flatten"``: every place for itself.
        hidden: Width of the hidden layer.
        dropout: Share of the hidden layer switched off in training.
    """

    channels: tuple[int, ...] = (8, 16, 16)
    pooling: Literal["mean", "flatten"] = "mean"
    hidden: int = 32
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if not self.channels or min(self.channels) < 1:
            raise ValueError(f"channels must be positive, got {self.channels}")
        if self.hidden < 1:
            raise ValueError(f"hidden must be positive, got {self.hidden}")
        if self.pooling not in ("mean", "flatten"):
            raise ValueError(f"pooling must be 'mean' or 'flatten', got {self.pooling!r}")
        if not 0.0 <= self.dropout < 1.0:
            raise ValueError(f"dropout must lie in [0, 1), got {self.dropout}")

    def prepare(self, images: Tensor) -> Tensor:
        """Return `[n, images, c, h, w]` in [-1, 1].

        Raises:
            ValueError: If a state is no image, or too small for as many convolutions.
        """
        if images.ndim != 5:
            raise ValueError(f"PixelCNN needs images [n, c, h, w], got states of shape {list(images.shape[2:])}")
        if min(images.shape[-2:]) < 2 ** (len(self.channels) - 1):
            raise ValueError(
                f"images of {images.shape[-2]} x {images.shape[-1]} pixels cannot be halved {len(self.channels)} "
                "times: take fewer channels"
            )
        return 2 * images - 1

    def init(self, prepared: Tensor, members: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Draw the parameters of all members."""
        parameters: dict[str, Tensor] = {}
        widths, height, width = (prepared.shape[2], *self.channels), prepared.shape[3], prepared.shape[4]
        for layer, (inputs, outputs) in enumerate(zip(widths, self.channels, strict=False)):
            scale = math.sqrt(2 / (inputs * _KERNEL**2))
            shape = (members, outputs, inputs, _KERNEL, _KERNEL)
            parameters[f"conv{layer}"] = torch.randn(shape, generator=generator) * scale
            parameters[f"conv{layer}.bias"] = torch.randn(members, outputs, generator=generator) * 0.1
            height, width = -(-height // 2), -(-width // 2)
        last = self.channels[-1]
        inputs = 2 * last if self.pooling == "mean" else last * height * width
        return parameters | dense_parameters("dense", inputs, self.hidden, members, generator)

    def body(self, parameters: Parameters, prepared: Tensor) -> Float[Tensor, "members n images width"]:
        """Return the hidden layer of each image."""
        members = len(parameters["conv0"])
        h = prepared.flatten(0, 1)
        for layer in range(len(self.channels)):
            weight = parameters[f"conv{layer}"].to(h.dtype).flatten(0, 1)
            bias = parameters[f"conv{layer}.bias"].to(h.dtype).flatten()
            # the first layer sees one image for all members, the others each their own member's map
            groups = 1 if layer == 0 else members
            h = functional.conv2d(h, weight, bias, stride=2, padding=1, groups=groups).relu()
        h = torch.unflatten(h, 1, (members, self.channels[-1])).flatten(3)
        if self.pooling == "mean":
            variance = h.var(3, correction=0)
            h = torch.cat([h.mean(3), (variance + 1e-6).sqrt()], dim=2)
        h = torch.unflatten(h.flatten(2).transpose(0, 1), 1, prepared.shape[:2])
        return dense(parameters, "dense", h).relu()


@dataclass(frozen=True, kw_only=True)
class DigitFeatures:
    """Hidden layer of a frozen digit classifier, followed by a constant 1.

    Args:
        model: Prior beside which the classifier lies.
    """

    model: str = "seiko:mnist"

    def __call__(self, x: Tensor) -> Float[Tensor, "n d"]:
        """Return `[n, 65]` of grey images in [0, 1]; differentiable.

        Raises:
            FileNotFoundError: If that model has no classifier.
        """
        from seiko.imaging.digits import digit_classifier

        phi = digit_classifier(self.model).features(x)
        return torch.cat([phi, torch.ones_like(phi[:, :1])], dim=1)
