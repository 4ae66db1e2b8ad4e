"""Your own function as an oracle: ``module:function``, called with one design's text, returning a number.

    def score(smiles: str) -> float | None        None: the design cannot be labelled (infeasible)

The function is imported when the first design is sent, never when a ledger or a recipe is read. An exception, a NaN or
an infinity fails the one label that it concerns, with the reason; the others are kept.
"""

from __future__ import annotations

import importlib
import math
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from seiko.designs import Design
from seiko.oracles.base import Label

__all__ = ["PythonFunction", "label_by"]

_TARGET = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


@dataclass(frozen=True, kw_only=True)
class PythonFunction:
    """Answer with a Python function of one design's text; larger is better.

    Args:
        target: ``"module:function"``; the module may lie in the working folder.

    Raises:
        ValueError: If the target is not spelt like that.
    """

    target: str

    def __post_init__(self) -> None:
        if not _TARGET.fullmatch(self.target):
            raise ValueError(f"a function of your own is named module:function, got {self.target!r}")

    def load(self) -> Callable[[str], float | None]:
        """Return the function.

        Raises:
            ImportError: If the module cannot be imported, or has no such function.
        """
        module, _, attribute = self.target.partition(":")
        if "" not in sys.path and "." not in sys.path:
            sys.path.append(".")
        try:
            found = importlib.import_module(module)
        except ImportError as error:
            raise ImportError(f"the module of {self.target!r} cannot be imported: {error}") from error
        for part in attribute.split("."):
            if not hasattr(found, part):
                raise ImportError(f"{module} has no {attribute!r}: check the name in {self.target!r}")
            found = getattr(found, part)
        if not callable(found):
            raise ImportError(f"{self.target!r} is not a function")
        return found

    def __call__(self, designs: Sequence[Design]) -> list[Label]:
        """Return one label for each design, in order."""
        function = self.load()
        return [label_by(function, design.content) for design in designs]


def label_by(function: Callable[..., Any], *arguments: object) -> Label:
    """Return the label that a user's function gives; whatever it raises concerns this one design."""
    try:
        value = function(*arguments)
        number = math.nan if value is None else float(value)
    except Exception as error:
        return Label.failed(f"{type(error).__name__}: {error}")
    if value is None:
        return Label.infeasible("the function returned None")
    return Label(value=number) if math.isfinite(number) else Label.failed(f"the function returned {number}")
