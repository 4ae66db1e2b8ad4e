"""Candidates by splicing two designs: the beginning of one, the end of another, a few letters drawn between.

    parents    A A A A A .      B B B B B B
    start      A A A [ ? ? ] B B B .        as long as one of the parents, give or take `change` letters
    candidate  a draw of p_current(. | the letters that stay)

What crosses over two designs in a genetic algorithm joins them blindly; here the model writes the joint. For models
whose rows are filled up with an empty letter: molecules.
"""

from __future__ import annotations

from dataclasses import dataclass

from seiko.campaign.candidates import Labelled, check_share
from seiko.campaign.parents import choose_parents, filled_up, held_fast, of_varying_length
from seiko.campaign.sampler import Sampler
from seiko.diffusion import Noise, State

__all__ = ["Splice"]

_OTHER, _CUT = 15, 16  # sub-streams: the second parent; where it is cut, how long the joint is


@dataclass(frozen=True, kw_only=True)
class Splice:
    """Two of the best labelled designs joined, the joint drawn by the current model; masked models of varying length.

    Args:
        share: Part of the pool, relative to the other sources'.
        best: How many of the best labelled designs are joined, each equally often.
        joint: Most letters drawn between the two; at least one is.
        change: Most letters by which a candidate is longer than both parents, or shorter.
        hits: Your own designs, joined with the labelled ones, and with each other before any.
        keep: SMARTS of a substructure: a beginning holds all of its atoms.
    """

    share: float = 1.0
    best: int = 50
    joint: int = 3
    change: int = 2
    hits: tuple[str, ...] = ()
    keep: str | None = None

    def __post_init__(self) -> None:
        check_share(self.share)
        for name, least in (("best", 1), ("joint", 1), ("change", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")

    @property
    def source(self) -> str:
        """``"splice"``."""
        return "splice"

    @property
    def edits(self) -> bool:
        """True."""
        return True

    def propose(self, sampler: Sampler, labelled: Labelled, noise: Noise) -> State | None:
        """Return one spliced design for each stream; None where there is nothing to start from.

        Raises:
            TypeError: If the model is not a masked diffusion model, or its designs have one length.
            ValueError: If a hit is none of the model's designs.
        """
        process, model, filler = of_varying_length(sampler, "Splice")
        heads = choose_parents(sampler, labelled.x, labelled.y, self.best, self.hits, noise)
        tails = choose_parents(sampler, labelled.x, labelled.y, self.best, self.hits, noise.fold_in(_OTHER))
        if heads is None or tails is None:
            return None
        held = held_fast(model, heads, self.keep)
        rows = []
        for head, fixed, tail, u in zip(heads, held, tails, noise.fold_in(_CUT).uniform((3,)), strict=True):
            spelt = head != filler  # the filling may stand between letters, too
            ends = tail[tail != filler].tolist()
            rows.append(self._spliced(head[spelt].tolist(), fixed[spelt].tolist(), ends, u.tolist(), len(head)))
        return sampler.draw(noise, filled_up(rows, heads, filler, process.mask_token))

    def _spliced(
        self, head: list[int], held: list[bool], tail: list[int], u: list[float], length: int
    ) -> list[int | None]:
        """Return head[:i], None for each letter that is to be drawn, tail[j:]."""
        most = min(length, max(len(head), len(tail)) + self.change)
        least = max((i + 1 for i, must in enumerate(held) if must), default=1)
        last = max(least, min(len(head), most - 1))  # a letter of the joint has room
        i = least + int(u[0] * (last - least + 1))
        joint = min(1 + int(u[1] * self.joint), max(most - i, 0))
        longest = min(len(tail), max(most - i - joint, 0))
        shortest = min(max(0, min(len(head), len(tail)) - self.change - i - joint), longest)
        kept = shortest + int(u[2] * (longest - shortest + 1))
        return [*head[:i], *[None] * joint, *tail[len(tail) - kept :]]
