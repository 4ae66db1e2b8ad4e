"""Your own function in worker processes: several at once, and a crash or a hang costs one design, not the run.

A worker is a process that answers one design after the other. Who takes too long is killed with all that it has
started, who dies is replaced; the design in hand is tried once more on a fresh worker, then it has failed.
"""

from __future__ import annotations

import json
import queue
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from seiko.designs import Design
from seiko.oracles.base import Label
from seiko.oracles.external.answers import Broken, OracleFailed, as_sent, read_answer
from seiko.oracles.external.process import Child
from seiko.oracles.function import PythonFunction

__all__ = ["Workers"]

STARTING = 120.0  # seconds for a worker to import the function


@dataclass(frozen=True, kw_only=True)
class Workers:
    """Answer with a Python function of one design, in processes of their own; larger is better.

    It is called with a design's text, or for an image with pixels and prompt as `ImageFunction` calls it.

    Args:
        target: ``"module:function"``, as in `PythonFunction`.
        processes: How many at once.
        timeout: Seconds that one design may take.

    Raises:
        ValueError: If the target is misspelt, or a number is not positive.
    """

    target: str
    processes: int = 2
    timeout: float = 600.0

    def __post_init__(self) -> None:
        PythonFunction(target=self.target)  # checks the spelling
        if self.processes < 1:
            raise ValueError(f"processes must be at least 1, got {self.processes}")
        if not self.timeout > 0:
            raise ValueError(f"timeout must be a positive number of seconds, got {self.timeout}")

    def __call__(self, designs: Sequence[Design]) -> list[Label]:
        """Return one label for each design, in order."""
        labels = dict(self.answers(designs))
        return [labels[position] for position in range(len(designs))]

    def answers(self, designs: Sequence[Design]) -> Iterator[tuple[int, Label]]:
        """Yield position and label of each design as workers answer.

        Raises:
            OracleFailed: If the function cannot be loaded.
        """
        todo: queue.SimpleQueue[tuple[int, Design, int]] = queue.SimpleQueue()
        done: queue.SimpleQueue[tuple[int, Label] | OracleFailed] = queue.SimpleQueue()
        for position, design in enumerate(designs):
            todo.put((position, design, 0))
        crew = [_Worker(self, todo, done) for _ in range(min(self.processes, len(designs)))]
        try:
            for worker in crew:
                worker.start()
            for _ in designs:
                answer = done.get()
                if isinstance(answer, OracleFailed):
                    raise answer
                yield answer
        finally:
            for worker in crew:
                worker.stop()


class _Worker(threading.Thread):
    """Keeps one process busy."""

    def __init__(
        self,
        settings: Workers,
        todo: queue.SimpleQueue[tuple[int, Design, int]],
        done: queue.SimpleQueue[tuple[int, Label] | OracleFailed],
    ) -> None:
        super().__init__(daemon=True)
        self._settings, self._todo, self._done = settings, todo, done
        self._child: Child | None = None
        self._over = threading.Event()

    def stop(self) -> None:
        """End the process, whatever it is doing."""
        self._over.set()
        if (child := self._child) is not None:
            child.kill()
        self.join(5.0)
        if (child := self._child) is not None:
            child.kill()

    def run(self) -> None:
        """Answer designs until there are none."""
        try:
            while not self._over.is_set():
                try:
                    position, design, tries = self._todo.get_nowait()
                except queue.Empty:
                    return
                try:
                    self._done.put((position, self._answer(position, design)))
                except Broken as error:
                    self._drop()
                    if tries == 0:
                        self._todo.put((position, design, 1))
                    else:
                        self._done.put((position, Label.failed(str(error))))
        except OracleFailed as error:
            self._done.put(error)
        finally:
            self._drop()

    def _answer(self, position: int, design: Design) -> Label:
        child = self._child or self._start()
        row = as_sent(design) | {"id": str(position)}
        child.send(json.dumps(row).encode() + b"\n", close=False)
        try:
            line = child.line(time.monotonic() + self._settings.timeout)
        except Broken:
            raise Broken(f"it did not answer within {self._settings.timeout:g} s") from None
        if line is None:
            raise Broken(f"the worker died: {child.last_words()}" if child.last_words() else "the worker died")
        try:
            return read_answer(json.loads(line))
        except ValueError as error:
            raise Broken(str(error)) from None

    def _start(self) -> Child:
        self._child = child = Child([sys.executable, "-m", "seiko.oracles.external.worker", self._settings.target])
        try:
            line = child.line(time.monotonic() + STARTING)
            hello = json.loads(line or b"{}")
        except (Broken, ValueError):
            hello = {}
        if not hello.get("ready"):
            raise OracleFailed(str(hello.get("cannot") or f"a worker does not start: {child.last_words()}"))
        return child

    def _drop(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.kill()
