"""Which drawn designs a run has already, without going through all that it has.

    letters, images    the design, or one of its mirror images, is looked up by what it is written as
    molecules          by key, made anew by the model once a process: how a molecule is written is another library's
                       to say, and may change with its version

The transformations of `Recipe.same` are a group: a design is the image of one that is known exactly if one of its
images is known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice

import torch

from seiko.campaign.identity import identities
from seiko.campaign.state import Query, RunState
from seiko.designs import Design
from seiko.diffusion import State, Transition
from seiko.models import DiffusionModel
from seiko.rewards import Symmetry, orbit

__all__ = ["Known"]

RESPELT = frozenset({"smiles"})
"""Kinds of design that are written by a library which may write them otherwise one day."""


class Known:
    """Finds designs among a run's queries.

    Args:
        state: The run; whoever owns it takes it further.
        model: Reads and writes the designs.
        same: Designs that it maps onto each other are one.
        with_file: Returns a design with its file, if it is an image.
    """

    def __init__(
        self,
        state: RunState,
        model: DiffusionModel[Transition],
        same: Symmetry | None,
        with_file: Callable[[Design], Design] = lambda design: design,
    ) -> None:
        self._state, self._model, self._same, self._with_file = state, model, same, with_file
        self._keys: dict[str, str] = {}
        self._seen = 0

    def find(self, x: State, designs: Sequence[Design], keys: Sequence[str]) -> list[Query | None]:
        """Return the query that has each design, or one that is the same to the oracle; None where there is none.

        Args:
            x: `[n, *event]` states.
            designs: The same as designs.
            keys: What `seiko.campaign.identity.keys_of` gives them.
        """
        if any(design.kind in RESPELT for design in designs):
            known = self._by_key()
            ids = [known.get(key) for key in keys]
        elif self._same is None:
            ids = [self._state.find(design) for design in designs]
        else:
            ids = self._images(x, designs)
        return [None if id is None else self._state.queries[id] for id in ids]

    def of(self, design: Design) -> Query | None:
        """Return the query that has a design of the model's, or one that is the same to the oracle; None if none."""
        states = self._model.ingest([design]) if self._same is not None else torch.zeros(1)
        [found] = self.find(states, [design], identities(self._model, [design], self._same))
        return found

    def _images(self, x: State, designs: Sequence[Design]) -> list[str | None]:
        if not designs:
            return []
        images = orbit(self._same, x)
        written = self._model.export(images.flatten(0, 1))
        size, found = images.shape[1], []
        for i, design in enumerate(designs):
            mine = (replace(image, prompt=design.prompt) for image in written[i * size : (i + 1) * size])
            found.append(next((id for image in mine if (id := self._state.find(image)) is not None), None))
        return found

    def _by_key(self) -> dict[str, str]:
        queries = self._state.queries
        if self._seen != len(queries):
            new = list(islice(queries.values(), self._seen, None))
            names = identities(self._model, [self._with_file(query.design) for query in new], self._same)
            for name, query in zip(names, new, strict=True):
                self._keys.setdefault(name, query.id)
            self._seen = len(queries)
        return self._keys
