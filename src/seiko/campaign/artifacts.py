"""Where large things are kept: named by the SHA-256 of their bytes, in a folder or, with the same names, elsewhere.

An artifact is written and synced *before* the event that names it, so an event never points at something that is not
there; a kill in between leaves one that nothing names, which is harmless. A file is either absent or whole:

    temporary file in the same folder  ->  fsync  ->  rename  ->  fsync of the folder

Reading verifies the name against the bytes. Tensors travel as safetensors, never as pickles. The errors of the whole
ledger start here, because this is their lowest user.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "ArtifactCorrupted",
    "ArtifactMissing",
    "ArtifactStore",
    "Artifacts",
    "LedgerError",
    "LedgerReadOnly",
    "can_write",
    "checked_sha",
    "sync_folder",
]

_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)


class LedgerError(Exception):
    """The memory of a run cannot be read or written; nothing was half-written."""


class LedgerReadOnly(LedgerError, PermissionError):
    """The run folder cannot be written by this user."""


class ArtifactMissing(LedgerError, FileNotFoundError):
    """An artifact that an event names is not in the run folder."""


class ArtifactCorrupted(LedgerError):
    """An artifact's bytes are not those that were written."""


class Artifacts(ABC):
    """Content-addressed bytes; several processes may put at once, for the name is the content."""

    @abstractmethod
    def put(self, data: bytes) -> str:
        """Keep the bytes and return their SHA-256; on return they survive a power cut.

        Putting the same bytes again changes nothing, and repairs what was kept if it was damaged.

        Raises:
            LedgerReadOnly: If nothing can be written.
            LedgerError: If the disk is full or fails; no artifact is left half-written.
        """

    @abstractmethod
    def get(self, sha: str) -> bytes:
        """Return the bytes of an artifact after checking them against its name.

        Raises:
            ValueError: If the name is not a SHA-256.
            ArtifactMissing: If there is none of this name.
            ArtifactCorrupted: If its bytes have another SHA-256.
            LedgerError: If it cannot be read.
        """

    @abstractmethod
    def names(self) -> Iterator[str]:
        """Yield the names of all artifacts, in order."""

    @abstractmethod
    def where(self, sha: str) -> str:
        """Say where an artifact is or would be, for messages."""

    def put_tensors(self, tensors: Mapping[str, Tensor]) -> str:
        """Keep named tensors as safetensors and return their SHA-256; device and memory layout are not kept."""
        import torch
        from safetensors.torch import save

        # A copy of each: safetensors refuses tensors that share memory, as tied weights do.
        return self.put(
            save({k: t.detach().cpu().clone(memory_format=torch.contiguous_format) for k, t in tensors.items()})
        )

    def get_tensors(self, sha: str) -> dict[str, Tensor]:
        """Return the tensors of an artifact, on the CPU.

        Raises:
            ArtifactMissing: If there is none of this name.
            ArtifactCorrupted: If its bytes have another SHA-256, or are not safetensors.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load

        data = self.get(sha)
        try:
            return load(data)
        except (SafetensorError, ValueError, KeyError) as error:
            raise ArtifactCorrupted(f"artifact {self.where(sha)} does not hold safetensors: {error}") from error


class ArtifactStore(Artifacts):
    """Content-addressed files in one folder.

    Several processes may put at once: the name is the content, so whoever comes last replaces a file by its equal.

    Args:
        root: Folder of the files; made by the first `put` if it is absent.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    def path(self, sha: str) -> Path:
        """Return where the artifact of this name is or would be.

        Raises:
            ValueError: If the name is not 64 lower-case hexadecimal digits, which also rules out paths that lead away.
        """
        return self.root / checked_sha(sha)

    def put(self, data: bytes) -> str:
        """Keep the bytes and return their SHA-256; on return they survive a power cut.

        Putting the same bytes again changes nothing, and repairs the file if it was damaged.

        Raises:
            LedgerReadOnly: If the folder cannot be written.
            LedgerError: If the disk is full or fails; no artifact is left half-written.
        """
        sha = hashlib.sha256(data).hexdigest()
        path = self.path(sha)
        temporary = self.root / f".{sha[:16]}-{secrets.token_hex(8)}.tmp"
        try:
            if not self.root.is_dir():
                self.root.mkdir(exist_ok=True)
                sync_folder(self.root.parent)
            if not self._holds(path, sha):
                try:
                    # O_EXCL never follows what somebody may have planted; 0o666 leaves the rights to the umask.
                    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
                    with os.fdopen(descriptor, "wb") as file:
                        file.write(data)
                        file.flush()
                        os.fsync(file.fileno())
                    os.replace(temporary, path)
                finally:
                    temporary.unlink(missing_ok=True)
            sync_folder(self.root)  # also for a file that was there: its writer may have died before its own sync
        except OSError as error:
            raise _explain(error, self.root) from error
        return sha

    def get(self, sha: str) -> bytes:
        """Return the bytes of an artifact after checking them against its name.

        Raises:
            ArtifactMissing: If there is no such file.
            ArtifactCorrupted: If its bytes have another SHA-256.
            LedgerError: If the file cannot be read.
        """
        path = self.path(sha)
        if not path.is_file():
            raise ArtifactMissing(
                f"artifact {path} is missing: restore it from a backup, or repeat the stage that wrote it"
            )
        try:
            data = path.read_bytes()
        except OSError as error:
            raise LedgerError(f"artifact {path} cannot be read: {error.strerror}") from error
        found = hashlib.sha256(data).hexdigest()
        if found != sha:
            raise ArtifactCorrupted(
                f"artifact {path} is damaged: expected SHA-256 {sha}, found {found} ({len(data)} bytes); "
                "restore it from a backup, or delete it and repeat the stage that wrote it"
            )
        return data

    def names(self) -> Iterator[str]:
        """Yield the names of all artifacts, in order; other files in the folder are passed over."""
        if self.root.is_dir():
            yield from sorted(path.name for path in self.root.iterdir() if _SHA256.fullmatch(path.name))

    def where(self, sha: str) -> str:
        """Return the path as text."""
        return str(self.path(sha))

    @staticmethod
    def _holds(path: Path, sha: str) -> bool:
        try:
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == sha
        except FileNotFoundError:
            return False


def checked_sha(sha: str) -> str:
    """Return the name of an artifact if it is one.

    Raises:
        ValueError: If it is not.
    """
    if not _SHA256.fullmatch(sha):
        raise ValueError(f"an artifact is named by 64 lower-case hexadecimal digits of SHA-256, got {sha!r:.80}")
    return sha


def can_write(path: Path) -> bool:
    """Tell whether this process may write the file or folder; a file system mounted read-only counts."""
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def sync_folder(folder: Path) -> None:
    """Make names in a folder survive a power cut; does nothing where the system cannot sync folders."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _explain(error: OSError, folder: Path) -> LedgerError:
    if error.errno in _READ_ONLY:
        return LedgerReadOnly(
            f"cannot write into {folder} ({error.strerror}): give yourself write access or copy the run folder"
        )
    return LedgerError(
        f"cannot write an artifact into {folder} ({error.strerror}): free some space or repair the disk, then repeat"
    )
