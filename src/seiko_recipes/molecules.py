"""Recipes for molecules: the shipped model of ZINC250k, tuned on QED, a task of PMO, or a function of your own.

The numbers here are those that were measured in `docs/log.md`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from seiko.campaign import (
    CandidateSource,
    Climb,
    Fresh,
    Library,
    Objectives,
    PropertyRange,
    Recipe,
    Remask,
    Rewrite,
    Screen,
    Splice,
    Substructure,
)
from seiko.models import FullFineTuning, GraphFeatures, GraphSource, LoRA, MaskedLMSource
from seiko.oracles import Oracle, oracle_from
from seiko.priors import SIDE_FILE, prior_folder
from seiko.rewards import (
    MLP,
    Ensemble,
    GaussianProcess,
    MorganCounts,
    OneHot,
    RewardModel,
    Tanimoto,
    molecule_kernel,
)
from seiko.updates import (
    PPO,
    SMC,
    SQDF,
    AdjointMatching,
    DirectBackprop,
    Distill,
    Guidance,
    Replay,
    SoftBestOf,
    Steering,
    Update,
)
from seiko_recipes.choices import (
    AcquisitionName,
    SelectionName,
    acquisition_of,
    check_members,
    final_of,
    selection_of,
    stop_of,
    strength_of,
)
from seiko_recipes.objectives import objectives_of

__all__ = ["graphs", "molecules"]

UpdateName = Literal["ppo", "replay", "distill", "guidance", "smc", "best-of", "none"]
GraphUpdateName = Literal["ppo", "backprop", "adjoint", "sqdf", "distill", "none"]
RewardName = Literal["gp", "fingerprint", "ensemble", "tokens"]


def molecules(
    *,
    oracle: str = "qed",
    objectives: str | None = None,
    budget: int = 1000,
    rounds: int = 5,
    target: float | None = None,
    patience: int | None = None,
    seed: int = 0,
    preset: Literal["full", "demo"] = "full",
    update: UpdateName = "ppo",
    acquisition: AcquisitionName = "ucb",
    final_acquisition: AcquisitionName | None = "greedy",
    selection: SelectionName | None = None,
    reward: RewardName = "gp",
    c: float = 0.5,
    kl_budget: float | None = 5.0,
    alpha: float = 0.1,
    beta: float = 0.02,
    steps: int = 8,
    final_steps: int | None = 16,
    samples: int = 256,
    num_steps: int = 9,
    pool: int = 1500,
    remask: float = 0.2,
    rewrite: float = 0.2,
    splice: float = 0.2,
    generations: int = 20,
    library: str | None = None,
    library_share: float = 0.25,
    hits: str | None = None,
    keep: str | None = None,
    weight: float | None = None,
    lora: int | None = None,
    noise: float = 0.0,
    prior: str = "seiko:zinc250k",
    device: str = "cpu",
) -> Recipe:
    """Design molecules with a property that is costly to measure: QED, a task of PMO, or your own function.

    Args:
        oracle: qed, plogp, sa, a task of PMO (celecoxib_rediscovery, ...), or your own: module:function, called with
            one SMILES, workers:module:function, command:PROGRAM ..., https://...; a laboratory answers by ask and tell
            whatever stands here.
        objectives: Several oracles in place of one, as "qed,sa" (their Pareto front) or "qed,sa>=0.8" (as much qed as
            there is where sa keeps its limit); all of them are measured of each molecule.
        budget: Labels in all.
        rounds: Batches that they are bought in.
        target: Stop after the round in which a label reaches it; none for never.
        patience: Stop after as many rounds without a better label; none for never.
        seed: Seeds everything.
        preset: "demo" is small enough for a first look: 120 labels in 3 rounds, whatever budget and rounds say.
        update: How the model moves; "replay" learns from the best labelled molecules in place of its own draws,
            "guidance", "smc" and "best-of" (a soft choice among 16 draws, at most 2.8 nats) steer the pretrained model
            and train nothing, "none" leaves it as it is.
        acquisition: What a batch is chosen by and the model is moved by; "bootstrap" needs reward "ensemble" or
            "tokens".
        final_acquisition: What the last update goes by, after which no label follows; none for the same as before,
            which it always is where selection is "everything".
        selection: How a batch is chosen; "one-by-one" imagines the labels of those before, "top" does not, "mixed"
            takes half of it as the model draws, "drawn" all of it, and "everything" even draws that are known already,
            as the paper does. None for one-by-one where the reward model is a Gaussian process, else top.
        reward: "gp": Gaussian process by fingerprints, descriptors and formula (`seiko.rewards.molecule_kernel`);
            "fingerprint": Tanimoto on circular fingerprints alone; "ensemble": networks on these; "tokens": networks on
            the model's letters.
        c: Standard deviations of optimism in "ucb".
        kl_budget: Nats from the pretrained model, held by dual ascent on alpha; none for a fixed alpha.
        alpha: Coefficient of the pretrained anchor where there is no KL budget, reward standard deviations a nat.
        beta: Coefficient of the previous anchor, reward standard deviations a nat.
        steps: Steps of the update a round.
        final_steps: Steps of the last round, whose model is the result; none for as many as before.
        samples: Molecules drawn a step.
        num_steps: Denoising steps; half as many as a molecule has letters at most: two are drawn at a time.
        pool: Candidates that a batch is chosen from.
        remask: Share of the pool made by masking letters of the best labelled molecules; 0 for none.
        rewrite: Share made by drawing spans of them anew, longer or shorter; 0 for none.
        splice: Share made by joining two of them, the joint drawn anew; 0 for none.
        generations: Times that the best by acquisition are edited before a batch is chosen, a tenth of the pool each
            time; 0 for none.
        library: Known molecules that may be bought: a file of SMILES, or "zinc250k"; none for none.
        library_share: Share of the pool taken from there.
        hits: A file of your own molecules, started from beside the labelled ones and before any.
        keep: SMARTS of a substructure that every molecule sent must have.
        weight: Heaviest molecule that is sent, daltons; none for any.
        lora: Rank of LoRA adapters; none trains all weights.
        noise: Standard deviation of the measurement noise added, in units of the oracle.
        prior: The pretrained model.
        device: Where the model computes: cpu, cuda, cuda:1, mps, ...; the reward model is small and stays on the CPU.
    """
    as_drawn, look = selection in ("drawn", "everything"), 300
    if preset == "demo":
        budget, rounds, steps, final_steps, samples, pool, look = 120, 3, 2, 4, 128, 300, 120
    check_members(reward, ("ensemble", "tokens"), acquisition, final_acquisition)
    if selection is None:
        selection = "one-by-one" if reward in ("gp", "fingerprint") else "top"
    given = {"library": library, "hits": hits} | ({} if selection == "drawn" else {"keep": keep, "weight": weight})
    if as_drawn and (ignored := [option for option, value in given.items() if value is not None]):
        raise ValueError(f"selection {selection} labels what the model draws: leave {ignored[0]} out or choose top")
    several: Objectives | None = None
    measured: Oracle = oracle_from(oracle, noise=noise, seed=seed)
    if objectives is not None:
        if oracle != "qed":
            raise ValueError(
                f"objectives {objectives} take the place of the oracle: leave {oracle} out, or name it there"
            )
        several, measured = objectives_of(objectives, noise=noise, seed=seed)
    return Recipe(
        name="molecules",
        model=MaskedLMSource(
            name=prior,
            tuning=FullFineTuning() if lora is None else LoRA(rank=lora),
            num_steps=num_steps,
            precision="auto",
            device=device,
        ),
        oracle=measured,
        objectives=several,
        reward_model=_reward(reward, prior),
        acquisition=acquisition_of(acquisition, c),
        final_acquisition=final_of(final_acquisition, c, selection),
        update=_update(update, hurried=preset == "demo"),
        strength=strength_of(kl_budget, alpha, beta, rate=0.1),
        steps=steps,
        final_steps=final_steps,
        samples=samples,
        look=look,
        candidates=(Fresh(),)
        if as_drawn
        else _candidates({"remask": remask, "rewrite": rewrite, "splice": splice}, library, library_share, hits, keep),
        pool=pool,
        climb=None if as_drawn or not generations or not remask + rewrite + splice else Climb(generations=generations),
        selection=selection_of(selection),
        screens=_screens(keep, weight),
        budget=budget,
        rounds=rounds,
        stop=stop_of(target, patience),
        seed=seed,
    )


def graphs(
    *,
    oracle: str = "qed",
    budget: int = 500,
    rounds: int = 5,
    seed: int = 0,
    update: GraphUpdateName = "ppo",
    acquisition: AcquisitionName = "ucb",
    final_acquisition: AcquisitionName | None = "greedy",
    selection: SelectionName = "top",
    c: float = 1.0,
    kl_budget: float | None = 6.0,
    alpha: float = 0.1,
    beta: float = 0.02,
    steps: int = 20,
    samples: int = 128,
    num_steps: int = 20,
    pool: int = 1000,
    noise: float = 0.0,
    prior: str = "seiko:qm9",
    device: str = "cpu",
) -> Recipe:
    """Design small molecules as graphs, by Gaussian diffusion of atoms and bonds: up to nine heavy atoms (QM9).

    Args:
        oracle: qed, plogp, sa, a task of PMO, or your own: module:function, called with one SMILES, or as in
            `molecules`.
        budget: Labels in all.
        rounds: Batches that they are bought in.
        seed: Seeds everything.
        update: How the model moves; "none" leaves it as it is.
        acquisition: What a batch is chosen by and the model is moved by.
        final_acquisition: What the last update goes by; none for the same as before.
        selection: How a batch is chosen; "one-by-one" imagines the labels of those before, "mixed" takes half of it as
            the model draws, "drawn" all of it, and "everything" even draws that are known already, as the paper does.
        c: Standard deviations of optimism in "ucb".
        kl_budget: Nats from the pretrained model, held by dual ascent on alpha; none for a fixed alpha.
        alpha: Coefficient of the pretrained anchor where there is no KL budget, reward standard deviations a nat.
        beta: Coefficient of the previous anchor, reward standard deviations a nat.
        steps: Steps of the update a round.
        samples: Molecules drawn a step.
        num_steps: Denoising steps.
        pool: Candidates that a batch is chosen from.
        noise: Standard deviation of the measurement noise added, in units of the oracle.
        prior: The pretrained model.
        device: Where the model computes: cpu, cuda, cuda:1, mps, ...; the reward model is small and stays on the CPU.
    """
    return Recipe(
        name="graphs",
        model=GraphSource(name=prior, num_steps=num_steps, device=device),
        oracle=oracle_from(oracle, noise=noise, seed=seed),
        reward_model=Ensemble(network=MLP(feature=GraphFeatures())),
        acquisition=acquisition_of(acquisition, c),
        final_acquisition=final_of(final_acquisition, c, selection),
        update=_graph_update(update),
        strength=strength_of(kl_budget, alpha, beta),
        steps=steps,
        samples=samples,
        look=200,
        pool=pool,
        selection=selection_of(selection),
        budget=budget,
        rounds=rounds,
        seed=seed,
    )


def _graph_update(name: GraphUpdateName) -> Update[Any] | None:
    # at ten times the rate DirectBackprop and Distill leave the molecules behind within a round (docs/log.md)
    rate = 2e-4
    match name:
        case "ppo":
            return PPO(learning_rate=rate)
        case "backprop":
            return DirectBackprop(learning_rate=rate)
        case "adjoint":
            return AdjointMatching(learning_rate=rate)
        case "sqdf":
            return SQDF(learning_rate=rate)
        case "distill":
            return Distill(learning_rate=rate)
        case "none":
            return None


def _reward(name: RewardName, prior: str) -> RewardModel:
    fingerprint = MorganCounts(model=prior)
    match name:
        case "gp":
            # starts on 512 labels end at the same kernel in twice the time (docs/log.md)
            kernel = molecule_kernel(prior)
            return GaussianProcess(kernel=kernel, mean="likelihood", tuned_on=256, powers=(1.0, 0.5, 0.0))
        case "fingerprint":
            return GaussianProcess(kernel=Tanimoto(feature=fingerprint), mean="likelihood")
        case "ensemble":
            return Ensemble(network=MLP(feature=fingerprint))
        case "tokens":
            return Ensemble(network=MLP(feature=OneHot(vocabulary=_letters(prior))))


def _letters(prior: str) -> int:
    side = json.loads((prior_folder(prior) / SIDE_FILE).read_text())
    return len(side["alphabet"]["letters"])


def _update(name: UpdateName, hurried: bool) -> Update[Any] | Steering | None:
    match name:
        case "ppo":
            # a larger rate gets there in fewer steps and spends twice the nats on the way (docs/log.md)
            return PPO(learning_rate=5e-4 if hurried else 2e-4, epochs=2, share=0.3, anchored=0.34)
        case "replay":
            return Replay()
        case "distill":
            return Distill(learning_rate=3e-4, epochs=2, share=0.25)
        case "guidance":
            return Guidance()
        case "smc":
            # with eight completions no round was done in nine minutes (docs/log.md)
            return SMC(particles=256, moves=2, completions=1)
        case "best-of":
            return SoftBestOf()
        case "none":
            return None


def _candidates(
    edits: Mapping[str, float], library: str | None, library_share: float, hits: str | None, keep: str | None
) -> tuple[CandidateSource, ...]:
    known = 0.0 if library is None else library_share
    fresh = 1 - sum(edits.values()) - known
    if min(*edits.values(), library_share) < 0 or fresh <= 0:
        given = ", ".join(f"{name} {share}" for name, share in edits.items())
        raise ValueError(f"shares of the pool must leave some for fresh draws, got {given} and library_share {known}")
    own = () if hits is None else _hits(hits)
    sources: list[CandidateSource] = [Fresh(share=fresh)]
    if edits["remask"]:
        sources.append(Remask(share=edits["remask"], hits=own, keep=keep))
    if edits["rewrite"]:
        sources.append(Rewrite(share=edits["rewrite"], hits=own, keep=keep))
    if edits["splice"]:
        sources.append(Splice(share=edits["splice"], hits=own, keep=keep))
    if library is not None:
        from seiko.campaign.library import check_library

        check_library(library)
        sources.append(Library(path=library, share=known))
    return tuple(sources)


def _hits(path: str) -> tuple[str, ...]:
    from seiko.campaign.library import read_library
    from seiko.chemistry import canonical

    rows = read_library(path)
    if wrong := [row for row in rows if canonical(row) is None]:
        raise ValueError(
            f"{path} holds {len(wrong)} of {len(rows)} hits that are no SMILES that RDKit can read, the first is "
            f"{wrong[0]!r}: correct or remove them"
        )
    return rows


def _screens(keep: str | None, weight: float | None) -> tuple[Screen, ...]:
    screens: list[Screen] = []
    if keep is not None:
        screens.append(Substructure(smarts=keep))
    if weight is not None:
        if not weight > 0:  # nor NaN
            raise ValueError(f"weight must be a positive number of daltons, got {weight}")
        screens.append(PropertyRange(descriptor="weight", high=weight))
    return tuple(screens)
