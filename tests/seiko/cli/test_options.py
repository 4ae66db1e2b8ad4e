"""A recipe's parameters as options, and its docstring as their help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Optional

import pytest
import typer

from seiko.cli.errors import InputError
from seiko.cli.options import command_for, parameters
from seiko.cli.recipes import RecipeFunction, describe

Word = Literal["one", "two"]


def everything(
    *,
    count: int,
    rate: float = 0.5,
    name: str = "x",
    word: Word = "one",
    on: bool = True,
    off: bool = False,
    maybe: float | None = None,
    maybe_int: Optional[int] = 3,  # noqa: UP045
    maybe_word: Word | None = "two",
    folder: Path = Path("here"),
    table: tuple[float, float] = (0.0, 1.0),
) -> dict[str, Any]:
    """Do everything.

    Prose with [brackets]
    on two lines.

    Args:
        count: How many; a line that
            goes on.
        rate (float): How fast.
        maybe: Or not.

    Returns:
        count: not an argument.
    """
    return locals()


def called(*arguments: str) -> Any:
    got: list[Any] = []
    recipe = RecipeFunction("everything", everything, "here")

    def base(values: dict[str, Any], out: str | None) -> None:
        got.append((values, out))

    command = command_for(recipe, base, {"out": (Annotated[str | None, typer.Option("--out")], None)})
    command.main(list(arguments), standalone_mode=False)
    return got[0]


def test_defaults_are_the_functions_own() -> None:
    values, out = called("--count", "3")
    assert everything(**values) == everything(count=3)
    assert "table" not in values
    assert out is None


def test_values_have_the_annotated_types() -> None:
    values, out = called(
        "--count", "3", "--rate", "1e-3", "--name", "y", "--word", "two", "--no-on", "--off", "--maybe", "2",
        "--maybe-int", "none", "--maybe-word", "one", "--folder", "there", "--out", "o",
    )  # fmt: skip
    assert values == {
        "count": 3, "rate": 1e-3, "name": "y", "word": "two", "on": False, "off": True, "maybe": 2.0,
        "maybe_int": None, "maybe_word": "one", "folder": Path("there"),
    }  # fmt: skip
    assert type(values["word"]) is str
    assert type(values["maybe"]) is float
    assert out == "o"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--maybe-int", "2.5"], "--maybe-int must be a whole number or none, got '2.5'"),
        (["--maybe-word", "three"], "--maybe-word must be [one|two] or none, got 'three'"),
        (["--maybe", "much"], "--maybe must be a number or none, got 'much'"),
    ],
)
def test_a_wrong_optional_value_is_named(arguments: list[str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        called("--count", "1", *arguments)
    assert str(caught.value) == message


def test_a_required_parameter_is_a_required_option() -> None:
    with pytest.raises(Exception, match="Missing") as caught:
        called()
    assert getattr(caught.value, "exit_code", None) == 2
    assert "count" in str(caught.value)


def test_a_docstring_becomes_help() -> None:
    summary, prose, args = describe(everything)
    assert summary == "Do everything."
    assert prose == "Do everything.\n\nProse with [brackets]\non two lines."
    assert args == {"count": "How many; a line that goes on.", "rate": "How fast.", "maybe": "Or not."}


def test_a_parameter_that_no_option_can_give_needs_a_default() -> None:
    def needy(*, table: dict[str, int]) -> None: ...

    with pytest.raises(InputError, match="needs table"):
        parameters(RecipeFunction("needy", needy, "m"))


def test_a_parameter_may_not_take_the_commands_own_name() -> None:
    def clashing(*, out: str = "x") -> None: ...

    with pytest.raises(InputError, match="parameter 'out', which the command needs"):
        command_for(RecipeFunction("c", clashing, "m"), lambda values: None, {"out": (str, "")})
