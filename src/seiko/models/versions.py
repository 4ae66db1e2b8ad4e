"""Three versions of one backbone: pretrained, previous, current.

The update needs all three at once (two anchors and what it moves), and must never copy the backbone for it:

    LoRA            previous and current are adapters on the frozen backbone; pretrained is the backbone without them
    FullFineTuning  three sets of weights, called functionally through one module; for small backbones

`use(name)` is a context manager that always restores what was in use before, which is `current` outside of any. A
version other than `current` never requires a gradient of its weights, but lets the gradient through to its input.
"""

from __future__ import annotations

import copy
import warnings
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

import torch
from torch import Tensor, nn

__all__ = ["FullFineTuning", "FullVersions", "LoRA", "Tuning", "Version", "Versions"]

Version: TypeAlias = Literal["pretrained", "previous", "current"]


@runtime_checkable
class Tuning(Protocol):
    """Frozen configuration: which weights may move."""

    def attach(self, backbone: nn.Module) -> Versions:
        """Return the versions of a backbone, all equal to the pretrained one."""
        ...


class Versions(ABC):
    """The three versions of a backbone, called like the backbone itself."""

    backbone: nn.Module

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.backbone.parameters()).device

    @abstractmethod
    def __call__(self, *args: Any, **kwargs: Any) -> Tensor:
        """Call the backbone under the version in use."""

    @abstractmethod
    def use(self, name: Version) -> Any:
        """Return a context in which calls go to the named version; the one before is restored however it ends."""

    @abstractmethod
    def parameters(self) -> list[nn.Parameter]:
        """Return the weights of `current` that may move."""

    @abstractmethod
    def remember(self) -> None:
        """Make `previous` a copy of `current`."""

    @abstractmethod
    def reset(self) -> None:
        """Make `current` a copy of `pretrained`."""

    @abstractmethod
    def merged(self) -> nn.Module:
        """Return a plain copy of the backbone with the weights of `current`, free of versions."""

    @abstractmethod
    def state_dict(self) -> dict[str, Tensor]:
        """Return a copy of the weights of `current` that may have moved."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Set `current` to saved weights.

        Raises:
            ValueError: If names or shapes are not those of this backbone.
        """


def _check_state(state: dict[str, Tensor], own: dict[str, Tensor]) -> None:
    if unknown := sorted(set(state) ^ set(own)):
        raise ValueError(f"saved weights do not fit this backbone: {unknown[0]!r} is missing on one side")
    for name, value in state.items():
        if value.shape != own[name].shape:
            raise ValueError(
                f"saved weights do not fit this backbone: {name!r} has shape {tuple(value.shape)}, "
                f"expected {tuple(own[name].shape)}"
            )


@dataclass(frozen=True, kw_only=True)
class FullFineTuning:
    """All weights move. Three sets of weights are kept, so it is meant for small backbones."""

    def attach(self, backbone: nn.Module) -> Versions:
        """Return the versions of a backbone; its own parameters become `current`."""
        return FullVersions(backbone)


class FullVersions(Versions):
    """Three sets of weights of one module."""

    def __init__(self, backbone: nn.Module) -> None:
        self.backbone = backbone.requires_grad_(True).eval()
        self._anchors: dict[str, dict[str, Tensor]] = {"pretrained": self.state_dict(), "previous": self.state_dict()}
        self.in_use: Version = "current"

    def __call__(self, *args: Any, **kwargs: Any) -> Tensor:
        """Call the module under the version in use."""
        if self.in_use == "current":
            return self.backbone(*args, **kwargs)  # type: ignore[no-any-return]
        return torch.func.functional_call(self.backbone, self._anchors[self.in_use], args, kwargs)  # type: ignore[no-any-return]

    @contextmanager
    def use(self, name: Version) -> Iterator[None]:
        """Put another version in use; the one before comes back however it ends."""
        before, self.in_use = self.in_use, name
        try:
            yield
        finally:
            self.in_use = before

    def parameters(self) -> list[nn.Parameter]:
        """Return the weights of `current`."""
        return list(self.backbone.parameters())

    def remember(self) -> None:
        """Make `previous` a copy of `current`."""
        self._anchors["previous"] = self.state_dict()

    def reset(self) -> None:
        """Make `current` a copy of `pretrained`."""
        self.load_state_dict(self._anchors["pretrained"])

    def merged(self) -> nn.Module:
        """Return a copy of the module with the weights of `current`."""
        return copy.deepcopy(self.backbone)

    def state_dict(self) -> dict[str, Tensor]:
        """Return a copy of the weights of `current`."""
        return {name: value.detach().clone() for name, value in self.backbone.named_parameters()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Set `current` to saved weights; raises `ValueError` on names or shapes that do not fit."""
        own = dict(self.backbone.named_parameters())
        _check_state(state, {name: value.detach() for name, value in own.items()})
        with torch.no_grad():
            for name, value in state.items():
                own[name].copy_(value)


@dataclass(frozen=True, kw_only=True)
class LoRA:
    """Low-rank adapters on a frozen backbone, by peft.

    Args:
        rank: Rank of the update of each weight matrix.
        scale: peft's `lora_alpha`; the update is multiplied by scale / rank.
        target_modules: Names of layers, or ``"all-linear"``: every linear layer that shares its weight with no other.

    References:
        Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021, https://arxiv.org/abs/2106.09685.
    """

    rank: int = 8
    scale: float = 16.0
    target_modules: str | tuple[str, ...] = "all-linear"

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise ValueError(f"rank must be at least 1, got {self.rank}")

    def attach(self, backbone: nn.Module) -> Versions:
        """Return the versions of a backbone; adapters are put into its layers, its own weights are frozen."""
        return _LoRAVersions(backbone, self)


class _LoRAVersions(Versions):
    def __init__(self, backbone: nn.Module, config: LoRA) -> None:
        from peft import LoraConfig, inject_adapter_in_model

        targets = config.target_modules if isinstance(config.target_modules, str) else list(config.target_modules)
        if targets == "all-linear":
            # peft resolves "all-linear" for transformers' classes only; ours may be any module. A head that is tied to
            # the embedding stays out: merging its adapter would change the embedding too
            users = Counter(id(module.weight) for module in backbone.modules() if hasattr(module, "weight"))
            targets = [
                name
                for name, module in backbone.named_modules()
                if isinstance(module, nn.Linear) and users[id(module.weight)] == 1
            ]
        peft_config = LoraConfig(r=config.rank, lora_alpha=config.scale, target_modules=targets)  # type: ignore[arg-type]
        backbone.requires_grad_(False)
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            torch.default_generator.manual_seed(
                0
            )  # a process that resumes a campaign must start from the same adapters
            warnings.filterwarnings("ignore", "Already found a `peft_config`")  # two adapters are what we want
            for name in ("previous", "current"):
                backbone = inject_adapter_in_model(peft_config, backbone, adapter_name=name)
        self.backbone = backbone.eval()
        self._layers = self._find_layers()
        self._activate("current")
        self._untrained = self.state_dict()
        self.remember()

    def _find_layers(self) -> list[Any]:
        from peft.tuners.tuners_utils import BaseTunerLayer

        return [module for module in self.backbone.modules() if isinstance(module, BaseTunerLayer)]

    def _activate(self, name: Version) -> None:
        self.in_use = name
        for layer in self._layers:
            layer.enable_adapters(name != "pretrained")
            if name != "pretrained":
                layer.set_adapter(name)
        # peft's set_adapter makes the active adapter trainable and the others not: `previous` must never be, and
        # `current` must always be, or a backward pass inside of the context would find no gradient
        for parameter_name, parameter in self.backbone.named_parameters():
            if "lora_" in parameter_name:
                parameter.requires_grad_(".current." in parameter_name)

    def __call__(self, *args: Any, **kwargs: Any) -> Tensor:
        return self.backbone(*args, **kwargs)  # type: ignore[no-any-return]

    @contextmanager
    def use(self, name: Version) -> Iterator[None]:
        before = self.in_use
        self._activate(name)
        try:
            yield
        finally:
            self._activate(before)

    def parameters(self) -> list[nn.Parameter]:
        return [p for name, p in self.backbone.named_parameters() if ".current." in name]

    def remember(self) -> None:
        previous = {name: p for name, p in self.backbone.named_parameters() if ".previous." in name}
        with torch.no_grad():
            for name, value in self._current().items():
                previous[name.replace(".current.", ".previous.")].copy_(value)

    def reset(self) -> None:
        self.load_state_dict(self._untrained)

    def merged(self) -> nn.Module:
        plain = copy.deepcopy(self.backbone)
        for name, layer in list(plain.named_modules()):
            if hasattr(layer, "get_base_layer"):
                layer.merge(adapter_names=["current"])
                parent, _, child = name.rpartition(".")
                setattr(plain.get_submodule(parent), child, layer.get_base_layer())
        return plain

    def _current(self) -> dict[str, nn.Parameter]:
        return {name: p for name, p in self.backbone.named_parameters() if ".current." in name}

    def state_dict(self) -> dict[str, Tensor]:
        return {name: p.detach().clone() for name, p in self._current().items()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        own = self._current()
        _check_state(state, {name: value.detach() for name, value in own.items()})
        with torch.no_grad():
            for name, value in state.items():
                own[name].copy_(value)
