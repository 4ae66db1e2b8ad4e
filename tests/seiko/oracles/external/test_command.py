"""A program answers, dies, hangs and lies: what it said is kept, the rest is asked once more, nothing outlives it."""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from seiko.designs import Design
from seiko.oracles import Command, Label, Oracle, OracleFailed, StreamingOracle
from seiko.oracles.external.process import Child

VALUES = [0.5, 1.0, 0.0, 0.25, 0.25]
Counting = Callable[..., tuple[str, ...]]


def runs(tmp_path: Path) -> int:
    return len((tmp_path / "runs").read_text())


def ends(pid: int) -> bool:
    """Whether a process that was killed is gone within seconds: the signal takes its time on a busy machine."""
    for _ in range(500):
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return True
        if "Z" in stat.split(")")[1].split()[0]:
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("format", ["csv", "jsonl"])
@pytest.mark.parametrize("files", [(), ("in={input}",), ("out={output}",), ("in={input}", "out={output}")])
def test_it_answers(counting: Counting, designs: list[Design], tmp_path: Path, format: str, files: tuple[str]) -> None:
    oracle = Command(arguments=counting("well", format, *files), format=format)  # type: ignore[arg-type]
    assert isinstance(oracle, Oracle)
    assert isinstance(oracle, StreamingOracle)
    assert [label.value for label in oracle(designs)] == VALUES
    assert runs(tmp_path) == 1
    assert oracle([]) == []


@pytest.mark.parametrize("mood", ["crash", "cut", "killed", "nan", "word", "leave", "wrong"])
@pytest.mark.parametrize("files", [(), ("out={output}",)])
def test_an_accident_costs_one_retry(
    counting: Counting, designs: list[Design], tmp_path: Path, mood: str, files: tuple[str]
) -> None:
    labels = Command(arguments=counting(mood, "csv", *files))(designs)
    assert [label.value for label in labels] == VALUES
    assert runs(tmp_path) == 2


@pytest.mark.parametrize(
    ("mood", "reason"),
    [
        ("crash", "it ended with exit code 3: the licence has expired"),
        ("killed", "it was killed by signal 9"),
        ("nan", "it answered 'nan' as value"),
        ("word", "it answered 'high' as value"),
        ("leave", "it was left out"),
        ("wrong", "it was left out"),
    ],
)
def test_what_goes_wrong_again_has_failed_and_says_why(
    counting: Counting, designs: list[Design], tmp_path: Path, mood: str, reason: str
) -> None:
    labels = Command(arguments=counting(f"{mood} always"))(designs[:3])
    assert labels[0].value == 0.5
    failed = [label for label in labels if label.status == "failed"]
    assert failed
    assert {label.reason for label in failed} == {reason}
    assert runs(tmp_path) == 2


def test_a_number_that_is_cut_off_is_not_a_label(counting: Counting, designs: list[Design]) -> None:
    labels = Command(arguments=counting("cut always"))(designs[:2])
    assert labels[1].value != 0.99


def test_one_that_hangs_is_killed_with_all_that_it_started(
    counting: Counting, designs: list[Design], tmp_path: Path
) -> None:
    started = time.monotonic()
    labels = Command(arguments=counting("hang"), timeout=3.0)(designs)
    assert [label.value for label in labels] == VALUES
    assert 3 <= time.monotonic() - started < 30
    assert ends(int((tmp_path / "runs.child").read_text()))


def test_a_daemon_that_it_leaves_behind_does_not_hold_us(designs: list[Design]) -> None:
    daemon = "import subprocess, time; subprocess.Popen(['sleep', '40'], start_new_session=True); time.sleep(40)"
    started = time.monotonic()
    with pytest.raises(OracleFailed, match="it did not answer in time"):
        Command(arguments=(sys.executable, "-c", daemon), timeout=1.5)(designs)
    assert time.monotonic() - started < 30


@pytest.mark.filterwarnings("error")
def test_when_such_a_daemon_has_ended_no_pipe_stays_open() -> None:
    daemon = "import subprocess; subprocess.Popen(['sleep', '3'], start_new_session=True)"
    before = set(threading.enumerate())
    with Child((sys.executable, "-c", daemon)) as child:
        assert child.exit_code(time.monotonic() + 20) == 0
    readers = set(threading.enumerate()) - before
    assert len(readers) == 2
    del child
    for reader in readers:
        reader.join(20)
    gc.collect()  # a pipe that nobody closed warns here, which fails the test


def test_labels_come_before_the_program_ends_and_who_stops_listening_ends_it(
    counting: Counting, designs: list[Design], tmp_path: Path
) -> None:
    answers = Command(arguments=counting("hang"), timeout=60.0).answers(designs)
    assert next(answers) == (0, Label(value=0.5))
    while not (child := tmp_path / "runs.child").exists() or not child.read_text():
        time.sleep(0.01)
    answers.close()  # type: ignore[attr-defined]
    assert ends(int(child.read_text()))


def test_a_second_different_answer_is_passed_over(counting: Counting, designs: list[Design]) -> None:
    assert [label.value for label in Command(arguments=counting("twice"))(designs)] == VALUES


def test_a_design_that_is_there_twice_is_sent_once(counting: Counting, tmp_path: Path) -> None:
    twice = [Design("AACC"), Design("CCCC"), Design("AACC")]
    assert [label.value for label in Command(arguments=counting())(twice)] == [0.5, 0.0, 0.5]


def test_what_cannot_run_ends_the_loop(tmp_path: Path, designs: list[Design]) -> None:
    with pytest.raises(OracleFailed, match="cannot start 'no-such-program'"):
        Command(arguments=("no-such-program",))(designs)
    with pytest.raises(OracleFailed, match=r"answered none of 5 designs, twice: it ended with exit code 1"):
        Command(arguments=("false",))(designs)
    with pytest.raises(OracleFailed, match=r"a header with id and value, it begins with 'hello'"):
        Command(arguments=("echo", "hello"))(designs)
    with pytest.raises(OracleFailed, match=r"'hello', which is no JSON"):
        Command(arguments=("echo", "hello"), format="jsonl")(designs)
    with pytest.raises(OracleFailed, match=r"it wrote no output file"):
        Command(arguments=("true", "{output}"))(designs)


def test_there_is_no_shell(tmp_path: Path, designs: list[Design]) -> None:
    with pytest.raises(OracleFailed):
        Command(arguments=("echo", f"; touch {tmp_path / 'owned'} $(touch {tmp_path / 'owned'})"))(designs)
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"arguments": ()}, "a command needs a program"),
        ({"arguments": ("a\0b",)}, "zero byte"),
        ({"arguments": ("a",), "timeout": 0}, "timeout must be a positive number of seconds, got 0"),
    ],
)
def test_settings_that_cannot_be_meant(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Command(**settings)  # type: ignore[arg-type]
