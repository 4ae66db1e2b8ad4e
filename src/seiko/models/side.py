"""A side network: short sequences tuned beside a frozen backbone instead of in it.

    logits(x_t) = backbone(x_t) + side(x_t),        side = MLP on the flattened one-hot state, 0 at the start

The backbone is frozen: no gradient passes through it, and what it says of a state never changes. Where the states are
few enough, (V + 1)^L <= 2^20, each is asked once. On 8-mers a training step is then several times cheaper than one
through the backbone, and the side network, which knows each position by itself, fits a tilted law better in the same
time (`docs/log.md`). For long sequences, where what is learnt at one position must serve at others, choose `LoRA` or
`FullFineTuning`.

References:
    Zhang, Sax, Zamir, Guibas, Malik, "Side-Tuning: A Baseline for Network Adaptation via Additive Side Networks",
    2020, https://arxiv.org/abs/1912.13503.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, cast

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from seiko.models.versions import FullVersions, Versions

__all__ = ["Side", "SideBackbone", "SideNetwork"]

MOST_STATES = 1 << 20  # states whose logits are kept


class Side(nn.Module):
    """A multilayer perceptron from the flattened one-hot state to logits.

    Args:
        length: Positions L.
        letters: Letters V, the mask not counted.
        width: Hidden units of a layer.
        layers: Hidden layers.
    """

    def __init__(self, length: int, letters: int, width: int, layers: int) -> None:
        super().__init__()
        self.length, self.letters, self.width, self.layers = length, letters, width, layers
        hidden: list[nn.Module] = []
        for i in range(layers):
            hidden += [nn.Linear(width if i else length * (letters + 1), width), nn.GELU()]
        last = nn.Linear(width, length * letters)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.stack = nn.Sequential(*hidden, last)

    @property
    def sizes(self) -> dict[str, int]:
        """Width and layers."""
        return {"width": self.width, "layers": self.layers}

    def forward(self, x_t: Tensor) -> Float[Tensor, "b l v"]:
        """Return `[b, L, V]` from letters `[b, L]` or their one-hot relaxation `[b, L, V + 1]`."""
        if not x_t.is_floating_point():
            x_t = torch.nn.functional.one_hot(x_t, self.letters + 1).to(next(self.parameters()).dtype)
        return torch.unflatten(self.stack(x_t.flatten(1)), 1, (self.length, self.letters))


class SideBackbone(nn.Module):
    """A backbone with its side network, as one module: what a tuned model is saved and loaded as.

    Args:
        backbone: Takes states, returns `[b, L, V]` logits.
        side: Added to them.
    """

    backbone: nn.Module
    side: Side

    def __init__(self, backbone: nn.Module, side: Side) -> None:
        super().__init__()
        self.backbone, self.side = backbone, side

    @property
    def shape(self) -> tuple[int, int]:
        """(L, V)."""
        return self.side.length, self.side.letters

    def forward(self, x_t: Tensor) -> Float[Tensor, "b l v"]:
        """Return the sum of both."""
        return cast(Tensor, self.backbone(x_t) + self.side(x_t))


@dataclass(frozen=True, kw_only=True)
class SideNetwork:
    """Tune a side network; the backbone stays as it is.

    Args:
        width: Hidden units of a layer.
        layers: Hidden layers.

    Raises:
        ValueError: If a size is not positive.
    """

    width: int = 512
    layers: int = 2

    def __post_init__(self) -> None:
        for name in ("width", "layers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")

    def attach(self, backbone: nn.Module) -> Versions:
        """Return the versions of a backbone of sequences of one length.

        Raises:
            TypeError: If the backbone does not say how long its sequences are.
        """
        shape = getattr(backbone, "shape", None)
        if shape is None:
            raise TypeError(
                f"SideNetwork needs a model of sequences of one length, got {type(backbone).__name__}: choose LoRA or "
                "FullFineTuning"
            )
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)  # a process that resumes a campaign must start from the same weights
            length, letters = shape
            side = Side(length, letters, self.width, self.layers)
        return _SideVersions(backbone, side.to(next(backbone.parameters()).device))


class _SideVersions(FullVersions):
    """Three versions of the side network, beside one backbone."""

    def __init__(self, frozen: nn.Module, side: Side) -> None:
        super().__init__(side)
        self.frozen = frozen.requires_grad_(False).eval()
        self._remembered = _Remembered(frozen, side.length, side.letters)

    def __call__(self, *args: Any, **kwargs: Any) -> Tensor:
        base = self._remembered(*args)
        return base if self.in_use == "pretrained" else base + super().__call__(*args)

    def merged(self) -> nn.Module:
        return copy.deepcopy(SideBackbone(self.frozen, cast(Side, self.backbone)))


class _Remembered:
    """A frozen backbone that is asked once a state, where there are few states.

    The states are computed in fixed blocks of neighbours, so that a state's logits are the same bits whoever asked for
    it first: a process that resumes must not differ from one that was never killed.
    """

    def __init__(self, backbone: nn.Module, length: int, letters: int) -> None:
        self.backbone, self.length, self.letters = backbone, length, letters
        self.states = (letters + 1) ** length
        self.block = (letters + 1) ** min(3, length)
        self._table: Tensor | None = None
        self._known = torch.zeros(0, dtype=torch.bool)

    def __call__(self, x_t: Tensor) -> Tensor:
        if x_t.is_floating_point() or self.states > MOST_STATES:
            return self.backbone(x_t)  # type: ignore[no-any-return]
        with torch.no_grad():
            codes = (x_t * self._powers(x_t)).sum(-1)
            return self._filled(codes)[codes]

    def _powers(self, like: Tensor) -> Int64[Tensor, "l"]:
        return (self.letters + 1) ** torch.arange(self.length - 1, -1, -1, device=like.device)

    def _filled(self, codes: Int64[Tensor, "b"]) -> Tensor:
        if self._table is None:
            dtype = next(self.backbone.parameters()).dtype
            self._table = torch.empty(self.states, self.length, self.letters, dtype=dtype, device=codes.device)
            self._known = torch.zeros(self.states // self.block, dtype=torch.bool, device=codes.device)
        blocks = torch.unique(codes // self.block)
        for block in blocks[~self._known[blocks]].tolist():
            rows = torch.arange(block * self.block, (block + 1) * self.block, device=codes.device)
            states = rows[:, None] // self._powers(rows) % (self.letters + 1)
            self._table[rows] = self.backbone(states)
            self._known[block] = True
        return self._table
