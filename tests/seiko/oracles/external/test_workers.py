"""Functions in other processes, which crash and hang, and oracles on executors of all kinds."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest

from seiko.designs import Design
from seiko.oracles import QED, Label, OnExecutor, OracleFailed, StreamingOracle, Workers

MODULE = """
import os, sys, time
from pathlib import Path

def score(text):
    print("noise on standard output")
    return text.count("A") / len(text)

def moody(text):
    flag = Path(os.environ["MOODY"]) / text
    first = not flag.exists()
    flag.write_text(flag.read_text() + "x" if flag.exists() else "x")
    if text == "AAAA" or (text == "CCCC" and first):
        os._exit(3)
    if text == "ACGT" and first:
        time.sleep(600)
    if text == "CCCA":
        raise RuntimeError("no such fold")
    return score(text)
"""
VALUES = [0.5, 1.0, 0.0, 0.25, 0.25]


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    import seiko

    (tmp_path / "assay.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(seiko.__file__).parents[1]))
    monkeypatch.setenv("MOODY", str(tmp_path))
    return tmp_path


def test_workers_answer(module: Path, designs: list[Design]) -> None:
    oracle = Workers(target="assay:score")
    assert isinstance(oracle, StreamingOracle)
    assert [label.value for label in oracle(designs)] == VALUES
    assert oracle([]) == []


def test_a_crash_or_a_hang_costs_one_retry_of_one_design(module: Path, designs: list[Design]) -> None:
    labels = Workers(target="assay:moody", timeout=2.0)(designs)
    assert [label.value for label in labels] == [0.5, None, 0.0, 0.25, None]
    assert (labels[1].status, str(labels[1].reason)[:15]) == ("failed", "the worker died")
    assert labels[4].reason == "RuntimeError: no such fold"
    tries = {design.content: len((module / design.content).read_text()) for design in designs}
    assert tries == {"AACC": 1, "AAAA": 2, "CCCC": 2, "ACGT": 2, "CCCA": 1}


def test_a_function_that_is_not_there_ends_the_loop(module: Path, designs: list[Design]) -> None:
    with pytest.raises(OracleFailed, match=r"ImportError: the module of 'nowhere:f' cannot be imported"):
        Workers(target="nowhere:f")(designs)
    for settings, message in (
        ({"target": "x"}, "module:function"),
        ({"target": "a:b", "processes": 0}, "processes must be at least 1"),
        ({"target": "a:b", "timeout": 0.0}, "timeout must be a positive"),
    ):
        with pytest.raises(ValueError, match=message):
            Workers(**settings)  # type: ignore[arg-type]


# ------------------------------------------------------------ executors


class CountA:
    def __call__(self, designs: Sequence[Design]) -> list[Label]:
        return [Label(value=design.content.count("A") / len(design.content)) for design in designs]


class Moody(CountA):
    """Does what its list says with one call after the other."""

    def __init__(self, *moods: str) -> None:
        self.moods, self.calls = list(moods), 0

    def __call__(self, designs: Sequence[Design]) -> list[Label]:
        self.calls += 1
        match self.moods.pop(0) if self.moods else "":
            case "raise":
                raise ConnectionError("gone")
            case "few":
                return []
            case "hang":
                time.sleep(1.0)
        return super().__call__(designs)


@pytest.fixture(
    params=[
        "threads",
        "dask",
        pytest.param("processes", marks=pytest.mark.slow),
        pytest.param("dask processes", marks=pytest.mark.slow),
    ]
)
def executor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Executor]:
    match request.param:
        case "threads":
            with ThreadPoolExecutor(2) as executor:
                yield executor
        case "processes":
            with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
                yield executor
        case kind:
            distributed = pytest.importorskip("distributed", reason="Dask is an extra: pip install 'seiko[scale]'")
            with (
                distributed.LocalCluster(
                    n_workers=2,
                    threads_per_worker=1,
                    processes=kind != "dask",
                    dashboard_address=None,
                    protocol="tcp",  # of threads, too: Dask would look for a free port of no host
                    host="127.0.0.1",
                ) as cluster,
                distributed.Client(cluster) as client,
                client.get_executor() as executor,
            ):
                yield executor


def test_any_executor_will_do(executor: Executor, designs: list[Design]) -> None:
    pytest.importorskip("rdkit", reason="RDKit is an extra: pip install 'seiko[molecules]'")
    molecules = [Design(smiles, "smiles") for smiles in ("CCO", "c1ccccc1O", "CC(=O)Nc1ccccc1", "nonsense")]
    oracle = QED()
    elsewhere = OnExecutor(oracle=oracle, executor=executor, part=3)
    assert isinstance(elsewhere, StreamingOracle)
    assert elsewhere(molecules) == oracle(molecules)
    assert elsewhere([]) == []


def test_parts_that_break_are_sent_once_more(designs: list[Design]) -> None:
    with ThreadPoolExecutor(1) as executor:
        oracle = Moody("", "raise", "few")
        assert [label.value for label in OnExecutor(oracle=oracle, executor=executor)(designs)] == VALUES
        assert oracle.calls == 7
        oracle = Moody("", "raise", "", "", "", "raise")
        labels = OnExecutor(oracle=oracle, executor=executor)(designs)
        assert [label.status for label in labels] == ["value", "failed", "value", "value", "value"]
        assert labels[1].reason == "ConnectionError: gone"
        with pytest.raises(OracleFailed, match="answered none of 5 designs: ConnectionError: gone"):
            OnExecutor(oracle=Moody(*["raise"] * 10), executor=executor, part=3)(designs)
    with pytest.raises(OracleFailed, match="the executor takes no more tasks"):
        OnExecutor(oracle=CountA(), executor=executor)(designs)


def test_parts_that_do_not_come_back_have_failed(designs: list[Design]) -> None:
    with ThreadPoolExecutor(1) as executor:
        labels = OnExecutor(oracle=Moody("", "hang"), executor=executor, timeout=0.2)(designs[:2])
    assert [label.status for label in labels] == ["value", "failed"]
    assert labels[1].reason == "no part came back within 0.2 s"


@pytest.mark.parametrize("settings", [{"part": 0}, {"timeout": 0.0}])
def test_settings_that_cannot_be_meant(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        OnExecutor(oracle=CountA(), executor=ThreadPoolExecutor(1), **settings)  # type: ignore[arg-type]
