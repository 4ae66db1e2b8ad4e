"""Several numbers a row of a label file: a column for each property of the run's objectives, in place of `value`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seiko.campaign.state import RunState
from seiko.campaign.table_file import Row
from seiko.config import from_json
from seiko.oracles import Label

if TYPE_CHECKING:
    from seiko.campaign.objectives import Objectives

__all__ = ["label_of_several", "objectives_of"]


def objectives_of(state: RunState) -> Objectives | None:
    """Return the objectives of a run's recipe; None if it has none.

    Raises:
        ConfigError: If they name classes that are not seiko's.
    """
    written = (state.recipe or {}).get("objectives")
    if written is None:
        return None
    found: Objectives = from_json(written)
    return found


def label_of_several(row: Row, id: str, objectives: Objectives) -> Label:
    """Return the label that a row says.

    Raises:
        LabelFileError: If its cells contradict each other, or a property is missing.
    """
    status = (row.text("status") or "value").lower()
    values = {name: number for name in objectives.names if (number := row.number(name)) is not None}
    reason, retry = row.text("reason") or None, row.flag("retry")
    if status not in ("value", "infeasible", "failed"):
        raise row.error("status", f"must be value, infeasible or failed, got {status!r:.40}")
    if retry and status != "failed":
        raise row.error("retry", f"only a failed measurement is repeated, the status is {status}")
    if status != "value":
        if values:
            raise row.error(next(iter(values)), f"a row with status {status} has no numbers")
        return Label.infeasible(reason or "") if status == "infeasible" else Label.failed(reason or "", retry=retry)
    for name in objectives.names:
        if name not in values:
            raise row.error(
                name, "it is empty; each property is needed: leave the row out until all are measured, or give a status"
            )
    label = Label(value=row.number("value"), reason=reason, values=tuple(values.items()))
    try:
        return objectives.complete(id, label)
    except ValueError as error:
        raise row.error("value", str(error).removesuffix("; nothing was taken")) from None
