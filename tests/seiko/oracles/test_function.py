"""Your own function: its numbers, its refusals, its mistakes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from seiko import config
from seiko.designs import Design
from seiko.oracles import Oracle, PythonFunction

SOURCE = """
class Table:
    @staticmethod
    def look(text):
        return 7

def score(smiles):
    answers = {
        "C": 1.5, "CC": None, "O": float("nan"), "S": float("inf"), "F": "a word", "B": "2.5", "I": [1.0], "CN": True,
    }
    if smiles == "N":
        raise KeyError("no such molecule")
    return answers[smiles]

constant = 3
"""


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "my_assay.py").write_text(SOURCE)
    (tmp_path / "my_broken_assay.py").write_text("import a_package_that_is_not_installed")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in ("my_assay", "my_broken_assay"):
        sys.modules.pop(name, None)


def ask(*contents: str, target: str = "my_assay:score") -> list[tuple[str, float | None, str | None]]:
    labels = PythonFunction(target=target)([Design(content, "smiles") for content in contents])
    return [(label.status, label.value, label.reason) for label in labels]


def test_a_number_is_a_label() -> None:
    assert isinstance(PythonFunction(target="my_assay:score"), Oracle)
    assert ask("C", "B", "CN") == [("value", 1.5, None), ("value", 2.5, None), ("value", 1.0, None)]
    assert ask("C", target="my_assay:Table.look") == [("value", 7.0, None)]
    assert ask() == []


def test_none_is_infeasible() -> None:
    assert ask("CC") == [("infeasible", None, "the function returned None")]


def test_a_mistake_fails_the_one_label_that_it_concerns() -> None:
    found = ask("C", "N", "O", "S", "F", "I", "C")
    assert [status for status, *_ in found] == ["value", *["failed"] * 5, "value"]
    reasons = [reason or "" for *_, reason in found]
    assert reasons[1] == "KeyError: 'no such molecule'"
    assert reasons[2] == "the function returned nan"
    assert reasons[3] == "the function returned inf"
    assert "could not convert string to float: 'a word'" in reasons[4]
    assert "TypeError" in reasons[5]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (
            "no_such_assay:score",
            "the module of 'no_such_assay:score' cannot be imported: No module named 'no_such_assay'",
        ),
        ("my_broken_assay:score", "cannot be imported: No module named 'a_package_that_is_not_installed'"),
        ("my_assay:scoer", "my_assay has no 'scoer': check the name in 'my_assay:scoer'"),
        ("my_assay:Table.nothing", "my_assay has no 'Table.nothing'"),
        ("my_assay:constant", "'my_assay:constant' is not a function"),
    ],
)
def test_what_cannot_be_imported_is_named(target: str, message: str) -> None:
    oracle = PythonFunction(target=target)  # a recipe can be read where the module is not
    with pytest.raises(ImportError, match=message):
        oracle([Design("C", "smiles")])


@pytest.mark.parametrize(
    "target", ["my_assay", "my_assay:", ":score", "my assay:score", "a:b:c", "1a:b", "a/b.py:c", "a;b:c"]
)
def test_a_target_spelt_otherwise_is_refused(target: str) -> None:
    with pytest.raises(ValueError, match="a function of your own is named module:function, got"):
        PythonFunction(target=target)


def test_it_survives_json_without_being_imported() -> None:
    oracle = PythonFunction(target="no_such_assay:score")
    assert config.from_json(config.to_json(oracle)) == oracle


def test_a_module_of_the_working_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "assay_of_this_folder.py").write_text("def score(text): return len(text)")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path not in ("", ".")])
    try:
        assert ask("CCC", target="assay_of_this_folder:score") == [("value", 3.0, None)]
    finally:
        sys.modules.pop("assay_of_this_folder", None)
