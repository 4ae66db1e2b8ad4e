"""The same rounds with the closed form in the student's place: what belief and acquisition alone allow.

Batches are chosen by the campaign's own code from a model whose law *is* p^(i): its conditionals are all those of the
one joint law, so that fresh draws and remasked designs are exact draws too.

    p(x_j = v | revealed) = p(revealed, x_j = v) / p(revealed),       marginals of a table of V^L numbers
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from seiko.campaign import Recipe
from seiko.campaign.candidates import Labelled
from seiko.campaign.errors import PoolExhausted
from seiko.campaign.identity import identity
from seiko.campaign.proposal import propose
from seiko.designs import Design
from seiko.diffusion import Conditioning, MaskedDiffusion, State, Step
from seiko.models import MaskedLM
from seiko.rewards import Belief
from seiko_bench.theory_ground import Ground, number
from seiko_bench.theory_judge import closed_form, judge_round, summary

__all__ = ["LawModel", "closed_rounds"]


@dataclass(frozen=True, eq=False)
class LawModel:
    """A masked diffusion model with a given law, one position a step; it cannot move.

    Args:
        law: `[V^L]`, in the order of `exact.designs`.
        like: The model whose alphabet and distance it has.
    """

    law: Float[Tensor, "n"]
    like: MaskedLM

    @property
    def event_shape(self) -> tuple[int, ...]:
        """(L,)."""
        return self.like.event_shape

    @cached_property
    def process(self) -> MaskedDiffusion:
        """One position a step."""
        return MaskedDiffusion(vocabulary=len(self.like.alphabet), num_steps=self.like.length)

    @property
    def versions(self) -> None:
        """None: it has no weights."""
        return None

    @cached_property
    def _log_marginals(self) -> Float[Tensor, "m"]:
        """Log-probability of each partly masked state: letter V of an axis is its sum."""
        vocabulary, length = len(self.like.alphabet), self.like.length
        table = self.law.double().reshape((vocabulary,) * length)
        for axis in range(length):
            table = torch.cat([table, table.sum(axis, keepdim=True)], axis)
        return table.flatten().clamp_min(torch.finfo(torch.float64).tiny).log()

    def predict(self, x_t: State, k: Step, conditioning: Conditioning = None) -> Float[Tensor, "b l v"]:
        """Return log p(revealed, x_j = v), the logits of each masked position."""
        vocabulary, length = len(self.like.alphabet), self.like.length
        powers = (vocabulary + 1) ** torch.arange(length - 1, -1, -1)
        letters = torch.arange(vocabulary) - x_t[..., None]
        return self._log_marginals[number(x_t, vocabulary + 1)[:, None, None] + letters * powers[:, None]]

    def decode(self, x_0: State) -> State:
        """Return the letters as they are."""
        return x_0

    def distance(self, x: Int64[Tensor, "n l"], z: Int64[Tensor, "m l"]) -> Float[Tensor, "n m"]:
        """Return the Hamming distance, in positions."""
        return self.like.distance(x, z)

    def export(self, x_0: Int64[Tensor, "n l"]) -> list[Design]:
        """Return sequences as designs."""
        return self.like.export(x_0)

    def ingest(self, designs: Sequence[Design]) -> Int64[Tensor, "n l"]:
        """Return designs as sequences."""
        return self.like.ingest(designs)


def closed_rounds(ground: Ground, recipe: Recipe) -> dict[str, Any]:
    """Run a recipe's rounds with the exact optimum of each round in place of its update.

    Args:
        ground: The space that the recipe's model and oracle live on.
        recipe: What is run; its strength must be fixed, its update is left out.

    Returns:
        The record of `theory_judge.summary`, with the best, top-10 and top-100 mean of the labelled designs;
        `collapsed` is the round whose batch the law had too few designs for, after which there was no other.

    Raises:
        ValueError: If the strength is a KL budget, or the recipe has no oracle.
    """
    if recipe.strength.limit is not None:
        raise ValueError(
            f"a closed form needs fixed coefficients: strength must be FixedStrength, got {recipe.strength}"
        )
    if recipe.oracle is None:
        raise ValueError("only a recipe with an oracle can run in a closed loop")
    alpha, beta = recipe.strength.start()
    base = ground.source.load()
    x, y = torch.zeros(0, ground.length, dtype=torch.int64), torch.zeros(0)
    previous = ground.pretrained
    rows: list[dict[str, Any]] = []
    belief: Belief | None = None
    collapsed: int | None = None
    for round in range(1, recipe.rounds + 1):
        model = LawModel(previous, base)
        count = -(-(recipe.budget - len(y)) // (recipe.rounds - round + 1))
        score = None if belief is None else recipe.acquisition(belief, _generator(recipe, round - 1))
        known = identity(model, x, recipe.same) if len(x) else []
        try:
            batch = propose(recipe, model, Labelled(x, y), known, score, count, _seed(recipe, round))
        except PoolExhausted:
            if not rows:
                raise
            collapsed = round
            break
        labels = [label.value for label in recipe.oracle(batch.designs)]
        x, y = torch.cat([x, batch.x]), torch.cat([y, torch.tensor(labels, dtype=torch.float32)])
        belief = recipe.reward_model.fit(x, y, None, _seed(recipe, round))
        acquisition = recipe.acquisition
        if round == recipe.rounds:
            acquisition = recipe.final_acquisition or acquisition
        objective = acquisition(belief, _generator(recipe, round))
        strength = {"alpha": alpha * belief.scale, "beta": beta * belief.scale}
        current = closed_form(ground, objective, previous=previous, **strength)
        row = judge_round(ground, belief, objective, previous=previous, current=current, **strength)
        rows.append({"round": round, "labels": len(y)} | row)
        previous = current
    found = dict(zip((design.key for design in base.export(x)), y.tolist(), strict=True))
    best = np.sort(np.array(list(found.values())))[::-1]
    labelled = {"best": float(best[0]), "top10": float(best[:10].mean()), "top100": float(best[:100].mean())}
    return summary(rows) | labelled | {"labels": len(y), "seed": recipe.seed, "collapsed": collapsed}


def _seed(recipe: Recipe, round: int) -> int:
    return recipe.seed * 1_000 + round


def _generator(recipe: Recipe, round: int) -> torch.Generator:
    return torch.Generator().manual_seed(_seed(recipe, round))
