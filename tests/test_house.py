"""The house is in order: one version everywhere, everything pinned, hooks and checks alike, no traces of a machine."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import re
import shutil
import socket
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from jaxtyping import TypeCheckError
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import seiko
from seiko.rewards.base import Posterior

ROOT = Path(__file__).resolve().parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
VERBS = ["help", "demo", "test", "test-slow", "check", "docs", "bench", "clean"]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def pins() -> dict[str, str]:
    lines = [line for line in read("constraints.txt").splitlines() if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line) for line in lines), "only NAME==VERSION lines"
    pairs = [line.split("==") for line in lines]
    assert len({canonicalize_name(name) for name, _ in pairs}) == len(pairs), "a distribution is pinned twice"
    return {canonicalize_name(name): version for name, version in pairs}


def requirements() -> list[Requirement]:
    """Return everything that `.[all]` asks for by name."""
    extras: dict[str, list[str]] = PROJECT["optional-dependencies"]
    rows = PROJECT["dependencies"] + [row for extra in extras.values() for row in extra]
    return [requirement for requirement in map(Requirement, rows) if requirement.name != "seiko"]


def recipe_lines(target: str) -> list[str]:
    """Return the commands of one Makefile target."""
    match = re.search(rf"^{re.escape(target)}:.*\n((?:\t.*\n)+)", read("Makefile"), flags=re.MULTILINE)
    assert match, f"the Makefile has no target {target}"
    return [line.strip() for line in match.group(1).splitlines()]


def tracked_files() -> list[Path]:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    return [ROOT / name for name in listing.decode().split("\0") if name and (ROOT / name).is_file()]


def test_one_version_everywhere() -> None:
    version = PROJECT["version"]
    assert seiko.__version__ == version
    assert str(yaml.safe_load(read("CITATION.cff"))["version"]) == version
    assert f"## [{version}]" in read("CHANGELOG.md")
    assert "## [Unreleased]" in read("CHANGELOG.md")


def test_one_licence_everywhere() -> None:
    assert PROJECT["license"] == yaml.safe_load(read("CITATION.cff"))["license"] == "Apache-2.0"
    text = read("LICENSE")
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


@pytest.mark.parametrize("package", ["seiko", "seiko_recipes", "seiko_bench"])
def test_packages_are_typed(package: str) -> None:
    assert (ROOT / "src" / package / "py.typed").is_file()


def test_constraints_pin_torch_and_every_requirement() -> None:
    versions = pins()
    assert versions["torch"] == "2.13.0"
    for requirement in requirements():
        assert canonicalize_name(requirement.name) in versions, f"{requirement.name} is not pinned"
        version = Version(versions[canonicalize_name(requirement.name)])
        assert requirement.specifier.contains(version), f"{requirement} refuses the pinned {version}"


def test_constraints_pin_what_the_requirements_bring() -> None:
    """Walks the installed distributions; what is not installed cannot be walked, what is must be pinned."""
    versions, seen = pins(), set[str]()
    open_rows = requirements()
    while open_rows:
        requirement = open_rows.pop()
        name = canonicalize_name(requirement.name)
        key = f"{name}[{','.join(sorted(requirement.extras))}]"
        if key in seen:
            continue
        seen.add(key)
        assert name in versions or is_gpu_runtime(name), f"{name} is not pinned"
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        for row in map(Requirement, distribution.requires or []):
            if row.marker is None or any(row.marker.evaluate({"extra": extra}) for extra in requirement.extras | {""}):
                open_rows.append(row)


def is_gpu_runtime(name: str) -> bool:
    """Tell whether torch's own metadata pins it and only its GPU builds bring it."""
    return name.startswith(("nvidia-", "cuda-")) or name == "triton"


def test_constraints_are_those_of_the_cpu() -> None:
    versions = pins()
    assert not [name for name in versions if is_gpu_runtime(name)]
    assert "torchvision" not in versions


def test_all_brings_every_extra() -> None:
    extras = dict(PROJECT["optional-dependencies"])
    (everything,) = extras.pop("all")
    assert Requirement(everything).extras == set(extras)


def test_entry_points_lead_somewhere() -> None:
    groups: dict[str, dict[str, str]] = {"scripts": PROJECT["scripts"], **PROJECT["entry-points"]}
    for group in groups.values():
        for target in group.values():
            module, _, name = target.partition(":")
            assert hasattr(importlib.import_module(module), name), f"{target} is missing"


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_makefile_verbs_are_listed() -> None:
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"^  make ([a-z-]+) ", listed, flags=re.MULTILINE) == VERBS
    for verb in VERBS:
        assert recipe_lines(verb)


def test_hooks_run_what_check_runs() -> None:
    config = yaml.safe_load(read(".pre-commit-config.yaml"))
    hooks = [hook["entry"] for repo in config["repos"] for hook in repo["hooks"]]
    assert hooks == [line.replace("$(BIN)", ".venv/bin") for line in recipe_lines("check")]


def test_ci_runs_what_the_readme_says() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    commands = re.findall(r"\bmake [a-z-]+$", script.read_text(), flags=re.MULTILINE)
    assert commands == ["make test", "make check", "make docs", "make test-slow"]
    assert "make test" in read("README.md")


def test_no_machine_paths_in_tracked_files() -> None:
    folders = b"|".join([b"work", b"opt", b"root"])
    pattern = re.compile(rb"(?<![\w.])/(?:" + folders + rb")/")
    found = [str(path.relative_to(ROOT)) for path in tracked_files() if pattern.search(path.read_bytes())]
    assert found == []


def test_package_data_is_not_ignored() -> None:
    tracked_files()
    names = ["priors/a/model.safetensors", "priors/a/config.json", "report/templates/page.html", "report/style.css"]
    command = ["git", "check-ignore", "--no-index", *[f"src/seiko/{name}" for name in names]]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout == ""


def test_papers_name_files_that_exist() -> None:
    named = re.findall(r"`((?:src|tests|scripts)/[^`]+)`", read("docs/papers.md"))
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_papers_list_what_the_code_cites() -> None:
    cited = {
        link
        for path in (ROOT / "src").rglob("*.py")
        for link in re.findall(
            r"https://(?:arxiv\.org/abs/[\d.]+\d|doi\.org/[^\s\"';,)]*[^\s\"';,).])", path.read_text()
        )
    }
    assert cited - set(re.findall(r"\((https://[^\s]+)\)", read("docs/papers.md"))) == set()


def test_tests_have_no_network() -> None:
    with socket.socket() as sock, pytest.raises(ConnectionRefusedError, match="without a network"):
        sock.connect(("192.0.2.1", 80))
    with socket.socket() as server, socket.socket() as client:
        server.bind(("127.0.0.1", 0))
        server.listen()
        client.connect(server.getsockname())


def test_missing_data_skips_on_a_desk_and_fails_in_ci(
    pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    conftest: Any = pytestconfig.pluginmanager.get_plugin(str(ROOT / "tests" / "conftest.py"))
    monkeypatch.setenv("SEIKO_DATA", str(tmp_path / "nowhere"))
    for required, expected in [("0", pytest.skip.Exception), ("1", pytest.fail.Exception)]:
        monkeypatch.setenv("SEIKO_REQUIRE_DATA", required)
        with pytest.raises((pytest.skip.Exception, pytest.fail.Exception), match="SEIKO_DATA must name") as caught:
            conftest.find_data()
        assert caught.type is expected
    monkeypatch.setenv("SEIKO_DATA", str(tmp_path))
    assert conftest.find_data() == tmp_path


def test_shapes_are_checked() -> None:
    with pytest.raises(TypeCheckError, match="std"):
        Posterior(mean=torch.zeros(3), std=torch.zeros(4))
