"""The pool of a batch as it grows: what sources draw, less what is never sent, each design once.

Nothing here chooses: a design is kept if it is one in its domain, no screen refuses it, the model could read it again,
and nobody knows it yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from seiko.campaign.candidates import CandidateSource, Labelled
from seiko.campaign.identity import keys_of
from seiko.campaign.known import Known
from seiko.campaign.observing import are_images, observe_states, shown
from seiko.campaign.prompts import prompted
from seiko.campaign.sampler import Sampler, at_a_time, chunk
from seiko.campaign.screens import Screen, sendable
from seiko.designs import IMAGE, Design
from seiko.diffusion import Noise, State, Transition
from seiko.models import DiffusionModel
from seiko.rewards import Feature, PromptFeature, Symmetry

__all__ = ["Gathering", "observed", "readable"]


class Gathering:
    """New designs that may be sent, each with the name of its source.

    Args:
        sampler: What sources draw by; its model is the language of the designs.
        known: What must not be sent again: identities, or what finds them among a run's queries.
        screens: What is never sent.
        same: Designs that it maps onto each other are one.
        view: What a score sees of an image; None for its pixels.
    """

    def __init__(
        self,
        sampler: Sampler,
        known: Iterable[str] | Known,
        screens: tuple[Screen, ...],
        same: Symmetry | None,
        view: Feature | PromptFeature | None = None,
    ) -> None:
        self.designs: list[Design] = []
        self.sources: list[str] = []
        self._model, self._sampler = sampler.model, sampler
        self._asked = known if isinstance(known, Known) else None
        self._known = set() if isinstance(known, Known) else set(known)
        self._screens, self._same, self._view = screens, same, view
        self._parts: list[State] = []

    def __len__(self) -> int:
        return len(self.designs)

    @property
    def x(self) -> State:
        """The designs as states."""
        return torch.cat(self._parts)

    def draw(self, source: CandidateSource, labelled: Labelled, seed: int, first: int, size: int) -> None:
        """Draw from a source by the streams that begin at `first`, and keep what is new."""
        most = chunk(self._sampler)
        for start in range(first, first + size, most):
            noise = Noise.seeded(seed, range(start, min(start + most, first + size)))
            drawn = source.propose(self._sampler, labelled, noise)
            if drawn is None:
                return
            found = prompted(self._model.export(drawn), self._sampler.prompts(noise))
            rows = sendable(found, self._screens)
            new = [rows[i] for i in self._new(drawn[rows], [found[row] for row in rows])]
            new = [row for row in new if readable(self._model, found[row])]  # slow: the known are not asked
            self._parts.append(drawn[new])
            self.designs += [found[row] for row in new]
            self.sources += [source.source] * len(new)

    def values(self, score: Callable[[State], Tensor], first: int = 0) -> Float[Tensor, "n"]:
        """Return a score of what was kept, from the design with this index on."""
        if first == len(self):
            return torch.zeros(0)
        with torch.no_grad():
            parts = observed(self._model, self.x[first:], self.designs[first:], self._view)
            return torch.cat([score(part) for part in parts])

    def _new(self, x: State, designs: Sequence[Design]) -> list[int]:
        """Return the rows of designs that nobody knows, and remember them."""
        rows = []
        keys = keys_of(self._model, x, designs, self._same)
        asked = [None] * len(keys) if self._asked is None else self._asked.find(x, designs, keys)
        for row, key in enumerate(keys):
            if key not in self._known:
                self._known.add(key)
                if asked[row] is None:
                    rows.append(row)
        return rows


def readable(model: DiffusionModel[Transition], design: Design) -> bool:
    """Whether the model knows the design again: one molecule has many spellings, and its usual one may be too long."""
    if design.kind == IMAGE:
        return True
    try:
        model.ingest([design])
    except ValueError:
        return False
    return True


def observed(
    model: DiffusionModel[Transition], x: State, designs: list[Design], view: Feature | PromptFeature | None = None
) -> Iterator[Tensor]:
    """Yield what the reward model sees of designs, part by part."""
    size = at_a_time(model) if are_images(designs) else 4096
    for start in range(0, len(designs), size):
        part = designs[start : start + size]
        yield shown(view, observe_states(model, x[start : start + size], part), part)
