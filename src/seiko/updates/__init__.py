"""How the model moves: one problem, several inner optimisers; or how it is steered without moving.

moves      PPO, Distill; MemoryDistill for masked models; DirectBackprop, AdjointMatching, SQDF for
           differentiable objectives; DPO on pairs of paths, PreferenceDPO on designs that were compared,
           Replay on the best that were labelled
steers     Guidance, SMC, SoftBestOf
"""

from seiko.updates.adjoint import AdjointMatching
from seiko.updates.backprop import BiasedGradientWarning, DirectBackprop
from seiko.updates.base import (
    Anchor,
    Comparing,
    Given,
    NotMemorylessWarning,
    Problem,
    StepReport,
    Update,
    UpdateState,
    given,
)
from seiko.updates.distill import Distill
from seiko.updates.dpo import DPO, PreferenceDPO, PreferenceUpdate
from seiko.updates.guidance import Guidance, GuidedPolicy
from seiko.updates.improve import Improvement, improve
from seiko.updates.memory import MemoryDistill
from seiko.updates.ppo import PPO
from seiko.updates.replay import Replay, ReplayUpdate
from seiko.updates.schedule import Cosine, RateSchedule, Trapezoid
from seiko.updates.smc import SMC
from seiko.updates.soft_best import SoftBestOf
from seiko.updates.sqdf import SQDF
from seiko.updates.start import LearnedStart
from seiko.updates.steering import Steered, Steering, Tilt, fold, hold_budget, tilt
from seiko.updates.strength import FixedStrength, KLBudget, Strength

__all__ = [
    "DPO",
    "PPO",
    "SMC",
    "SQDF",
    "AdjointMatching",
    "Anchor",
    "BiasedGradientWarning",
    "Comparing",
    "Cosine",
    "DirectBackprop",
    "Distill",
    "FixedStrength",
    "Given",
    "Guidance",
    "GuidedPolicy",
    "Improvement",
    "KLBudget",
    "LearnedStart",
    "MemoryDistill",
    "NotMemorylessWarning",
    "PreferenceDPO",
    "PreferenceUpdate",
    "Problem",
    "RateSchedule",
    "Replay",
    "ReplayUpdate",
    "SoftBestOf",
    "Steered",
    "Steering",
    "StepReport",
    "Strength",
    "Tilt",
    "Trapezoid",
    "Update",
    "UpdateState",
    "fold",
    "given",
    "hold_budget",
    "improve",
    "tilt",
]
