"""Data files: found in SEIKO_DATA, then in the cache, then downloaded; never used without their hash."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import platformdirs
import pytest

from seiko import data
from seiko.data import DataCorrupted, Dataset, DataUnavailable, Remote, fetch, list_datasets, locate

CONTENT = b"one line\n"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
COLLECTION = Path(os.environ.get("SEIKO_DATA", "absent"))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("SEIKO_DATA", raising=False)
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda name: str(tmp_path / "cache" / name))
    return tmp_path / "cache" / "seiko" / "data"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the address at which it is served on this machine."""
    folder = tmp_path / "web"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def register(monkeypatch: pytest.MonkeyPatch, *remotes: Remote, sha256: str = SHA256) -> None:
    dataset = Dataset(name="toy", file="toy.txt", sha256=(sha256,), size=len(CONTENT), description="-", remotes=remotes)
    monkeypatch.setattr(data, "_DATASETS", (dataset,))


def test_registry_is_sound() -> None:
    datasets = list_datasets()
    assert {"tfbind8", "gfp", "zinc250k", "mnist-train", "laion-aesthetic"} <= {dataset.name for dataset in datasets}
    assert len({dataset.name for dataset in datasets}) == len({dataset.file for dataset in datasets}) == len(datasets)
    for dataset in datasets:
        assert Path(dataset.file).name == dataset.file
        for remote in dataset.remotes:
            assert re.fullmatch(r"https://raw\.githubusercontent\.com/[\w-]+/[\w-]+/[0-9a-f]{40}/[\w/.%-]+", remote.url)
        for sha256 in [*dataset.sha256, *(remote.sha256 for remote in dataset.remotes)]:
            assert re.fullmatch("[0-9a-f]{64}", sha256)
        if len(dataset.remotes) == 1:
            assert dataset.remotes[0].sha256 in dataset.sha256
        assert len(dataset.remotes) < 2 or dataset.derive


@pytest.mark.parametrize("dataset", list_datasets(), ids=lambda dataset: dataset.name)
def test_files_of_the_collection_have_the_registered_size_and_hash(dataset: Dataset) -> None:
    if not (COLLECTION / dataset.file).is_file():
        pytest.skip(f"SEIKO_DATA does not hold {dataset.file}")
    path = fetch(dataset.name)
    assert path == COLLECTION / dataset.file
    assert path.stat().st_size == dataset.size


def test_folder_of_the_variable_comes_before_the_cache(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(monkeypatch)
    assert locate("toy") is None
    cache.mkdir(parents=True)
    (cache / "toy.txt").write_bytes(CONTENT)
    assert fetch("toy") == locate("toy") == cache / "toy.txt"
    mine = tmp_path / "mine"
    mine.mkdir()
    monkeypatch.setenv("SEIKO_DATA", str(mine))
    assert fetch("toy") == cache / "toy.txt"
    (mine / "toy.txt").write_bytes(CONTENT)
    assert fetch("toy") == locate("toy") == mine / "toy.txt"


def test_wrong_file_is_refused_with_the_way_out(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch)
    monkeypatch.setenv("SEIKO_DATA", str(tmp_path))
    (tmp_path / "toy.txt").write_bytes(CONTENT)
    fetch("toy")
    (tmp_path / "toy.txt").write_bytes(b"changed since it was verified")
    with pytest.raises(DataCorrupted) as caught:
        fetch("toy")
    message = str(caught.value)
    assert str(tmp_path / "toy.txt") in message
    assert SHA256 in message
    assert hashlib.sha256(b"changed since it was verified").hexdigest() in message
    assert "seiko data fetch toy" in message


def test_missing_file_says_where_it_was_looked_for(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(monkeypatch)
    monkeypatch.setenv("SEIKO_DATA", str(tmp_path))
    with pytest.raises(DataUnavailable, match="not downloadable automatically") as caught:
        fetch("toy")
    assert str(tmp_path / "toy.txt") in str(caught.value)
    assert str(cache / "toy.txt") in str(caught.value)
    assert "set SEIKO_DATA" in str(caught.value)
    assert isinstance(caught.value, OSError)


def test_no_network_is_unavailable_and_leaves_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, Remote(url="http://127.0.0.1:9/toy.txt", sha256=SHA256))
    with pytest.raises(DataUnavailable, match=r"set SEIKO_DATA .* or run `seiko data fetch toy`"):
        fetch("toy")
    assert list(cache.iterdir()) == []


def test_download_is_verified_and_kept(cache: Path, web: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, address = web
    (folder / "a.txt").write_bytes(CONTENT)
    register(monkeypatch, Remote(url=f"{address}/a.txt", sha256=SHA256))
    assert fetch("toy") == cache / "toy.txt"
    assert (cache / "toy.txt").read_bytes() == CONTENT
    (folder / "a.txt").unlink()
    assert fetch("toy") == cache / "toy.txt"


def test_wrong_download_is_refused_and_leaves_nothing(
    cache: Path, web: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, address = web
    (folder / "a.txt").write_bytes(b"an error page")
    register(monkeypatch, Remote(url=f"{address}/a.txt", sha256=SHA256))
    with pytest.raises(DataCorrupted, match=f"{address}/a.txt is not the file expected, SHA-256 {SHA256}"):
        fetch("toy")
    assert list(cache.iterdir()) == []


def test_wrong_derivation_is_refused_and_leaves_nothing(
    cache: Path, web: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, address = web
    (folder / "a.txt").write_bytes(CONTENT)
    register(monkeypatch, Remote(url=f"{address}/a.txt", sha256=SHA256), sha256="0" * 64)
    with pytest.raises(DataCorrupted, match=f"has SHA-256 {SHA256}, expected {'0' * 64}"):
        fetch("toy")
    assert list(cache.iterdir()) == []


def test_tfbind8_downloaded_is_tfbind8_collected(
    cache: Path, web: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Serve the two public files, rebuilt byte for byte (their pinned hashes say so), and derive the table."""
    dataset = next(dataset for dataset in list_datasets() if dataset.name == "tfbind8")
    collected = COLLECTION / dataset.file
    if not collected.is_file():
        pytest.skip(f"SEIKO_DATA does not hold {dataset.file}")
    folder, address = web
    with np.load(collected, allow_pickle=False) as archive:
        x, y, table = archive["x"], archive["y"], archive["y_table"]
    np.save(folder / "x.npy", x.astype(np.int32))
    np.save(folder / "y.npy", y.reshape(-1, 1))
    remotes = tuple(
        Remote(url=f"{address}/{file}", sha256=remote.sha256)
        for file, remote in zip(("x.npy", "y.npy"), dataset.remotes, strict=True)
    )
    monkeypatch.setattr(data, "_DATASETS", (dataclasses.replace(dataset, remotes=remotes),))
    with np.load(fetch("tfbind8"), allow_pickle=False) as archive:
        np.testing.assert_array_equal(archive["y_table"], table)


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(KeyError, match="no data set 'tfbind9'; there are tfbind8, gfp"):
        fetch("tfbind9")
