"""Small networks with a leading member dimension: all members of an ensemble in one batched product.

A network is frozen configuration. `init` draws the parameters of all members, `prepare` does once what needs no
parameter, `body` gives the last hidden layer `[members, n, images, width]`. `images` is the orbit of a symmetry, or 1
where the network pools over it, which makes it invariant by construction. A linear head turns the body into a reward.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from seiko.rewards.features import Feature, one_hot

__all__ = ["CNN", "MLP", "Network", "Parameters", "dense", "dense_parameters"]

Parameters = Mapping[str, Tensor]


@runtime_checkable
class Network(Protocol):
    """Configuration of the body of an ensemble."""

    @property
    def dropout(self) -> float:
        """Share of the last hidden layer switched off in training."""
        ...

    def prepare(self, images: Tensor) -> Tensor:
        """Return what the body sees of the orbits `[n, images, *event]`; first dimension n, differentiable."""
        ...

    def init(self, prepared: Tensor, members: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Draw the parameters of all members, each `[members, ...]`, for inputs shaped like `prepared`."""
        ...

    def body(self, parameters: Parameters, prepared: Tensor) -> Float[Tensor, "members n images width"]:
        """Return the last hidden layer."""
        ...


def dense_parameters(
    name: str, inputs: int, outputs: int, members: int, generator: torch.Generator, gain: float = math.sqrt(2.0)
) -> dict[str, Tensor]:
    """Draw weights `[members, inputs, outputs]` with std gain / sqrt(inputs), and small random biases."""
    weight = torch.randn(members, inputs, outputs, generator=generator) * (gain / math.sqrt(max(1, inputs)))
    return {name: weight, f"{name}.bias": torch.randn(members, 1, outputs, generator=generator) * 0.1}


def dense(parameters: Parameters, name: str, x: Tensor, *, shared: bool = False) -> Tensor:
    """Apply each member's affine map, `[members, ..., inputs]` to `[members, ..., outputs]`.

    Args:
        parameters: Of all members.
        name: Of the map.
        x: Inputs; without the member dimension if `shared`.
        shared: Whether all members see the same inputs; then it is one large matrix product.
    """
    weight, bias = parameters[name].to(x.dtype), parameters[f"{name}.bias"].to(x.dtype)
    members, _, outputs = weight.shape
    if shared:
        columns = weight.transpose(0, 1).flatten(1)
        return torch.unflatten(x @ columns + bias.flatten(), -1, (members, outputs)).movedim(-2, 0)
    return torch.unflatten(torch.baddbmm(bias, x.flatten(1, -2), weight), 1, x.shape[1:-1])


def _check_dropout(dropout: float) -> None:
    if not 0.0 <= dropout < 1.0:
        raise ValueError(f"dropout must lie in [0, 1), got {dropout}")


@dataclass(frozen=True, kw_only=True)
class MLP:
    """Multilayer perceptron on a feature; every image of a state passes through it on its own.

    Args:
        feature: What it sees: `OneHot` for sequences, `Identity` for vectors and images.
        hidden: Widths of the hidden layers.
        dropout: Share of the last hidden layer switched off in training.
    """

    feature: Feature
    hidden: tuple[int, ...] = (64, 64)
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if not self.hidden or min(self.hidden) <= 0:
            raise ValueError(f"hidden must be positive widths, got {self.hidden}")
        _check_dropout(self.dropout)

    def prepare(self, images: Tensor) -> Tensor:
        """Return `[n, images, d]` features."""
        return torch.unflatten(self.feature(images.flatten(0, 1)), 0, images.shape[:2])

    def init(self, prepared: Tensor, members: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Draw the parameters of all members."""
        parameters: dict[str, Tensor] = {}
        widths = (prepared.shape[-1], *self.hidden)
        for layer, (inputs, outputs) in enumerate(zip(widths, self.hidden, strict=False)):
            parameters |= dense_parameters(f"dense{layer}", inputs, outputs, members, generator)
        return parameters

    def body(self, parameters: Parameters, prepared: Tensor) -> Float[Tensor, "members n images width"]:
        """Return the last hidden layer of each image."""
        h = prepared
        for layer in range(len(self.hidden)):
            h = dense(parameters, f"dense{layer}", h, shared=layer == 0).relu()
        return h


@dataclass(frozen=True, kw_only=True)
class CNN:
    """Wide filters over all windows and images, pooled over both, then one hidden layer: is the motif anywhere?

    A filter is a soft motif of `width` letters (spaced ones included: a free position has weights near 0). Windows
    overhang the ends by half a width. The soft maximum log mean exp keeps a gradient to every window; `"max"` asks for
    one clear hit, which is right for long sequences.

    Args:
        vocabulary: Number of letters, the mask not counted.
        width: Letters a filter.
        filters: Filters a member.
        hidden: Width of the hidden layer.
        embedding: Dimensions of a learned letter embedding, for large vocabularies; None for one-hot letters.
        pooling: `"softmax"` (log mean exp) or `"max"`.
        dropout: Share of the hidden layer switched off in training.
    """

    vocabulary: int
    width: int = 8
    filters: int = 8
    hidden: int = 16
    embedding: int | None = None
    pooling: Literal["softmax", "max"] = "softmax"
    dropout: float = 0.0

    def __post_init__(self) -> None:
        for name in ("vocabulary", "width", "filters", "hidden"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        if self.pooling not in ("softmax", "max"):
            raise ValueError(f"pooling must be 'softmax' or 'max', got {self.pooling!r}")
        _check_dropout(self.dropout)

    def prepare(self, images: Tensor) -> Tensor:
        """Return padded one-hot letters, `[n, images, V, L + width]`."""
        letters = one_hot(images.flatten(0, 1), self.vocabulary).transpose(1, 2)
        return torch.unflatten(functional.pad(letters, (self.width // 2, self.width // 2)), 0, images.shape[:2])

    def init(self, prepared: Tensor, members: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Draw the parameters of all members."""
        channels = self.vocabulary if self.embedding is None else self.embedding
        # One channel of a one-hot is on, all of an embedding: either way a window's response has a scale of 1.
        fan = self.width if self.embedding is None else self.width * channels
        filters = torch.randn(members * self.filters, channels, self.width, generator=generator) / math.sqrt(fan)
        parameters = {
            "filters": torch.unflatten(filters, 0, (members, self.filters)).contiguous(),
            "filters.bias": torch.randn(members, self.filters, generator=generator) * 0.1,
        }
        if self.embedding is not None:
            parameters["embedding"] = torch.randn(members, self.embedding, self.vocabulary, generator=generator)
        return parameters | dense_parameters("dense", self.filters, self.hidden, members, generator)

    def body(self, parameters: Parameters, prepared: Tensor) -> Float[Tensor, "members n 1 width"]:
        """Return the hidden layer after pooling over windows and images."""
        filters, bias = parameters["filters"].to(prepared.dtype), parameters["filters.bias"].to(prepared.dtype)
        letters, groups = prepared.flatten(0, 1), 1
        if self.embedding is not None:
            letters = parameters["embedding"].to(prepared.dtype).flatten(0, 1) @ letters
            groups = len(filters)
        hits = functional.conv1d(letters, filters.flatten(0, 1), bias.flatten(), groups=groups)
        # [n, members * filters, images * windows]
        hits = torch.unflatten(hits, 0, prepared.shape[:2]).transpose(1, 2).flatten(2)
        pooled = hits.amax(2) if self.pooling == "max" else hits.logsumexp(2) - math.log(hits.shape[2])
        pooled = torch.unflatten(pooled, 1, filters.shape[:2]).transpose(0, 1)
        return dense(parameters, "dense", pooled).relu()[:, :, None]
