"""`seiko` itself: quick help, commands of other packages, streams and exit codes of a real process."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

import seiko as seiko_package
from seiko import __version__
from seiko.cli import app
from seiko.cli.errors import InputError, exit_code
from seiko.data import DataCorrupted, DataUnavailable

Invoke = Callable[..., Result]
CONTRACT = [
    "run",
    "init",
    "ask",
    "tell",
    "advance",
    "status",
    "report",
    "serve",
    "sample",
    "export",
    "pretrain",
    "recipes",
    "data",
]


def entry_points(*entries: tuple[str, str, str]) -> Callable[..., list[importlib.metadata.EntryPoint]]:
    def found(*, group: str) -> list[importlib.metadata.EntryPoint]:
        return [importlib.metadata.EntryPoint(name, value, group) for g, name, value in entries if g == group]

    return found


def test_help_lists_every_command_of_the_contract() -> None:
    result = CliRunner().invoke(app, ["--help"])
    assert result.exit_code == 0
    listed = [line.split()[0] for line in result.stdout.splitlines() if line.startswith("  ") and line[2] != " "]
    assert [name for name in listed if name in CONTRACT] == CONTRACT


def test_version_is_quick_and_loads_neither_torch_nor_transformers() -> None:
    code = (
        "import sys\nfrom seiko.cli import app\n"
        "for arguments in (['--version'], ['--help'], ['run', '--help'], ['status', '--help'], ['frob']):\n"
        "    try:\n        app(arguments, prog_name='seiko')\n"
        "    except SystemExit as end:\n        print('code', end.code)\n"
        "print('heavy', [name for name in ('torch', 'transformers', 'matplotlib', 'pandas') if name in sys.modules])\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(seiko_package.__file__).parents[1])}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    lines = result.stdout.splitlines()
    assert lines[0] == f"seiko {__version__}"
    assert [line for line in lines if line.startswith("code")] == [f"code {code}" for code in (0, 0, 0, 0, 2)]
    assert lines[-1] == "heavy []"
    assert "No such command 'frob'" in result.stderr


def test_no_arguments_show_the_help_and_are_wrong_usage(seiko: Invoke) -> None:
    result = seiko()
    assert result.exit_code == 2
    assert "Commands:" in result.output


def test_commands_of_other_packages_are_mounted_and_loaded_when_used(
    seiko: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = typer.Typer()

    @foreign.command()
    def bench(name: str, fail: bool = False) -> None:
        if fail:
            raise InputError(f"no protocol {name}")
        print(f"bench of {name}")

    module = types.ModuleType("seiko_test_foreign")
    module.app = foreign  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "seiko_test_foreign", module)
    commands = (
        ("seiko.commands", "bench", "seiko_test_foreign:app"),
        ("seiko.commands", "absent", "no_such_package.cli:app"),
    )
    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points(*commands))
    assert "bench" in seiko("--help").stdout
    assert "no_such_package" in seiko("--help").stdout
    assert seiko("bench", "qed").stdout == "bench of qed\n"
    failed = seiko("bench", "qed", "--fail")
    assert failed.exit_code == 2
    assert failed.stderr == "error: no protocol qed\n"
    absent = seiko("absent")
    assert absent.exit_code == 2
    assert "no_such_package" in absent.stderr


def test_installed_recipes_are_found_by_name(
    seiko: Invoke, plates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SEIKO_MODULES")
    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points(("seiko.recipes", "tiny", "plate:tiny")))
    assert "tiny" in seiko("run", "--help").stdout
    assert seiko("init", "tiny", "--seed", "4").exit_code == 0
    assert (tmp_path / "runs" / "tiny-seed4" / "ledger.sqlite").is_file()
    assert seiko("ask", "runs/tiny-seed4").exit_code == 0  # its module is known, nobody has to name it
    near = seiko("run", "tinny")
    assert near.exit_code == 2
    assert "did you mean 'tiny'?" in near.stderr
    [described] = json.loads(seiko("recipes", "--json").stdout)
    assert described["recipe"] == "tiny"
    assert described["summary"] == "Count the letter A."
    parameters = {row["name"]: row for row in described["parameters"]}
    assert parameters["update"] == {
        "name": "update",
        "default": "ppo",
        "required": False,
        "help": "How the model moves.",
    }
    assert parameters["kl_budget"]["default"] == 3.0
    text = seiko("recipes").stdout
    assert text.startswith("tiny\tCount the letter A.\n  --budget 12\tLabels in all.\n")


def test_a_fault_of_the_program_keeps_its_traceback(seiko: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    def faulty(place: str) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr("seiko.cli.show.read_state", faulty)
    result = seiko("status", "r")
    assert result.exit_code == 1
    assert "Traceback" in result.stderr
    assert "a fault" in result.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("x"), 2),
        (ValueError("x"), 2),
        (FileNotFoundError("x"), 2),
        (IsADirectoryError("x"), 2),
        (PermissionError("x"), 1),
        (OSError("disk full"), 1),
        (DataUnavailable("x"), 1),
        (DataCorrupted("x"), 1),
        (FloatingPointError("x"), 1),
        (ImportError("models of pixels need diffusers: pip install 'seiko[images]'"), 2),
        (ModuleNotFoundError("No module named 'seiko.nonsense'"), None),
        (KeyError("x"), None),
        (RuntimeError("x"), None),
    ],
)
def test_exit_codes(error: Exception, code: int | None) -> None:
    assert exit_code(error) == code


def test_exit_codes_of_a_campaign() -> None:
    from seiko import campaign
    from seiko.campaign.artifacts import ArtifactMissing
    from seiko.campaign.label_file import LabelFileError

    wrong = [campaign.BudgetSpent, campaign.PendingLabels, campaign.UnknownQuery, campaign.LabelConflict,
             campaign.RecipeMismatch, campaign.NothingAsked, campaign.NoRun]  # fmt: skip
    failed = [campaign.PoolExhausted, campaign.LedgerReadOnly, campaign.LedgerCorrupted, ArtifactMissing]
    assert [exit_code(kind("x")) for kind in wrong] == [2] * len(wrong)
    assert [exit_code(kind("x")) for kind in failed] == [1] * len(failed)
    assert exit_code(LabelFileError("f", 1, "id", "x")) == 2
