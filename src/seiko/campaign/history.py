"""What the finished rounds of a run were, made again from the ledger: belief, objective, model, law.

    belief     fitted to the labels that the round had seen
    objective  A, the acquisition of that belief, weighted by the chance of a label where the recipe asks for it
    model      the weights after the round; a steered round has none
    law        of a steered round p_pre exp(B_i),  B_i = (A_i + beta_i B_(i-1)) / (alpha_i + beta_i)

Fits and draws are seeded by round, so that all of this is the same in every process; nothing is appended here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import torch
from torch import Tensor

from seiko.acquisition import Feasible, Objective
from seiko.campaign.aiming import standardised
from seiko.campaign.artifacts import Artifacts, ArtifactStore
from seiko.campaign.best_draws import BestOf
from seiko.campaign.candidates import Labelled
from seiko.campaign.comparisons import answers
from seiko.campaign.embeddings import FILE, Embeddings
from seiko.campaign.known import Known
from seiko.campaign.observing import are_images, decoded, observe_designs, shown, with_file
from seiko.campaign.prompts import Conditioner, conditioner_of
from seiko.campaign.properties import fit_properties, properties_of, pushing, this_round
from seiko.campaign.recipe import Recipe
from seiko.campaign.sampler import ModelSampler, Sampler, SteeredSampler
from seiko.campaign.seeds import Purpose, seed_of
from seiko.campaign.standing import Measured
from seiko.campaign.state import Query, RunState
from seiko.designs import Design
from seiko.diffusion import Transition
from seiko.models import DiffusionModel, ModelPolicy, Observing
from seiko.rewards import Belief, Choices, PreferenceRewardModel
from seiko.rewards.several import Several
from seiko.updates import Problem, Steering, Tilt, fold, tilt

__all__ = ["History"]


class History:
    """The finished rounds of a run. The model is loaded when it is first needed.

    Args:
        recipe: What the run does.
        artifacts: Where the weights are.
        state: The run's present; whoever owns it takes it further.
    """

    def __init__(self, recipe: Recipe, artifacts: Artifacts, state: RunState) -> None:
        self.recipe, self.state = recipe, state
        self._artifacts = artifacts
        self._beliefs: dict[int, Belief | None] = {0: None}
        self._objectives: dict[int, Objective | None] = {0: None}
        self._problems: dict[int, Problem[Transition] | None] = {0: None}
        self._conditioners: dict[tuple[str, ...], Conditioner] = {}
        self._live: tuple[int, str | None] = (0, None)  # (rounds, artifact) of the weights in the model
        self._read: tuple[tuple[int | None, ...], Measured, Tensor | None] | None = None  # labels read last, as states

    @cached_property
    def model(self) -> DiffusionModel[Transition]:
        """The model, with the weights that were loaded last."""
        return self.recipe.model.load()

    @cached_property
    def known(self) -> Known:
        """What finds designs among the run's queries."""
        return Known(self.state, self.model, self.recipe.same, self.with_file)

    # ------------------------------------------------------ the round that is open

    def labelled(self) -> Labelled:
        """Return labelled states and values, for candidates to start from.

        None of a model that observes its designs: its states are not made from files, and no source starts from them.
        """
        if isinstance(self.model, Observing):
            return Labelled(torch.empty(0, *self.model.event_shape), torch.empty(0))
        told, x = self._told(None)
        if x is None:
            x = self.model.ingest([self.with_file(design) for design in told.designs])
        return Labelled(x, torch.from_numpy(told.values).to(torch.float32))

    def with_file(self, design: Design) -> Design:
        """Return a design with its file, if it is an image."""
        return with_file(design, self._artifacts.get)

    def fit(self, round: int, up_to: int | None = None) -> Belief | None:
        """Fit the reward model as in a round, on what was told by event `up_to`; None without a label to learn from."""
        model, objectives = self.recipe.reward_model, self.recipe.objectives
        if objectives is not None and (pairs := self.state.values(up_to)):
            x, values = self.observed([query.design for query, _ in pairs]), properties_of(objectives, pairs)
            return fit_properties(objectives, model, x, values, self.seed(round, Purpose.FIT))
        if isinstance(model, PreferenceRewardModel) and (compared := self._compared(up_to)):
            return self._fit_with(model, compared, round, up_to)
        x, y, noise = self.measured(up_to)
        return model.fit(x, y, noise, self.seed(round, Purpose.FIT)) if len(y) else None

    @property
    def scores_only(self) -> bool:
        """Whether the belief is one reward model's, fitted to numbers alone."""
        preferring = isinstance(self.recipe.reward_model, PreferenceRewardModel) and len(self.state.comparisons) > 0
        return self.recipe.objectives is None and not preferring

    def parents(self, round: int) -> Labelled:
        """Return what candidates start from after a finished round: labels, or beliefs where nobody gave a number."""
        labelled = self.labelled()
        compared, belief = self._compared(None), self.belief(round)
        if len(labelled.y) or not compared or belief is None or isinstance(self.model, Observing):
            return labelled
        x = self.model.ingest([query.design for query in compared])
        with torch.no_grad():
            return Labelled(x, belief.posterior(decoded(self.model, x)).mean.to(torch.float32))

    def _compared(self, up_to: int | None) -> list[Query]:
        """Return the queries that are in a comparison, in the order asked."""
        named = {id for told in self.state.comparisons.up_to(up_to) for id in (told.winner, told.loser)}
        if not named:
            return []
        return [query for query in self.state.queries.values() if query.id in named]

    def _fit_with(self, model: PreferenceRewardModel, compared: list[Query], round: int, up_to: int | None) -> Belief:
        _, y, noise = self.measured(up_to)
        queries = [query for query, _ in self.state.values(up_to)]
        scored = {query.id for query in queries}
        queries += [query for query in compared if query.id not in scored]
        row = {query.id: i for i, query in enumerate(queries)}
        missing = torch.full((len(queries) - len(y),), float("nan"))
        y, noise = torch.cat([y, missing]), None if noise is None else torch.cat([noise, missing])
        choices = Choices.of(answers(self.state.comparisons.up_to(up_to), row))
        x = self.observed([query.design for query in queries])
        return model.fit_with(x, y, noise, choices, self.seed(round, Purpose.FIT))

    def measured(self, up_to: int | None = None) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return what is seen of the labelled designs, their values, and the noise (NaN: unknown) if any is known."""
        told, x = self._told(up_to)
        y, noise = torch.from_numpy(told.values).to(torch.float32), torch.from_numpy(told.noise).to(torch.float32)
        with torch.no_grad():
            seen = self.observed(told.designs) if x is None else decoded(self.model, x)
        return seen, y, None if bool(noise.isnan().all()) else noise

    def _told(self, up_to: int | None) -> tuple[Measured, Tensor | None]:
        """Return the designs that have a value, and their states unless they are images; read once for all who ask."""
        key = (self.state.last_seq, len(self.state.labels), up_to)
        if self._read is None or self._read[0] != key:
            told = self.state.measured(up_to)
            plain = len(told.designs) > 0 and not told.images
            self._read = key, told, self.model.ingest(told.designs) if plain else None
        return self._read[1:]

    def observed(
        self, designs: Sequence[Design], progress: Callable[[int, int], None] = lambda done, total: None
    ) -> Tensor:
        """Return what the reward model sees of designs; images pass through a view once a run."""
        if not designs:
            return torch.zeros(0)
        view, read = self.recipe.view, self._artifacts.get
        if view is None or not are_images(designs):
            return observe_designs(self.model, designs, read)

        def vector(design: Design) -> Tensor:
            return shown(view, observe_designs(self.model, [design], read), [design])[0]

        return self._embeddings(designs, vector, progress)

    def embed(self, progress: Callable[[int, int], None]) -> None:
        """Pass all labelled images through the recipe's view, those that did not before; nothing without one."""
        if self.recipe.view is not None:
            self.observed([query.design for query, _ in self.state.values()], progress)

    @cached_property
    def _embeddings(self) -> Embeddings:
        assert self.recipe.view is not None  # whoever asks has looked
        store = self._artifacts
        return Embeddings(self.recipe.view, store.root.parent / FILE if isinstance(store, ArtifactStore) else None)

    def aim(self, round: int, belief: Belief | None, up_to: int | None = None) -> Objective | None:
        """Return the objective of a round with this belief, oracle's units; None without a belief."""
        if belief is None:
            return None
        recipe, acquisition = self.recipe, self.recipe.acquisition
        if round == recipe.rounds:
            acquisition = recipe.final_acquisition or acquisition
        if recipe.objectives is not None and isinstance(belief, Several):
            values = properties_of(recipe.objectives, self.state.values(up_to))
            belief = this_round(recipe.objectives, belief, values, self.seed(round, Purpose.ACQUIRE))
        objective = acquisition(belief, torch.Generator().manual_seed(self.seed(round, Purpose.ACQUIRE)))
        if recipe.feasibility is None:
            return objective
        judged = self.state.judged(up_to)
        if not any(label.value is not None for _, label in judged):  # comparisons alone give no lowest label
            return objective
        x = self.observed([query.design for query, _ in judged])
        feasible = torch.tensor([label.status == "value" for _, label in judged])
        return Feasible(
            objective=objective,
            feasibility=recipe.feasibility.fit(x, feasible, self.seed(round, Purpose.FIT)),
            reference=min(label.value for _, label in judged if label.value is not None),
        )

    def push(self, round: int, belief: Belief | None) -> Objective | None:
        """Return what a batch is chosen by with this belief, after a finished round: as the update, or by the front."""
        objectives = self.recipe.objectives
        if objectives is None or objectives.combine != "pareto" or not isinstance(belief, Several):
            return self.objective(round) if belief is self.belief(round) else self.aim(round, belief)
        return pushing(objectives, belief, properties_of(objectives, self.state.values()))

    def seed(self, round: int, purpose: Purpose) -> int:
        """Return a seed of this run."""
        return seed_of(self.recipe.seed, round, purpose)

    # --------------------------------------------------------- rounds that are finished

    def belief(self, round: int) -> Belief | None:
        """Return the reward model as it was fitted at a finished round; None for round 0, or without labels."""
        if round not in self._beliefs:
            self._beliefs[round] = self.fit(round, self.state.fits[round - 1])
        return self._beliefs[round]

    def objective(self, round: int) -> Objective | None:
        """Return what a finished round aimed at, oracle's units; None where there is no belief."""
        if round not in self._objectives:
            self._objectives[round] = self.aim(round, self.belief(round), self.state.fits[round - 1])
        return self._objectives[round]

    def tilt(self, round: int) -> Tilt | None:
        """Return B of a finished round's law p_pre exp(B); None if that was not steered."""
        problem = self._problem(round)
        return None if problem is None else tilt(problem)

    def sampler(self, round: int, prompts: Sequence[str] | None = None, best_of: int = 1) -> Sampler:
        """Return what draws the designs of a finished round; it loads the weights.

        Args:
            round: 0 is the pretrained model.
            prompts: What to draw for; None for what rounds are judged on.
            best_of: Draws a design, of which the best by the round's objective is kept.

        Raises:
            ValueError: If the best is asked for of a round that aimed at nothing.
        """
        if best_of == 1:
            return self._sampler(round, prompts)
        objective = self.objective(round)
        if objective is None:
            raise ValueError(f"best_of {best_of} needs a belief, and round {round} had none: leave best_of at 1")
        return BestOf(self._sampler(round, prompts), objective, best_of, self.recipe.view)

    def _sampler(self, round: int, prompts: Sequence[str] | None) -> Sampler:
        self.load(round)
        given = self.conditioner(prompts)
        problem = self._problem(round)
        if problem is None or not isinstance(self.recipe.update, Steering):
            return ModelSampler(self.model, given)
        return SteeredSampler(self.model, self.recipe.update, problem, given)

    def conditioner(self, prompts: Sequence[str] | None = None) -> Conditioner | None:
        """Return prompts, encoded; those that rounds are judged on by default, None where the recipe has none."""
        if prompts is None:
            if self.recipe.prompts is None:
                return None
            prompts = self.recipe.prompts.judged
        if (texts := tuple(prompts)) not in self._conditioners:
            self._conditioners[texts] = conditioner_of(self.model, texts)
        return self._conditioners[texts]

    def load(self, round: int) -> None:
        """Put the weights after a finished round into the model's current version."""
        artifact = self.state.weights[round - 1] if round else None
        if self._live == (round, artifact):
            return
        versions = self.model.versions
        if versions is not None:
            if artifact is None:
                versions.reset()
            else:
                versions.load_state_dict(self._artifacts.get_tensors(artifact))
        self._live = (round, artifact)

    def moving(self) -> None:
        """Take note that the model's weights are those of no round."""
        self._live = (-1, None)

    def finished(self, round: int, belief: Belief | None, artifact: str | None) -> None:
        """Take note that the ledger has a round whose belief and weights are those in memory."""
        self._beliefs[round] = belief
        self._live = (round, artifact)

    def _problem(self, round: int) -> Problem[Transition] | None:
        if not isinstance(self.recipe.update, Steering):
            return None
        if round not in self._problems:
            self._problems[round] = self._pose(round)
        return self._problems[round]

    def _pose(self, round: int) -> Problem[Transition] | None:
        belief, objective, report = self.belief(round), self.objective(round), self.state.reports[round - 1]
        if belief is None or objective is None or report.alpha is None:
            return None
        beta = report.beta or 0.0
        return fold(
            standardised(self.model, belief, objective, self.recipe.view, self._conditioners.values()),
            ModelPolicy(self.model, "pretrained"),
            report.alpha,
            beta,
            self.tilt(round - 1) if beta else None,  # the rounds before are fitted again only if they count
        )
