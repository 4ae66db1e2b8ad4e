"""Which recipes there are: functions of the entry-point group `seiko.recipes`, or `module:function` by name.

A recipe is a function with keyword parameters that returns a `Recipe`. Its docstring is its help, first line and Args.
Nothing is imported to find out which recipes there are; one is imported when it is used.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.metadata
import inspect
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from seiko.cli.errors import InputError
from seiko.cli.root import settings

__all__ = ["RecipeFunction", "allowed_modules", "describe", "find", "installed"]

GROUP = "seiko.recipes"


@dataclass(frozen=True)
class RecipeFunction:
    """A recipe that was found.

    Args:
        name: What it is called on the command line, and in the default name of a run folder.
        function: Returns the recipe.
        module: Module whose exported classes its recipe may name.
    """

    name: str
    function: Callable[..., Any]
    module: str


def installed() -> dict[str, importlib.metadata.EntryPoint]:
    """Return the recipes of all installed packages by name, not imported."""
    return {entry.name: entry for entry in sorted(importlib.metadata.entry_points(group=GROUP), key=lambda e: e.name)}


def find(name: str) -> RecipeFunction:
    """Return an installed recipe, or the function that ``module:function`` names.

    Raises:
        InputError: If there is none, or it cannot be imported.
    """
    entries = installed()
    if name in entries:
        module, _, attribute = entries[name].value.partition(":")
    elif ":" in name:
        module, _, attribute = name.partition(":")
        if not all(re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)*", part) for part in (module, attribute)):
            raise InputError(f"a recipe of your own is named module:function, got {name!r}")
        import_from_here()
    else:
        near = difflib.get_close_matches(name, entries, n=1)
        hint = f", did you mean {near[0]!r}?" if near else "."
        known = ", ".join(entries) or "none installed"
        raise InputError(f"no recipe {name!r}{hint} There are: {known}; one of your own is named module:function")
    try:
        function = importlib.import_module(module)
        for part in attribute.split("."):
            function = getattr(function, part)
    except (ImportError, AttributeError) as error:
        raise InputError(f"the recipe {name!r} cannot be loaded from {module}: {error}") from error
    if not callable(function):
        raise InputError(f"the recipe {name!r} is not a function")
    return RecipeFunction(name if name in entries else attribute, function, module)


def import_from_here() -> None:
    """Let modules of the working folder be imported, after everything that is installed."""
    if "" not in sys.path and "." not in sys.path:
        sys.path.append(".")


def allowed_modules(*more: str) -> tuple[str, ...]:
    """Return the modules whose classes a recipe may name: those of installed recipes, of --module, and more."""
    if settings.modules:
        import_from_here()
    found = (*(entry.value.partition(":")[0] for entry in installed().values()), *settings.modules, *more)
    return tuple(dict.fromkeys(found))


def describe(function: Callable[..., Any]) -> tuple[str, str, dict[str, str]]:
    """Return the first line of a docstring, its prose without the sections, and the texts of its Args."""
    text = inspect.getdoc(function) or ""
    prose, _, rest = ("\n" + text).partition("\nArgs:\n")
    prose = re.split(r"\n(?:Returns|Raises|References|Yields|Examples?):\n", prose)[0].strip()
    args: dict[str, str] = {}
    name = ""
    for line in rest.splitlines():
        if line and not line[0].isspace():
            break
        if match := re.match(r" {1,4}(\w+)(?: \([^)]*\))?:\s*(.*)", line):
            name = match[1]
            args[name] = match[2]
        elif name:
            args[name] = f"{args[name]} {line.strip()}".strip()
    return (text.splitlines() or [""])[0], prose, args
