"""How the model moves: one problem, several inner optimisers."""

from seiko.updates.backprop import BiasedGradientWarning, DirectBackprop
from seiko.updates.base import Anchor, NotMemorylessWarning, Problem, StepReport, Update, UpdateState
from seiko.updates.distill import Distill
from seiko.updates.improve import Improvement, improve
from seiko.updates.ppo import PPO
from seiko.updates.strength import FixedStrength, KLBudget, Strength

__all__ = [
    "PPO",
    "Anchor",
    "BiasedGradientWarning",
    "DirectBackprop",
    "Distill",
    "FixedStrength",
    "Improvement",
    "KLBudget",
    "NotMemorylessWarning",
    "Problem",
    "StepReport",
    "Strength",
    "Update",
    "UpdateState",
    "improve",
]
