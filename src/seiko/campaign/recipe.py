"""The whole configuration of a run as one frozen tree; written into the ledger's first event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from seiko.acquisition import Acquisition
from seiko.campaign.batches import check_batches
from seiko.campaign.candidates import CandidateSource, Fresh
from seiko.campaign.climb import Climb
from seiko.campaign.foresight import Believer, Foresight
from seiko.campaign.objectives import Objectives
from seiko.campaign.prompts import Prompts
from seiko.campaign.screens import Screen
from seiko.campaign.selection import OneByOne, Selection, TopAcquisition
from seiko.campaign.stopping import StopRule
from seiko.models import ModelSource
from seiko.oracles import Oracle
from seiko.rewards import SGLD, Ensemble, Feasibility, Feature, PreferenceEnsemble, PromptFeature, RewardModel, Symmetry
from seiko.updates import FixedStrength, KLBudget, Replay, Steering, Strength, Update

__all__ = ["Recipe"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that decides what a run does; equal recipes give equal runs.

    Args:
        name: What the run is about.
        model: The pretrained diffusion model.
        prompts: What is drawn for, in queries, in the update and in the look at each round; None for a model that
            takes no prompts.
        oracle: Who answers in a closed loop; None if people or a laboratory do.
        view: What the reward model sees of an image: a frozen feature of its pixels, or of pixels and prompt, which is
            computed once for each labelled image and kept in the run folder; None for the pixels themselves.
        reward_model: What turns labels into a belief.
        acquisition: What turns the belief into the objective A, for the batch and for the update.
        final_acquisition: What the last update maximises, after which no label follows that optimism could pay for;
            None for the same as before.
        objectives: How several measured numbers become one, each with a reward model of its own; None where a label is
            one number.
        feasibility: What learns from infeasible labels which designs can be labelled, and weights A by that
            probability (`seiko.acquisition.Feasible`); None if it is not to be learnt.
        update: The inner optimiser; or a steering, which leaves the weights as they are and draws each round from
            p_pre exp(B_i), B_i = (A_i + beta B_(i-1)) / (alpha + beta); None leaves the model as it is (screening).
        strength: The two anchors' coefficients, or a budget of nats. A steered round with beta > 0 values a design by
            the beliefs of all rounds before, too; at beta = 0 by its own alone, which is quicker.
        steps: Steps of the update a round; a steering takes none.
        final_steps: Steps of the last round, whose model is the result; None for the same as before.
        samples: Trajectories a step; of a steering, draws by which its strength is found (SMC only estimates its KL,
            with a noise of some 10 % at 1,000 draws).
        look: Fresh samples from which a round's KL, diversity and belief are estimated.
        naturalness: Features of images whose distance from the pretrained model's is reported with every round; None
            for coarse layout and texture (`seiko.metrics.images.PixelStatistics`). Without effect on other designs.
        candidates: Where the pool of a batch comes from.
        pool: Candidates drawn for a batch, all sources together.
        climb: How the pool is bred by its acquisition before a batch is chosen; None for not at all.
        selection: How the batch is chosen from the pool.
        screens: What is never sent, by rules that are known beforehand.
        pending: What is made of designs that wait for their labels while others are chosen: `Believer` takes their mean
            for their label, `LocalPenalisation` keeps away from them; None for nothing. They are never asked twice
            either way.
        same: Designs that this symmetry maps onto each other are one and the same to the oracle (two strands of a
            double-stranded DNA): only one of them is ever sent.
        budget: Labels that may be bought in all.
        rounds: Batches that they are bought in.
        batches: Labels of each round's batch, where they are not to be equal; None for equal parts of the budget.
        stop: Reasons to stop before that, judged after each round (`TargetReached`, `NoImprovement`).
        seed: Seeds everything.

    Raises:
        ValueError: If a number is out of range; it is named.
    """

    name: str
    model: ModelSource
    prompts: Prompts | None = None
    oracle: Oracle | None = None
    view: Feature | PromptFeature | None = None
    reward_model: RewardModel
    acquisition: Acquisition
    final_acquisition: Acquisition | None = None
    objectives: Objectives | None = None
    feasibility: Feasibility | None = None
    update: Update[Any] | Steering | None
    strength: Strength = KLBudget()
    steps: int = 100
    final_steps: int | None = None
    samples: int = 256
    look: int = 1000
    naturalness: Feature | None = None
    candidates: tuple[CandidateSource, ...] = (Fresh(),)
    pool: int = 2000
    climb: Climb | None = None
    selection: Selection = TopAcquisition()
    screens: tuple[Screen, ...] = ()
    pending: Foresight | None = Believer()
    same: Symmetry | None = None
    budget: int
    rounds: int
    batches: tuple[int, ...] | None = None
    stop: tuple[StopRule, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        if self.budget < 1:
            raise ValueError(f"budget must be a positive number of labels, got {self.budget}")
        if self.rounds < 1:
            raise ValueError(f"rounds must be at least 1, got {self.rounds}")
        if self.rounds > self.budget:
            raise ValueError(
                f"rounds must not exceed the budget, a round needs a label: got {self.rounds} rounds, "
                f"budget {self.budget}"
            )
        if self.batches is not None:
            check_batches(self.batches, self.budget, self.rounds)
        if self.steps < 1:
            raise ValueError(f"steps must be at least 1, got {self.steps}; update=None leaves the model as it is")
        if self.final_steps is not None and self.final_steps < 1:
            raise ValueError(f"final_steps must be at least 1, got {self.final_steps}")
        if self.samples < 2:
            raise ValueError(f"samples must be at least 2 trajectories a step, got {self.samples}")
        if self.look < 2:
            raise ValueError(f"look must be at least 2 samples, got {self.look}")
        if self.pool < 1:
            raise ValueError(f"pool must be at least 1 candidate, got {self.pool}")
        if isinstance(self.update, Steering) and not isinstance(self.strength, (KLBudget, FixedStrength)):
            raise ValueError(f"steering needs a strength of KLBudget or FixedStrength, got {self.strength}")
        if isinstance(self.update, Replay) and self.strength.limit is None:
            raise ValueError(
                f"Replay has no anchor but a KL budget, got strength {self.strength}: give KLBudget(nats=5)"
            )
        if isinstance(self.view, PromptFeature) and self.prompts is None:
            raise ValueError(
                f"view {type(self.view).__name__} sees the prompt and the recipe has none: give prompts, or a view of "
                "pixels alone"
            )
        if isinstance(self.selection, OneByOne) and isinstance(self.reward_model, (Ensemble, PreferenceEnsemble, SGLD)):
            raise ValueError(
                "OneByOne must know how the errors of a belief go together, and "
                f"{type(self.reward_model).__name__} does not: choose GaussianProcess or LastLayer, or TopAcquisition"
            )
        if not self.candidates:
            raise ValueError("candidates must name at least one source, for example (Fresh(),)")
        if not isinstance(self.candidates[0], Fresh):
            raise ValueError("the first source of candidates must be Fresh: nothing else exists before the first label")
        if self.climb is not None and not any(source.edits for source in self.candidates):
            raise ValueError("climb needs a source of candidates that edits designs: Remask, Rewrite or Splice")
