"""One word names any oracle, and one that can be in a recipe."""

from __future__ import annotations

import pytest

from seiko import config
from seiko.oracles import Command, PythonFunction, Service, Workers, oracle_from


@pytest.mark.parametrize(
    ("text", "oracle"),
    [
        ("command:./dock.py --exhaustiveness 8", Command(arguments=("./dock.py", "--exhaustiveness", "8"))),
        ("command+jsonl:dock 'a b' {input}", Command(arguments=("dock", "a b", "{input}"), format="jsonl")),
        ("https://lab.example/score?run=1", Service(url="https://lab.example/score?run=1")),
        ("https://lab.example/score#LAB_TOKEN", Service(url="https://lab.example/score", token="LAB_TOKEN")),
        ("http://localhost:8000/", Service(url="http://localhost:8000/")),
        ("workers:assay:score", Workers(target="assay:score")),
        ("workers+8:assay:score", Workers(target="assay:score", processes=8)),
        ("assay:score", PythonFunction(target="assay:score")),
    ],
)
def test_a_word_names_an_oracle_that_a_recipe_can_keep(text: str, oracle: object) -> None:
    assert oracle_from(text) == oracle
    assert config.from_json(config.to_json(oracle)) == oracle
    with pytest.raises(ValueError, match="answers as it does"):
        oracle_from(text, noise=0.1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("command:", "a command needs a program"),
        ("command:dock 'a", "quote arguments as in a shell"),
        ("http://lab.example/score#LAB_TOKEN", "by https only"),
        ("https:lab", "url must be"),
        ("workers:assay", "module:function"),
        ("command+xml:dock", "module:function"),
        ("quedd", "no molecule oracle is called 'quedd'"),
    ],
)
def test_what_cannot_be_meant_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        oracle_from(text)
