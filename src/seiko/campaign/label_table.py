"""The labels of a run as rows of a table: what `seiko export --labels` and the web app write."""

from __future__ import annotations

from typing import Any

from seiko.campaign.state import RunState

__all__ = ["LABEL_COLUMNS", "labelled_rows"]

LABEL_COLUMNS = (
    "id",
    "design",
    "kind",
    "round",
    "source",
    "status",
    "value",
    "noise",
    "reason",
    "predicted_mean",
    "predicted_std",
)
"""Columns that every run has; prompts and properties follow where there are any."""


def labelled_rows(state: RunState) -> list[dict[str, Any]]:
    """Return a row for each query with a label, in the order asked."""
    return [
        {
            "id": query.id,
            "design": query.design.content,
            "kind": query.design.kind,
            "prompt": query.design.prompt,
            "round": query.round,
            "source": query.source,
            "status": state.labels[query.id].status,
            "value": state.labels[query.id].value,
            "noise": state.labels[query.id].noise,
            "reason": state.labels[query.id].reason,
            "predicted_mean": query.mean,
            "predicted_std": query.std,
            **dict(state.labels[query.id].values),
        }
        for query in state.queries.values()
        if query.id in state.labels
    ]
