"""The loop and its memory: a ledger of events, a state folded from it, and the verbs ask, tell and advance."""

from seiko.campaign.campaign import Campaign, LabelLike
from seiko.campaign.candidates import CandidateSource, Fresh, Labelled, Remask
from seiko.campaign.errors import (
    BudgetSpent,
    CampaignError,
    LabelConflict,
    NothingAsked,
    PendingLabels,
    PoolExhausted,
    RecipeMismatch,
    UnknownQuery,
)
from seiko.campaign.ledger import Ledger, LedgerCorrupted, LedgerError, LedgerReadOnly, NoRun
from seiko.campaign.loop import run
from seiko.campaign.recipe import Recipe
from seiko.campaign.round import Progress
from seiko.campaign.selection import Diverse, Everything, Pool, Selection, TopAcquisition
from seiko.campaign.state import CalibrationReport, Query, RoundReport, RunState

__all__ = [
    "BudgetSpent",
    "CalibrationReport",
    "Campaign",
    "CampaignError",
    "CandidateSource",
    "Diverse",
    "Everything",
    "Fresh",
    "LabelConflict",
    "LabelLike",
    "Labelled",
    "Ledger",
    "LedgerCorrupted",
    "LedgerError",
    "LedgerReadOnly",
    "NoRun",
    "NothingAsked",
    "PendingLabels",
    "Pool",
    "PoolExhausted",
    "Progress",
    "Query",
    "Recipe",
    "RecipeMismatch",
    "Remask",
    "RoundReport",
    "RunState",
    "Selection",
    "TopAcquisition",
    "UnknownQuery",
    "run",
]
