"""Candidates by rewriting a span: some letters in a row are taken out, and others, more or fewer, drawn in their place.

    parent     C C [ O C ] N .  .        a span of m letters
    start      C C [ ? ? ? ] N .         m + d masks, d in -change..change; what follows moves, the filling gives way
    candidate  a draw of p_current(. | the letters that stay)

`Remask` masks scattered positions of a row whose letters stay where they are, and so can hardly change a length. This
one is for models whose rows are filled up with an empty letter: molecules.
"""

from __future__ import annotations

from dataclasses import dataclass

from seiko.campaign.candidates import Labelled, check_share
from seiko.campaign.parents import choose_parents, filled_up, held_fast, of_varying_length
from seiko.campaign.sampler import Sampler
from seiko.diffusion import Noise, State

__all__ = ["Rewrite"]

_SPAN = 14  # sub-stream: where, how long, how much longer


@dataclass(frozen=True, kw_only=True)
class Rewrite:
    """The best labelled designs with a span drawn anew by the current model; masked models of varying length only.

    Args:
        share: Part of the pool, relative to the other sources'.
        best: How many of the best labelled designs are started from, each equally often.
        longest: Most letters of a span.
        change: Most letters by which a span becomes longer or shorter.
        hits: Your own designs, started from beside the labelled ones, and before any.
        keep: SMARTS of a substructure: no letter that holds its atoms is taken out.
    """

    share: float = 1.0
    best: int = 50
    longest: int = 4
    change: int = 2
    hits: tuple[str, ...] = ()
    keep: str | None = None

    def __post_init__(self) -> None:
        check_share(self.share)
        for name, least in (("best", 1), ("longest", 1), ("change", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")

    @property
    def source(self) -> str:
        """``"rewrite"``."""
        return "rewrite"

    @property
    def edits(self) -> bool:
        """True."""
        return True

    def propose(self, sampler: Sampler, labelled: Labelled, noise: Noise) -> State | None:
        """Return one rewritten design for each stream; None where there is nothing to start from.

        Raises:
            TypeError: If the model is not a masked diffusion model, or its designs have one length.
            ValueError: If a hit is none of the model's designs.
        """
        process, model, filler = of_varying_length(sampler, "Rewrite")
        parents = choose_parents(sampler, labelled.x, labelled.y, self.best, self.hits, noise)
        if parents is None:
            return None
        held = held_fast(model, parents, self.keep)
        u = noise.fold_in(_SPAN).uniform((3,))
        spelt = parents != filler  # the filling may stand between letters, too
        rows = (
            self._rewritten(parent[some].tolist(), fixed[some].tolist(), numbers.tolist(), len(parent))
            for parent, some, fixed, numbers in zip(parents, spelt, held, u, strict=True)
        )
        return sampler.draw(noise, filled_up(rows, parents, filler, process.mask_token))

    def _rewritten(self, row: list[int], held: list[bool], u: list[float], length: int) -> list[int | None]:
        """Return a row with None for each letter that is to be drawn; the row as it is if all of it must stay."""
        free = [i for i in range(len(row)) if not held[i]]
        if not free:
            return list(row)
        first = free[int(u[0] * len(free))]
        most = next((i for i in range(first, len(row)) if held[i]), len(row)) - first
        span = 1 + int(u[1] * min(self.longest, most))
        low, high = max(-self.change, 1 - span), min(self.change, length - len(row))
        drawn = span + low + int(u[2] * (high - low + 1))
        return [*row[:first], *[None] * drawn, *row[first + span :]]
