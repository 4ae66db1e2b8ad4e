"""The loop and its memory: ask, tell, advance.

    ask      draw candidates from the current model, choose the batch, reserve its labels in the budget
    tell     take labels, in any order and part by part: see `seiko.campaign.told`
    advance  fit the reward model on all labels, move the model, report, go on to the next round

Each verb is one transaction: it folds the ledger, decides, and appends its event if nobody else appended meanwhile. A
process killed at any instant has either done the verb or not; repeated, it does the same, because every draw is seeded
by (seed, round, verb). Models are loaded when a verb first needs one: `tell` and `status` never do. How a run is
opened is in `seiko.campaign.opening`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from typing import Any, TypeVar

from torch import Tensor

from seiko.acquisition import Objective
from seiko.campaign.batches import batch_size
from seiko.campaign.equipment import equipped
from seiko.campaign.errors import BudgetSpent, NothingAsked, PendingLabels
from seiko.campaign.foresight import outlook
from seiko.campaign.history import History
from seiko.campaign.ledger import LedgerConflict
from seiko.campaign.opening import Opened
from seiko.campaign.proposal import predict, propose
from seiko.campaign.round import Progress, advance_model, calibration_report, label_fields
from seiko.campaign.sampler import Sampler, draw_designs, draw_many
from seiko.campaign.seeds import Purpose
from seiko.campaign.state import Query, RoundReport, RunState
from seiko.campaign.stopping import stopped_because
from seiko.campaign.taking import LabelLike
from seiko.designs import IMAGE, Design
from seiko.diffusion import Transition
from seiko.models import DiffusionModel
from seiko.rewards import Belief, PreferenceRewardModel

__all__ = ["Campaign", "LabelLike"]

T = TypeVar("T")


class Campaign(Opened):
    """One run: a recipe, a ledger, and the model as the ledger says it is now.

    Make one with `open`; use it as a context manager or call `close`.
    """

    # ------------------------------------------------------------ what is

    @property
    def done(self) -> bool:
        """Whether the run is over: rounds, labels or a stop rule of the recipe."""
        return self.stopped_because is not None

    @property
    def stopped_because(self) -> str | None:
        """Why the run is over, in words; None while it is not."""
        recipe = self.recipe
        return stopped_because(self.state, rounds=recipe.rounds, budget=recipe.budget, stop=recipe.stop)

    @property
    def model(self) -> DiffusionModel[Transition]:
        """The diffusion model, with the weights of the last finished round as its current version.

        A steered round moves no weights: what it draws is the sampler's to say.
        """
        self._load(len(self.state.reports))
        return self._history.model

    @property
    def sampler(self) -> Sampler:
        """What draws designs by the law of the last finished round, moved or steered; good until the next round is."""
        return self._history.sampler(len(self.state.reports))

    def belief(self) -> Belief | None:
        """Return the reward model as it was fitted at the last finished round; None before, or without labels."""
        return self._history.belief(len(self.state.reports))

    def objective(self) -> Objective | None:
        """Return what the last finished round aimed at, oracle's units; None before, or without labels."""
        return self._history.objective(len(self.state.reports))

    @cached_property
    def _history(self) -> History:
        return History(self.recipe, self.ledger.artifacts, self._state)

    def bytes_of(self, design: Design) -> bytes:
        """Return the PNG file of an image that this run asked for or kept with a report.

        Raises:
            ValueError: If the design is no image.
            ArtifactMissing: If the run folder does not hold it.
            ArtifactCorrupted: If the file is not what it was.
        """
        if design.kind != IMAGE:
            raise ValueError(f"only an image has a file, a design of kind {design.kind!r} is all in its content")
        return self.ledger.artifacts.get(design.content)

    # ---------------------------------------------------------- the verbs

    @property
    def learns_from_comparisons(self) -> bool:
        """Whether the recipe's reward model uses comparisons; they are kept in any case."""
        return isinstance(self.recipe.reward_model, PreferenceRewardModel)

    def ask(
        self,
        n: int | None = None,
        *,
        another: bool = False,
        progress: Progress = lambda stage, done, total, numbers: None,
    ) -> list[Query]:
        """Return the open round's queries that wait for a label, choosing its batch first if it has none.

        Asking again changes nothing: it returns the same queries, less those that were answered. Asking for a larger
        batch adds to it. Designs that wait are never asked twice, and `Recipe.pending` says what is believed of them.
        Images come with their files, which are in the run folder before the event that names them.

        Args:
            n: Size of the round's batch, or of the other one; None for an equal part of what the budget has left.
            another: Choose one more batch while the round's earlier ones wait, and return it alone. Asking so again
                gives yet another one; if the answer was lost, ask without.
            progress: Called while candidates are drawn.

        Raises:
            BudgetSpent: If n exceeds the labels left, those reserved by pending queries not counted as left.
            PoolExhausted: If the model draws too few new designs.
            LedgerReadOnly: If the run folder cannot be written; found before anything is drawn.
        """
        if n is not None and n < 1:
            raise ValueError(f"n must be a positive number of designs, got {n}")
        while True:
            state, recipe = self.state, self.recipe
            if self.done:
                return []
            asked, last = state.batch_of(state.round)
            left = max(0, recipe.budget - state.charged)
            if n is None:
                planned = batch_size(left, recipe.rounds, recipe.batches, len(state.reports))
                more = 0 if asked and not another else max(1, planned)
            else:
                more = n if another else max(0, n - asked)
            if more > left:
                raise BudgetSpent(f"{more} more labels are asked for, the budget of {recipe.budget} has {left} left")
            if more == 0:
                return self._with_files(state.pending(state.round))
            self.ledger.require_writable()
            batch = max(1, last) + (1 if another and asked else 0)
            queries = self._choose(state, more, asked, batch, progress)
            self._keep(query.design for query in queries)
            rows = [_query_row(query) for query in queries]
            if not self._append_slowly("asked", {"round": state.round, "batch": batch, "queries": rows}, more):
                continue  # somebody else asked meanwhile: return what they were given
            return queries if another else self._with_files(self._state.pending(self._state.round))

    def advance(
        self, *, without_pending: bool = False, progress: Progress = lambda stage, done, total, numbers: None
    ) -> RoundReport:
        """Fit all labels, move the model, and finish the round.

        Args:
            without_pending: Go on although labels are missing; they are still taken when they come.
            progress: Called with the stage, steps done, steps in all and the numbers that matter.

        Raises:
            NothingAsked: If the round has no batch.
            PendingLabels: If labels are missing and `without_pending` is false.
            BudgetSpent: If the run is over; says why.
        """
        while True:
            state = self.state
            if (why := self.stopped_because) is not None:
                raise BudgetSpent(f"{why}; start another run to go on")
            if not state.batch_of(state.round)[0]:
                raise NothingAsked(f"round {state.round} has no batch yet: ask first")
            pending = state.pending(state.round)
            if pending and not without_pending:
                raise PendingLabels(
                    f"{len(pending)} labels of round {state.round} are missing ({pending[0].id}, ...): tell them, or "
                    "advance without them (--without-pending)"
                )
            self.ledger.require_writable()
            report, weights, belief = self._move(state, progress)
            artifact = self.ledger.artifacts.put_tensors(weights) if weights is not None else None
            seq = state.last_seq
            if not self._append_slowly("advanced", {"report": asdict(report), "weights": artifact, "fitted_to": seq}):
                continue  # the model was moved for a round that another process may have finished: it is loaded again
            self._history.finished(report.round, belief, artifact)
            return report

    def sample(
        self,
        n: int,
        *,
        seed: int = 0,
        round: int | None = None,
        prompts: Sequence[str] | None = None,
        best_of: int = 1,
    ) -> list[Design]:
        """Draw fresh designs from the model after a round.

        Args:
            n: How many; duplicates are kept, for it is the model's law that is drawn from.
            seed: Other seeds give other designs.
            round: 0 is the pretrained model; None the last finished round.
            prompts: What to draw for, each equally often in the mean; None for those that rounds are judged on.
            best_of: Each design is the best of so many draws by what the round aimed at (see `BestOf`).

        Raises:
            ValueError: If that round is not finished, or the best is asked for where nothing was learnt yet.
            NoPrompts: If there are prompts and the model takes none.
        """
        return self._sampled(draw_designs, n, seed, round, prompts, best_of)

    def sample_states(
        self, n: int, *, seed: int = 0, round: int | None = None, prompts: Sequence[str] | None = None
    ) -> Tensor:
        """Draw like `sample`, and return states."""
        return self._sampled(draw_many, n, seed, round, prompts)

    def _sampled(
        self,
        draw: Callable[[Sampler, int, int], T],
        n: int,
        seed: int,
        round: int | None,
        prompts: Sequence[str] | None,
        best_of: int = 1,
    ) -> T:
        if n < 1:
            raise ValueError(f"n must be a positive number of designs, got {n}")
        finished = len(self.state.reports)
        round = finished if round is None else round
        if not 0 <= round <= finished:
            raise ValueError(f"round must be one of 0 (pretrained) to {finished} (the last finished), got {round}")
        try:
            sampler = self._history.sampler(round, prompts, best_of)
            return draw(sampler, self._history.seed(0, Purpose.SAMPLE) + seed, n)
        finally:
            self._load(finished)

    # -------------------------------------------------------- the insides

    def _with_files(self, queries: list[Query]) -> list[Query]:
        return [replace(query, design=self._history.with_file(query.design)) for query in queries]

    def _append_slowly(self, kind: str, payload: dict[str, Any], charge: int = 0) -> bool:
        """Append what took long to decide, although labels were told meanwhile: else many who tell keep one from it.

        What was chosen or fitted was so before those labels, and says so by its number. Returns whether it was taken:
        not if queries or rounds came meanwhile, or the budget has not the labels left that it charges.
        """

        def grounds(state: RunState) -> tuple[int, int]:
            return len(state.queries), len(state.reports)

        before = grounds(self._state)
        while True:
            try:
                self._append(kind, payload)
            except LedgerConflict:
                state = self.state
                if grounds(state) != before or charge > self.recipe.budget - state.charged:
                    return False
            else:
                return True

    def _load(self, round: int) -> None:
        self._history.load(round)

    def _choose(self, state: RunState, count: int, already: int, batch: int, progress: Progress) -> list[Query]:
        recipe, history, finished = self.recipe, self._history, len(state.reports)
        model = history.model
        belief, objective = outlook(history)
        proposal = propose(
            recipe,
            model,
            history.parents(finished),
            history.known,
            objective,
            count,
            history.seed(state.round, Purpose.ASK) + 7919 * already,
            lambda done, total: progress("ask", done, total, {}),
            history.sampler(finished, None if recipe.prompts is None else recipe.prompts.querying),
        )
        predicted: Sequence[tuple[float | None, float | None]] = [(None, None)] * count
        if belief is not None:
            predicted = predict(belief, model, proposal, recipe.view)
        return [
            Query(
                id=f"{state.round}-{already + i + 1:04d}",
                design=design,
                round=state.round,
                source=source,
                mean=mean_i,
                std=std_i,
                batch=batch,
            )
            for i, (design, source, (mean_i, std_i)) in enumerate(
                zip(proposal.designs, proposal.sources, predicted, strict=True)
            )
        ]

    def _move(self, state: RunState, progress: Progress) -> tuple[RoundReport, dict[str, Tensor] | None, Belief | None]:
        started = time.monotonic()
        recipe, history, round = self.recipe, self._history, state.round
        history.load(round - 1)
        history.moving()  # until the event is in the ledger the model is nobody's
        versions = history.model.versions
        if versions is not None:
            versions.remember()
        progress("fit", 0, 1, {})
        history.embed(lambda done, total: progress("fit", done, total, {}))
        belief = history.fit(round)
        steps = recipe.steps if round < recipe.rounds else recipe.final_steps or recipe.steps
        moved = advance_model(
            equipped(history, round),
            history.model,
            belief,
            history.aim(round, belief),
            steps=steps,
            alpha=state.reports[-1].alpha if state.reports else None,
            previous=history.tilt(round - 1),
            seeds=(history.seed(round, Purpose.UPDATE), history.seed(round, Purpose.EVALUATE)),
            progress=progress,
            training=None if recipe.prompts is None else history.conditioner(recipe.prompts.trained),
            judging=history.conditioner(),
            keep=self.ledger.artifacts.put,
            first=round == 1,
        )
        report = RoundReport(
            round=round,
            held_out=None if belief is None else calibration_report(belief.report.held_out),
            seconds=time.monotonic() - started,
            **label_fields(state, round),
            **moved,
        )
        return report, None if versions is None else versions.state_dict(), belief


def _query_row(query: Query) -> dict[str, Any]:
    prompt = {} if query.design.prompt is None else {"prompt": query.design.prompt}
    return prompt | {
        "id": query.id,
        "content": query.design.content,
        "kind": query.design.kind,
        "source": query.source,
        "mean": query.mean,
        "std": query.std,
    }
