"""What can go wrong with a ledger beside what can go wrong with its artifacts (`seiko.campaign.artifacts`)."""

from __future__ import annotations

from seiko.campaign.artifacts import LedgerError

__all__ = ["LedgerBusy", "LedgerConflict", "LedgerCorrupted", "LedgerVersionError", "NoRun", "RunExists"]


class NoRun(LedgerError, FileNotFoundError):
    """There is no run at this place."""


class RunExists(LedgerError, FileExistsError):
    """There is a run at this place already."""


class LedgerConflict(LedgerError):
    """Another process appended first; fold again and decide anew."""


class LedgerCorrupted(LedgerError):
    """The database is not what was written."""


class LedgerVersionError(LedgerError):
    """The ledger was written by a newer version of the library."""


class LedgerBusy(LedgerError):
    """Another process held the ledger for too long."""
