"""The live view of a run in a terminal: finished rounds as a table, the open round's stage as a bar.

Time left is (mean wall time of the rounds finished in this session) x (rounds left), less what the open round has
taken already; before the first round is finished it is not known, and not shown.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from seiko.campaign.state import RoundReport

__all__ = ["STAGES", "RunView", "duration"]

STAGES = {
    "ask": "choosing the batch",
    "label": "asking the oracle",
    "fit": "fitting the reward model",
    "update": "moving the diffusion model",
    "land": "keeping the KL budget",
    "steer": "steering the diffusion model",
    "look": "looking at fresh samples",
}
OVER = "over"
"""Stage of a run that a rule of its recipe has stopped before its last round."""
BAR = 30  # columns of a progress bar


class RunView:
    """A live view of a closed loop.

    Args:
        name: The recipe's name.
        rounds: Rounds of the recipe.
        budget: Labels of the recipe.
        kl_budget: Nats from the pretrained model; None if the recipe holds none.
        labels: Labels that the run has already.
        reports: Rounds that are finished already.
        console: Where it is drawn.
        clock: Seconds; for tests.
    """

    def __init__(
        self,
        *,
        name: str,
        rounds: int,
        budget: int,
        kl_budget: float | None,
        labels: int,
        reports: list[RoundReport],
        console: Console,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name, self.rounds, self.budget, self.kl_budget = name, rounds, budget, kl_budget
        self.reports = list(reports)
        self.clock = clock
        self.started = self.round_started = clock()
        self.spent: list[float] = []  # wall time of the rounds finished in this session
        self.stage, self.done, self.total = "ask", 0, 1
        self.numbers: dict[str, float] = {}
        self.labels = self._before = labels
        self._live = Live(console=console, get_renderable=self.render, refresh_per_second=4)

    def __enter__(self) -> RunView:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def progress(self, stage: str, done: int, total: int, numbers: Mapping[str, float]) -> None:
        """Take a stage's progress; drawing is the refresh thread's business."""
        self.stage, self.done, self.total, self.numbers = stage, done, max(total, 1), dict(numbers)
        if stage == "label":
            self.labels = self._before + done

    def finished(self, report: RoundReport) -> None:
        """Take a finished round."""
        now = self.clock()
        self.spent.append(now - self.round_started)
        self.round_started = now
        self.reports.append(report)
        self.labels = self._before = report.labels_used
        self.stage, self.done, self.total, self.numbers = "ask", 0, 1, {}

    def time_left(self) -> float | None:
        """Return the expected seconds to the end; None before the first round of this session is finished."""
        if not self.spent:
            return None
        mean = math.fsum(self.spent) / len(self.spent)
        open_rounds = self.rounds - len(self.reports)
        return max(0.0, mean * open_rounds - (self.clock() - self.round_started if open_rounds else 0))

    def render(self) -> RenderableType:
        """Return what is to be seen now."""
        done = self.stage == OVER or len(self.reports) >= self.rounds
        parts: list[RenderableType] = [self._head(done)]
        if self.reports:
            parts.append(self._table())
        if not done:
            parts.append(self._stage())
        return Group(*parts)

    def _head(self, done: bool) -> RenderableType:
        grid = Table.grid(padding=(0, 2))
        last = self.reports[-1] if self.reports else None
        where = "finished" if done else f"round {len(self.reports) + 1} of {self.rounds}"
        left = self.time_left()
        took = f"{duration(self.clock() - self.started)} elapsed"
        grid.add_row(Text(self.name, style="bold"), where, took if done else f"{took}, {_left(left)}")
        grid.add_row(
            "labels",
            ProgressBar(total=self.budget, completed=self.labels, width=BAR),
            f"{self.labels} of {self.budget}",
        )
        if last is not None:
            kl = f"{last.kl_pretrained:.2f}" + (f" of {self.kl_budget:g}" if self.kl_budget else "")
            grid.add_row("best", _number(last.best), f"last batch {_number(last.batch_mean)}, KL {kl} nats")
            if last.prequential is not None:
                seen = last.prequential
                grid.add_row(
                    "calibration",
                    f"coverage {_number(seen.coverage, 2)}",
                    f"Spearman {_number(seen.spearman, 2)} on labels not yet fitted",
                )
        return grid

    def _stage(self) -> RenderableType:
        grid = Table.grid(padding=(0, 2))
        numbers = "  ".join(f"{name} {value:.3g}" for name, value in self.numbers.items())
        bar = ProgressBar(total=self.total, completed=self.done, width=BAR, pulse=self.total == 1)
        counts = f"{self.done}/{self.total}" if self.total > 1 else ""
        grid.add_row(STAGES.get(self.stage, self.stage), bar, counts, numbers)
        return grid

    def _table(self) -> Table:
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        for column in ("round", "labels", "mean", "best", "believed", "KL", "diversity", "coverage", "Spearman"):
            table.add_column(column, justify="right")
        for report in self.reports[-20:]:
            seen = report.prequential
            table.add_row(
                str(report.round),
                str(report.labels_used),
                _number(report.batch_mean),
                _number(report.best),
                _number(report.believed_mean),
                f"{report.kl_pretrained:.2f}",
                f"{report.diversity:.2f}",
                _number(seen.coverage if seen else None, 2),
                _number(seen.spearman if seen else None, 2),
            )
        return table


def duration(seconds: float) -> str:
    """Return seconds as ``"42 s"``, ``"3 min 05 s"`` or ``"2 h 07 min"``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def _left(seconds: float | None) -> str:
    return "time left not known yet" if seconds is None else f"about {duration(seconds)} left"


def _number(value: float | None, decimals: int = 3) -> str:
    return "–" if value is None else f"{value:.{decimals}f}"
