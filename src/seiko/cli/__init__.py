"""The command line: a closed loop in one command, a laboratory's loop in three, and looking at what came of it.

Commands parse, call the library and print; they decide nothing. Machine-readable output goes to standard output,
everything else to standard error. Heavy libraries are imported inside the command that needs them, so that help and
mistakes answer at once.
"""

from __future__ import annotations

from typing import Annotated

import typer

from seiko import __version__
from seiko.cli import catalogue, data, lab, ledger, prior, sample, serve, show
from seiko.cli.ask import ask
from seiko.cli.output import deliver
from seiko.cli.root import Root, settings
from seiko.cli.run import InitGroup, RecipeGroup, RunGroup
from seiko.cli.tell import tell

__all__ = ["app", "main"]

app = typer.Typer(
    cls=Root,
    name="seiko",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Fine-tune pretrained diffusion models with few costly labels.",
    epilog="Exit codes: 0 done, 2 wrong usage or input, 1 failure, 130 interrupted.",
)


def _version(wanted: bool) -> None:
    if wanted:
        deliver(f"seiko {__version__}\n", None)
        raise typer.Exit()


@app.callback()
def _globals(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks (also: SEIKO_DEBUG=1).")] = False,
    module: Annotated[
        list[str] | None,
        typer.Option(
            "--module",
            metavar="NAME",
            envvar="SEIKO_MODULES",
            help="A module of yours whose classes a run may name; repeatable, in SEIKO_MODULES with blanks between.",
        ),
    ] = None,
) -> None:
    settings.debug = settings.debug or debug
    settings.modules = tuple(module or ())


def _recipe_group(cls: type[RecipeGroup], help: str) -> typer.Typer:
    return typer.Typer(
        cls=cls,
        add_completion=False,
        rich_markup_mode=None,
        no_args_is_help=True,
        options_metavar="",
        subcommand_metavar="RECIPE [OPTIONS]",
        help=help,
    )


app.add_typer(
    _recipe_group(
        RunGroup, "Run a recipe's closed loop: its oracle answers at once. A run that exists is gone on with."
    ),
    name="run",
)
app.add_typer(
    _recipe_group(InitGroup, "Start a run without asking an oracle, for `ask`, `tell` and `advance`."), name="init"
)
app.command()(ask)
app.command()(tell)
app.command()(lab.advance)
app.command()(lab.retract)
app.command()(lab.abandon)
app.command()(show.status)
app.command()(show.report)
app.command()(serve.serve)
app.command()(sample.sample)
app.command()(show.export)
app.command()(prior.pretrain)
app.command()(catalogue.recipes)
app.add_typer(ledger.app, name="ledger")
app.add_typer(data.app, name="data")


def main() -> None:
    """Run the command line; the entry point of the installed command."""
    app(prog_name="seiko")
