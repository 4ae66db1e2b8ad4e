"""What every test stands on: shapes checked at run time, no network, one thread a worker, and the real data sets.

This file must be imported before `seiko`, whose modules the import hook rewrites as they load.
"""

from __future__ import annotations

import ipaddress
import itertools
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["MPLBACKEND"] = "Agg"
if "PYTEST_XDIST_WORKER" in os.environ:
    # Set here too for the subprocesses that tests start: two workers of many threads each stall on two cores.
    os.environ["OMP_NUM_THREADS"] = "1"

import hypothesis
import pytest
import torch
from jaxtyping import install_import_hook

# Where tensors travel, every function and dataclass is checked against its annotations, shapes included. The rest of
# the library meets users, whose wrong values must reach our own errors: there the hook would answer first. An int is a
# float, as it is for mypy; what beartype cannot decorate (a method that takes or returns Self, a protocol not checkable
# at run time) stays unchecked with an ImportWarning instead of breaking the import.
SHAPED = ["seiko.acquisition", "seiko.diffusion", "seiko.metrics", "seiko.models", "seiko.rewards", "seiko.updates"]
TYPECHECKER = (
    "beartype.beartype(conf=beartype.BeartypeConf("
    "is_pep484_tower=True, warning_cls_on_decorator_exception=ImportWarning))"
)
install_import_hook(SHAPED, TYPECHECKER)

# A deadline measures the machine, and a failure in CI must be the same failure on a desk.
hypothesis.settings.register_profile("default", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("default")

if "PYTEST_XDIST_WORKER" in os.environ:
    torch.set_num_threads(1)


def is_this_machine(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return address.is_loopback or address.is_unspecified


@pytest.fixture(scope="session", autouse=True)
def no_network() -> Iterator[None]:
    """Refuse connections that leave this machine."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def refuse_remote(sock: socket.socket, address: Any) -> None:
        if sock.family in (socket.AF_INET, socket.AF_INET6) and not is_this_machine(address[0]):
            raise ConnectionRefusedError(f"a test tried to reach {address[0]}; tests run without a network")

    def guarded_connect(sock: socket.socket, address: Any) -> None:
        refuse_remote(sock, address)
        connect(sock, address)

    def guarded_connect_ex(sock: socket.socket, address: Any) -> int:
        refuse_remote(sock, address)
        return connect_ex(sock, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded_connect)
        patch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
        yield


def find_data() -> Path:
    """Return the folder that SEIKO_DATA names; without one skip the test, or fail it where SEIKO_REQUIRE_DATA=1."""
    value = os.environ.get("SEIKO_DATA")
    if value and Path(value).is_dir():
        return Path(value)
    reason = f"SEIKO_DATA must name the folder with the data sets, got {value!r}"
    if os.environ.get("SEIKO_REQUIRE_DATA") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def find_browser() -> str:
    """Return the path of Chromium; without one skip the test, or fail it where SEIKO_REQUIRE_BROWSER=1."""
    names = (os.environ.get("SEIKO_BROWSER"), "chromium", "chromium-browser", "google-chrome")
    for name in names:
        if name and (found := shutil.which(name)):
            return found
    reason = "no Chromium found: install Debian's package chromium, or name one in SEIKO_BROWSER"
    if os.environ.get("SEIKO_REQUIRE_BROWSER") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Return the folder of real data sets; CI requires it, elsewhere the test is skipped without it."""
    return find_data()


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the folder of a tiny random CLIP, whose embeddings have the 768 numbers that the aesthetic head reads."""
    from seiko.models.random_pipeline import random_clip

    return random_clip(tmp_path_factory.mktemp("clip"), width=768)


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """Yield the URL of a database on a server of our own, to which ``&run=NAME`` names a run; CI requires one."""
    from seiko_bench.server import NoServer, find_programs, private_server

    try:
        import psycopg  # noqa: F401

        find_programs()
    except (ImportError, NoServer) as error:
        if os.environ.get("SEIKO_REQUIRE_POSTGRES") == "1":
            pytest.fail(str(error))
        pytest.skip(str(error))
    with private_server(durable=False) as url:
        yield url


_runs = itertools.count(1)


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return where a run may be made: a folder, then a run on a server. A test that asks for it runs on both."""
    if request.param == "sqlite":
        return str(tmp_path / "run")
    return f"{request.getfixturevalue('server')}&run=run-{next(_runs)}"


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Return where Chromium is; CI requires it, elsewhere the test is skipped without it."""
    return find_browser()
