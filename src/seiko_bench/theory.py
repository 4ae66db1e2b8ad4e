"""`seiko bench theory`: every reward model and every update against what is known exactly.

    fixed-UPDATE             A = r, the same seconds for all: how near to the optimum does the update come?
    rounds-REWARD-UPDATE     5 rounds x 100 labels, fixed alpha and beta: closed form, regret, bound, coverage by round
    rounds-default           the recipe as it is, its own KL budget included; the bound is not promised for that
    ablation-NAME            rounds-windows-memory with one thing wrong or left out
    closed-NAME              the rounds of a reward model or an ablation with the exact p^(i) in the student's place

alpha is that of the optimum 4 nats from the prior, beta is BETA * alpha. Entries are added to the tables below.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seiko.campaign import Recipe
from seiko.report.style import replace_bytes
from seiko.rewards import LastLayer
from seiko.updates import SMC, FixedStrength, Guidance
from seiko_bench.protocols import Method, Protocol
from seiko_bench.theory_closed import closed_rounds
from seiko_bench.theory_fixed import Runner, fixed, steered, trained
from seiko_bench.theory_ground import Ground, small, tf_bind_8
from seiko_bench.theory_parts import Covariance, InUnits
from seiko_bench.theory_rounds import rounds
from seiko_recipes.sequences import tfbind8

__all__ = ["Variant", "theory"]

BETA = 0.5  # of alpha


@dataclass(frozen=True, kw_only=True)
class Variant:
    """How a run differs from the recipe `tfbind8`.

    Args:
        options: Its parameters.
        alpha: Coefficient of the pretrained anchor, as a share of the alpha of the optimum at 4 nats.
        beta: Coefficient of the previous anchor, likewise.
        own_strength: Leave the recipe's own strength as it is, alpha and beta above have no effect.
        covariance: Put the covariance where the ridge matrix belongs.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    alpha: float = 1.0
    beta: float = BETA
    own_strength: bool = False
    covariance: bool = False

    def recipe(self, ground: Ground, seed: int, quick: bool) -> Recipe:
        """Return the recipe on a ground."""
        found = tfbind8(**{"seed": seed, **self.options, **(QUICK if quick else {})})
        reward_model, strength = found.reward_model, found.strength
        if self.covariance:
            if not isinstance(reward_model, LastLayer):
                raise TypeError(f"the ablation needs a LastLayer, got {type(reward_model).__name__}")
            reward_model = Covariance(reward_model=reward_model)
        if not self.own_strength:
            # the same unit in all rounds, where a campaign would take the spread of the labels so far
            reward_model = InUnits(reward_model=reward_model, scale=ground.unit)
            unit = round(ground.alpha / ground.unit, 4)
            strength = FixedStrength(alpha=self.alpha * unit, beta=self.beta * unit)
        return dataclasses.replace(found, reward_model=reward_model, strength=strength, **ground.changes)


QUICK: dict[str, Any] = {"budget": 20, "rounds": 2, "steps": 2, "final_steps": 2, "samples": 8, "pool": 60}

FIXED: Mapping[str, tuple[Runner, Mapping[str, Any]]] = {
    "memory": (trained, {"update": "memory"}),
    "memory-full": (trained, {"update": "memory", "tune": "full"}),
    "ppo": (trained, {"update": "ppo", "samples": 256}),
    "ppo-full": (trained, {"update": "ppo", "samples": 128, "tune": "full"}),
    "distill": (trained, {"update": "distill", "samples": 256}),
    "backprop": (trained, {"update": "backprop", "samples": 128, "tune": "full"}),
    "guidance": (steered(Guidance(completions=256)), {}),
    "smc": (steered(SMC(particles=256, moves=3)), {}),
}
"""Updates on the fixed objective: who runs them, and the recipe's options that choose them."""

PLAIN: Mapping[str, Any] = {"final_acquisition": None}
UPDATES: Mapping[str, Mapping[str, Any]] = {
    "memory": {"update": "memory", **PLAIN},
    "ppo": {"update": "ppo", "steps": 40, "final_steps": 160, "samples": 256, **PLAIN},
    "distill": {"update": "distill", "steps": 40, "final_steps": 160, "samples": 256, **PLAIN},
    "backprop": {"update": "backprop", "tune": "full", "steps": 40, "final_steps": 160, "samples": 128, **PLAIN},
}
"""How the model moves in rounds, by the same objective in the last round as in all others."""

REWARDS: Mapping[str, Mapping[str, Any]] = {
    "windows": {"reward": "windows"},
    "gp": {"reward": "gp"},
    "ensemble": {"reward": "ensemble"},
    "mlp": {"reward": "mlp"},
}
BASE: Mapping[str, Any] = {"reward": "windows", **UPDATES["memory"]}
ABLATIONS: Mapping[str, Variant] = {
    "greedy": Variant(options={**BASE, "acquisition": "greedy"}),
    "no-pretrained": Variant(options=BASE, alpha=0.0),
    "no-previous": Variant(options=BASE, beta=0.0),
    "covariance": Variant(options=BASE, covariance=True),
    "iid": Variant(options={**BASE, "selection": "everything"}),
    "nominal": Variant(options={**BASE, "c": 1.96}),
}
"""Of rounds-windows-memory; `nominal` is not wrong but wider: g_hat is the half-width of the 95 % interval."""


def theory(seconds: float) -> Protocol:
    """Return the benchmark with all its methods; seconds are the processor time of each fixed-*."""
    methods: dict[str, Method] = {}
    for name, (runner, options) in FIXED.items():
        methods[f"fixed-{name}"] = _fixed(runner, Variant(options=options), seconds)
    for reward, of_reward in REWARDS.items():
        for update, of_update in UPDATES.items():
            methods[f"rounds-{reward}-{update}"] = _rounds(Variant(options={**of_reward, **of_update}))
    methods["rounds-default"] = _rounds(Variant(own_strength=True))
    for name, variant in ABLATIONS.items():
        methods[f"ablation-{name}"] = _rounds(variant)
    for name, variant in {reward: Variant(options={**options, **PLAIN}) for reward, options in REWARDS.items()}.items():
        methods[f"closed-{name}"] = _closed(variant)
    for name, variant in ABLATIONS.items():
        methods[f"closed-{name}"] = _closed(variant)
    return Protocol(
        "Theory: TF Bind 8 (SIX6), exactly; alpha of the optimum 4 nats from the prior",
        methods,
        (
            "tv",
            "kl_to_closed",
            "ratio",
            "share",
            "exact_mean",
            "exact_kl",
            "regret",
            "bound",
            "coverage",
            "nominal",
            "top100",
            "steps",
            "floor",
            "floor_ratio",
            "seconds",
            "wall",
        ),
    )


def _fixed(runner: Runner, variant: Variant, seconds: float) -> Method:
    def method(seed: int, folder: Path, quick: bool) -> dict[str, Any]:
        ground = _ground(folder, quick)
        spent = 0.2 if quick else seconds
        recipe = variant.recipe(ground, seed, quick)
        return _once(folder, {"seconds": spent}, lambda: fixed(ground, recipe, runner, spent))

    return method


def _rounds(variant: Variant) -> Method:
    def method(seed: int, folder: Path, quick: bool) -> dict[str, Any]:
        ground = _ground(folder, quick)
        return rounds(ground, variant.recipe(ground, seed, quick), folder)

    return method


def _closed(variant: Variant) -> Method:
    def method(seed: int, folder: Path, quick: bool) -> dict[str, Any]:
        ground = _ground(folder, quick)
        return _once(folder, {}, lambda: closed_rounds(ground, variant.recipe(ground, seed, quick)))

    return method


def _ground(folder: Path, quick: bool) -> Ground:
    return small(folder) if quick else tf_bind_8(folder.parent)


def _once(folder: Path, asked: dict[str, Any], make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the record that an earlier, interrupted benchmark left in the folder, or make it."""
    path = folder / "record.json"
    if path.exists():
        kept: dict[str, Any] = json.loads(path.read_text())
        if kept["asked"] == asked:
            record: dict[str, Any] = kept["record"]
            return record
    record = make()
    replace_bytes(path, json.dumps({"asked": asked, "record": record}).encode())
    return record
