"""The package gives its names where they are used, and does not load torch for those that need none."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import seiko.campaign
from seiko.campaign import Campaign, Recipe

WATCHED = "('torch', 'transformers', 'jaxtyping', 'matplotlib', 'pandas')"


def loaded_after(code: str, **environment: str) -> str:
    """Return what is loaded of the heavy libraries after some code in a process of its own."""
    code = f"import sys\n{code}\nprint('heavy', [name for name in {WATCHED} if name in sys.modules], file=sys.stderr)"
    environment = {**os.environ, "PYTHONPATH": str(Path(seiko.campaign.__file__).parents[2]), **environment}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    return done.stderr.splitlines()[-1]


def test_every_exported_name_is_there() -> None:
    for name in seiko.campaign.__all__:
        assert getattr(seiko.campaign, name) is not None
    assert set(seiko.campaign.__all__) <= set(dir(seiko.campaign))
    with pytest.raises(AttributeError, match=r"'seiko\.campaign' has no attribute 'Champaign'"):
        seiko.campaign.Champaign  # noqa: B018


def test_ledger_state_and_errors_need_no_torch() -> None:
    names = "BudgetSpent, Ledger, Query, RunState"
    assert loaded_after(f"from seiko.campaign import {names}\nimport seiko.campaign.label_file") == "heavy []"
    assert "'torch'" in loaded_after("from seiko.campaign import Recipe")


@pytest.mark.parametrize(
    "arguments", [["status", "RUN"], ["status", "RUN", "--json"], ["export", "RUN", "--labels"]], ids=" ".join
)
def test_looking_at_a_run_loads_no_torch(tmp_path: Path, tiny: Callable[..., Recipe], arguments: list[str]) -> None:
    with Campaign.open(tmp_path / "run", tiny()) as campaign:
        campaign.tell({query.id: 0.5 for query in campaign.ask()})
        campaign.advance()
    arguments = [str(tmp_path / "run") if word == "RUN" else word for word in arguments]
    code = (
        "from seiko.cli import app\n"
        f"try:\n    app({arguments!r}, prog_name='seiko')\nexcept SystemExit as end:\n    assert end.code == 0"
    )
    assert loaded_after(code) == "heavy []"
