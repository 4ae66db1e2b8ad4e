"""What is shown while something goes on, on standard error: alive in a terminal, else a line where it matters."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Protocol

from rich.console import Console

from seiko.campaign.state import RoundReport
from seiko.cli.live import STAGES, RunView
from seiko.cli.summary import round_line

__all__ = ["RunLines", "Stages", "View", "stages", "view"]


class View(Protocol):
    """Shows a closed loop."""

    def progress(self, stage: str, done: int, total: int, numbers: Mapping[str, float]) -> None:
        """Take a stage's progress."""
        ...

    def finished(self, report: RoundReport) -> None:
        """Take a finished round."""
        ...

    def __enter__(self) -> View: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class RunLines:
    """One line a finished round, for logs.

    Args:
        rounds: Rounds of the recipe.
        budget: Labels of the recipe.
    """

    def __init__(self, rounds: int, budget: int) -> None:
        self.rounds, self.budget = rounds, budget

    def progress(self, stage: str, done: int, total: int, numbers: Mapping[str, float]) -> None:
        """Say nothing."""

    def finished(self, report: RoundReport) -> None:
        """Print the round."""
        print(round_line(report, self.rounds, self.budget), file=sys.stderr, flush=True)

    def __enter__(self) -> RunLines:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Do nothing."""


class Stages:
    """One line that shows the stage of a single verb, ask or advance.

    Args:
        console: Where it is drawn.
    """

    def __init__(self, console: Console) -> None:
        self._status = console.status("loading")

    def __enter__(self) -> Stages:
        self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._status.stop()

    def progress(self, stage: str, done: int, total: int, numbers: Mapping[str, float]) -> None:
        """Take a stage's progress."""
        counts = f" {done}/{total}" if total > 1 else ""
        shown = "".join(f"  {name} {value:.3g}" for name, value in numbers.items())
        self._status.update(f"{STAGES.get(stage, stage)}{counts}{shown}")


class _Silent:
    def progress(self, stage: str, done: int, total: int, numbers: Mapping[str, float]) -> None:
        """Say nothing."""


def stages() -> AbstractContextManager[Stages | _Silent]:
    """Return what shows a verb's stages: a line in a terminal, else nothing."""
    console = Console(stderr=True)
    return Stages(console) if console.is_terminal else nullcontext(_Silent())


def view(
    *, name: str, rounds: int, budget: int, kl_budget: float | None, labels: int, reports: list[RoundReport]
) -> View:
    """Return what shows a run: the live view in a terminal, else a line a round."""
    console = Console(stderr=True)
    if not console.is_terminal:
        return RunLines(rounds, budget)
    return RunView(
        name=name, rounds=rounds, budget=budget, kl_budget=kl_budget, labels=labels, reports=reports, console=console
    )
