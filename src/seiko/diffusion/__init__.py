"""How a sample is made: noise -> schedule -> transition -> process -> rollout. Torch only."""

from seiko.diffusion.denoising import DDIM, DenoisingTransition
from seiko.diffusion.flow import Flow, FlowSchedule
from seiko.diffusion.noise import Noise
from seiko.diffusion.process import MaskedDiffusion, Process, Step
from seiko.diffusion.rollout import (
    Conditioning,
    GradientWindow,
    Policy,
    Trajectory,
    draw,
    path_kl,
    reference_laws,
    rollout,
    step_kls,
)
from seiko.diffusion.schedule import BetaSchedule, CosineSchedule, Schedule
from seiko.diffusion.transition import GaussianTransition, MaskedTransition, PerSample, State, Transition

__all__ = [
    "DDIM",
    "BetaSchedule",
    "Conditioning",
    "CosineSchedule",
    "DenoisingTransition",
    "Flow",
    "FlowSchedule",
    "GaussianTransition",
    "GradientWindow",
    "MaskedDiffusion",
    "MaskedTransition",
    "Noise",
    "PerSample",
    "Policy",
    "Process",
    "Schedule",
    "State",
    "Step",
    "Trajectory",
    "Transition",
    "draw",
    "path_kl",
    "reference_laws",
    "rollout",
    "step_kls",
]
