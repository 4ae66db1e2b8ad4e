"""Images leave the process: as files for a program, in base64 for a service, as pixels for a function of one's own."""

from __future__ import annotations

import base64
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch

from seiko.campaign import Campaign, Recipe, run
from seiko.designs import Design
from seiko.imaging import from_png, image_design
from seiko.oracles import Command, ImageFunction, OracleFailed, Service, Workers, image_oracle_named

# Knows nothing of seiko: brightness in percent and the length of the prompt, from the file that it is told.
PROGRAM = """
import csv, json, sys
import numpy as np
from PIL import Image

csv.field_size_limit(4096)  # what is told of an image stays short
rows = list(csv.DictReader(sys.stdin)) if sys.argv[1] == "csv" else [json.loads(line) for line in sys.stdin]
print("id,value") if sys.argv[1] == "csv" else None
for row in rows:
    with Image.open(row["file"]) as image:
        value = round(float(np.asarray(image).mean()) / 2.55) + 1000 * len(row["prompt"])
    open(sys.argv[2], "a").write(row["file"] + "\\n")
    print(f'{row["id"]},{value}' if sys.argv[1] == "csv" else json.dumps({"id": row["id"], "value": value}))
"""
MODULE = """
def score(pixels, prompt):
    return round(float(pixels.mean()) / 2.55) + 1000 * len(prompt)
"""
VALUES = [20.0 + 1000, 40.0 + 5000, 60.0 + 1000]


@pytest.fixture
def pictures_() -> list[Design]:
    prompts = ("x", 'a,"b\n', "x")
    return [image_design(torch.full((3, 8, 6), 0.2 * (i + 1)), prompt) for i, prompt in enumerate(prompts)]


@pytest.fixture
def program(tmp_path: Path) -> Path:
    (tmp_path / "look.py").write_text(PROGRAM)
    return tmp_path / "look.py"


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_a_program_gets_files(program: Path, pictures_: list[Design], tmp_path: Path, format: str) -> None:
    word = f"command+{format}:{sys.executable} {program} {format} {tmp_path / 'seen'}"
    oracle = image_oracle_named(word)
    assert isinstance(oracle, Command)
    assert [label.value for label in oracle(pictures_)] == VALUES
    files = [Path(line) for line in (tmp_path / "seen").read_text().splitlines()]
    assert [file.name for file in files] == [f"{design.key}.png" for design in pictures_]
    assert not any(file.exists() for file in files), "they go when the program has ended"
    with pytest.raises(ValueError, match="comes without its PNG"):
        oracle([Design("0" * 64, "image", "x")])


def test_the_files_are_for_nobody_else(pictures_: list[Design], tmp_path: Path) -> None:
    (tmp_path / "mode.py").write_text(
        "import csv, os, sys\nprint('id,value')\n"
        "for row in csv.DictReader(sys.stdin):\n"
        "    print(row['id'], os.stat(os.path.dirname(row['file'])).st_mode & 0o777, sep=',')\n"
    )
    labels = Command(arguments=(sys.executable, str(tmp_path / "mode.py")))(pictures_)
    assert {label.value for label in labels} == {float(0o700)}


class Looking(BaseHTTPRequestHandler):
    requests: list[list[dict[str, Any]]]

    def do_POST(self) -> None:
        rows = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["designs"]
        self.requests.append(rows)
        found = []
        for row in rows:
            mean = float(from_png(base64.b64decode(row["png"])).mean())
            found.append({"id": row["id"], "value": round(100 * mean) + 1000 * len(row["prompt"])})
        body = json.dumps({"labels": found}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def looking() -> Iterator[tuple[str, list[list[dict[str, Any]]]]]:
    handler = type("Handler", (Looking,), {"requests": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/look", handler.requests  # type: ignore[attr-defined]
        server.shutdown()


def test_a_service_gets_base64(
    looking: tuple[str, list[Any]], pictures_: list[Design], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, requests = looking
    oracle = image_oracle_named(url)
    assert isinstance(oracle, Service)
    assert [label.value for label in oracle(pictures_)] == VALUES
    assert len(requests) == 1
    assert set(requests[0][0]) == {"id", "design", "kind", "prompt", "png"}
    monkeypatch.setattr("seiko.oracles.external.service.LARGEST_SENT", 2 * len(requests[0][0]["png"]))
    assert [label.value for label in oracle(pictures_)] == VALUES
    assert [len(rows) for rows in requests[1:]] == [2, 1], "a request of images stays of a size that servers take"


def test_workers_get_pixels(pictures_: list[Design], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import seiko

    (tmp_path / "glance.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(seiko.__file__).parents[1]), str(tmp_path)]))
    oracle = image_oracle_named("workers:glance:score")
    assert isinstance(oracle, Workers)
    assert [label.value for label in oracle(pictures_)] == VALUES
    monkeypatch.syspath_prepend(str(tmp_path))
    assert [label.value for label in image_oracle_named("glance:score")(pictures_)] == VALUES
    assert isinstance(image_oracle_named("glance:score"), ImageFunction)


def test_noise_is_not_added_to_them() -> None:
    with pytest.raises(ValueError, match="answers as it does"):
        image_oracle_named("command:./look", noise=0.1)


def test_a_closed_loop_by_a_program(program: Path, tmp_path: Path, pictures: Callable[..., Recipe]) -> None:
    word = f"command:{sys.executable} {program} csv {tmp_path / 'seen'}"
    recipe = pictures(oracle=image_oracle_named(word), rounds=2, budget=8)
    with Campaign.open(tmp_path / "run", recipe) as campaign:
        run(campaign)
        assert campaign.done
        assert all(label.status == "value" for label in campaign.state.labels.values())
        assert len((tmp_path / "seen").read_text().splitlines()) == 8


def test_one_that_does_not_start_ends_the_loop(pictures_: list[Design]) -> None:
    with pytest.raises(OracleFailed, match="cannot start"):
        image_oracle_named("command:./there-is-none")(pictures_)
