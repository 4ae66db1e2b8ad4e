"""What the shell is told when something goes wrong: a sentence and an exit code, no traceback.

    2    wrong usage or input: the user can put it right by asking otherwise
    1    failure: disk, rights, damaged files, a model that draws nothing new
    130  interrupted; every stage can be repeated, so nothing is lost

Anything else is a fault of the program and keeps its traceback. Heavy modules are not imported to classify an error:
an error of theirs can only come after somebody else did.
"""

from __future__ import annotations

import sys
import traceback

__all__ = ["FAILURE", "INTERRUPTED", "WRONG", "InputError", "exit_code", "explain"]

FAILURE, WRONG, INTERRUPTED = 1, 2, 130


class InputError(Exception):
    """What was asked for cannot be meant; the message names the value and the way out."""


def exit_code(error: BaseException) -> int | None:
    """Return the exit code of an expected error, None for one that is a fault of the program."""
    from seiko.data import DataCorrupted

    if "seiko.campaign" in sys.modules:
        from seiko.campaign import CampaignError, LedgerError, NoRun, PoolExhausted

        if isinstance(error, CampaignError):
            return FAILURE if isinstance(error, PoolExhausted) else WRONG
        if isinstance(error, LedgerError):
            return WRONG if isinstance(error, NoRun) else FAILURE
    if "seiko.oracles" in sys.modules:
        from seiko.oracles import OracleFailed

        if isinstance(error, OracleFailed):
            return FAILURE
    if isinstance(error, (DataCorrupted, FloatingPointError)) or type(error).__module__.startswith("safetensors"):
        return FAILURE
    if isinstance(error, (InputError, ValueError, FileNotFoundError, IsADirectoryError, NotADirectoryError)):
        return WRONG
    if isinstance(error, ImportError) and "pip install 'seiko[" in str(error):  # an extra that was not installed
        return WRONG
    return FAILURE if isinstance(error, OSError) else None


def explain(error: BaseException, *, debug: bool) -> int:
    """Print what went wrong on standard error and return the exit code."""
    code = exit_code(error)
    if code is None or debug:
        traceback.print_exception(error)
        return FAILURE if code is None else code
    text = str(error).strip() or type(error).__name__
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        text = f"{error.filename}: {error.strerror}"
    print(f"error: {text}", file=sys.stderr)
    return code
