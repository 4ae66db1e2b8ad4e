from __future__ import annotations

import contextlib
import signal
import threading

import pytest

from seiko.cli.interrupt import interruptible


def test_a_ctrl_c_that_was_swallowed_is_raised_at_the_next_check() -> None:
    with interruptible() as check:
        check()
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            check()


def test_it_interrupts_at_once_and_restores_the_handler() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), interruptible():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_another_thread_gets_a_check_that_does_nothing() -> None:
    found: list[str] = []

    def work() -> None:
        with interruptible() as check:
            check()
            found.append("done")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == ["done"]
