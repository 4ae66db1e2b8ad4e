"""A Ctrl-C that is not lost.

Python raises KeyboardInterrupt wherever it happens to stand. In a destructor, in a weak reference's callback or in a
library's own `except` it is swallowed, and the program goes on as if nobody had pressed anything. So it is remembered,
and raised again at the next step of the work.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["interruptible"]


@contextmanager
def interruptible() -> Iterator[Callable[[], None]]:
    """Remember Ctrl-C, and yield a check that raises it again where the first one was swallowed.

    Outside of the main thread, which alone gets signals, the check does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    pressed = threading.Event()

    def press(number: int, frame: FrameType | None) -> None:
        pressed.set()
        raise KeyboardInterrupt

    def check() -> None:
        if pressed.is_set():
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, press)
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, before)
