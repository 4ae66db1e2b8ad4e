"""An export rebuilds the run bit for bit, from one backend to the other; what does not verify is refused."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seiko.campaign.artifacts import ArtifactCorrupted, LedgerError
from seiko.campaign.ledger import Ledger, LedgerCorrupted, NewEvent, NoRun, RunExists
from seiko.campaign.ledger.transfer import ExportInvalid, export_lines, import_file, verify_file


def fill(ledger: Ledger) -> None:
    sha = ledger.artifacts.put(bytes(range(256)))
    ledger.artifacts.put(b"")
    payload = {"a": "é\\\ud800\0", "x": [0.1, -0.0, 1e22, 2**63 - 1], "sha": sha, "z": {"b": None, "a": True}}
    ledger.append([NewEvent("opened", payload), NewEvent("noted", {})], expected=0)
    ledger.append([NewEvent("noted", {"n": 3})], expected=2)


@pytest.fixture
def ledger(place: str) -> Iterator[Ledger]:
    with Ledger.create(place) as ledger:
        fill(ledger)
        yield ledger


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    with Ledger.create(tmp_path_factory.mktemp("exported") / "run") as ledger:
        fill(ledger)
        return list(export_lines(ledger))


@pytest.mark.parametrize("beside", [False, True])
def test_a_run_is_rebuilt_bit_for_bit(ledger: Ledger, tmp_path: Path, beside: bool) -> None:
    folder = tmp_path / "beside" if beside else None
    (tmp_path / "x.jsonl").write_bytes(b"".join(export_lines(ledger, folder)))
    header = import_file(tmp_path / "x.jsonl", tmp_path / "copy", folder)
    assert (header.events, header.artifacts, header.digest) == (3, 2, ledger.digest_of(3))
    with Ledger.open(tmp_path / "copy") as copy:
        assert list(copy.rows()) == list(ledger.rows())
        names = list(ledger.artifacts.names())
        assert list(copy.artifacts.names()) == names
        assert [copy.artifacts.get(sha) for sha in names] == [ledger.artifacts.get(sha) for sha in names]
        assert list(export_lines(copy))[1:] == list(export_lines(ledger))[1:]
        assert copy.append([NewEvent("noted", {})], expected=3) == 4


def test_a_folder_goes_to_a_server(exported: list[bytes], server: str, tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(b"".join(exported))
    place = f"{server}&run=imported"
    import_file(tmp_path / "x.jsonl", place)
    with Ledger.open(place) as ledger:
        assert list(export_lines(ledger))[1:] == exported[1:]
    with pytest.raises(RunExists):
        import_file(tmp_path / "x.jsonl", place)


def test_an_import_that_was_cut_short_is_repeated(exported: list[bytes], tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(b"".join(exported))
    Ledger.create(tmp_path / "copy").close()
    assert import_file(tmp_path / "x.jsonl", tmp_path / "copy").events == 3


def test_an_empty_run_is_exported(tmp_path: Path) -> None:
    with Ledger.create(tmp_path / "run") as ledger:
        (tmp_path / "x.jsonl").write_bytes(b"".join(export_lines(ledger)))
    assert import_file(tmp_path / "x.jsonl", tmp_path / "copy").events == 0


def test_a_damaged_run_is_not_exported(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = list(ledger.rows())
    for damaged in ([rows[0], rows[1]._replace(payload=b"{}x"), rows[2]], rows[:2]):
        monkeypatch.setattr(ledger, "rows", lambda damaged=damaged: iter(damaged))
        with pytest.raises(LedgerCorrupted):
            list(export_lines(ledger))
    monkeypatch.undo()

    def damaged_artifact(sha: str) -> bytes:
        raise ArtifactCorrupted("damaged")

    monkeypatch.setattr(ledger.artifacts, "get", damaged_artifact)
    with pytest.raises(ArtifactCorrupted):
        list(export_lines(ledger))


def changed(number: int, **changes: Any) -> Callable[[list[bytes]], list[bytes]]:
    def change(lines: list[bytes]) -> list[bytes]:
        lines[number] = json.dumps(json.loads(lines[number]) | changes).encode() + b"\n"
        return lines

    return change


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda lines: [], "line 1 is not the first line of an export"),
        (lambda lines: lines[1:], "line 1 is not the first line"),
        (lambda lines: lines[:-1], "not whole: it holds 2 events and 2 artifacts, its first line announces 3 and 2"),
        (lambda lines: [*lines[:1], *lines[2:]], "not whole: it holds 3 events and 1 artifacts"),
        (lambda lines: [*lines[:3], *lines[4:]], "line 4: event 1 is missing, the next is 2"),
        (lambda lines: [*lines, lines[-1]], "line 7: event 4 is missing, the next is 3"),
        (lambda lines: [*lines[:4], lines[5], lines[4]], "line 5: event 2 is missing, the next is 3"),
        (lambda lines: [*lines[:3], lines[3], lines[1], *lines[4:]], "line 5: an artifact after"),
        (lambda lines: [*lines[:5], lines[5][:-9]], "line 6 is not JSON"),
        (lambda lines: [*lines[:5], b"\xff\n"], "line 6 is not JSON"),
        (lambda lines: [*lines[:5], b"[" * 200_000], "line 6 is nested too deeply"),
        (lambda lines: [*lines[:5], b"3\n"], "line 6 is not a JSON object"),
        (changed(0, version=2), "the export has version 2, this version of seiko reads 1"),
        (changed(0, digest=None), "must be there"),
        (changed(0, digest="0" * 64), "the file is not whole"),
        (changed(1, data=base64.b64encode(b"x").decode()), "line 2: artifact [0-9a-f]{64} is damaged"),
        (changed(1, data="?"), "line 2: artifact .* is not base64"),
        (changed(1, data=None), "line 2: artifact .* is not base64"),
        (changed(1, artifact="../../etc/passwd"), r"line 2: an artifact is named by 64 .* got '\.\./"),
        (changed(3, payload={"a": 1}), "line 4: event 1 is not what was exported"),
        (changed(3, payload=[]), "line 4 is neither an artifact nor an event"),
        (changed(3, kind="No kind"), "line 4: event 1: kind must be a lower-case name"),
        (changed(3, kind=None), "line 4: event 1: kind, created_at and digest must be text"),
        (changed(3, created_at="\ud800"), "line 4: event 1: .*surrogates not allowed"),
        (changed(3, created_at="2001"), "line 4: event 1 is not what was exported"),
        (changed(3, more=1), "line 4 is neither"),
        (changed(4, payload={"x": float("nan")}), "line 5: event 2: "),
    ],
)
def test_what_does_not_verify_is_refused_and_leaves_nothing(
    exported: list[bytes], tmp_path: Path, change: Callable[[list[bytes]], list[bytes]], why: str
) -> None:
    (tmp_path / "x.jsonl").write_bytes(b"".join(change(list(exported))))
    for use in (
        lambda: verify_file(tmp_path / "x.jsonl"),
        lambda: import_file(tmp_path / "x.jsonl", tmp_path / "copy"),
    ):
        with pytest.raises(ExportInvalid, match=why):
            use()
    assert not (tmp_path / "copy").exists()
    with pytest.raises(NoRun):
        Ledger.open(tmp_path / "copy")


def test_artifacts_beside_must_be_there(exported: list[bytes], tmp_path: Path) -> None:
    line = json.loads(exported[1])
    del line["data"]
    (tmp_path / "x.jsonl").write_bytes(b"".join([exported[0], json.dumps(line).encode() + b"\n", *exported[2:]]))
    with pytest.raises(ExportInvalid, match="lies beside the file: name its folder"):
        verify_file(tmp_path / "x.jsonl")
    with pytest.raises(LedgerError, match="is missing"):
        verify_file(tmp_path / "x.jsonl", tmp_path)


def mangled(lines: list[bytes]) -> st.SearchStrategy[bytes]:
    """Return what people and disks make of an export: bytes changed, cut and put in, lines moved, other JSON."""
    whole = b"".join(lines)
    places = st.integers(0, len(whole))
    cut = st.tuples(places, places, st.binary(max_size=8)).map(lambda t: whole[: t[0]] + t[2] + whole[t[1] :])
    moved = st.lists(st.sampled_from(lines), max_size=8).map(b"".join)
    values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=5,
    )
    fields = st.tuples(st.integers(0, len(lines) - 1), st.sampled_from(_FIELDS), values)
    other = st.lists(fields, max_size=3).map(lambda changes: _with_fields(lines, changes))
    return cut | moved | other | st.binary(max_size=50) | values.map(lambda value: json.dumps(value).encode())


_FIELDS = ("format", "version", "run", "events", "digest", "artifacts", "artifact", "bytes", "data", "seq", "kind")
_FIELDS = (*_FIELDS, "payload", "created_at")


def _with_fields(lines: list[bytes], changes: list[tuple[int, str, Any]]) -> bytes:
    values = [json.loads(line) for line in lines]
    for number, field, value in changes:
        values[number][field] = value
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def never_half_taken(data: bytes, exported: list[bytes], folder: Path) -> None:
    path = folder / "x.jsonl"
    path.write_bytes(data)
    try:
        words = "the same run" if verify_file(path).digest == json.loads(exported[0])["digest"] else "another run"
    except ExportInvalid as error:
        words = str(error)
    assert re.search(r"^line \d+|^the file is not whole|^the same run", words), words
    assert len(words) < 1000


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_mangled_export_is_taken(exported: list[bytes], tmp_path: Path, data: st.DataObject) -> None:
    never_half_taken(data.draw(mangled(exported)), exported, tmp_path)


@pytest.mark.slow
@settings(max_examples=10_000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_mangled_export_of_many_is_taken(exported: list[bytes], tmp_path: Path, data: st.DataObject) -> None:
    never_half_taken(data.draw(mangled(exported)), exported, tmp_path)
