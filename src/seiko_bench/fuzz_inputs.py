"""Inputs for the targets that know how they are made: good ones, of which a few parts were changed.

Hypothesis draws and shrinks them. Coverage-guided fuzzing starts from the same good ones (`good`), with the same words
that make trouble.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from seiko_bench.fuzz_targets import IDS, READINGS, export, story

__all__ = ["STRATEGIES", "TROUBLE", "good", "places"]

ASKED = IDS[3:7]  # of the run that files are read against, what waits
LONG = "id,value,noise,status,reason,retry,replicate,design\n" + "".join(
    f"{id},0.{i},,,,,,\n" for i, id in enumerate(ASKED)
)
WELLS = "plate;well;value;status\n" + "".join(f"P1;A{i};{i / 10};\n" for i in range(4, 8)) + "P1;C1;0;\n"
GRID = "P1," + ",".join(map(str, range(1, 13))) + "\n" + "".join(
    f"{row}," + ",".join("0.5" if row in "AB" and 3 <= i < 7 else "" for i in range(12)) + "\n" for row in "ABCDEFGH"
)  # fmt: skip
LINES = "".join(json.dumps({"id": id, "value": i / 10, "reason": "well"}) + "\n" for i, id in enumerate(ASKED))
OLD = "design,value,noise\n" + "".join(f"{letter * 6},0.5,\n" for letter in "ACGT")
BETTER = "winner,loser,rater,choice,tie\n" + "".join(f"{a},{b},ann,,\n" for a, b in pairwise(IDS))

TROUBLE = (
    *("", ",", ";", "\t", "\n", "\r", "\r\n", '"', "'", "\0", "\ufeff", "\x1c", "\x85", "\u2028", "\u0663", " "),
    *("nan", "NaN", "-inf", "1e999", "0,5", "0.5.5", "1_000", "0x10", "--1", "+", "1e", "NULL", "=1+1", "None"),
    *("id", "value", "well", "plate", "design", "status", "failed", "infeasible", "retry", "yes", "replicate"),
    *("winner", "loser", "choice", "tie", "A01", "Z99", "P1", "P2", *IDS[:2], "9-9999", "{", "}", "[", "]", "{}"),
    *('{"id": 1}', "1" * 400, "9" * 5000, '{"id": "1-0001", "value": 1', "[" * 2000, '{"a":' * 400),
    *('"value": 1e400', '"value": true', "é", "\U0001f9ea", "seiko.campaign.Recipe", "os.system", '"type"'),
)
"""Words that have made trouble somewhere."""

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6)
    | st.sampled_from([*IDS[:3], "value", "failed", "seiko.updates.PPO", "seiko.campaign.Recipe", "os.system"])
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def good(target: str) -> list[bytes]:
    """Return inputs of a target that are as they should be."""
    match target:
        case "labels":
            files = (LONG, WELLS, GRID, LINES, LONG.replace(",", "\t"), BETTER)
            return [bytes([how]) + file.encode() for how in range(2) for file in files] + [b"\xc0" + OLD.encode()]
        case "recipe":
            return [json.dumps(story()[0][1]["recipe"]).encode()]
        case "ledger":
            return [how + export(story()[:events]) for how in (b"\0", b"\1") for events in (0, 2, 12)]
    raise ValueError(f"there is no target {target!r}; there are labels, recipe and ledger")


@st.composite
def mangled(draw: st.DrawFn, files: list[bytes]) -> bytes:
    """Return a good file with a few bytes cut out, put in, doubled or turned around."""
    whole = draw(st.sampled_from(files))
    how, data = whole[:1], whole[1:]
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        end = min(len(data), at + draw(st.integers(0, 12)))
        match draw(st.integers(0, 5)):
            case 0:
                data = data[:at] + data[end:]
            case 1:
                data = data[:at] + draw(st.sampled_from(TROUBLE)).encode() + data[at:]
            case 2:
                data = data[:at] + draw(st.sampled_from(TROUBLE)).encode() + data[end:]
            case 3:
                data = data[:end] + data[at:]
            case 4:
                lines = data.split(b"\n")
                which = draw(st.integers(0, len(lines) - 1))
                data = b"\n".join([*lines[:which], lines[which], lines[which], *lines[which + 1 :]])
            case 5:
                data = data[:at] + draw(st.binary(max_size=3)) + data[at:]
    return how + data


@st.composite
def changed(draw: st.DrawFn, whole: Callable[[], Any]) -> Any:
    """Return JSON of which a few parts are others, gone, or there in addition."""
    value = whole()
    for _ in range(draw(st.integers(1, 3))):
        where = draw(st.sampled_from(places(value)))
        owner, how, new = value, draw(st.sampled_from(["put", "drop", "add"])), draw(VALUES)
        for key in where[:-1]:
            owner = owner[key]
        if how == "put":
            owner[where[-1]] = new
        elif how == "drop":
            del owner[where[-1]]
        elif isinstance(owner[where[-1]], dict):
            owner[where[-1]][draw(st.text(max_size=6))] = new
        if not value:
            return value
    return value


def places(value: Any, where: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the way to every part of JSON but its whole."""
    found = [where] if where else []
    if isinstance(value, dict):
        for key, item in value.items():
            found += places(item, (*where, key))
    elif isinstance(value, list):
        for at, item in enumerate(value):
            found += places(item, (*where, at))
    return found


@st.composite
def told_wrongly(draw: st.DrawFn) -> bytes:
    """Return an export of a run with digests that are right and events that are not."""
    events: list[list[Any]] = [list(event) for event in story()]
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(events) - 1))
        match draw(st.integers(0, 3)):
            case 0:
                del events[at]
            case 1:
                events.insert(draw(st.integers(0, len(events))), json.loads(json.dumps(events[at])))
            case 2:
                events[at][0] = draw(st.sampled_from(["opened", "asked", "told", "rated", "advanced", "x"]))
            case 3:
                events.insert(at, events.pop(draw(st.integers(0, len(events) - 1))))
        if not events:
            break
    if events:
        at = draw(st.integers(0, len(events) - 1))
        events[at][1] = draw(changed(lambda: json.loads(json.dumps(events[at][1]))))
    return b"\0" + export([(kind, payload) for kind, payload in events])


STRATEGIES: dict[str, st.SearchStrategy[bytes]] = {
    "labels": st.tuples(st.integers(0, 255), mangled(good("labels"))).map(
        lambda pair: (bytes([pair[0]]) if pair[0] >= len(READINGS) else pair[1][:1]) + pair[1][1:]
    ),
    "recipe": (changed(lambda: story()[0][1]["recipe"]) | VALUES).map(lambda value: json.dumps(value).encode())
    | mangled(good("recipe")),
    "ledger": told_wrongly() | mangled(good("ledger")),
}
