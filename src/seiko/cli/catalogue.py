"""`recipes`: what can be run, and with which options."""

from __future__ import annotations

import inspect
from typing import Annotated, Any

import typer

from seiko.cli.options import parameters
from seiko.cli.output import as_json, deliver
from seiko.cli.recipes import RecipeFunction, describe, find, installed

__all__ = ["recipes"]


def recipes(
    as_objects: Annotated[bool, typer.Option("--json", help="A JSON list, for programs.")] = False,
) -> None:
    """Describe the installed recipes and their parameters."""
    found = [find(name) for name in installed()]
    if as_objects:
        rows = [
            {"recipe": recipe.name, "summary": describe(recipe.function)[0], "parameters": _parameters(recipe)}
            for recipe in found
        ]
        deliver(as_json(rows), None)
        return
    for recipe in found:
        lines = [f"{recipe.name}\t{describe(recipe.function)[0]}"]
        for row in _parameters(recipe):
            default = "required" if row["required"] else row["default"]
            lines.append(f"  --{row['name'].replace('_', '-')} {default}\t{row['help']}")
        deliver("\n".join(lines) + "\n", None)


def _parameters(recipe: RecipeFunction) -> list[dict[str, Any]]:
    helps = describe(recipe.function)[2]
    rows = []
    for name, (_, default) in parameters(recipe).items():
        required = default is inspect.Parameter.empty
        known = default if isinstance(default, (bool, int, float, str)) or default is None else str(default)
        rows.append(
            {
                "name": name,
                "default": None if required else known,
                "required": required,
                "help": helps.get(name, ""),
            }
        )
    return rows
