"""A run and its recipe: how it is given one, told that it has another, and started over while nothing was asked.

The recipe is an event like any other, the ledger's first. Whoever opens a run with a recipe must bring the one that it
was started with: labels that were bought by one are no labels of another. Only of a run that has asked for nothing may
the recipe be replaced, by one more event; a process that still works by the old one is refused when it next looks.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from seiko import config
from seiko.campaign.errors import RecipeMismatch
from seiko.campaign.ledger import Ledger, LedgerConflict, NoRun, RunExists
from seiko.campaign.recipe import Recipe
from seiko.campaign.told import Told

__all__ = ["Opened"]


class Opened(Told):
    """A run that has a recipe; `seiko.campaign.Campaign` is one.

    Make one with `open`; use it as a context manager or call `close`.
    """

    def __init__(self, ledger: Ledger, modules: tuple[str, ...]) -> None:
        super().__init__(ledger)
        self._modules = modules
        self._read: dict[str, Any] | None = None  # what the recipe was read from

    @classmethod
    def open(
        cls, place: str | Path, recipe: Recipe | None = None, *, modules: tuple[str, ...] = (), anew: bool = False
    ) -> Self:
        """Open a run, or start one if there is none and a recipe is given.

        Args:
            place: Run folder, or URL of a run on a server; see `seiko.campaign.ledger`.
            recipe: What a new run does; for an existing run, what it must have been started with.
            modules: Modules beside seiko's own whose exported classes a recipe may name.
            anew: Start a run of another recipe over with this one if no query was ever made of it; what it was to do
                stays in the ledger.

        Raises:
            NoRun: If there is no run and no recipe.
            RecipeMismatch: If the run was started with another recipe; says where they differ.
        """
        allowed = (*config.DEFAULT_MODULES, *modules)
        written = None if recipe is None else config.to_json(recipe, modules=allowed)
        try:
            ledger = Ledger.open(place)
        except NoRun:
            if written is None:
                raise
            try:
                ledger = Ledger.create(place)
            except RunExists:  # another process was faster
                ledger = Ledger.open(place)
        run = cls(ledger, allowed)
        try:
            run._start(written, anew)
        except BaseException:
            ledger.close()
            raise
        return run

    def _start(self, written: dict[str, Any] | None, anew: bool) -> None:
        """Read the run's recipe, or give it this one; see `open`."""
        self._refresh()
        if self._state.recipe is None:
            if written is None:
                raise NoRun(f"no run at {self.ledger.place}: it was never given a recipe; start it with `seiko run`")
            self._give(written)
        # read now: a recipe that cannot be must be found before an ask
        differences = self._differences(written)
        untouched = not self._state.queries
        if written is not None and differences and anew and untouched:
            del self.recipe
            self._give(written)
            differences = self._differences(written)
        if differences:
            raise RecipeMismatch(
                f"{self.ledger.place} holds a run of another recipe ({'; '.join(differences[:5])}): "
                "choose another folder, or the options that it was started with"
                + (", or start it anew (--anew), for nothing was asked yet" if untouched else "")
            )

    def _give(self, recipe: dict[str, Any]) -> None:
        """Give the run a recipe, unless another process was faster and gave it one or asked."""
        with suppress(LedgerConflict):
            self._append("opened", {"recipe": recipe, "digest": config.digest(recipe, modules=self._modules)})
        self._refresh()

    def _differences(self, written: dict[str, Any] | None) -> list[str]:
        """Return where the run's recipe differs; written again, it has the defaults of fields that seiko got since."""
        own = config.to_json(self.recipe, modules=self._modules)
        return [] if written is None else config.difference(own, written)

    def _refresh(self) -> None:
        """Fold what was appended.

        Raises:
            RecipeMismatch: If another process has started the run anew, with another recipe.
        """
        super()._refresh()
        if "recipe" in vars(self) and self._state.recipe is not self._read:
            raise RecipeMismatch(
                f"{self.ledger.place} was started anew with another recipe by another process; nothing had been asked "
                "of it yet: open it again, or choose another folder"
            )

    def close(self) -> None:
        """Let go of the ledger."""
        self.ledger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @cached_property
    def recipe(self) -> Recipe:
        """What the run does."""
        self._read = self._state.recipe
        recipe = config.from_json(self._read or {}, modules=self._modules)
        if not isinstance(recipe, Recipe):
            raise RecipeMismatch(f"the ledger's first event holds a {type(recipe).__name__}, not a recipe")
        return recipe
