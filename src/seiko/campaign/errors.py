"""What can go wrong between a run and who uses it; each message names the value and the way out."""

from __future__ import annotations

__all__ = [
    "BudgetSpent",
    "CampaignError",
    "LabelConflict",
    "NoPrompts",
    "NothingAsked",
    "PendingLabels",
    "PoolExhausted",
    "RecipeMismatch",
    "UnknownQuery",
]


class CampaignError(Exception):
    """The run cannot do this now; nothing was changed."""


class RecipeMismatch(CampaignError):
    """The run folder belongs to another recipe."""


class BudgetSpent(CampaignError):
    """More labels are asked for than the budget has left."""


class PendingLabels(CampaignError):
    """The round still waits for labels."""


class NothingAsked(CampaignError):
    """The round has no batch yet."""


class PoolExhausted(CampaignError):
    """The model draws nothing that is not known already."""


class UnknownQuery(CampaignError, KeyError):
    """A label names a query that this run never asked."""

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would print the message quoted


class LabelConflict(CampaignError, ValueError):
    """A second, different value came for the same measurement."""


class NoPrompts(CampaignError, TypeError):
    """Prompts are given to a model that takes none."""
