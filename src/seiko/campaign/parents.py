"""Which designs a candidate starts from: the best labelled ones, and hits that the user brought."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Int64
from torch import Tensor

from seiko.campaign.sampler import Sampler
from seiko.designs import Design
from seiko.diffusion import MaskedDiffusion, Noise, State

__all__ = [
    "Editable",
    "choose_parents",
    "editable",
    "filled_up",
    "held_fast",
    "ingest",
    "masked_process",
    "of_varying_length",
]

_PARENT = 11  # sub-stream: which design


@runtime_checkable
class Editable(Protocol):
    """What editing designs asks of their model, beside drawing."""

    @property
    def kind(self) -> str:
        """Kind of its designs."""
        ...

    @property
    def filler(self) -> int | None:
        """The letter that fills short designs up."""
        ...

    def holding(self, row: Sequence[int], smarts: str) -> list[bool]:
        """Return which letters hold an atom of a substructure."""
        ...


def masked_process(sampler: Sampler, who: str) -> MaskedDiffusion:
    """Return the process of a masked model.

    Raises:
        TypeError: If the model is another one; names who asks.
    """
    process = sampler.model.process
    if not isinstance(process, MaskedDiffusion):
        raise TypeError(f"{who} needs a masked diffusion model, this one uses {type(process).__name__}")
    return process


def of_varying_length(sampler: Sampler, who: str) -> tuple[MaskedDiffusion, Editable, int]:
    """Return process and model of designs that need not have one length, and the letter that fills short ones up.

    Raises:
        TypeError: If the model is no masked diffusion model, or its designs have one length; names who asks.
    """
    process, model = masked_process(sampler, who), editable(sampler, who)
    if model.filler is None:
        raise TypeError(f"{who} changes the length, and this model's designs have one length: choose Remask")
    return process, model, model.filler


def filled_up(rows: Iterable[Sequence[int | None]], like: State, filler: int, mask: int) -> State:
    """Return rows as states in the shape of others: None is masked, and short ones are filled up."""
    start = torch.full_like(like, filler)
    for i, row in enumerate(rows):
        start[i, : len(row)] = torch.tensor([mask if letter is None else letter for letter in row])
    return start


def choose_parents(
    sampler: Sampler, x: State, y: Tensor, best: int, hits: Sequence[str], noise: Noise
) -> Int64[Tensor, "b l"] | None:
    """Return one design for each stream, each of the best labelled ones and the hits equally often.

    Args:
        sampler: Its model reads the hits.
        x: `[n, L]` labelled states.
        y: `[n]` their labels.
        best: How many of them are started from.
        hits: Designs beside those, in their own language.
        noise: One stream a candidate.

    Returns:
        On the CPU, where they are edited; None if there is nothing to start from.

    Raises:
        ValueError: If a hit is not one of this model's designs.
    """
    order = y.argsort(descending=True, stable=True)[:best]
    parts = [x[order]] if len(order) else []
    if hits:
        parts.append(ingest(sampler, hits))
    if not parts:
        return None
    parents = torch.cat(parts)
    chosen = (noise.fold_in(_PARENT).uniform() * len(parents)).long().clamp(max=len(parents) - 1)
    return parents[chosen.to(parents.device)].cpu()  # letter by letter is no work for another device


def ingest(sampler: Sampler, texts: Sequence[str]) -> Int64[Tensor, "n l"]:
    """Return designs in their own language as states of the model.

    Raises:
        ValueError: If one is none of the model's designs; it is named.
    """
    kind = editable(sampler, "a list of hits").kind
    return sampler.model.ingest([Design(text, kind) for text in texts])


def editable(sampler: Sampler, who: str) -> Editable:
    """Return the model as one whose designs can be edited.

    Raises:
        TypeError: If they cannot; names who asks.
    """
    if not isinstance(sampler.model, Editable):
        raise TypeError(f"{who} needs a model of sequences or molecules, got {type(sampler.model).__name__}")
    return sampler.model


def held_fast(model: Editable, parents: Int64[Tensor, "b l"], keep: str | None) -> Tensor:
    """Return `[b, L]`, True where a letter holds an atom of the substructure that must stay; nowhere without one."""
    if keep is None:
        return torch.zeros_like(parents, dtype=torch.bool)
    unique, which = torch.unique(parents, dim=0, return_inverse=True)
    held = torch.tensor([model.holding(row, keep) for row in unique.tolist()], device=parents.device)
    return held[which]
