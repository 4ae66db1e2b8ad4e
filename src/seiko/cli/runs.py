"""How the commands that take a RUN open it: with its recipe and models in reach, or its state alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seiko.cli.errors import InputError
from seiko.cli.recipes import allowed_modules

if TYPE_CHECKING:
    from seiko.campaign import Campaign
    from seiko.campaign.state import RunState

__all__ = ["MODEL_FILES", "Force", "OutFile", "RunPlace", "beside", "is_run", "open_run", "read_state"]

MODEL_FILES = ("config.json", "model_index.json", "seiko.json", "unet/config.json", "transformer/config.json")
"""Files of which a model's folder has at least one."""

RunPlace = Annotated[
    str,
    typer.Argument(metavar="RUN", help="Run folder, or postgresql://USER@HOST/DATABASE?run=NAME.", show_default=False),
]
OutFile = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="Write here, not to standard output.", show_default=False)
]
Force = Annotated[bool, typer.Option("--force", help="Replace FILE if it exists.")]


def open_run(place: str) -> Campaign:
    """Open an existing run.

    Raises:
        InputError: If its recipe names classes of a module that was not allowed; nothing is imported because a file
            asks for it.
    """
    from seiko.campaign import Campaign
    from seiko.config import ConfigError

    try:
        return Campaign.open(place, modules=allowed_modules())
    except ConfigError as error:
        if "allow-list" not in str(error):
            raise
        raise InputError(f"{error}: `seiko --module NAME ...`, or SEIKO_MODULES=NAME") from error


def read_state(place: str) -> RunState:
    """Return the present of a run without its recipe's classes, so that nothing else needs to be installed or loaded.

    Raises:
        NoRun: If there is no run.
        LedgerError: If its ledger cannot be read.
    """
    from seiko.campaign.checkpoint import refresh
    from seiko.campaign.ledger import Ledger, NoRun, shown_place
    from seiko.campaign.state import RunState

    state = RunState()
    with Ledger.open(place) as ledger:
        refresh(ledger, state)
    if state.recipe is None:
        raise NoRun(
            f"no run at {shown_place(place)}: it was never given a recipe; start it with `seiko run` or `seiko init`"
        )
    return state


def is_run(place: str) -> bool:
    """Tell a run from a model directory."""
    from seiko.campaign.ledger import is_server

    return is_server(place) or place.startswith("sqlite:") or (Path(place) / "ledger.sqlite").is_file()


def beside(place: str, out: Path | None, name: str) -> Path:
    """Return where something of a run goes: `out`, else into its folder.

    Raises:
        InputError: If the run is on a server and has no folder.
    """
    from seiko.campaign.ledger import is_server, run_folder

    if out is None and is_server(place):
        raise InputError(f"a run on a server has no folder for its {name}: say where with --out")
    return out or run_folder(place) / name
