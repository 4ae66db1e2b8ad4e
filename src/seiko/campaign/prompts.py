"""What a run draws for: prompts of queries, of training and of evaluation, and which sample gets which.

    x_0 ~ p(. | c),    c ~ uniform over a list of prompts

The objective of an update, the KL and all that a look reports are expectations over prompts. A sample's prompt comes
from its own stream of noise, so that it does not depend on how many are drawn at a time; in a population that is drawn
together (a steering's particles) all have the prompt of the first.

A batch that is chosen from a pool is spread evenly over the prompts, and chosen within each: the best of all would be
designs for the prompts that are easily met, and nothing would be learnt of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path

import torch
from torch import Tensor

from seiko.campaign.errors import NoPrompts
from seiko.designs import Design
from seiko.diffusion import Conditioning, Noise, Transition
from seiko.models import DiffusionModel, Prompted

__all__ = [
    "Conditioner",
    "Prompts",
    "choose_for_prompts",
    "conditioner_of",
    "prompted",
    "prompts_of",
    "read_prompts",
]

PROMPT = -1009  # sub-stream: which prompt


@dataclass(frozen=True, kw_only=True)
class Prompts:
    """Three lists of prompts: texts, or classes such as ``"3"``.

    Args:
        querying: Designs are drawn and labelled for these.
        training: The update's expectation is over these; empty for the querying ones.
        held_out: Rounds are judged on these, on which nothing is trained; empty for the training ones.

    Raises:
        ValueError: If there is none to query for, one is there twice, or a held-out one is trained on.
    """

    querying: tuple[str, ...]
    training: tuple[str, ...] = ()
    held_out: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.querying:
            raise ValueError("prompts need at least one to query for; without prompts, give None")
        for name in ("querying", "training", "held_out"):
            texts = getattr(self, name)
            if twice := [text for text in texts if texts.count(text) > 1]:
                raise ValueError(f"the {name} prompts hold {twice[0]!r} twice: every one counts the same, list it once")
        if both := [text for text in self.held_out if text in self.trained]:
            raise ValueError(f"{both[0]!r} is held out and trained on: take it out of one of the lists")

    @property
    def trained(self) -> tuple[str, ...]:
        """What the update trains on."""
        return self.training or self.querying

    @property
    def judged(self) -> tuple[str, ...]:
        """What a round is judged on."""
        return self.held_out or self.trained


def read_prompts(path: Path | str) -> tuple[str, ...]:
    """Return the prompts of a text file: one a line; blank lines and lines that begin with `#` are skipped.

    Raises:
        ValueError: If the file is not UTF-8, or holds no prompt.
        OSError: If it cannot be read.
    """
    try:
        lines = [line.strip() for line in Path(path).read_text(encoding="utf-8-sig").splitlines()]
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8: save it as text in UTF-8, one prompt a line") from error
    texts = tuple(line for line in lines if line and not line.startswith("#"))
    if not texts:
        raise ValueError(f"{path} holds no prompt: write one a line")
    return texts


@dataclass(frozen=True, eq=False)
class Conditioner:
    """Prompts of one list, encoded.

    Args:
        prompts: The list.
        table: One row for each.
        population: Streams that are drawn together and share a prompt.
    """

    prompts: tuple[str, ...]
    table: Tensor
    population: int = 1

    def __call__(self, noise: Noise) -> Conditioning:
        """Return the conditioning of each stream's sample."""
        return self.table[self._rows(noise).to(self.table.device)]

    def of(self, noise: Noise) -> list[str]:
        """Return the prompt of each stream's sample."""
        return [self.prompts[row] for row in self._rows(noise).tolist()]

    def together(self, population: int) -> Conditioner:
        """Return the same for samples that are drawn in whole populations."""
        return replace(self, population=population)

    def _rows(self, noise: Noise) -> Tensor:
        first = noise[:: self.population]
        rows = (first.fold_in(PROMPT).uniform() * len(self.prompts)).long().clamp(max=len(self.prompts) - 1)
        return rows.repeat_interleave(self.population)[: len(noise)]


@torch.no_grad()
def conditioner_of(model: DiffusionModel[Transition], prompts: Sequence[str]) -> Conditioner:
    """Encode a list of prompts.

    Raises:
        NoPrompts: If the model takes none.
        ValueError: If it knows one of them not, or answers with another number of rows.
    """
    if not isinstance(model, Prompted):
        raise NoPrompts(f"{type(model).__name__} takes no prompts: leave them out")
    table = model.encode(prompts)
    if table is None or len(table) != len(prompts):
        rows = "none" if table is None else len(table)
        raise ValueError(f"{len(prompts)} prompts must be encoded as as many rows, got {rows}")
    return Conditioner(tuple(prompts), table.detach())


def prompts_of(rows: Tensor, conditioners: Iterable[Conditioner]) -> list[str]:
    """Return the prompts that rows of conditioning were encoded from.

    Raises:
        NoPrompts: If a row is of none of these lists.
    """
    known = {
        row: prompt for given in conditioners for row, prompt in zip(_bytes(given.table), given.prompts, strict=True)
    }
    found = [known.get(row) for row in _bytes(rows)]
    if None in found:
        raise NoPrompts("a row of conditioning was encoded from no prompt of this run: which it means is not known")
    return [prompt for prompt in found if prompt is not None]


def _bytes(rows: Tensor) -> list[bytes]:
    flat = rows.detach().cpu().reshape(len(rows), -1).contiguous().view(torch.uint8)
    return [row.tobytes() for row in flat.numpy()]


def prompted(designs: Sequence[Design], prompts: Sequence[str] | None) -> list[Design]:
    """Return designs with what they were drawn for; as they are if the model takes no prompts."""
    if prompts is None:
        return list(designs)
    return [replace(design, prompt=prompt) for design, prompt in zip(designs, prompts, strict=True)]


def choose_for_prompts(
    choose: Callable[[list[int], int], list[int]], count: int, prompts: Sequence[str | None]
) -> list[int]:
    """Return the rows of a batch with as many designs of each prompt as of any other, where the pool has them.

    Args:
        choose: Returns so many of some rows, within a prompt.
        count: Size of the batch.
        prompts: What each candidate was drawn for.
    """
    rows: dict[str | None, list[int]] = {}
    for row, prompt in enumerate(prompts):
        rows.setdefault(prompt, []).append(row)
    quotas = dict.fromkeys(rows, 0)
    left = min(count, len(prompts))
    while left:
        for prompt in [prompt for prompt, of in rows.items() if quotas[prompt] < len(of)][:left]:
            quotas[prompt] += 1
            left -= 1
    chosen = [choose(of, quotas[prompt]) for prompt, of in rows.items() if quotas[prompt]]
    # one prompt after the other, so that the first part of a batch is one of all prompts, too
    return [row for turn in zip_longest(*chosen) for row in turn if row is not None]
