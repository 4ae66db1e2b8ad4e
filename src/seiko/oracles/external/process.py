"""A child process that cannot outlive its time: lines in, lines out, and the whole process group killed at the end.

No shell is ever involved. The child leads a process group of its own, so that what it has started goes with it, and
Ctrl-C in the terminal reaches us, not it. Its end is seen without reaping it (`WNOWAIT`): until then its id is its own,
and no stranger can be killed in its name.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from seiko.oracles.external.answers import Broken, OracleFailed

__all__ = ["Child"]

LINE = 1 << 20  # bytes of one line, at most: an answer is short
TAIL = 2000  # characters of its standard error that a message may quote


class Child:
    """A running program; use it as a context manager.

    Args:
        arguments: Program and arguments.
        folder: Where it runs; None for here.
        environment: Variables beside ours.

    Raises:
        OracleFailed: If it cannot be started.
    """

    def __init__(
        self, arguments: Sequence[str], folder: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> None:
        try:
            self._process = subprocess.Popen(
                list(arguments),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=folder,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise OracleFailed(f"cannot start {arguments[0]!r}: {error}") from error
        self._lines: queue.Queue[bytes | None] = queue.Queue(maxsize=10_000)
        self._told: list[bytes] = []
        self._over = threading.Event()
        self._readers = [threading.Thread(target=work, daemon=True) for work in (self._read_output, self._read_errors)]
        self._writers: list[threading.Thread] = []
        for thread in self._readers:
            thread.start()

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def send(self, data: bytes, *, close: bool) -> None:
        """Write to its standard input, from another thread: it may answer before it has read all."""
        thread = threading.Thread(target=self._write, args=(data, close), daemon=True)
        thread.start()
        self._writers.append(thread)

    def line(self, deadline: float) -> bytes | None:
        """Return its next line of output with the line's end; None at the end of all output.

        Raises:
            Broken: If neither has come by the deadline (`time.monotonic`), or the line is too long.
        """
        try:
            line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            raise Broken("it did not answer in time") from None
        if line is not None and len(line) >= LINE:
            raise Broken(f"it wrote a line of more than {LINE} bytes")
        return line

    def lines(self, deadline: float) -> Iterator[bytes]:
        """Yield its lines until the end of its output."""
        while (line := self.line(deadline)) is not None:
            yield line

    def exit_code(self, deadline: float) -> int:
        """Wait for its end and return the exit code, negative for a signal.

        Raises:
            Broken: If it has not ended by the deadline.
        """
        while not self._over.is_set() and not self._ended():
            if time.monotonic() > deadline:
                raise Broken("it answered, but did not end in time")
            time.sleep(0.005)
        self.kill()
        return self._process.returncode

    def _ended(self) -> bool:
        return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None

    def last_words(self) -> str:
        """Return the end of what it wrote on standard error."""
        text = b"".join(self._told).decode(errors="replace").strip()
        return " ".join(text[-TAIL:].split())[-300:]

    def kill(self) -> None:
        """End it and all of its group, and forget it; twice does nothing."""
        if self._over.is_set():
            return
        self._over.set()
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for thread in (*self._readers, *self._writers):
            thread.join(1.0)  # not for ever: a daemon that left the group may hold a pipe open
        if self._process.stdin is not None and not any(thread.is_alive() for thread in self._writers):
            with suppress(OSError, ValueError):
                self._process.stdin.close()

    def _write(self, data: bytes, close: bool) -> None:
        assert self._process.stdin is not None
        with suppress(OSError, ValueError):  # it ended without reading: its exit code says so
            self._process.stdin.write(data)
            self._process.stdin.flush()
            if close:
                self._process.stdin.close()

    def _read_output(self) -> None:
        assert self._process.stdout is not None
        with suppress(OSError, ValueError), self._process.stdout as output:
            while line := output.readline(LINE):
                while not self._over.is_set():
                    with suppress(queue.Full):
                        self._lines.put(line, timeout=0.2)
                        break
                if self._over.is_set():
                    return
        with suppress(queue.Full):
            self._lines.put(None, timeout=5.0)

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        with suppress(OSError, ValueError), self._process.stderr as errors:
            while part := errors.read1(4096):  # type: ignore[attr-defined]
                self._told = [b"".join([*self._told, part])[-4 * TAIL :]]
