"""The table of a run's measurements, one a row: `seiko export --labels --replicates`.

Its columns are those of a label file and some more, so that `seiko tell` of the same run reads it, and takes nothing
new.
"""

from __future__ import annotations

from typing import Any

from seiko.cli.images import with_prompts
from seiko.cli.output import as_csv, as_jsonl
from seiko.cli.runs import read_state

__all__ = ["MEASUREMENT_COLUMNS", "as_measurements", "measurement_rows"]

MEASUREMENT_COLUMNS = (
    "id",
    "replicate",
    "design",
    "kind",
    "round",
    "batch",
    "source",
    "plate",
    "well",
    "status",
    "value",
    "noise",
    "retry",
    "reason",
    "state",
    "taken_back",
    "told_at",
    "predicted_mean",
    "predicted_std",
)


def measurement_rows(run: str) -> list[dict[str, Any]]:
    """Return what was told of each measurement last; loads no model.

    Args:
        run: Run folder or ledger URL.
    """
    from seiko.campaign.ledger import Ledger
    from seiko.campaign.measurements import measurements

    state = read_state(run)
    with Ledger.open(run) as ledger:
        times = {row.seq: (row.created_at or b"").decode() for row in ledger.rows()}
    return [
        {
            "id": told.query.id,
            "replicate": told.label.replicate,
            "design": told.query.design.content,
            "kind": told.query.design.kind,
            "prompt": told.query.design.prompt,
            "round": told.query.round,
            "batch": told.query.batch if told.query.own else None,
            "source": told.query.source,
            "plate": told.plate,
            "well": told.well,
            "status": told.label.status,
            "value": told.label.value,
            "noise": told.label.noise,
            "retry": "yes" if told.label.retry else None,
            "reason": told.label.reason,
            "state": told.state.value,
            "taken_back": told.back,
            "told_at": told.at,
            "predicted_mean": told.query.mean,
            "predicted_std": told.query.std,
            **dict(told.label.values),
        }
        for told in measurements(state, times.__getitem__)
    ]


def as_measurements(rows: list[dict[str, Any]], format: str) -> str:
    """Return the table as CSV, with a column for each property that was measured, or as JSON lines."""
    if format == "jsonl":
        return as_jsonl(rows)
    properties = dict.fromkeys(name for row in rows for name in row if name not in (*MEASUREMENT_COLUMNS, "prompt"))
    return as_csv((*with_prompts(MEASUREMENT_COLUMNS, rows), *properties), rows)
