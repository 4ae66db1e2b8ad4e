"""The live figures of the overview: those of the report, redrawn when labels or rounds have come.

A drawing takes half a second of a processor, so it is made once for all who look, and not more often than every few
seconds while labels pour in; in between, the one before is shown. No figure loads a model.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from seiko.report.data import ReportData
from seiko.report.front import front_panels
from seiko.report.panels import Panel, reward_panel, small_panels
from seiko.report.run import report_data
from seiko.report.summary import headline
from seiko.report.tables import Tile, tiles
from seiko.web.desk import Desk
from seiko.web.objectives import Several, several
from seiko.web.pictures import svg_file

__all__ = ["Curves", "Drawn"]

NAMES = ("reward", "kl", "diversity", "predictions", "coverage")
FRONT = ("front", "hypervolume")
"""Figures of a run with several objectives, beside the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """The overview's figures and numbers at one instant.

    Args:
        version: Which instant; part of the figures' addresses.
        data: The report's record.
        tiles: Numbers that open the page.
        panels: Figures by name, with their captions; those that cannot be drawn yet say why.
        files: Figures as SVG files by name.
        several: Where several properties stand; None for a run with one, or before the first label.
    """

    version: str
    data: ReportData
    tiles: list[Tile]
    panels: dict[str, Panel]
    files: dict[str, bytes]
    several: Several | None = None


class Curves:
    """Draws when there is something new.

    Args:
        desk: The run.
        least_seconds: Time between two drawings.
        clock: Seconds; for tests.
    """

    def __init__(self, desk: Desk, *, least_seconds: float = 5, clock: Callable[[], float] = time.monotonic) -> None:
        self._desk, self._least, self._clock = desk, least_seconds, clock
        self._drawn: Drawn | None = None
        self._when = 0.0
        self._lock = threading.Lock()

    def now(self) -> Drawn:
        """Return the newest figures, drawing them if they are out of date and the last ones not too fresh."""
        drawn = self._drawn
        version = self._version()
        if drawn is not None and (drawn.version == version or self._clock() - self._when < self._least):
            return drawn
        if not self._lock.acquire(blocking=drawn is None):
            return drawn or self.now()  # somebody else draws: what was there is good enough
        try:
            if self._drawn is None or self._drawn.version != version:
                self._drawn = self._draw(version)
                self._when = self._clock()
            return self._drawn
        finally:
            self._lock.release()

    def _version(self) -> str:
        with self._desk.reading() as state:
            return f"{len(state.queries)}-{state.answered}-{len(state.labels)}-{state.learnt_at}-{len(state.reports)}"

    def _draw(self, version: str) -> Drawn:
        with self._desk.campaign() as campaign:
            data = report_data(campaign, samples=False)
            objectives = campaign.recipe.objectives
            found = None if objectives is None else several(campaign.state, objectives)
        top = headline(data)
        panels = dict(zip(NAMES, [reward_panel(data, top), *small_panels(data, top)], strict=True))
        if data.front is not None:
            panels |= zip(FRONT, front_panels(data.front), strict=True)
        files = {name: svg_file(panel.wide) for name, panel in panels.items() if panel.wide is not None}
        files |= {f"{name}-narrow": svg_file(panel.narrow) for name, panel in panels.items() if panel.narrow}
        return Drawn(version=version, data=data, tiles=tiles(data, top), panels=panels, files=files, several=found)
