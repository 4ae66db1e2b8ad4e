"""Artifacts are whole or absent, named by their bytes, and never lead out of their folder."""

from __future__ import annotations

import errno
import hashlib
import os
import resource
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from seiko.campaign.artifacts import ArtifactCorrupted, ArtifactMissing, ArtifactStore, LedgerError, LedgerReadOnly


@contextmanager
def unprivileged() -> Iterator[None]:
    """Give up root's right to write everywhere, where the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "artifacts")


def test_put_names_by_content_and_get_returns_it(store: ArtifactStore) -> None:
    for data in (b"", b"abc", os.urandom(100_000)):
        sha = store.put(data)
        assert sha == hashlib.sha256(data).hexdigest()
        assert store.path(sha).read_bytes() == data == store.get(sha)
    assert store.put(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert len(list(store.root.iterdir())) == 3, "no temporary file stays, and the same bytes are one file"


def test_put_again_changes_nothing_but_repairs(store: ArtifactStore) -> None:
    sha = store.put(b"abc")
    before = store.path(sha).stat()
    assert store.put(b"abc") == sha
    assert store.path(sha).stat().st_ino == before.st_ino
    store.path(sha).write_bytes(b"abd")
    store.put(b"abc")
    assert store.get(sha) == b"abc"


def test_files_are_synced_before_they_get_their_name(store: ArtifactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, os.replace

    def note_sync(descriptor: int) -> None:
        steps.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def note_rename(source: Path, target: Path) -> None:
        steps.append("rename")
        replace(source, target)

    store.put(b"first: makes the folder")
    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(os, "replace", note_rename)
    store.put(b"abc")
    assert steps == ["file", "rename", "folder"]


def test_files_follow_the_umask(store: ArtifactStore) -> None:
    umask = os.umask(0o027)
    try:
        assert stat.S_IMODE(store.path(store.put(b"abc")).stat().st_mode) == 0o640
    finally:
        os.umask(umask)


@pytest.mark.parametrize(
    "name", ["", "abc", "../" * 20 + "etc/passwd", "A" * 64, "g" * 64, "a" * 63, "a" * 65, "a" * 64 + "\n", "é" * 64]
)
def test_names_are_validated(store: ArtifactStore, name: str) -> None:
    for use in (store.path, store.get, store.get_tensors):
        with pytest.raises(ValueError, match="64 lower-case hexadecimal digits"):
            use(name)


def test_missing_and_damaged_artifacts_name_file_and_way_out(store: ArtifactStore) -> None:
    with pytest.raises(ArtifactMissing, match=f"artifacts/{'a' * 64} is missing: restore it from a backup"):
        store.get("a" * 64)
    sha = store.put(b"abcdef")
    path = store.path(sha)
    for damage in (b"abcdeg", b"abc", b""):
        path.write_bytes(damage)
        with pytest.raises(ArtifactCorrupted) as caught:
            store.get(sha)
        for part in (str(path), f"expected SHA-256 {sha}", f"found {hashlib.sha256(damage).hexdigest()}", "delete it"):
            assert part in str(caught.value)
    path.unlink()
    path.mkdir()
    with pytest.raises(ArtifactMissing):
        store.get(sha)


def test_errors_are_one_family() -> None:
    for error in (ArtifactMissing, ArtifactCorrupted, LedgerReadOnly):
        assert issubclass(error, LedgerError)
    assert issubclass(ArtifactMissing, FileNotFoundError)
    assert issubclass(LedgerReadOnly, PermissionError)


def test_read_only_folder_is_named() -> None:
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to other users
        Path(name).chmod(0o755)
        store = ArtifactStore(Path(name) / "artifacts")
        sha = store.put(b"abc")
        store.root.chmod(0o555)
        with unprivileged():
            assert store.get(sha) == b"abc"
            assert store.put(b"abc") == sha, "what is there already need not be written"
            with pytest.raises(LedgerReadOnly, match=r"cannot write into .*artifacts .*copy the run folder"):
                store.put(b"new")
        store.root.chmod(0o755)


def test_full_disk_leaves_nothing(store: ArtifactStore) -> None:
    store.put(b"small")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(LedgerError, match="free some space"):
            store.put(bytes(1_000_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len(list(store.root.iterdir())) == 1
    assert len(store.get(store.put(bytes(1_000_000)))) == 1_000_000


def test_read_only_file_system_is_told_apart_from_a_full_one(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put(b"small")
    for number, kind in ((errno.EROFS, LedgerReadOnly), (errno.ENOSPC, LedgerError)):

        def refuse(*_: object, number: int = number) -> int:
            raise OSError(number, os.strerror(number))

        with monkeypatch.context() as patch:
            patch.setattr(os, "open", refuse)
            with pytest.raises(LedgerError) as caught:
                store.put(b"new")
        assert type(caught.value) is kind


def test_tensors_round_trip(store: ArtifactStore) -> None:
    base = torch.arange(12.0).reshape(3, 4)
    tensors = {
        "view": base.t(),
        "tied": base,
        "tied again": base,
        "half": base.bfloat16(),
        "whole": torch.tensor([1, 2**40]),
        "empty": torch.zeros(0, 3),
        "scalar": torch.tensor(2.5, requires_grad=True),
    }
    sha = store.put_tensors(tensors)
    back = store.get_tensors(sha)
    assert back.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert back[name].dtype == tensor.dtype
        assert torch.equal(back[name], tensor)
    assert store.put_tensors(dict(reversed(tensors.items()))) == sha, "the name does not depend on the order"


@pytest.mark.parametrize("data", [b"", b"not tensors at all", (2**62).to_bytes(8, "little") + b"{}"])
def test_other_bytes_are_not_tensors(store: ArtifactStore, data: bytes) -> None:
    with pytest.raises(ArtifactCorrupted, match="does not hold safetensors"):
        store.get_tensors(store.put(data))
