"""A real server on this machine that loses, repeats and garbles: nothing is measured twice, nothing told wrongly."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from seiko.designs import Design
from seiko.oracles import OracleFailed, Service, StreamingOracle

VALUES = [0.5, 1.0, 0.0, 0.25, 0.25]
TOKEN = "sesame-7f3a"


def service(server: Any, **changes: Any) -> Service:
    return Service(**{"url": server.url, "wait": 0.001, "timeout": 2.0, **changes})


def values(oracle: Service, designs: list[Design]) -> list[float | None]:
    return [label.value for label in oracle(designs)]


@pytest.mark.parametrize("part", [1, 2, 50])
def test_it_answers_in_parts(server: Any, designs: list[Design], part: int) -> None:
    assert isinstance(service(server), StreamingOracle)
    assert values(service(server, part=part), designs) == VALUES
    assert len(server.requests) == -(-5 // part)
    assert len({request["key"] for request in server.requests}) == len(server.requests)
    assert service(server)([]) == []


@pytest.mark.parametrize("mood", ["500", "503", "429", "408", "drop", "silent", "lost"])
def test_what_is_lost_is_asked_again_under_the_same_key(server: Any, designs: list[Design], mood: str) -> None:
    server.moods = [mood, mood] if mood != "silent" else [mood]
    assert values(service(server, timeout=0.5), designs) == VALUES
    assert len({request["key"] for request in server.requests}) == 1
    assert len(server.requests) == (2 if mood == "silent" else 3)
    assert len(server.measured) == 5, "nothing was measured twice"


def test_after_an_accident_of_ours_the_same_batch_has_the_same_key(server: Any, designs: list[Design]) -> None:
    for _ in range(2):
        assert values(service(server), designs) == VALUES
    assert len({request["key"] for request in server.requests}) == 1
    assert len(server.measured) == 5


@pytest.mark.parametrize(("mood", "more"), [("few", 1), ("nan", 1), ("wrong", 5), ("many", 0), ("reverse", 0)])
def test_answers_that_are_missing_or_make_no_sense_are_asked_once_more(
    server: Any, designs: list[Design], mood: str, more: int
) -> None:
    server.moods = [mood]
    assert values(service(server), designs) == VALUES
    assert len(server.measured) == 5 + more


def test_what_stays_unanswered_has_failed(server: Any, designs: list[Design]) -> None:
    server.moods = ["nan", "wrong"]
    labels = service(server)(designs)
    assert [label.status for label in labels] == ["value", "failed", "value", "value", "value"]
    assert labels[1].reason == "it answered nan as value"


@pytest.mark.parametrize("mood", ["wrong", "text", "shape"])
def test_one_that_makes_no_sense_twice_ends_the_loop(server: Any, designs: list[Design], mood: str) -> None:
    server.moods = [mood, mood]
    with pytest.raises(OracleFailed, match="the oracle answered none of 5 designs, twice"):
        service(server)(designs)
    assert len(server.requests) == 2


@pytest.mark.parametrize("mood", ["400", "401", "404", "302"])
def test_a_mistake_of_ours_is_not_repeated(server: Any, designs: list[Design], mood: str) -> None:
    server.moods = [mood] * 3
    with pytest.raises(OracleFailed, match=f"127.0.0.1:.*/score: it answered {mood}"):
        service(server)(designs)
    assert len(server.requests) == 1


def test_one_that_is_down_ends_the_loop_and_keeps_what_it_said(server: Any, designs: list[Design]) -> None:
    server.moods = ["well", *["503"] * 3]
    answers = service(server, part=2, tries=3).answers(designs)
    assert [next(answers)[0], next(answers)[0]] == [0, 1]
    with pytest.raises(OracleFailed, match=r"it answered 503: .*, 3 times"):
        next(answers)
    with pytest.raises(OracleFailed, match="ConnectError"):
        service(server, url="http://127.0.0.1:1/", tries=2)(designs)


def test_the_token_is_sent_and_said_nowhere(
    server: Any, designs: list[Design], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    oracle = service(server, token="LAB_TOKEN", tries=2)
    with pytest.raises(OracleFailed, match="the environment variable LAB_TOKEN, which holds the token, is not set"):
        oracle(designs)
    assert server.requests == []
    monkeypatch.setenv("LAB_TOKEN", TOKEN)
    assert values(oracle, designs) == VALUES
    assert server.requests[0]["authorization"] == f"Bearer {TOKEN}"
    said = repr(oracle)
    for mood in (["401"], ["503", "503"]):  # both repeat what they were sent
        server.moods = mood
        with pytest.raises(OracleFailed) as caught:
            oracle(designs)
        said += str(caught.value) + repr(caught.value.__cause__) + repr(caught.value.__context__)
    assert "no: Bearer ***" in said
    assert TOKEN not in said
    assert TOKEN not in caplog.text


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"url": "ftp://host/x"}, "url must be http"),
        ({"url": "https://"}, "url must be http"),
        ({"url": "https://me:secret@host/"}, "url must not hold a password"),
        ({"url": "http://host/", "token": "T"}, "a token is sent by https only, got http://host"),
        ({"url": "https://host/", "token": "not a name!"}, "the name of an environment variable"),
        ({"url": "https://host/", "part": 0}, "part must be positive, got 0"),
        ({"url": "https://host/", "wait": -1.0}, "wait must be at least 0"),
    ],
)
def test_settings_that_cannot_be_meant(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        Service(**settings)
    assert "secret" not in str(caught.value)
