"""`seiko run` and `seiko init`: start a run from a recipe, with the recipe's parameters as options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from seiko.cli.errors import InputError
from seiko.cli.options import command_for
from seiko.cli.output import as_json, deliver, say
from seiko.cli.recipes import RecipeFunction, allowed_modules, find, installed

__all__ = ["InitGroup", "RecipeGroup", "RunGroup"]

Out = Annotated[
    str | None,
    typer.Option(
        "--out",
        metavar="RUN",
        help="Run folder; gone on with if it holds this run.",
        show_default="runs/RECIPE-seedSEED",
    ),
]

Anew = Annotated[
    bool, typer.Option("--anew", help="Start a run over that has other options, if nothing was asked of it yet.")
]


class RecipeGroup(TyperGroup):
    """A command for each installed recipe, and for any ``module:function``."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the installed recipes."""
        return list(installed())

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the recipe's command, with its parameters as options."""
        recipe = find(cmd_name)
        return command_for(recipe, self.start(recipe), {"out": (Out, None), "anew": (Anew, False)})

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the recipes by name: their docstrings would cost the import of everything they stand on."""
        with formatter.section("Recipes (`seiko recipes` describes them)"):
            rows = [(name, entry.value) for name, entry in installed().items()]
            formatter.write_dl(rows or [("none", "no package that brings recipes is installed")])

    def start(self, recipe: RecipeFunction) -> Callable[..., None]:
        """Return what the recipe's command does."""
        raise NotImplementedError


class RunGroup(RecipeGroup):
    """`seiko run RECIPE`."""

    def start(self, recipe: RecipeFunction) -> Callable[..., None]:
        """Return the closed loop."""
        return lambda arguments, out, anew: run_recipe(recipe, arguments, out, anew)


class InitGroup(RecipeGroup):
    """`seiko init RECIPE`."""

    def start(self, recipe: RecipeFunction) -> Callable[..., None]:
        """Return what starts a run without going further."""
        return lambda arguments, out, anew: init_recipe(recipe, arguments, out, anew)


def open_recipe(
    recipe: RecipeFunction, arguments: dict[str, Any], out: str | None, anew: bool, *, closed: bool
) -> tuple[Any, str]:
    """Return the run (`Campaign`) of a recipe, started if there is none, and its place as it may be printed.

    Args:
        recipe: The recipe.
        arguments: Its arguments.
        out: Run folder; None for runs/RECIPE-seedSEED.
        anew: Start a run of other arguments over, if nothing was asked of it yet.
        closed: Whether the recipe must have an oracle.

    Raises:
        InputError: If there is no recipe or no oracle to run; no folder was made.
        ValueError: If the recipe refuses its arguments, naming the value; no folder was made.
    """
    from seiko.campaign import Campaign, Recipe
    from seiko.campaign.ledger import shown_place

    made = recipe.function(**arguments)
    if not isinstance(made, Recipe):
        raise InputError(f"the recipe {recipe.name!r} returned a {type(made).__name__}, not a seiko.campaign.Recipe")
    seed = f"-seed{arguments['seed']}" if "seed" in arguments else ""
    place = out or str(Path("runs") / f"{recipe.name}{seed}")
    if closed and made.oracle is None:
        raise InputError(
            f"the recipe {recipe.name!r} has no oracle, so nobody would answer: start it with `seiko init`, then use "
            "`seiko ask`, `seiko tell` and `seiko advance`"
        )
    return Campaign.open(place, made, modules=allowed_modules(recipe.module), anew=anew), shown_place(place)


def run_recipe(recipe: RecipeFunction, arguments: dict[str, Any], out: str | None, anew: bool) -> None:
    """Run the closed loop to its end and print its summary."""
    from seiko.campaign import run
    from seiko.cli.interrupt import interruptible
    from seiko.cli.progress import view
    from seiko.cli.summary import summarise

    campaign, place = open_recipe(recipe, arguments, out, anew, closed=True)
    with campaign, interruptible() as check:
        made, state = campaign.recipe, campaign.state
        if state.reports and not campaign.done:
            say(f"{place}: going on after round {len(state.reports)} of {made.rounds}")
        with view(
            name=made.name,
            rounds=made.rounds,
            budget=made.budget,
            kl_budget=summarise(state, place)["kl_budget"],
            labels=state.answered,
            reports=list(state.reports),
        ) as shown:

            def progress(stage: str, done: int, total: int, numbers: Mapping[str, float]) -> None:
                check()
                shown.progress(stage, done, total, numbers)

            run(campaign, progress=progress, finished=shown.finished)
            shown.progress("over", 1, 1, {})
        deliver(as_json(summarise(campaign.state, place)), None)
        say(f"{place}: finished, {campaign.stopped_because}; `seiko report {place}` draws it")


def init_recipe(recipe: RecipeFunction, arguments: dict[str, Any], out: str | None, anew: bool) -> None:
    """Start a run for people to label, and print its place."""
    from seiko.cli.summary import status

    campaign, place = open_recipe(recipe, arguments, out, anew, closed=False)
    with campaign:
        deliver(as_json(status(campaign.state, place)), None)
    say(f"{place}: ready; `seiko ask {place}` prints the first batch")
