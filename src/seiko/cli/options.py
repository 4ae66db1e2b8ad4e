"""A recipe's parameters as the options of a command.

    budget: int = 500                       --budget INTEGER        underscores become dashes
    update: Literal["ppo", "none"] = "ppo"  --update [ppo|none]
    mirror: bool = True                     --mirror / --no-mirror
    kl_budget: float | None = 4.5           --kl-budget FLOAT, or the word none

A parameter of any other type that has a default is left out: it can be given in Python only.
"""

from __future__ import annotations

import enum
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union

import typer

from seiko.cli.errors import InputError
from seiko.cli.recipes import RecipeFunction, describe

__all__ = ["command_for", "parameters"]

_PLAIN = (int, float, str, bool)
_WORDS = {int: "a whole number", float: "a number", bool: "true or false", Path: "a path"}


def parameters(recipe: RecipeFunction) -> dict[str, tuple[Any, Any]]:
    """Return type and default (`inspect.Parameter.empty` without one) of each parameter that can be an option.

    Raises:
        InputError: If a parameter without a default has a type that no option can give.
    """
    hints = typing.get_type_hints(recipe.function)
    found = {}
    for name, parameter in inspect.signature(recipe.function).parameters.items():
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        hint = hints.get(name, str)
        if _is_option(hint):
            found[name] = (hint, parameter.default)
        elif parameter.default is parameter.empty:
            raise InputError(f"the recipe {recipe.name!r} needs {name} ({hint}), which no option can give")
    return found


def command_for(recipe: RecipeFunction, base: Callable[..., None], more: Mapping[str, tuple[Any, Any]]) -> Any:
    """Return a command whose options are `more` and the recipe's parameters.

    Args:
        recipe: Gives options and help.
        base: Called with the recipe's arguments as a dictionary, then the values of `more` by name.
        more: Annotation and default of the command's own options.
    """
    _, prose, helps = describe(recipe.function)
    own = parameters(recipe)
    if clash := [name for name in own if name in more]:
        raise InputError(f"the recipe {recipe.name!r} has a parameter {clash[0]!r}, which the command needs for itself")
    readers: dict[str, Callable[[Any], Any]] = {}
    signature = []
    for name, (hint, default) in own.items():
        annotation, shown, readers[name] = _option(name, hint, default, helps.get(name, ""))
        signature.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=shown, annotation=annotation))
    for name, (annotation, default) in more.items():
        signature.append(
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        )

    def command(**values: Any) -> None:
        arguments = {name: readers[name](values[name]) for name in own}
        base(arguments, **{name: values[name] for name in more})

    command.__signature__ = inspect.Signature(signature)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in signature}
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(recipe.name, help=prose or None)(command)
    return typer.main.get_command(app)


def _is_option(hint: Any) -> bool:
    inner, _ = _without_none(hint)
    return (
        inner in _PLAIN
        or inner is Path
        or (typing.get_origin(inner) is Literal and all(isinstance(word, str) for word in typing.get_args(inner)))
    )


def _without_none(hint: Any) -> tuple[Any, bool]:
    if typing.get_origin(hint) in (Union, types.UnionType):
        arms = [arm for arm in typing.get_args(hint) if arm is not type(None)]
        if len(arms) == 1:
            return arms[0], len(typing.get_args(hint)) > 1
    return hint, False


def _option(name: str, hint: Any, default: Any, help: str) -> tuple[Any, Any, Callable[[Any], Any]]:
    """Return annotation and default for typer, and what makes the recipe's value of the command's."""
    inner, optional = _without_none(hint)
    settings: dict[str, Any] = {"help": help or None}
    flag = f"--{name.replace('_', '-')}"
    if inner is bool and not optional:
        return Annotated[bool, typer.Option(f"{flag}/--no-{flag[2:]}", **settings)], _or_required(default), _same
    if typing.get_origin(inner) is Literal and not optional:
        words = typing.get_args(inner)
        choice = enum.Enum("Choice", {f"w{i}": word for i, word in enumerate(words)}, type=str)  # type: ignore[misc]
        shown = choice(default) if default in words else _or_required(default)
        return Annotated[choice, typer.Option(flag, **settings)], shown, lambda value: value.value
    if optional:
        # shown as part of the help: what click is told is that nothing was given
        shown = "" if default is inspect.Parameter.empty else f"  [default: {'none' if default is None else default}]"
        settings = {"metavar": f"{_metavar(inner)}|none", "help": f"{help}{shown}", "show_default": False}

        def read(value: str | None) -> Any:
            return default if value is None else None if value.lower() == "none" else _convert(flag, inner, value)

        # as text with None for "not given", so that the word none can be told from no word
        required = default is inspect.Parameter.empty
        return Annotated[str | None, typer.Option(flag, **settings)], ... if required else None, read
    return Annotated[inner, typer.Option(flag, **settings)], _or_required(default), _same


def _convert(flag: str, kind: Any, text: str) -> Any:
    words = {"true": True, "yes": True, "false": False, "no": False}
    try:
        if kind is bool:
            return words[text.lower()]
        if typing.get_origin(kind) is Literal:
            return {word: word for word in typing.get_args(kind)}[text]
        return kind(text)
    except (ValueError, KeyError):
        raise InputError(f"{flag} must be {_WORDS.get(kind, _metavar(kind))} or none, got {text!r}") from None


def _metavar(kind: Any) -> str:
    if typing.get_origin(kind) is Literal:
        return f"[{'|'.join(typing.get_args(kind))}]"
    return {int: "INTEGER", float: "FLOAT", bool: "true|false", Path: "PATH"}.get(kind, "TEXT")


def _or_required(default: Any) -> Any:
    return ... if default is inspect.Parameter.empty else default


def _same(value: Any) -> Any:
    return value
