"""Train the denoiser of packed molecular graphs.

    loss = E_t E_{x_t} [ sum over places and pairs of -log p(true class | x_t) ]          nats a graph

Its minimum is the true posterior of each class, whose mean is E[x_0 | x_t], whatever the law of t in [end, 1]: three
times of four lie where the classes are decided, for before there is little to learn and after nothing. The same number
on held-out graphs, with times and noise fixed by the seed, is the validation loss. It is no bound on a likelihood. The
network is equivariant, so that training on permuted graphs would change nothing.

References:
    Dieleman et al., "Continuous diffusion for categorical data", 2022, https://arxiv.org/abs/2211.15089 (the loss).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor

from seiko.diffusion import CosineSchedule
from seiko.models.graph import save_graph_model
from seiko.models.graph_codec import GraphCodec
from seiko.models.graph_transformer import GraphArchitecture, GraphTransformer
from seiko.models.training import PretrainProgress, Training

__all__ = ["GraphPretraining"]


@dataclass(frozen=True, kw_only=True)
class GraphPretraining:
    """How a graph transformer is trained.

    Args:
        architecture: What is trained.
        steps: Optimiser steps.
        batch: Graphs a step.
        learning_rate: Peak of AdamW's rate; linear warm-up over the first 5 %, cosine decay to 0.
        weight_decay: AdamW's.
        validation_share: Share of the graphs held out, chosen by the seed.
        average: Decay of the exponential moving average of the weights, which is what is saved.
        every: Steps between reports, validations and checkpoints.
        end: Least time trained on, and at which sampling stops.
        focus: Three times of four are drawn between these two, the fourth between end and 1.
        bfloat16: Run the network under autocast; twice as fast on processors that have it in hardware, slow on others.
        seed: Seeds weights, split, batches, times and noise.
    """

    architecture: GraphArchitecture = field(default_factory=GraphArchitecture)
    steps: int = 10_000
    batch: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    validation_share: float = 0.02
    average: float = 0.999
    every: int = 500
    end: float = 0.15
    focus: tuple[float, float] = (0.2, 0.7)
    bfloat16: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0 < self.validation_share < 1:
            raise ValueError(f"validation_share must lie between 0 and 1, got {self.validation_share}")
        if not 0 < self.end < 1:
            raise ValueError(f"end must be a time in (0, 1), got {self.end}")
        if not self.end <= self.focus[0] < self.focus[1] <= 1:
            raise ValueError(f"focus must be two times, end <= low < high <= 1, got {self.focus} with end {self.end}")

    def run(
        self,
        atoms: Int64[Tensor, "n places"],
        bonds: Int64[Tensor, "n pairs"],
        codec: GraphCodec,
        folder: str | Path,
        *,
        provenance: dict[str, Any] | None = None,
        report: Callable[[PretrainProgress], None] = lambda progress: None,
    ) -> float:
        """Train and save; an interrupted run in the same folder goes on where its last checkpoint stood.

        Args:
            atoms: Classes of the places of each graph.
            bonds: Classes of its pairs.
            codec: Their layout.
            folder: Where the model is saved; `GraphSource` reads it back.
            provenance: Written into `seiko.json`: script, data and its hash.
            report: Called every `every` steps.

        Returns:
            Validation loss of the saved weights, nats a graph.

        Raises:
            ValueError: If there are fewer than two graphs, or the folder's checkpoint is of another training.
        """
        if len(atoms) < 2:
            raise ValueError(f"pretraining needs at least 2 graphs, got {len(atoms)}")
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        training = _Training(self, atoms, bonds, codec)
        training.run(folder, self.steps, report)
        validation = training.validate()
        written = {
            **(provenance or {}),
            "training": asdict(self),
            "graphs": len(atoms),
            "seconds": round(training.seconds),
            "validation_nats_per_graph": validation,
        }
        # half precision: half the size, and no difference that its samples show
        save_graph_model(training.averaged(), self.end, folder, written, torch.float16)
        training.finish(folder)
        return validation


class _Training(Training):
    def __init__(self, config: GraphPretraining, atoms: Tensor, bonds: Tensor, codec: GraphCodec) -> None:
        self.config, self.codec, self.schedule = config, codec, CosineSchedule(end=config.end)
        torch.manual_seed(config.seed)
        order = torch.randperm(len(atoms), generator=torch.Generator().manual_seed(config.seed))
        held_out = max(1, min(5000, round(config.validation_share * len(atoms))))
        self.valid = (atoms[order[:held_out]], bonds[order[:held_out]])
        self.train = (atoms[order[held_out:]], bonds[order[held_out:]])
        self.transformer = GraphTransformer(codec, config.architecture)
        data = hashlib.sha256(torch.cat([atoms, bonds], 1).to(torch.uint8).numpy().tobytes()).hexdigest()
        super().__init__(config, self.transformer, data, "graphs")

    def loss(self, generator: torch.Generator) -> Tensor:
        rows = torch.randint(len(self.train[0]), (self.config.batch,), generator=generator)
        return self._nats(self.transformer, self.train[0][rows], self.train[1][rows], generator)

    def _nats(self, network: GraphTransformer, atoms: Tensor, bonds: Tensor, generator: torch.Generator) -> Tensor:
        """Return the mean loss over one time and one noise a graph; the times are spread evenly over the batch."""
        count = len(atoms)
        share = (torch.arange(count) + torch.rand(1, generator=generator)) / count
        (low, high), end, anywhere = self.config.focus, self.config.end, 0.25
        t = torch.where(
            share < anywhere,
            end + (1 - end) * share / anywhere,
            low + (high - low) * (share - anywhere) / (1 - anywhere),
        )
        x_0 = self.codec.embed(atoms, bonds)
        noise = torch.randn(x_0.shape, generator=generator)
        x_t = self.schedule.alpha(t)[:, None] * x_0 + self.schedule.sigma(t)[:, None] * noise
        with torch.autocast("cpu", torch.bfloat16, enabled=self.config.bfloat16):
            of_atoms, of_bonds = network.logits(x_t, t)
        cross_entropy = torch.nn.functional.cross_entropy
        return (
            cross_entropy(of_atoms.flatten(0, 1), atoms.flatten(), reduction="sum")
            + cross_entropy(of_bonds.flatten(0, 1), bonds.flatten(), reduction="sum")
        ) / count

    def averaged(self) -> GraphTransformer:
        """Return a network with the averaged weights."""
        network = GraphTransformer(self.codec, self.config.architecture)
        network.load_state_dict(self.average)
        return network

    @torch.no_grad()
    def validate(self) -> float:
        generator = torch.Generator().manual_seed(self.config.seed + 1)
        network, total = self.averaged(), 0.0
        for atoms, bonds in zip(*(torch.split(part, 512) for part in self.valid), strict=True):
            total += float(self._nats(network, atoms, bonds, generator)) * len(atoms)
        return total / len(self.valid[0])
