"""Recipes for sequences: DNA 8-mers that bind a transcription factor, Ehrlich functions, and your own DNA library.

A recipe is a function; its parameters are the command line's options. The numbers here are those that were measured in
`docs/log.md`.
"""

from __future__ import annotations

from typing import Any, Literal

from seiko.campaign import Fresh, Recipe, Remask
from seiko.models import Alphabet, FullFineTuning, LoRA, MaskedLMSource, SideNetwork, Tuning
from seiko.oracles import Ehrlich, TFBind8, oracle_from
from seiko.rewards import (
    CNN,
    MLP,
    Embedding,
    Ensemble,
    Feasibility,
    GaussianProcess,
    LastLayer,
    Linear,
    OneHot,
    ReverseComplement,
    RewardModel,
    SpacedPairs,
    Spectrum,
    Sum,
    Windows,
)
from seiko.updates import (
    PPO,
    SMC,
    DirectBackprop,
    Distill,
    Guidance,
    KLBudget,
    MemoryDistill,
    SoftBestOf,
    Steering,
    Update,
)
from seiko_recipes.choices import (
    AcquisitionName,
    SelectionName,
    acquisition_of,
    check_members,
    selection_of,
    strength_of,
)

__all__ = ["dna", "ehrlich", "tfbind8"]

UpdateName = Literal["memory", "ppo", "distill", "backprop", "guidance", "smc", "best-of", "none"]
TuningName = Literal["side", "full", "lora"]
MemberlessAcquisitionName = Literal["ucb", "thompson", "greedy"]  # where the reward model is no ensemble
RewardName = Literal["windows", "gp", "ensemble", "mlp"]


def tfbind8(
    *,
    budget: int = 500,
    rounds: int = 5,
    seed: int = 0,
    update: UpdateName = "memory",
    tune: TuningName | None = None,
    selection: SelectionName = "top",
    acquisition: AcquisitionName = "ucb",
    final_acquisition: AcquisitionName | None = "greedy",
    reward: RewardName = "windows",
    c: float = 1.0,
    kl_budget: float | None = 4.9,
    alpha: float = 0.1,
    beta: float = 0.02,
    steps: int | None = None,
    final_steps: int | None = None,
    samples: int | None = None,
    pool: int = 3000,
    remask: float = 0.5,
    mask_rate: float = 0.3,
    both_strands: bool = False,
    noise: float = 0.0,
    prior: str = "seiko:tfbind8",
    device: str = "cpu",
) -> Recipe:
    """Bind the transcription factor SIX6: DNA 8-mers with really measured affinities (TF Bind 8).

    Args:
        budget: Labels in all.
        rounds: Batches that they are bought in.
        seed: Seeds everything.
        update: How the model moves; "guidance", "smc" and "best-of" (a soft choice among 16 draws, at most 2.8 nats)
            steer the pretrained model and train nothing, "none" leaves it as it is.
        tune: What moves: a network beside the pretrained one, all of its weights, or adapters in it; none for what
            suits the update.
        selection: How a batch is chosen; "one-by-one" imagines the labels of those before, "mixed" takes half of it as
            the model draws, "drawn" all of it, and "everything" even draws that are known already, as the paper does.
        acquisition: What a batch is chosen by and the model is moved by; "bootstrap" needs reward "ensemble" or "mlp".
        final_acquisition: What the last update goes by, after which no label follows; none for the same as before,
            which it always is where selection is "everything".
        reward: "windows": last layer on landmarks of letter windows of both strands; "gp": Gaussian process on the same
            windows and on what the prior itself makes of a sequence; "ensemble": of networks with shared windows;
            "mlp": of plain networks.
        c: Standard deviations of optimism in "ucb".
        kl_budget: Nats from the pretrained model, held by dual ascent on alpha; none for a fixed alpha.
        alpha: Coefficient of the pretrained anchor where there is no KL budget, reward standard deviations a nat.
        beta: Coefficient of the previous anchor, reward standard deviations a nat.
        steps: Steps of the update a round; none for what suits the update, here and in the next two.
        final_steps: Steps of the last round, whose model is the result.
        samples: Trajectories a step.
        pool: Candidates that a batch is chosen from.
        remask: Share of the pool made by remasking the best labelled designs; 0 for none.
        mask_rate: Share of positions that is masked there.
        both_strands: Let a sequence and its reverse complement both be bought, though they are one molecule.
        noise: Standard deviation of the measurement noise added, in units of the affinity (0 to 1).
        prior: The pretrained model.
        device: Where the model computes: cpu, cuda, cuda:1, mps, ...; the reward model is small and stays on the CPU.
    """
    check_members(reward, ("ensemble", "mlp"), acquisition)
    symmetry = ReverseComplement()
    paper = selection == "everything"
    if paper:
        final_acquisition = None
    pace = (
        (12, 40, 1024) if update == "memory" else (40, 160, 1024 if update in ("guidance", "smc", "best-of") else 128)
    )
    steps, final_steps, samples = (
        usual if given is None else given for given, usual in zip((steps, final_steps, samples), pace, strict=True)
    )
    tune = tune or ("full" if update == "backprop" else "side")
    return Recipe(
        name="tfbind8",
        model=MaskedLMSource(name=prior, tuning=_tuning(tune), device=device),
        oracle=TFBind8(noise=noise, seed=seed),
        reward_model=_dna_reward(reward, symmetry, prior),
        acquisition=acquisition_of(acquisition, c),
        final_acquisition=None if final_acquisition is None else acquisition_of(final_acquisition, c),
        update=_update(update),
        strength=strength_of(kl_budget, alpha, beta, rate=0.25 if update == "memory" else 0.05),
        steps=steps,
        final_steps=final_steps,
        samples=samples,
        candidates=_candidates(0.0 if selection in ("drawn", "everything") else remask, mask_rate),
        pool=pool,
        selection=selection_of(selection),
        same=None if both_strands or paper else symmetry,
        budget=budget,
        rounds=rounds,
        seed=seed,
    )


def ehrlich(
    *,
    budget: int = 1280,
    rounds: int = 10,
    seed: int = 0,
    preset: Literal["full", "demo"] = "full",
    update: UpdateName = "ppo",
    selection: SelectionName = "top",
    acquisition: MemberlessAcquisitionName = "ucb",
    c: float = 4.0,
    kl_budget: float | None = 12.0,
    alpha: float = 0.1,
    beta: float = 0.02,
    steps: int = 8,
    samples: int = 32,
    pool: int = 1500,
    remask: float = 0.7,
    mask_rate: float = 0.3,
    feasibility: bool = False,
    instance: int = 0,
    noise: float = 0.0,
    prior: str = "seiko:ehrlich",
    device: str = "cpu",
) -> Recipe:
    """Find two spaced motifs of four letters: an Ehrlich function of 32 letters and length 32, closed form.

    Args:
        budget: Labels in all.
        rounds: Batches that they are bought in.
        seed: Seeds everything but the function itself.
        preset: "demo" is small enough for a first look: 240 labels in 4 rounds, whatever budget and rounds say.
        update: How the model moves; "none" leaves it as it is.
        selection: How a batch is chosen; "one-by-one" imagines the labels of those before, "mixed" takes half of it as
            the model draws, "drawn" all of it, and "everything" even draws that are known already, as the paper does.
        acquisition: What a batch is chosen by and the model is moved by.
        c: Standard deviations of optimism in "ucb".
        kl_budget: Nats from the pretrained model, held by dual ascent on alpha; none for a fixed alpha.
        alpha: Coefficient of the pretrained anchor where there is no KL budget, reward standard deviations a nat.
        beta: Coefficient of the previous anchor, reward standard deviations a nat.
        steps: Steps of the update a round.
        samples: Trajectories a step.
        pool: Candidates that a batch is chosen from.
        remask: Share of the pool made by remasking the best labelled designs; 0 for none.
        mask_rate: Share of positions that is masked there.
        feasibility: Learn from infeasible labels which designs can be labelled, and weigh the acquisition with that.
        instance: Which function; the shipped prior knows the forbidden transitions of instance 0.
        noise: Standard deviation of the measurement noise, in units of the value (0 to 1).
        prior: The pretrained model.
        device: Where the model computes: cpu, cuda, cuda:1, mps, ...; the reward model is small and stays on the CPU.
    """
    if preset == "demo":
        budget, rounds, steps, pool = 240, 4, 6, 600
    oracle = Ehrlich(seed=instance, noise=noise)
    return Recipe(
        name="ehrlich",
        model=MaskedLMSource(name=prior, num_steps=16, device=device),
        oracle=oracle,
        reward_model=LastLayer(features=SpacedPairs(vocabulary=oracle.vocabulary)),
        feasibility=Feasibility(features=SpacedPairs(vocabulary=oracle.vocabulary)) if feasibility else None,
        acquisition=acquisition_of(acquisition, c),
        update=_update(update),
        strength=strength_of(kl_budget, alpha, beta),
        steps=steps,
        samples=samples,
        look=100,
        candidates=_candidates(0.0 if selection in ("drawn", "everything") else remask, mask_rate),
        pool=pool,
        selection=selection_of(selection),
        budget=budget,
        rounds=rounds,
        seed=seed,
    )


def dna(
    *,
    prior: str,
    budget: int,
    rounds: int,
    oracle: str | None = None,
    seed: int = 0,
    double_stranded: bool = True,
    lora: int | None = None,
    acquisition: MemberlessAcquisitionName = "ucb",
    selection: SelectionName = "diverse",
    c: float = 1.0,
    kl_budget: float = 5.0,
    steps: int = 60,
    samples: int = 128,
    pool: int = 3000,
    remask: float = 0.5,
    mask_rate: float = 0.3,
    device: str = "cpu",
) -> Recipe:
    """Tune your own DNA model on your own measurements: the laboratory answers (ask, tell, advance), or your program.

    Args:
        prior: Model directory, as `seiko pretrain` writes it.
        budget: Labels in all.
        rounds: Plates that they are bought in.
        oracle: none, or your own: module:function, called with one sequence, workers:module:function,
            command:PROGRAM ..., https://...
        seed: Seeds everything.
        double_stranded: A sequence and its reverse complement are one molecule to the assay.
        lora: Rank of LoRA adapters; none trains all weights.
        acquisition: What a plate is chosen by and the model is moved by.
        selection: How a plate is chosen.
        c: Standard deviations of optimism in "ucb".
        kl_budget: Nats from the pretrained model, held by dual ascent.
        steps: Steps of the update a round.
        samples: Trajectories a step.
        pool: Candidates that a plate is chosen from.
        remask: Share of the pool made by remasking the best labelled designs.
        mask_rate: Share of positions that is masked there.
        device: Where the model computes: cpu, cuda, cuda:1, mps, ...; the reward model is small and stays on the CPU.
    """
    symmetry = ReverseComplement() if double_stranded else None
    return Recipe(
        name="dna",
        model=MaskedLMSource(name=prior, tuning=FullFineTuning() if lora is None else LoRA(rank=lora), device=device),
        oracle=None if oracle is None else oracle_from(oracle),
        reward_model=LastLayer(features=Windows(vocabulary=len(Alphabet.dna())), symmetry=symmetry),
        acquisition=acquisition_of(acquisition, c),
        update=_update("ppo"),
        strength=KLBudget(nats=kl_budget),
        steps=steps,
        samples=samples,
        candidates=_candidates(remask, mask_rate),
        pool=pool,
        selection=selection_of(selection),
        same=symmetry,
        budget=budget,
        rounds=rounds,
        seed=seed,
    )


def _dna_reward(name: RewardName, symmetry: ReverseComplement, prior: str) -> RewardModel:
    match name:
        case "windows":
            return LastLayer(features=Windows(vocabulary=4), symmetry=symmetry, rescale="coverage")
        case "gp":
            kernels = (Spectrum(vocabulary=4), Linear(feature=Embedding(model=prior)))
            return GaussianProcess(kernel=Sum(kernels=kernels), symmetry=symmetry, rescale="coverage")
        case "ensemble":
            return Ensemble(network=CNN(vocabulary=4, width=6), symmetry=symmetry)
        case "mlp":
            return Ensemble(network=MLP(feature=OneHot(vocabulary=4)), symmetry=symmetry)


def _tuning(name: TuningName) -> Tuning:
    match name:
        case "side":
            return SideNetwork()
        case "full":
            return FullFineTuning()
        case "lora":
            return LoRA()


def _update(name: UpdateName) -> Update[Any] | Steering | None:
    match name:
        case "memory":
            return MemoryDistill()
        case "guidance":
            return Guidance()
        case "smc":
            return SMC(particles=256, moves=3)
        case "best-of":
            return SoftBestOf()
        case "ppo":
            return PPO(epochs=4, share=0.25)
        case "distill":
            return Distill(epochs=2, share=0.25)
        case "backprop":
            return DirectBackprop()
        case "none":
            return None


def _candidates(remask: float, mask_rate: float) -> tuple[Fresh | Remask, ...]:
    if not 0 <= remask < 1:
        raise ValueError(f"remask must be a share in [0, 1), got {remask}: some candidates must be fresh")
    if remask == 0:
        return (Fresh(),)
    return Fresh(share=1 - remask), Remask(share=remask, mask_rate=mask_rate)
