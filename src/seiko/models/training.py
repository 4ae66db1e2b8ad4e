"""The loop by which denoisers of all kinds are trained: rate, average, checkpoints.

    rate      linear warm-up over the first 5 % of the steps, then a cosine down to .001 of the peak
    average   w_bar <- d w_bar + (1 - d) w after each step,  d = min(average, step / (step + 10)); what is saved
    batches   drawn by (seed, step): a run that was interrupted goes on as if it had not been

What is learnt, and from what, is a subclass's to say.
"""

from __future__ import annotations

import math
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

__all__ = ["PretrainProgress", "Training"]

WARM = 0.05
CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True)
class PretrainProgress:
    """Where training stands.

    Args:
        step: Steps done.
        loss: Mean training loss since the last report, in the training's own unit (nats a token, for sequences).
        validation: Loss of held-out data, likewise.
        seconds: Spent so far, over all resumptions.
    """

    step: int
    loss: float
    validation: float
    seconds: float


class Settings(Protocol):
    """What the loop reads of a configuration."""

    @property
    def steps(self) -> int:
        """Optimiser steps, by which the rate falls."""
        ...

    @property
    def learning_rate(self) -> float:
        """Peak of AdamW's rate."""
        ...

    @property
    def weight_decay(self) -> float:
        """AdamW's."""
        ...

    @property
    def average(self) -> float:
        """Decay of the moving average of the weights."""
        ...

    @property
    def every(self) -> int:
        """Steps between reports, validations and checkpoints."""
        ...

    @property
    def seed(self) -> int:
        """Seeds the batches and what is drawn with them."""
        ...


class Training(ABC):
    """The mutable state of one training run.

    Args:
        config: How it is trained; its `repr` tells trainings apart.
        network: What is trained.
        data: Digest of the training data, likewise.
        noun: What the data are, for messages.
    """

    def __init__(self, config: Settings, network: nn.Module, data: str, noun: str) -> None:
        self._config, self._data, self._noun = config, data, noun
        self.network = network
        self.average = {name: p.detach().clone() for name, p in network.named_parameters()}
        self.optimiser = torch.optim.AdamW(
            network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, betas=(0.9, 0.98)
        )
        self.step, self.seconds, self._loss = 0, 0.0, math.nan

    @abstractmethod
    def loss(self, generator: torch.Generator) -> Tensor:
        """Return the loss of a batch that the generator draws."""

    @abstractmethod
    def validate(self) -> float:
        """Return the loss of held-out data, the same ones and the same noise each time."""

    def run(self, folder: Path, last: int, report: Callable[[PretrainProgress], None]) -> None:
        """Train up to a step, from the folder's checkpoint if it has one, leaving one there now and then.

        Raises:
            ValueError: If the checkpoint is of another training.
        """
        checkpoint = folder / CHECKPOINT
        self._resume(checkpoint)
        while self.step < last:
            self._advance(min(self._config.every, last - self.step))
            report(PretrainProgress(self.step, self._loss, self.validate(), self.seconds))
            self._save(checkpoint)

    @staticmethod
    def finish(folder: Path) -> None:
        """Remove the checkpoint: the model is saved."""
        (folder / CHECKPOINT).unlink(missing_ok=True)

    def _advance(self, steps: int) -> None:
        started, losses = time.monotonic(), []
        self.network.train()
        for _ in range(steps):
            generator = torch.Generator().manual_seed(self._config.seed * 1_000_003 + self.step)
            loss = self.loss(generator)
            for group in self.optimiser.param_groups:
                group["lr"] = self._rate()
            self.optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
            self.optimiser.step()
            self.step += 1
            decay = min(self._config.average, self.step / (self.step + 10))
            with torch.no_grad():
                for name, p in self.network.named_parameters():
                    self.average[name].lerp_(p, 1 - decay)
            losses.append(loss.detach())
        self._loss = float(torch.stack(losses).mean())
        self.seconds += time.monotonic() - started

    def _rate(self) -> float:
        done = self.step / self._config.steps
        factor = done / WARM if done < WARM else 0.5 * (1 + math.cos(math.pi * (done - WARM) / (1 - WARM)))
        return self._config.learning_rate * max(factor, 1e-3)

    def _save(self, path: Path) -> None:
        state = {
            "config": repr(self._config),
            "data": self._data,
            "step": self.step,
            "seconds": self.seconds,
            "weights": self.network.state_dict(),
            "average": self.average,
            "optimiser": self.optimiser.state_dict(),
        }
        temporary = path.with_suffix(".tmp")
        torch.save(state, temporary)
        os.replace(temporary, path)

    def _resume(self, path: Path) -> None:
        if not path.is_file():
            return
        state = torch.load(path, weights_only=True)
        if state["config"] != repr(self._config) or state["data"] != self._data:
            raise ValueError(
                f"{path} is the checkpoint of another training, by its configuration or its {self._noun} "
                f"({state['config']}); delete it or choose another folder"
            )
        self.network.load_state_dict(state["weights"])
        self.average = state["average"]
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.seconds = state["step"], state["seconds"]
