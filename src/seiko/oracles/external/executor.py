"""Any oracle on any executor: threads, processes, a Dask cluster (`client.get_executor()`), or what has its interface.

Designs go out in parts, each a task of its own; labels are told as parts come back, in any order. A part that raises,
answers with the wrong number of labels or loses its worker is sent once more; then its designs have failed. An executor
that is broken itself ends the loop.

The executor is a living thing and in no recipe: it is given to `seiko.campaign.run(campaign, OnExecutor(...))`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from dataclasses import dataclass

from seiko.designs import Design
from seiko.oracles.base import Label, Oracle
from seiko.oracles.external.answers import OracleFailed

__all__ = ["OnExecutor"]


@dataclass(frozen=True, kw_only=True)
class OnExecutor:
    """Answer by an oracle that runs elsewhere.

    Args:
        oracle: Who answers; it is sent to the workers, so it must be a configuration that can be pickled.
        executor: Where.
        part: Designs of one task.
        timeout: Seconds without any part coming back before those that are out have failed; None to wait for ever. Who
            hangs in them is the executor's to end.
    """

    oracle: Oracle
    executor: Executor
    part: int = 1
    timeout: float | None = None

    def __post_init__(self) -> None:
        if self.part < 1:
            raise ValueError(f"part must be at least 1 design, got {self.part}")
        if self.timeout is not None and not self.timeout > 0:
            raise ValueError(f"timeout must be a positive number of seconds or None, got {self.timeout}")

    def __call__(self, designs: Sequence[Design]) -> list[Label]:
        """Return one label for each design, in order."""
        labels = dict(self.answers(designs))
        return [labels[position] for position in range(len(designs))]

    def answers(self, designs: Sequence[Design]) -> Iterator[tuple[int, Label]]:
        """Yield position and label of each design as parts come back.

        Raises:
            OracleFailed: If the executor takes no more tasks, or not one part was answered.
        """
        out: dict[Future[list[Label]], tuple[int, int, int]] = {}  # first position, designs, tries before
        heard, why, last = False, "", time.monotonic()
        try:
            for start in range(0, len(designs), self.part):
                self._send(out, designs, start, len(designs[start : start + self.part]), 0)
            while out:
                left = None if self.timeout is None else max(0.0, last + self.timeout - time.monotonic())
                done, _ = wait(out, timeout=left, return_when=FIRST_COMPLETED)
                if not done:
                    why = f"no part came back within {self.timeout:g} s"
                    break
                last = time.monotonic()
                for future in done:
                    start, size, tries = out.pop(future)
                    labels, fault = _result(future, size)
                    if labels is not None:
                        heard = True
                        yield from enumerate(labels, start=start)
                    elif tries == 0:
                        self._send(out, designs, start, size, 1)
                    else:
                        why = fault
                        if not heard and not out:
                            break
                        yield from ((start + i, Label.failed(fault)) for i in range(size))
            if not heard and designs:
                raise OracleFailed(f"the executor answered none of {len(designs)} designs: {why}")
            for start, size, _ in out.values():
                yield from ((start + i, Label.failed(why)) for i in range(size))
        finally:
            for future in out:
                future.cancel()

    def _send(
        self,
        out: dict[Future[list[Label]], tuple[int, int, int]],
        designs: Sequence[Design],
        start: int,
        size: int,
        tries: int,
    ) -> None:
        try:
            out[self.executor.submit(self.oracle, list(designs[start : start + size]))] = (start, size, tries)
        except RuntimeError as error:  # also BrokenExecutor: it was shut down, or its workers died
            raise OracleFailed(f"the executor takes no more tasks: {error}") from error


def _result(future: Future[list[Label]], size: int) -> tuple[list[Label] | None, str]:
    """Return the labels of a part, or None and why there are none."""
    try:
        labels: object = future.result()
    except BrokenExecutor as error:
        return None, f"the worker died: {error}"
    except Exception as error:  # whatever somebody else's oracle raises elsewhere
        return None, f"{type(error).__name__}: {error}"
    if not isinstance(labels, list) or len(labels) != size or not all(isinstance(label, Label) for label in labels):
        return None, f"it answered {size} designs with something else than {size} labels"
    return labels, ""
