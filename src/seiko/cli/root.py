"""The command `seiko` itself: global options, commands of other packages, and how every command ends."""

from __future__ import annotations

import importlib.metadata
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import typer
from typer.core import TyperGroup

from seiko.cli.errors import INTERRUPTED, WRONG, InputError, explain

__all__ = ["Root", "Settings", "settings"]

COMMANDS = "seiko.commands"  # entry-point group of commands that other packages bring
ORDER = (
    *("run", "init", "ask", "tell", "advance", "retract", "abandon"),
    *("status", "report", "serve", "sample", "export", "ledger", "pretrain", "recipes", "data"),
)


@dataclass
class Settings:
    """What the global options say.

    Args:
        debug: Show tracebacks of expected errors too.
        modules: Modules beside seiko's own and the installed recipes' whose classes a run may name.
    """

    debug: bool = False
    modules: tuple[str, ...] = ()


settings = Settings()


class Root(TyperGroup):
    """A group that also mounts the commands of the entry-point group `seiko.commands`, loaded when they are used."""

    _listing = False

    def list_commands(self, ctx: Any) -> list[str]:
        """Return own commands, then those of other packages."""
        own = sorted(super().list_commands(ctx), key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))
        return [*own, *(name for name in sorted(_foreign()) if name not in own)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command; one of another package is imported only if it is called."""
        own = super().get_command(ctx, cmd_name)
        if own is not None or cmd_name not in _foreign():
            return own
        entry = _foreign()[cmd_name]
        if self._listing:
            return _stub(cmd_name, f"Of {entry.value.split(':')[0].split('.')[0]}; see `seiko {cmd_name} --help`.")
        try:
            found = entry.load()
        except ImportError as error:
            raise InputError(f"the command {cmd_name} ({entry.value}) cannot be loaded: {error}") from error
        command: Any = typer.main.get_command(found) if isinstance(found, typer.Typer) else found
        return command

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help without importing other packages."""
        self._listing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._listing = False

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run and exit with 0, 2 (wrong usage or input), 1 (failure) or 130 (interrupted)."""
        run = partial(
            super().main, args, prog_name, complete_var, False, windows_expand_args=windows_expand_args, **extra
        )
        if not standalone_mode:
            return run()
        settings.debug, settings.modules = os.environ.get("SEIKO_DEBUG", "") not in ("", "0"), ()
        # "Loading weights" of a model of a few MB is noise beside our own progress; 0 in the environment brings it back
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        try:
            code = run()
        except (KeyboardInterrupt, typer.Abort):  # versions of typer differ; the newest return 130
            code = INTERRUPTED
        except Exception as error:
            code = _show_usage(error) if hasattr(error, "format_message") else explain(error, debug=settings.debug)
        if code == INTERRUPTED:
            print("interrupted; nothing is lost, run the same command again to go on", file=sys.stderr)
        _flush()
        sys.exit(code if isinstance(code, int) else 0)


def _foreign() -> dict[str, importlib.metadata.EntryPoint]:
    return {entry.name: entry for entry in importlib.metadata.entry_points(group=COMMANDS)}


def _stub(name: str, text: str) -> Any:
    stub = typer.Typer(add_completion=False, rich_markup_mode=None)
    stub.command(name, help=text)(lambda: None)
    return typer.main.get_command(stub)


def _show_usage(error: Any) -> int:
    """Print an error of the command line's grammar; of an unknown option, say which there are."""
    error.show()
    if type(error).__name__ == "NoSuchOption" and getattr(error, "ctx", None) is not None:
        known = sorted({opt for param in error.ctx.command.params for opt in param.opts if opt.startswith("--")})
        print(f"known options: {', '.join([*known, '--help'])}", file=sys.stderr)
    code: int = getattr(error, "exit_code", WRONG)
    return code


def _flush() -> None:
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read our output has left; Python would complain again while it shuts down
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
