"""The process of a job: reads an order on standard input, does it, and reports as JSON lines on standard output.

order    {"place", "modules", "verb": "ask" | "advance" | "attach" | "lay_out", "arguments"}
reports  {"stage", "steps", "total", "numbers"} ... {"status": "done" | "failed", "result"[, "wrong"]}

`wrong` is what a file has wrong: {"line", "column", "message"}.
"""

from __future__ import annotations

import base64
import json
import math
import os
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from seiko.campaign import Campaign

__all__ = ["main", "work"]


def work(order: Mapping[str, Any], out: TextIO) -> None:
    """Do what is ordered and write how it goes."""
    from seiko.campaign import Campaign, CampaignError, LedgerError
    from seiko.campaign.label_file import LabelFileError
    from seiko.web.answers import in_words

    def write(**message: Any) -> None:
        out.write(json.dumps(message) + "\n")
        out.flush()

    def progress(stage: str, done: int, total: int, numbers: Mapping[str, float]) -> None:
        shown = {name: value for name, value in numbers.items() if math.isfinite(value)}
        write(stage=stage, steps=done, total=total, numbers=shown)

    try:
        with Campaign.open(order["place"], modules=tuple(order["modules"])) as campaign:
            write(status="done", result=_VERBS[order["verb"]](campaign, progress, **order["arguments"]))
    except LabelFileError as error:
        wrong = {"line": error.line, "column": error.column, "message": error.message}
        write(status="failed", result=str(error), wrong=wrong)
    except LedgerError as error:
        print(error, file=sys.stderr)
        write(status="failed", result=in_words(error, order["place"]))
    except (CampaignError, ValueError, ImportError, FloatingPointError, OSError) as error:
        write(status="failed", result=str(error) or type(error).__name__)


def _ask(campaign: Campaign, progress: Any, n: int | None) -> str:
    queries = campaign.ask(n, progress=progress)
    return f"round {campaign.state.round}: {len(queries)} designs wait for a label"


def _advance(campaign: Campaign, progress: Any, without_pending: bool) -> str:
    report = campaign.advance(without_pending=without_pending, progress=progress)
    return f"round {report.round} is finished"


def _attach(
    campaign: Campaign, progress: Any, data: str, name: str, columns: dict[str, str], units: dict[str, Any]
) -> str:
    from seiko.campaign.attach_file import parse_measured
    from seiko.campaign.label_file import Reading
    from seiko.campaign.units import Units

    reading = Reading(columns=columns, units=Units(**units))
    kind = campaign.design("").kind
    measured = parse_measured(
        base64.b64decode(data), kind, name, reading, campaign.readable, campaign.recipe.objectives
    )
    taken = campaign.attach(measured, units=reading.units)
    known = sum(map(len, measured.values())) - taken
    what = "measurement" if taken == 1 else "measurements"
    return f"{taken} {what} attached, {known} known already; none of these designs will be asked for"


def _lay_out(
    campaign: Campaign, progress: Any, wells: int, replicates: int, controls: dict[str, str], control_wells: int
) -> str:
    designs = {name: campaign.design(content) if content else None for name, content in controls.items()}
    before = set(campaign.state.plates)
    plates = campaign.lay_out(wells=wells, replicates=replicates, controls=designs, control_wells=control_wells)
    new = [plate.name for plate in plates if plate.name not in before]
    if not new:
        return "nothing to lay out: what waits is on a plate, or nothing waits"
    return f"laid out: {', '.join(new)}"


_VERBS: Mapping[str, Callable[..., str]] = {
    "ask": _ask,
    "advance": _advance,
    "attach": _attach,
    "lay_out": _lay_out,
}


def main() -> None:
    """Do the order on standard input."""
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    out = sys.stdout
    sys.stdout = sys.stderr  # what a library prints is no report
    work(json.load(sys.stdin), out)


if __name__ == "__main__":
    main()
