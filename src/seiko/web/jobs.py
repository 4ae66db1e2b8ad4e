"""Long work in a process of its own: asking for a batch, advancing, and what else needs the model.

The server stays quick and small whatever the model needs, a crash of the work is a sentence on the page, and stopping
it is safe: every verb of a campaign is one transaction, done or not done. One job at a time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Literal

from seiko.campaign import CampaignError

__all__ = ["Busy", "Job", "Jobs", "Verb"]

Verb = Literal["ask", "advance", "attach", "lay_out"]
DOING: dict[Verb, str] = {
    "ask": "Asking for a batch",
    "advance": "Advancing the model",
    "attach": "Attaching measurements",
    "lay_out": "Laying out plates",
}
WORDS = 2000  # characters of an error that are shown
STAGES = {
    "start": "starting",
    "ask": "choosing the batch",
    "fit": "fitting the reward model",
    "update": "moving the diffusion model",
    "land": "keeping the KL budget",
    "steer": "steering the diffusion model",
    "look": "looking at fresh samples",
}


class Busy(CampaignError):
    """Another job is at work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One piece of long work, as it is now.

    Args:
        id: From 1.
        verb: What is done.
        status: ``"running"``, ``"done"``, ``"failed"`` or ``"stopped"``.
        stage: What it is doing.
        steps: Steps of the stage that are done.
        total: Steps of the stage in all.
        numbers: What the stage reports.
        result: What came of it, in a sentence.
        about: The file that it takes, if it takes one.
        wrong: What is wrong with that file: line, column and message; None if nothing is, or something else.
        started: When, seconds of the monotonic clock.
        seconds: How long it has taken.
    """

    id: int
    verb: Verb
    status: Literal["running", "done", "failed", "stopped"] = "running"
    stage: str = "start"
    steps: int = 0
    total: int = 1
    numbers: dict[str, float] = field(default_factory=dict)
    result: str = ""
    about: str = ""
    wrong: dict[str, Any] | None = None
    started: float = 0.0
    seconds: float = 0.0

    @property
    def name(self) -> str:
        """What is done, in words."""
        return DOING[self.verb]

    @property
    def doing(self) -> str:
        """What it is doing, in words."""
        return STAGES.get(self.stage, self.stage)


class Jobs:
    """Starts, watches and stops the work of a run.

    Args:
        place: Run folder, or its URL.
        modules: Modules whose classes its recipe may name.
    """

    def __init__(self, place: str, modules: tuple[str, ...] = ()) -> None:
        self._place, self._modules = place, modules
        self._lock = threading.Lock()
        self._job: Job | None = None
        self._process: subprocess.Popen[str] | None = None
        self._thread: threading.Thread | None = None

    @property
    def current(self) -> Job | None:
        """The job that runs, else the last one; None before the first."""
        with self._lock:
            job = self._job
        if job is None or job.status != "running":
            return job
        return dataclasses.replace(job, seconds=time.monotonic() - job.started)

    def start(self, verb: Verb, *, about: str = "", **arguments: Any) -> Job:
        """Start a job.

        Args:
            verb: What to do.
            about: The file that it takes, if it takes one.
            arguments: Of the verb, as `seiko.web.worker` reads them.

        Raises:
            Busy: If one is running.
        """
        with self._lock:
            if self._job is not None and self._job.status == "running":
                raise Busy(f"the server is busy ({self._job.doing}): wait for it, or stop it")
            process = subprocess.Popen(
                [sys.executable, "-m", "seiko.web.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
            )
            order = {"place": self._place, "modules": self._modules, "verb": verb, "arguments": arguments}
            job = Job(id=(self._job.id if self._job else 0) + 1, verb=verb, about=about, started=time.monotonic())
            self._job, self._process = job, process
            self._thread = threading.Thread(target=self._watch, args=(process, json.dumps(order)), daemon=True)
            self._thread.start()
            return job

    def stop(self) -> None:
        """Stop the job that runs, if there is one; nothing is lost but its time."""
        with self._lock:
            if self._process is not None and self._job is not None and self._job.status == "running":
                self._job = dataclasses.replace(self._job, status="stopped", result="stopped; nothing was changed")
                self._process.terminate()

    def close(self) -> None:
        """Stop the job that runs and wait for its end."""
        self.stop()
        if self._process is not None:
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self.wait()

    def wait(self, seconds: float | None = None) -> None:
        """Wait until no job runs."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _watch(self, process: subprocess.Popen[str], order: str) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        errors: list[str] = []
        reader = threading.Thread(target=lambda: errors.extend(process.stderr or ()), daemon=True)
        reader.start()  # else a talkative library would fill the pipe and stop
        with contextlib.suppress(OSError):
            process.stdin.write(order)
            process.stdin.close()
        for line in process.stdout:
            with contextlib.suppress(ValueError):
                self._note(json.loads(line))
        code = process.wait()
        reader.join()
        with self._lock:
            job = self._job
            if job is None or job.status != "running":
                return
            last = next((line.strip() for line in reversed(errors) if line.strip()), "")
            result = f"the work ended early (exit code {code}) {last}".strip()[:WORDS]
            self._job = dataclasses.replace(job, status="failed", result=result, seconds=time.monotonic() - job.started)

    def _note(self, message: dict[str, Any]) -> None:
        with self._lock:
            if self._job is None or self._job.status != "running":
                return
            ended: dict[str, Any] = {}
            if "status" in message:
                ended["seconds"] = time.monotonic() - self._job.started
            known = {"status", "stage", "steps", "total", "numbers", "result", "wrong"}
            changes = {name: value for name, value in message.items() if name in known}
            self._job = dataclasses.replace(self._job, **changes, **ended)
