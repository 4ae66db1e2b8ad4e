"""The process of a job: reads an order on standard input, does it, and reports as JSON lines on standard output.

order    {"place", "modules", "verb": "ask" | "advance", "arguments"}
reports  {"stage", "steps", "total", "numbers"} ... {"status": "done" | "failed", "result"}
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Mapping
from typing import Any, TextIO

__all__ = ["main", "work"]


def work(order: Mapping[str, Any], out: TextIO) -> None:
    """Do what is ordered and write how it goes."""
    from seiko.campaign import Campaign, CampaignError, LedgerError

    def write(**message: Any) -> None:
        out.write(json.dumps(message) + "\n")
        out.flush()

    def progress(stage: str, done: int, total: int, numbers: Mapping[str, float]) -> None:
        shown = {name: value for name, value in numbers.items() if math.isfinite(value)}
        write(stage=stage, steps=done, total=total, numbers=shown)

    try:
        with Campaign.open(order["place"], modules=tuple(order["modules"])) as campaign:
            if order["verb"] == "ask":
                queries = campaign.ask(**order["arguments"], progress=progress)
                write(status="done", result=f"round {campaign.state.round}: {len(queries)} designs wait for a label")
            else:
                report = campaign.advance(**order["arguments"], progress=progress)
                write(status="done", result=f"round {report.round} is finished")
    except (CampaignError, LedgerError, ValueError, ImportError, FloatingPointError, OSError) as error:
        write(status="failed", result=str(error) or type(error).__name__)


def main() -> None:
    """Do the order on standard input."""
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    out = sys.stdout
    sys.stdout = sys.stderr  # what a library prints is no report
    work(json.load(sys.stdin), out)


if __name__ == "__main__":
    main()
