"""A PostgreSQL server of one's own, from the programs that the machine has: for tests and benchmarks.

It lives in a temporary folder, listens on a socket in it and nowhere else, and ends with the block. PostgreSQL refuses
to run as root: there it runs as `postgres` or `nobody`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

__all__ = ["NoServer", "find_programs", "folder_of", "halt", "private_server", "resume"]

USER = "seiko"
_HBA = """
local all locked scram-sha-256
local all all trust
"""


class NoServer(RuntimeError):
    """There are no PostgreSQL programs, or nobody to run them as."""


def find_programs() -> Path:
    """Return the folder of initdb, pg_ctl and postgres.

    Raises:
        NoServer: If the machine has none.
    """
    on_path = shutil.which("initdb")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name.split(".")[0]))
    for folder in [*([Path(on_path).resolve().parent] if on_path else []), *reversed(debian)]:
        if all((folder / program).is_file() for program in ("initdb", "pg_ctl", "postgres")):
            return folder
    raise NoServer("initdb, pg_ctl and postgres are not on this machine: install the package postgresql")


@contextmanager
def private_server(*, durable: bool = True, under: Path | None = None) -> Iterator[str]:
    """Run a server and yield the URL of its database, to which ``&run=NAME`` names a run.

    Args:
        durable: Whether a commit waits for the disk, as it must where anything is kept.
        under: Folder that its own is made in; None for that of temporary files.

    Raises:
        NoServer: If the machine has no such programs.
    """
    find_programs()
    with tempfile.TemporaryDirectory(prefix="seiko-pg-", dir=under) as name:
        root, identity = Path(name), _identity()
        if "user" in identity:
            os.chown(root, identity["user"], identity["group"])
        _call(root, "initdb", "-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync", "--data-checksums")
        (root / "data" / "pg_hba.conf").write_text(_HBA)
        settings = {
            "unix_socket_directories": f"'{root}'",
            "listen_addresses": "''",
            "shared_buffers": "64MB",
            "fsync": "on" if durable else "off",
        }
        with (root / "data" / "postgresql.conf").open("a") as file:
            file.writelines(f"{key} = {value}\n" for key, value in settings.items())
        _call(root, "pg_ctl", *_START)
        try:
            yield f"postgresql://{USER}@/postgres?host={root}"
        finally:
            with suppress(RuntimeError):  # it may be down
                _call(root, "pg_ctl", "-w", "-m", "immediate", "stop")


_START = ("-w", "-t", "60", "-l", "server.log", "start")


def halt(url: str) -> None:
    """Stop the server of a URL that `private_server` gave, with all it knows on disk."""
    _call(folder_of(url), "pg_ctl", "-w", "-m", "fast", "stop")


def resume(url: str) -> None:
    """Start it again, unless it runs."""
    try:
        _call(folder_of(url), "pg_ctl", "status")
    except RuntimeError:
        _call(folder_of(url), "pg_ctl", *_START)


def folder_of(url: str) -> Path:
    """Return the folder of a server; its data are in `data`."""
    return Path(url.split("host=")[1])


def _call(root: Path, program: str, *arguments: str) -> None:
    done = subprocess.run(
        [str(find_programs() / program), "-D", str(root / "data"), *arguments],
        cwd=root,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # not a pipe: the server would inherit it, and it would never close
        stderr=(root / "log").open("ab"),
        check=False,
        **_identity(),
    )
    if done.returncode:
        raise RuntimeError(f"{program} failed: {(root / 'log').read_text(errors='replace')[-2000:]}")


def _identity() -> dict[str, Any]:
    """Return as whom a subprocess is to run: as ourselves, unless that is root."""
    if os.geteuid() != 0:
        return {}
    import pwd

    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    raise NoServer("PostgreSQL does not run as root, and this machine has neither a user postgres nor nobody")
