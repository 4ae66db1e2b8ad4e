"""`run` and `init`: a recipe's parameters are options, a run is gone on with, a wrong one is refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

import seiko as seiko_package
from seiko.campaign import Ledger, NoRun

Invoke = Callable[..., Result]


def events(run: Path) -> list[str]:
    with Ledger.open(run) as ledger:
        return [event.kind for event in ledger]


def events_so_far(run: Path) -> list[str]:
    """Return the events of a run that another process may be making just now."""
    try:
        return events(run)
    except NoRun:
        return []


def test_run_ends_with_one_json_object_on_stdout_and_a_line_a_round_on_stderr(seiko: Invoke, tmp_path: Path) -> None:
    result = seiko("run", "plate:tiny", "--budget", "10", "--seed", "3", "--kl-budget", "2.5", "--no-mirror")
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert summary["run"] == "runs/tiny-seed3"
    assert (summary["budget"], summary["labels_used"], summary["rounds_finished"]) == (10, 10, 2)
    assert summary["kl_budget"] == 2.5
    assert summary["best"] >= summary["top10_mean"] >= 0
    assert len(summary["batch_means"]) == 2
    lines = [line for line in result.stderr.splitlines() if line.startswith("round")]
    assert lines[0].startswith("round 1 of 2: 5 of 10 labels, batch mean ")
    assert lines[1].startswith("round 2 of 2: 10 of 10 labels, ")
    assert "coverage" in lines[1]
    assert (tmp_path / "runs" / "tiny-seed3" / "ledger.sqlite").is_file()


def test_running_again_changes_nothing_and_prints_the_same(seiko: Invoke, tmp_path: Path) -> None:
    first = seiko("run", "plate:tiny", "--out", "r")
    before = events(tmp_path / "r")
    again = seiko("run", "plate:tiny", "--out", "r")
    assert again.exit_code == 0
    assert again.stdout == first.stdout
    assert events(tmp_path / "r") == before


def test_an_open_run_is_gone_on_with(seiko: Invoke, tmp_path: Path) -> None:
    assert seiko("init", "plate:tiny", "--out", "r").exit_code == 0
    assert events(tmp_path / "r") == ["opened"]
    assert seiko("ask", "r").exit_code == 0
    result = seiko("run", "plate:tiny", "--out", "r")
    assert result.exit_code == 0, result.output
    assert events(tmp_path / "r") == ["opened", *["asked", "told", "advanced"] * 2]
    assert (
        seiko("run", "plate:tiny", "--out", "other").stdout.replace("other", "r").split('"seconds"')[0]
        == (result.stdout.split('"seconds"')[0])
    )


def test_help_shows_the_parameters_with_their_texts_and_defaults(seiko: Invoke) -> None:
    text = seiko("run", "plate:tiny", "--help").stdout
    assert "Count the letter A." in text
    assert "More words about it." in text
    assert "Returns" not in text
    flat = " ".join(text.split())
    assert "Labels in all. [default: 12]" in flat
    assert "--update" in flat
    assert "ppo|none" in flat
    assert "How the model moves. [default: ppo]" in flat
    assert "Nats from the pretrained model. [default: 3.0]" in flat
    assert "--mirror / --no-mirror" in flat
    assert "--out RUN" in flat


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--budget", "0"], "budget must be a positive number of labels, got 0"),
        (["--budget", "-5"], "budget must be a positive number of labels, got -5"),
        (["--budget", "3", "--rounds", "4"], "got 4 rounds, budget 3"),
        (["--budget", "many"], "--budget"),
        (["--update", "magic"], "'magic'"),
        (["--kl-budget", "magic"], "--kl-budget must be a number or none, got 'magic'"),
        (["--kl-budget", "-1"], "the KL budget must be a positive number of nats, got -1.0"),
        (["surplus"], "surplus"),
    ],
)
def test_wrong_values_are_named_before_a_run_is_made(
    seiko: Invoke, tmp_path: Path, options: list[str], message: str
) -> None:
    result = seiko("run", "plate:tiny", "--out", "r", *options)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert result.stdout == ""
    assert not (tmp_path / "r").exists()


def test_an_unknown_option_is_answered_with_the_known_ones(seiko: Invoke) -> None:
    result = seiko("run", "plate:tiny", "--bugdet", "5")
    assert result.exit_code == 2
    assert "No such option: --bugdet" in result.stderr
    assert "--budget, --kl-budget, --mirror, --out" in result.stderr


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("frob", "no recipe 'frob'"),
        ("plate:nothing", "cannot be loaded"),
        ("no_such_module:tiny", "cannot be loaded"),
        ("os:system('true')", "module:function"),
        ("plate:broken", "returned a int, not a seiko.campaign.Recipe"),
        ("plate:CountA.scale", "is not a function"),
    ],
)
def test_what_is_not_a_recipe_is_refused(seiko: Invoke, name: str, message: str) -> None:
    result = seiko("run", name)
    assert result.exit_code == 2, result.output
    assert message in result.stderr


def test_a_run_of_another_recipe_is_refused_with_the_differences(seiko: Invoke, tmp_path: Path) -> None:
    assert seiko("init", "plate:tiny", "--out", "r").exit_code == 0
    for command in ("init", "run"):
        result = seiko(command, "plate:tiny", "--out", "r", "--budget", "20", "--scale", "2")
        assert result.exit_code == 2
        assert "budget: 12 in the run, 20 asked for" in result.stderr
        assert "oracle.scale: 1.0 in the run, 2.0 asked for" in result.stderr
    assert events(tmp_path / "r") == ["opened"]


def test_a_run_that_failed_before_it_asked_is_started_anew(seiko: Invoke, tmp_path: Path) -> None:
    assert seiko("init", "plate:tiny", "--out", "r", "--budget", "8").exit_code == 0
    refused = seiko("run", "plate:tiny", "--out", "r", "--budget", "10")
    assert refused.exit_code == 2
    assert "--anew" in refused.stderr
    summary = json.loads(seiko("run", "plate:tiny", "--out", "r", "--budget", "10", "--anew").stdout)
    assert summary["labels_used"] == 10
    late = seiko("run", "plate:tiny", "--out", "r", "--budget", "12", "--anew")
    assert late.exit_code == 2
    assert "budget: 10 in the run, 12 asked for" in late.stderr
    assert "--anew" not in late.stderr


def test_a_recipe_without_an_oracle_says_how_to_go_on(seiko: Invoke, tmp_path: Path) -> None:
    result = seiko("run", "plate:by_hand", "--out", "r")
    assert result.exit_code == 2
    assert "seiko init" in result.stderr
    assert not (tmp_path / "r").exists()
    result = seiko("init", "plate:by_hand", "--out", "r")
    assert json.loads(result.stdout)["next"] == "seiko ask r"


def test_a_missing_data_file_fails_and_can_be_repeated(
    seiko: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from seiko.oracles import tfbind8

    tfbind8._table.cache_clear()
    monkeypatch.setenv("SEIKO_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    result = seiko("run", "plate:six6", "--out", "r")
    assert result.exit_code == 1, result.output
    assert result.stderr.splitlines()[-1].startswith("error: data set 'tfbind8' was not found")
    assert events(tmp_path / "r") == ["opened", "asked"]


def test_debug_shows_the_traceback(seiko: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Traceback" in seiko("--debug", "run", "plate:tiny", "--budget", "0").stderr
    monkeypatch.setenv("SEIKO_DEBUG", "1")
    result = seiko("run", "plate:tiny", "--budget", "0")
    assert result.exit_code == 2
    assert "Traceback" in result.stderr


def test_ctrl_c_ends_with_130_and_the_run_goes_on(plates: Path, tmp_path: Path) -> None:
    path = os.pathsep.join([str(plates), str(Path(seiko_package.__file__).parents[1])])
    environment = {**os.environ, "PYTHONPATH": path, "SEIKO_MODULES": "plate", "OMP_NUM_THREADS": "1"}
    command = [
        sys.executable,
        "-m",
        "seiko.cli",
        "run",
        "plate:tiny",
        "--steps",
        "100000",
        "--out",
        str(tmp_path / "r"),
    ]
    process = subprocess.Popen(
        command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        until = time.monotonic() + 120
        while "told" not in events_so_far(tmp_path / "r"):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < until
            time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert out == ""
    assert err.splitlines()[-1] == "interrupted; nothing is lost, run the same command again to go on"
    assert "Traceback" not in err
    assert events(tmp_path / "r") == ["opened", "asked", "told"]
