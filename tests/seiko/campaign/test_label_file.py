"""A label file is taken whole or not at all; what is wrong is named with its line, column and value."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seiko.campaign import CampaignError
from seiko.campaign.label_file import LabelFileError, parse_labels, read_labels
from seiko.campaign.state import Query, RunState
from seiko.designs import Design
from seiko.oracles import Label


def a_state() -> RunState:
    names = {"1-0001": "ACGT", "1-0002": "TTTT", "1-0003": "GGGG", "1-0004": "CCCC"}
    queries = {id: Query(id=id, design=Design(text), round=1, source="fresh") for id, text in names.items()}
    known = {"1-0003": Label(value=0.25), "1-0004": Label.failed("dropped")}
    return RunState(recipe={}, queries=queries, labels=known)


def parsed(text: str) -> dict[str, Label]:
    labels = parse_labels(text.encode(), a_state(), "plate.csv")
    assert all(len(replicates) == 1 for replicates in labels.values())
    return {id: label for id, [label] in labels.items()}


@pytest.mark.parametrize(
    "text",
    [
        "id,value\n1-0001,0.5\n1-0002,-1e-3\n",
        "id,value\r\n1-0001,0.5\r\n1-0002,-1e-3",
        "\ufeffid,value\n1-0001,0.5\n1-0002,-1e-3\n",
        "id;value\n1-0001;0.5\n1-0002;-1e-3\n",
        "id\tvalue\n1-0001\t0.5\n1-0002\t-1e-3\n",
        " ID , Value \n 1-0001 , 0.5 \n\n1-0002,-1e-3\n,,\n".replace(",,", ","),
        '"id","value"\n"1-0001","0.5"\n"1-0002","-1e-3"\n',
        "id,design,kind,round,source,predicted_mean,predicted_std,value\n"
        "1-0001,ACGT,dna,1,fresh,,,0.5\n1-0002,TTTT,dna,1,fresh,,,-1e-3\n",
        "well,value,id\nA1,.5,1-0001\nA2,-0.001,1-0002\n",
        '{"id": "1-0001", "value": 0.5}\n\n{"id": "1-0002", "value": -1e-3, "noise": null}\n',
        '{"id": "1-0001", "value": "0.5"}\r\n{"id": "1-0002", "value": -0.001, "design": "TTTT"}\r\n',
    ],
)
def test_tables_and_json_lines_of_many_makes_are_read_alike(text: str) -> None:
    assert parsed(text) == {"1-0001": Label(value=0.5), "1-0002": Label(value=-0.001)}


def test_noise_status_and_reason_are_read() -> None:
    labels = parsed(
        'id,value,noise,status,reason\n1-0001,0.5,0.1,,\n1-0002,,,Infeasible,"insoluble, twice"\n1-0004,,,failed,\n'
    )
    assert labels == {
        "1-0001": Label(value=0.5, noise=0.1),
        "1-0002": Label.infeasible("insoluble, twice"),
        "1-0004": Label.failed(""),
    }


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("", None, None, "the file is empty"),
        (" \n\n", None, None, "the file is empty"),
        ("id,value\n", None, None, "a header but no rows"),
        ("id,values\n1-0001,1\n", 1, "values", "is 'value' meant"),
        ("id,value,nosie\n1-0001,1,2\n", 1, "nosie", "is 'noise' meant"),
        ("id,yield\n1-0001,1\n", 1, "value", "the column is missing, there are id, yield"),
        ("query,value\n1-0001,1\n", 1, "id", "the column is missing"),
        ("1-0001,0.5\n", 1, "id", "the column is missing"),
        ("id,value,value\n1-0001,1,2\n", 1, "value", "there twice"),
        ("id,value\n1-0001,1\n9-0009,1\n", 3, "id", "'9-0009' was never asked"),
        ("id,value\n1-001,1\n", 2, "id", "the nearest that was asked is '1-0001'"),
        ("id,value\n,1\n", 2, "id", "the id is empty"),
        ("id,value\n1-0001,1\n\n1-0002,1\n1-0001,2\n", 5, "id", "'1-0001' is on line 2 already"),
        ("id,value\n1-0001,1\n1-0001,1\n", 3, "id", "on line 2 already"),
        ("id,value\n1-0001,high\n", 2, "value", "must be a number, got 'high'"),
        ("id,value\n1-0001,nan\n", 2, "value", "must be a finite number, got 'nan'"),
        ("id,value\n1-0001,NaN\n", 2, "value", "must be a finite number, got 'NaN'"),
        ("id,value\n1-0001,-inf\n", 2, "value", "must be a finite number, got '-inf'"),
        ("id,value\n1-0001,1e999\n", 2, "value", "must be a finite number, got '1e999'"),
        ("id,value\n1-0001,1_000\n", 2, "value", "must be a number, got '1_000'"),
        ("id,value\n1-0001,٣\n", 2, "value", "must be a number, got '٣'"),
        ("id;value\n1-0001;0,5\n", 2, "value", "write decimals with a point"),
        ("id,value\n1-0001,0,5\n", 2, None, "3 cells where the header has 2 columns (a decimal comma"),
        ("id,value\n1-0001\n", 2, None, "1 cells where the header has 2"),
        ("id,value\n1-0001,\n", 2, "value", "it is empty"),
        ("id,value,noise\n1-0001,1,-1\n", 2, "noise", "at least 0, got -1"),
        ("id,value,noise\n1-0001,1,x\n", 2, "noise", "must be a number, got 'x'"),
        ("id,value,status\n1-0001,1,infeasible\n", 2, "value", "a row with status infeasible has no value"),
        ("id,value,status\n1-0001,,lost\n", 2, "status", "must be value, infeasible or failed, got 'lost'"),
        ("id,value,design\n1-0001,1,ACGA\n", 2, "design", "'ACGA' is not what query 1-0001 asked for"),
        ("id,value\n1-0003,0.3\n", 2, "value", "has the label 0.25 already, got 0.3"),
        ("id,value,noise\n1-0003,0.25,0.1\n", 2, "value", "already, got 0.25 ± 0.1"),
        ('id,value\n1-0001,"1\n', 2, None, "not a table"),
        ('id,value,reason\n1-0001,1,"two\nlines"\n1-0002,x,\n', 4, "value", "got 'x'"),
        ("id,value\n1-0001,1\0\n", 2, None, "zero byte"),
        ('{"id": "1-0001", "value": 1}\nnonsense\n', 2, None, "one JSON object a line"),
        ('{"id": "1-0001", "value": NaN}\n', 1, None, "finite"),
        ('{"id": "1-0001", "value": true}\n', 1, "value", "must be a number, got True"),
        ('{"id": "1-0001", "value": [1]}\n', 1, "value", "must be a number, got [1]"),
        ('{"id": 10001, "value": 1}\n', 1, "id", "must be text, got 10001"),
        ('{"id": "1-0001"}\n', 1, "value", "the column is missing"),
        ('{"id": "1-0001", "id": "1-0002", "value": 1}\n', 1, None, "twice"),
        ('[{"id": "1-0001", "value": 1}]\n', 1, None, "one JSON object a line"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(text: str, line: int | None, column: str | None, message: str) -> None:
    with pytest.raises(LabelFileError) as caught:
        parsed(text)
    assert (caught.value.path, caught.value.line, caught.value.column) == ("plate.csv", line, column)
    assert message in str(caught.value)
    assert str(caught.value).startswith("plate.csv")
    assert str(caught.value).endswith("nothing was taken")
    assert isinstance(caught.value, CampaignError)


@pytest.mark.parametrize(
    ("data", "line", "message"),
    [
        (b"id,value\n1-0001,1\n1-0002,\xb51\n", 3, "byte 0xb5 is not UTF-8"),
        ("id,value\n1-0001,1\n".encode("utf-16"), None, "UTF-16"),
    ],
)
def test_what_is_not_utf8_is_refused(data: bytes, line: int | None, message: str) -> None:
    with pytest.raises(LabelFileError, match=message) as caught:
        parse_labels(data, a_state())
    assert caught.value.line == line


def test_labels_that_are_known_and_the_same_are_accepted() -> None:
    assert parsed("id,value\n1-0003,0.25\n") == {"1-0003": Label(value=0.25)}


def test_a_failed_measurement_may_be_told_again() -> None:
    assert parsed("id,value\n1-0004,0.75\n") == {"1-0004": Label(value=0.75)}


def test_a_file_is_read_from_its_path(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("id,value\n1-0001,x\n")
    with pytest.raises(LabelFileError, match=r"labels\.csv, line 2, column value"):
        read_labels(path, a_state())
    with pytest.raises(FileNotFoundError):
        read_labels(tmp_path / "none.csv", a_state())


ANY = st.binary(max_size=40) | st.text(alphabet="id,value\n\r\t;\"'{}[]:1-0.5nafe \ufeff\x1c", max_size=40).map(
    str.encode
)


@given(st.sampled_from([b"", b"id,value\n", b"id,value\n1-0001,0.5\n", b'{"id": "1-0001", "value": ']), ANY)
def test_no_bytes_break_the_reader(start: bytes, rest: bytes) -> None:
    try:
        labels = parse_labels(start + rest, a_state())
    except LabelFileError:
        return
    assert set(labels) <= set(a_state().queries)
    assert labels
