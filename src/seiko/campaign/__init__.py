"""The loop and its memory: a ledger of events, a state folded from it, and the verbs ask, tell and advance.

The names are looked up where they are used: ledger and state need no torch, and who only asks where a run stands does
not wait for it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from seiko.campaign.alarms import Alarm
from seiko.campaign.comparisons import Comparison, Comparisons, best_of
from seiko.campaign.errors import (
    BudgetSpent,
    CampaignError,
    LabelConflict,
    NoPrompts,
    NothingAsked,
    PendingLabels,
    PoolExhausted,
    RecipeMismatch,
    UnknownQuery,
)
from seiko.campaign.ledger import Ledger, LedgerCorrupted, LedgerError, LedgerReadOnly, NoRun
from seiko.campaign.lifecycle import State
from seiko.campaign.seen import ImagePair, NaturalnessReport, PromptReport
from seiko.campaign.state import CalibrationReport, Query, RoundReport, RunState
from seiko.campaign.stopping import NoImprovement, StopRule, TargetReached, stopped_because

if TYPE_CHECKING:
    from seiko.campaign.campaign import Campaign, LabelLike
    from seiko.campaign.candidates import CandidateSource, Fresh, Labelled, Remask
    from seiko.campaign.climb import Climb
    from seiko.campaign.foresight import Believer, Foresight
    from seiko.campaign.library import Library
    from seiko.campaign.loop import run
    from seiko.campaign.objectives import Objectives, Property
    from seiko.campaign.penalisation import LocalPenalisation
    from seiko.campaign.prompts import Prompts
    from seiko.campaign.recipe import Recipe
    from seiko.campaign.rewrite import Rewrite
    from seiko.campaign.round import Progress
    from seiko.campaign.sampler import Look, Sampler
    from seiko.campaign.screens import PropertyRange, Screen, Substructure
    from seiko.campaign.selection import Diverse, Everything, Mixed, OneByOne, Pool, Selection, TopAcquisition
    from seiko.campaign.splice import Splice

__all__ = [
    "Alarm",
    "Believer",
    "BudgetSpent",
    "CalibrationReport",
    "Campaign",
    "CampaignError",
    "CandidateSource",
    "Climb",
    "Comparison",
    "Comparisons",
    "Diverse",
    "Everything",
    "Foresight",
    "Fresh",
    "ImagePair",
    "LabelConflict",
    "LabelLike",
    "Labelled",
    "Ledger",
    "LedgerCorrupted",
    "LedgerError",
    "LedgerReadOnly",
    "Library",
    "LocalPenalisation",
    "Look",
    "Mixed",
    "NaturalnessReport",
    "NoImprovement",
    "NoPrompts",
    "NoRun",
    "NothingAsked",
    "Objectives",
    "OneByOne",
    "PendingLabels",
    "Pool",
    "PoolExhausted",
    "Progress",
    "PromptReport",
    "Prompts",
    "Property",
    "PropertyRange",
    "Query",
    "Recipe",
    "RecipeMismatch",
    "Remask",
    "Rewrite",
    "RoundReport",
    "RunState",
    "Sampler",
    "Screen",
    "Selection",
    "Splice",
    "State",
    "StopRule",
    "Substructure",
    "TargetReached",
    "TopAcquisition",
    "UnknownQuery",
    "best_of",
    "run",
    "stopped_because",
]

_NEED_TORCH = {
    "campaign": ("Campaign", "LabelLike"),
    "candidates": ("CandidateSource", "Fresh", "Labelled", "Remask"),
    "climb": ("Climb",),
    "foresight": ("Believer", "Foresight"),
    "library": ("Library",),
    "loop": ("run",),
    "objectives": ("Objectives", "Property"),
    "penalisation": ("LocalPenalisation",),
    "prompts": ("Prompts",),
    "recipe": ("Recipe",),
    "rewrite": ("Rewrite",),
    "round": ("Progress",),
    "sampler": ("Look", "Sampler"),
    "screens": ("PropertyRange", "Screen", "Substructure"),
    "selection": ("Diverse", "Everything", "Mixed", "OneByOne", "Pool", "Selection", "TopAcquisition"),
    "splice": ("Splice",),
}
_PLACES = {name: place for place, names in _NEED_TORCH.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found = getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
