"""Files of comparisons: what is meant is taken, all else is named with line and column."""

from __future__ import annotations

from pathlib import Path

import pytest

from seiko.campaign import Comparison, Query, RunState
from seiko.campaign.comparison_file import is_comparison_file, parse_comparisons, read_comparisons
from seiko.campaign.label_file import LabelFileError
from seiko.designs import Design


@pytest.fixture
def state() -> RunState:
    ids = [f"1-000{i}" for i in range(1, 5)]
    return RunState(queries={id: Query(id=id, design=Design(id), round=1, source="fresh") for id in ids})


def test_pairs_choices_and_ties(tmp_path: Path, state: RunState) -> None:
    path = tmp_path / "c.csv"
    path.write_text(
        "Winner;loser;rater;choice;tie\r\n1-0001;1-0002;ada;;\r\n1-0003;1-0001;bo;x;no\r\n"
        "1-0003;1-0002;bo;x;\r\n\r\n1-0002;1-0004;;;yes\r\n",
        encoding="utf-8-sig",
    )
    assert read_comparisons(path, state) == [
        Comparison(winner="1-0001", loser="1-0002", rater="ada"),
        Comparison(winner="1-0003", loser="1-0001", rater="bo", choice="x"),
        Comparison(winner="1-0003", loser="1-0002", rater="bo", choice="x"),
        Comparison(winner="1-0002", loser="1-0004", tie=True),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("winner,loser\n", "a header but no rows"),
        ("winner,rater\na,b\n", "line 1, column loser: the column is missing"),
        ("winner,looser\n1-0001,1-0002\n", "line 1, column looser: there is no such column, is 'loser' meant"),
        ("winner,loser,loser\n", "line 1, column loser: the column is there twice"),
        ("winner,loser\n1-0001,1-0009\n", "line 2, column loser: '1-0009' was never asked in this run; the nearest"),
        ("winner,loser\n1-0001,\n", "line 2, column loser: the id is empty"),
        ("winner,loser\n1-0001,1-0002\n\n1-0001,1-0001\n", "line 4, column loser: query '1-0001' is compared with"),
        ("winner,loser\n1-0001,1-0002,x\n", "line 2: 3 cells where the header has 2"),
        ("winner,loser,tie\n1-0001,1-0002,maybe\n", "line 2, column tie: must be yes or no, got 'maybe'"),
        ("winner,loser,choice,tie\n1-0001,1-0002,x,yes\n", "line 2, column tie: .* a best of n has one winner"),
        (
            "winner,loser,choice\n1-0001,1-0002,x\n1-0003,1-0002,x\n",
            "line 3, column choice: choice 'x' has the winner '1-0001' of rater '' on line 2",
        ),
        ('winner,loser\n"1-0001,1-0002\n', "not a table"),
        ("winner,loser\n1-0001,1-\0\n", "line 2: there is a zero byte"),
    ],
)
def test_what_is_wrong_is_named(state: RunState, text: str, message: str) -> None:
    with pytest.raises(LabelFileError, match=f"{message}.*nothing was taken"):
        parse_comparisons(text.encode(), state, "c.csv")


def test_bytes_that_are_no_text(state: RunState) -> None:
    with pytest.raises(LabelFileError, match="line 2: this is not UTF-8"):
        parse_comparisons(b"winner,loser\n\xff,b\n", state)


def test_a_table_of_labels_is_told_apart() -> None:
    assert is_comparison_file(b"\n winner ;loser\n")
    assert is_comparison_file(b'\xef\xbb\xbf"rater","loser"\n')
    assert not is_comparison_file(b"id,value\n")
    assert not is_comparison_file(b"id,value,winner\n")
    assert not is_comparison_file(b'{"id": "1-0001", "value": 1}\n')
    assert not is_comparison_file(b"")
