"""Every `seiko` command shown in the README exists, with the options that it shows."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from seiko.cli import app

README = (Path(__file__).parents[1] / "README.md").read_text()
COMMANDS = [line.split("#")[0].strip() for line in re.findall(r"^seiko .+$", README, flags=re.MULTILINE)]


def test_the_readme_shows_commands() -> None:
    assert len(COMMANDS) >= 9


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_and_options_exist(command: str) -> None:
    words = shlex.split(command)[1:]
    options = [word for word in words if word.startswith("--")]
    # `run` and `init` take the options of their recipe, which is their first argument
    named = words[:2] if words[0] in ("run", "init") else words[:1]
    shown = CliRunner().invoke(app, [*named, "--help"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0, shown.output
    for option in options:
        assert re.search(rf"{option}\b", shown.output), f"{option} is not an option of seiko {' '.join(named)}"
