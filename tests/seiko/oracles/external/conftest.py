"""Real programs and a real server that answer, and misbehave on request."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from seiko.designs import Design

# Reads a batch, counts the letter A, and does to some designs what their text says; runs are counted in a file.
PROGRAM = """
import csv, json, os, signal, subprocess, sys, time
format, mood, counter = sys.argv[1:4]
files = dict(word.split("=", 1) for word in sys.argv[4:])
with open(counter, "a") as file:
    file.write("x")
run = os.path.getsize(counter)
text = open(files["in"]).read() if "in" in files else sys.stdin.read()
lines = text.splitlines()
rows = [json.loads(line) for line in lines] if format == "jsonl" else list(csv.DictReader(lines))
out = open(files["out"], "w") if "out" in files else sys.stdout

def say(id, value, end="\\n"):
    out.write((json.dumps({"id": id, "value": value}) if format == "jsonl" else f"{id},{value}") + end)
    out.flush()

if format == "csv":
    out.write("id,value\\n")
first = run == 1
for i, row in enumerate(rows):
    value = row["design"].count("A") / len(row["design"])
    if (i == 1 and first) or (row["design"] == "AAAA" and "always" in mood):
        if "crash" in mood:
            print("the licence has expired", file=sys.stderr); sys.exit(3)
        if "cut" in mood:
            say(row["id"], "0.99", end=""); sys.exit(3)
        if "killed" in mood:
            os.kill(os.getpid(), signal.SIGKILL)
        if "hang" in mood:
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            open(counter + ".child", "w").write(str(child.pid)); time.sleep(600)
        if "nan" in mood:
            say(row["id"], "nan"); continue
        if "word" in mood:
            say(row["id"], "high"); continue
        if "leave" in mood:
            continue
        if "wrong" in mood:
            say("0123456789abcdef", 0.5); continue
    say(row["id"], value)
    if "twice" in mood:
        say(row["id"], 7.0)
out.flush()
"""


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("programs") / "count.py"
    path.write_text(PROGRAM)
    return path


@pytest.fixture
def designs() -> list[Design]:
    return [Design(text) for text in ("AACC", "AAAA", "CCCC", "ACGT", "CCCA")]


@pytest.fixture
def counting(program: Path, tmp_path: Path) -> Callable[..., tuple[str, ...]]:
    """Return a function that makes the arguments of the program in some mood."""

    def arguments(mood: str = "well", format: str = "csv", *files: str) -> tuple[str, ...]:
        return (sys.executable, str(program), format, mood, str(tmp_path / "runs"), *files)

    return arguments


class Scoring(ThreadingHTTPServer):
    """A server that counts the letter A; `moods` are what it does to the next requests, first one first."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.moods: list[str] = []
        self.requests: list[dict[str, Any]] = []
        self.measured: list[str] = []  # designs that were really measured, by the key of the request
        self.kept: dict[str, bytes] = {}
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/score"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that hang up."""


class Handler(BaseHTTPRequestHandler):
    server: Scoring

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        key = self.headers["Idempotency-Key"]
        server = self.server
        with server.lock:
            mood = server.moods.pop(0) if server.moods else "well"
            server.requests.append({"key": key, "authorization": self.headers.get("Authorization"), "mood": mood})
        if mood.isdigit():
            self.answer(int(mood), f"no: {self.headers.get('Authorization')}".encode())
            return
        if mood == "drop":
            self.connection.close()
            return
        if mood == "silent":
            threading.Event().wait(5)
            return
        with server.lock:
            if key not in server.kept:
                rows = json.loads(body)["designs"]
                server.measured += [row["design"] for row in rows]
                server.kept[key] = self.labels(rows, mood)
        if mood == "lost":  # measured, but the answer does not arrive
            self.connection.close()
            return
        self.answer(200, server.kept[key])

    def labels(self, rows: list[dict[str, Any]], mood: str) -> bytes:
        found: list[Any] = [{"id": row["id"], "value": row["design"].count("A") / 4} for row in rows]
        match mood:
            case "few":
                del found[1]
            case "many":
                found += [
                    {"id": "0123456789abcdef", "value": 1.0},
                    {"value": 3},
                    5,
                    {"id": found[0]["id"], "value": 9.0},
                ]
            case "wrong":
                found = [{**row, "id": "0123456789abcdef"} for row in found]
            case "nan":
                found[1]["value"] = float("nan")
            case "text":
                return b"<html>it works</html>"
            case "shape":
                return b'{"labels": {"a": 1}}'
            case "reverse":
                found.reverse()
        return json.dumps({"labels": found}).encode()

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        if status == 429:
            self.send_header("Retry-After", "0")
        if status == 302:
            self.send_header("Location", "http://127.0.0.1:1/")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Scoring]:
    with Scoring() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
