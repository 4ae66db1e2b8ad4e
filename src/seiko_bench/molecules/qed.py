"""`seiko bench qed`: the paper's task, mean QED of fresh model samples against labels bought.

    seiko-ucb         the recipe `molecules` with `selection="drawn"`: Gaussian process, mean + std, the last update by
                      the mean; as in the paper, a batch is what the current model draws
    seiko-bootstrap   the same with the maximum over an ensemble of networks on fingerprints
    seiko-top         the recipe as it is: a batch is the best by acquisition of a pool that is edited and climbed
    seiko-best-of     seiko-ucb with nothing trained: the round's optimum p_pre exp(A / C) by a soft choice among 16
                      draws of the pretrained model, which is both what is bought and what is judged
    greedy            the mean alone; a batch is what the current model draws
    non-adaptive      all labels at once for fresh draws of the prior, then one update as long as all rounds together;
                      another run for each number of labels
    online-ppo        PPO on the labels themselves, each of which serves one step; no reward model
    guidance          nothing is trained: the pretrained model, steered by the belief. Each draw asks the belief about
                      320 molecules, half a second of one core, so there are fewer draws: 16 completions, the strength
                      found on 64 draws; judged, as seiko-best-of, at the table's numbers of labels only

All but non-adaptive and online-ppo buy 250 labels a round; the KL budget and the look are those of the recipe, and so
is the belief but for seiko-bootstrap's. Each is judged after each round by the true QED of 500 fresh samples, which no
method sees: of the network as it is, and of 500 that are each the best of four draws by the method's own belief.
The steered ones choose all along and online-ppo believes nothing, so that they have no second figure.
"""

from __future__ import annotations

import dataclasses
import inspect
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from seiko.campaign import Campaign, Recipe, run
from seiko.campaign.round import look
from seiko.campaign.sampler import ModelSampler, draw_designs
from seiko.campaign.seeds import Purpose, seed_of
from seiko.oracles import QED
from seiko.updates import PPO, Guidance, KLBudget, Steering
from seiko_bench.molecules.fresh import SAMPLES, SEED, fresh, judged, wall_seconds
from seiko_bench.molecules.kept import kept
from seiko_bench.online_ppo import OnlinePPO
from seiko_bench.protocols import Method, Protocol
from seiko_recipes.molecules import molecules

__all__ = ["qed"]

LABELS = (250, 500, 1000, 2000)
"""Numbers of labels that the table shows, beside 0."""
BATCH = 250
STEPS: int = inspect.signature(molecules).parameters["steps"].default  # a round
QUICK: Mapping[str, Any] = {"samples": 16, "pool": 40}
QUICK_LABELS = (10, 20)
COMPLETIONS, QUICK_COMPLETIONS = 16, 2

ADAPTIVE: Mapping[str, Mapping[str, Any]] = {
    "seiko-ucb": {"selection": "drawn", "c": 1.0},
    "seiko-bootstrap": {"selection": "drawn", "acquisition": "bootstrap", "reward": "ensemble"},
    "seiko-top": {},
    "seiko-best-of": {"selection": "drawn", "c": 1.0, "update": "best-of", "beta": 0.0, "samples": 64},
    "greedy": {"selection": "drawn", "acquisition": "greedy"},
    "guidance": {"selection": "drawn", "update": "guidance", "beta": 0.0, "samples": 64},
}
"""Options of the recipe `molecules`."""

ONLINE = OnlinePPO(
    update=PPO(learning_rate=2e-4, epochs=8, share=0.3), strength=KLBudget(nats=5.0, rate=0.1), paths=125
)
"""Chosen on other seeds, see docs/log.md."""

BEST_OF = 4
SHOWN = ("mean", "validity", "diversity", "sa", "kl", "best_of_mean", "best_of_validity", "best_of_diversity")


def qed(prior: str) -> Protocol:
    """Return the benchmark with all its methods, on a prior."""
    methods: dict[str, Method] = {name: _adaptive(prior, options) for name, options in ADAPTIVE.items()}
    methods["non-adaptive"] = _non_adaptive(prior)
    methods["online-ppo"] = _online_ppo(prior)
    keys = [f"{key}_{labels}" for labels in (0, *LABELS) for key in SHOWN]
    return Protocol(
        f"QED: {LABELS[-1]:,} labels, {BATCH} a round; 500 fresh samples of the model after each",
        methods,
        (*keys, "best", "seconds"),
    )


def _adaptive(prior: str, options: Mapping[str, Any]) -> Method:
    def method(seed: int, folder: Path, quick: bool) -> dict[str, Any]:
        last, batch = (QUICK_LABELS[-1], QUICK_LABELS[0]) if quick else (LABELS[-1], BATCH)
        recipe = _recipe(prior, last, last // batch, seed, quick, options)

        def judge(campaign: Campaign) -> dict[str, Any]:
            rounds = list(range(len(campaign.state.reports) + 1))
            if isinstance(recipe.update, Steering) and not quick:
                rounds = [i for i in rounds if i * batch in (0, *LABELS)]
            return {"curve": [_row(campaign, i, quick) for i in rounds]}

        return _record(_run(recipe, folder, quick, judge), seed)

    return method


def _non_adaptive(prior: str) -> Method:
    def method(seed: int, folder: Path, quick: bool) -> dict[str, Any]:
        parts: list[dict[str, Any]] = []
        for labels in QUICK_LABELS if quick else LABELS:
            rounds = labels // (QUICK_LABELS[0] if quick else BATCH)
            recipe = _recipe(prior, labels, 1, seed, quick, _all_at_once(rounds))

            def judge(campaign: Campaign, first: bool = not parts) -> dict[str, Any]:
                return {"curve": [_row(campaign, i, quick) for i in ((0, 1) if first else (1,))]}

            parts.append(_run(recipe, folder / str(labels), quick, judge))
        curve = [row for part in parts for row in part["curve"]]
        best, seconds = parts[-1]["best"], round(sum(part["seconds"] for part in parts), 1)
        return _record({"curve": curve, "best": best, "seconds": seconds}, seed)

    return method


def _online_ppo(prior: str) -> Method:
    def method(seed: int, folder: Path, quick: bool) -> dict[str, Any]:
        last, batch = (QUICK_LABELS[-1], QUICK_LABELS[0]) if quick else (LABELS[-1], BATCH)
        recipe = _recipe(prior, last, last // batch, seed, quick, {})
        online = dataclasses.replace(ONLINE, paths=batch) if quick else ONLINE

        def make() -> dict[str, Any]:
            model = recipe.model.load()
            sampler = ModelSampler(model, previous="pretrained")
            curve: list[dict[str, Any]] = []
            draws = seed_of(seed, 0, Purpose.SAMPLE) + SEED  # those of a campaign with this seed

            def seen(labels: int) -> None:
                found = judged(draw_designs(sampler, draws, QUICK["samples"] if quick else SAMPLES), QED())
                kl = look(sampler, None, recipe.look, seed)["kl_pretrained"] if labels else 0.0
                curve.append({"labels": labels} | found | {"kl": kl})

            seen(0)
            start = time.perf_counter()
            bought = online.run(model, QED(), last, seed, seen=seen, every=batch)
            return {"curve": curve, "best": max(bought.values), "seconds": round(time.perf_counter() - start, 1)}

        asked = {"quick": quick, "samples": SAMPLES, "online": repr(online)}
        return _record(kept(folder / "judged.json", asked, make), seed)

    return method


def _all_at_once(rounds: int) -> Mapping[str, Any]:
    """Return options of one round that is as long as so many; the only round is the last one."""
    return {"remask": 0.0, "rewrite": 0.0, "splice": 0.0, "final_steps": STEPS * rounds}


def _recipe(prior: str, budget: int, rounds: int, seed: int, quick: bool, options: Mapping[str, Any]) -> Recipe:
    small: Mapping[str, Any] = {**QUICK, "steps": 1} if quick else {}
    recipe = molecules(
        **{"oracle": "qed", "budget": budget, "rounds": rounds, "seed": seed, "prior": prior, **options, **small}
    )
    if isinstance(recipe.update, Guidance):
        guidance = Guidance(completions=QUICK_COMPLETIONS if quick else COMPLETIONS)
        recipe = dataclasses.replace(recipe, update=guidance)
    return dataclasses.replace(recipe, look=QUICK["samples"]) if quick else recipe


def _run(recipe: Recipe, folder: Path, quick: bool, judge: Callable[[Campaign], dict[str, Any]]) -> dict[str, Any]:
    """Run a recipe or resume it, and judge it once."""
    with Campaign.open(folder, recipe) as campaign:
        run(campaign)

        def make() -> dict[str, Any]:
            best = max(label.value for _, label in campaign.state.values() if label.value is not None)
            return judge(campaign) | {"best": best, "seconds": wall_seconds(campaign)}

        return kept(folder / "judged.json", {"quick": quick, "samples": SAMPLES}, make)


def _row(campaign: Campaign, round: int, quick: bool) -> dict[str, Any]:
    labels = campaign.state.reports[round - 1].labels_used if round else 0
    samples = QUICK["samples"] if quick else SAMPLES
    row = {"labels": labels} | fresh(campaign, QED(), round, samples)
    if labels in (QUICK_LABELS if quick else LABELS) and not isinstance(campaign.recipe.update, Steering):
        best = fresh(campaign, QED(), round, samples, BEST_OF)
        row |= {f"best_of_{key}": best[key] for key in ("mean", "validity", "diversity", "uniqueness", "sa", "kl")}
    return row


def _record(found: dict[str, Any], seed: int) -> dict[str, Any]:
    """Return a record with what the table shows of the curve, by the number of labels."""
    shown = {f"{key}_{row['labels']}": row.get(key) for row in found["curve"] for key in SHOWN}
    return {"seed": seed} | shown | found
