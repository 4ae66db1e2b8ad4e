"""What a run remembers: one table of events that only ever grows, and the large things that events name.

    events    what an event is, and the chain of digests
    place     which run a folder or a URL names
    base      what every ledger does: append, read, checkpoints
    sqlite    a run folder, `ledger.sqlite` and `artifacts/`
    postgres  a run on a server, beside others

The past is append-only, the present is a fold over it. What the events mean is not decided here.
"""

from __future__ import annotations

from seiko.campaign.artifacts import Artifacts, LedgerError, LedgerReadOnly
from seiko.campaign.ledger.base import Checkpoint, Ledger
from seiko.campaign.ledger.errors import (
    LedgerBusy,
    LedgerConflict,
    LedgerCorrupted,
    LedgerVersionError,
    NoRun,
    RunExists,
)
from seiko.campaign.ledger.events import Event, NewEvent
from seiko.campaign.ledger.place import is_server, run_folder, shown_place

__all__ = [
    "Artifacts",
    "Checkpoint",
    "Event",
    "Ledger",
    "LedgerBusy",
    "LedgerConflict",
    "LedgerCorrupted",
    "LedgerError",
    "LedgerReadOnly",
    "LedgerVersionError",
    "NewEvent",
    "NoRun",
    "RunExists",
    "is_server",
    "run_folder",
    "shown_place",
]
