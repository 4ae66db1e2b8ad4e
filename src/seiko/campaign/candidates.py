"""Where the candidates of a batch come from: fresh draws, and the best labelled designs remasked and refilled.

    fresh     x_0 ~ p_current
    remask    take one of the best labelled designs, mask each position with probability `mask_rate` (at least one),
              let the current model refill: a draw from p_current(. | the kept positions)

p_current is the law of the last finished round, moved or steered; a steered round refills by the same steering. A
source proposes states; it does not know what was labelled before nor which of them will be chosen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from seiko.campaign.parents import choose_parents, editable, held_fast, masked_process
from seiko.campaign.sampler import Sampler
from seiko.diffusion import Noise, State

__all__ = ["CandidateSource", "Fresh", "Labelled", "Remask", "check_share"]


@dataclass(frozen=True)
class Labelled:
    """The designs that a source may start from.

    Args:
        x: `[n, *event]` states.
        y: `[n]` labels, or the acquisition where that is climbed; larger is better.
    """

    x: State
    y: Float[Tensor, "n"]


class CandidateSource(Protocol):
    """Proposes candidates for a batch."""

    @property
    def share(self) -> float:
        """Its part of the pool, relative to the other sources'."""
        ...

    @property
    def source(self) -> str:
        """Name recorded with each query."""
        ...

    @property
    def edits(self) -> bool:
        """Whether it edits the designs that it is given; others draw the same whatever those are."""
        ...

    def propose(self, sampler: Sampler, labelled: Labelled, noise: Noise) -> State | None:
        """Return one state for each stream of noise; None if there is nothing to start from.

        Args:
            sampler: Draws from the current law.
            labelled: What to start from.
            noise: One stream a candidate.
        """
        ...


def check_share(share: float) -> None:
    """Raise `ValueError` on a share that is not positive."""
    if not share > 0:
        raise ValueError(f"share must be positive, got {share}; leave the source out instead")


@dataclass(frozen=True, kw_only=True)
class Fresh:
    """Draws from the current model.

    Args:
        share: Part of the pool, relative to the other sources'.
    """

    share: float = 1.0

    def __post_init__(self) -> None:
        check_share(self.share)

    @property
    def source(self) -> str:
        """``"fresh"``."""
        return "fresh"

    @property
    def edits(self) -> bool:
        """False."""
        return False

    def propose(self, sampler: Sampler, labelled: Labelled, noise: Noise) -> State:
        """Return one fresh draw for each stream."""
        return sampler.draw(noise)


_MASK, _FIRST = 12, 13  # sub-streams: which positions, the one that is always masked


@dataclass(frozen=True, kw_only=True)
class Remask:
    """The best labelled designs, partly masked and refilled by the current model; masked diffusion only.

    Args:
        share: Part of the pool, relative to the other sources'.
        best: How many of the best labelled designs are started from, each equally often.
        mask_rate: Probability with which a position is masked; a pair (low, high) draws it for each candidate.
        hits: Your own designs (SMILES of molecules, sequences), started from beside the labelled ones, and before any.
        keep: SMARTS of a substructure: letters that hold its atoms are not masked. `Substructure` among the screens
            refuses what lost it all the same.
    """

    share: float = 1.0
    best: int = 50
    mask_rate: float | tuple[float, float] = 0.3
    hits: tuple[str, ...] = ()
    keep: str | None = None

    def __post_init__(self) -> None:
        check_share(self.share)
        if self.best < 1:
            raise ValueError(f"best must be at least 1 design, got {self.best}")
        low, high = self.rates
        if not 0 < low <= high <= 1:
            raise ValueError(f"mask_rate must lie in (0, 1], or be (low, high) there, got {self.mask_rate}")

    @property
    def rates(self) -> tuple[float, float]:
        """Lowest and highest mask rate."""
        return self.mask_rate if isinstance(self.mask_rate, tuple) else (self.mask_rate, self.mask_rate)

    @property
    def source(self) -> str:
        """``"remask"``."""
        return "remask"

    @property
    def edits(self) -> bool:
        """True."""
        return True

    def propose(self, sampler: Sampler, labelled: Labelled, noise: Noise) -> State | None:
        """Return one refilled design for each stream; None where there is nothing to start from.

        Raises:
            TypeError: If the model is not a masked diffusion model.
            ValueError: If a hit is none of the model's designs.
        """
        process = masked_process(sampler, "Remask")
        start = choose_parents(sampler, labelled.x, labelled.y, self.best, self.hits, noise)
        if start is None:
            return None
        u = noise.fold_in(_MASK).uniform((start.shape[1] + 1,))
        low, high = self.rates
        masked = u[:, 1:] < low + (high - low) * u[:, :1]
        always = (noise.fold_in(_FIRST).uniform() * start.shape[1]).long().clamp(max=start.shape[1] - 1)
        masked[torch.arange(len(masked)), always] = True
        if self.keep is not None:
            masked &= ~held_fast(editable(sampler, "keep"), start, self.keep)
        return sampler.draw(noise, start.masked_fill(masked, process.mask_token))
