"""Recipes for images in pixel space: the shipped model of MNIST's digits, and one of ImageNet that you have.

The numbers here are those that were measured in `docs/log.md`.
"""

from __future__ import annotations

from typing import Any, Literal

from seiko.campaign import Fresh, Prompts, Recipe
from seiko.models import UNET_LAYERS, FullFineTuning, LoRA, PixelImageSource
from seiko.oracles import image_oracle_named
from seiko.rewards import (
    RBF,
    DigitFeatures,
    Ensemble,
    GaussianProcess,
    Identity,
    LastLayer,
    Learned,
    PerPrompt,
    PixelCNN,
    RewardModel,
)
from seiko.updates import (
    PPO,
    SQDF,
    AdjointMatching,
    DirectBackprop,
    Distill,
    Guidance,
    KLBudget,
    SoftBestOf,
    Steering,
    Strength,
    Trapezoid,
    Update,
)
from seiko_recipes.choices import (
    AcquisitionName,
    SelectionName,
    acquisition_of,
    check_members,
    final_of,
    selection_of,
    strength_of,
)

__all__ = ["digits", "imagenet64"]

UpdateName = Literal["backprop", "adjoint", "sqdf", "ppo", "distill", "guidance", "best-of", "none"]
RewardName = Literal["ensemble", "last", "gp", "class"]


def digits(
    *,
    oracle: str = "incompressibility",
    classes: str = "0123456789",
    budget: int = 1000,
    rounds: int = 4,
    seed: int = 0,
    preset: Literal["full", "demo"] = "full",
    update: UpdateName = "sqdf",
    acquisition: AcquisitionName = "ucb",
    final_acquisition: AcquisitionName | None = "greedy",
    selection: SelectionName = "top",
    reward: RewardName = "last",
    c: float = 1.0,
    kl_budget: float | None = 10.0,
    alpha: float = 0.1,
    beta: float = 0.02,
    steps: int = 20,
    final_steps: int | None = None,
    samples: int = 32,
    num_steps: int = 15,
    window: int | None = 5,
    share: float = 0.15,
    pool: int = 500,
    look: int = 150,
    lora: int | None = None,
    noise: float = 0.0,
    prior: str = "seiko:mnist",
    device: str = "cpu",
) -> Recipe:
    """Draw digits with a property that is costly to measure: large or small files, thick strokes, legibility.

    Args:
        oracle: incompressibility, compressibility, thickness, quality, your own as module:function, called with one
            image's pixels and its class, or command:PROGRAM, https://..., workers:module:function; people answer by
            ask and tell whatever stands here.
        classes: Which digits are drawn, each equally often.
        budget: Labels in all.
        rounds: Batches that they are bought in.
        seed: Seeds everything.
        preset: "demo" is small enough for a first look: 60 labels in 2 rounds, whatever budget and rounds say.
        update: How the model moves; "guidance" and "best-of" (a soft choice among 16 draws, at most 2.8 nats) steer the
            pretrained model and train nothing, "none" leaves it as it is.
        acquisition: What a batch is chosen by and the model is moved by; "bootstrap" needs reward "ensemble".
        final_acquisition: What the last update goes by, after which no label follows; none for the same as before,
            which it always is where selection is "everything".
        selection: How a batch is chosen; "one-by-one" imagines the labels of those before, "mixed" takes half of it as
            the model draws, "drawn" all of it, and "everything" even draws that are known already, as the paper does.
        reward: "ensemble": small networks on pixels; "last": linear regression on such networks' last layers; "gp":
            Gaussian process on the features of a frozen digit classifier; "class": linear regression on these, once for
            all classes and once more for each, for an oracle that depends on the class asked for, as "quality" does.
        c: Standard deviations of optimism in "ucb".
        kl_budget: Nats from the pretrained model that a round may end at; it goes past them and is led back. None for
            a fixed alpha.
        alpha: Coefficient of the pretrained anchor where there is no KL budget, reward standard deviations a nat.
        beta: Coefficient of the previous anchor, reward standard deviations a nat.
        steps: Steps of the update a round.
        final_steps: Steps of the last round, whose model is the result; none for as many as before.
        samples: Images drawn a step.
        num_steps: Denoising steps.
        window: Most steps that "backprop" carries a gradient through; how many is drawn anew each time; none for all.
        share: Share of the steps that "adjoint", "sqdf", "ppo" and "distill" learn from each time.
        pool: Candidates that a batch is chosen from.
        look: Fresh samples that a round is judged by.
        lora: Rank of LoRA adapters; none trains all weights.
        noise: Standard deviation of the measurement noise added, in units of the oracle.
        prior: The pretrained model, in diffusers' format, whose classes are the digits.
        device: Where the model computes: cpu, cuda, cuda:1, mps, ...; the reward model is small and stays on the CPU.
    """
    if preset == "demo":
        budget, rounds, steps, final_steps, samples, num_steps, pool, look = 60, 2, 4, None, 16, 10, 90, 24
    check_members(reward, ("ensemble",), acquisition, final_acquisition)
    return Recipe(
        name="digits",
        model=PixelImageSource(
            name=prior,
            tuning=FullFineTuning() if lora is None else LoRA(rank=lora, target_modules=UNET_LAYERS),
            num_steps=num_steps,
            device=device,
        ),
        prompts=Prompts(querying=tuple(classes)),
        oracle=image_oracle_named(oracle, noise=noise, seed=seed),
        view=PerPrompt(feature=DigitFeatures(), prompts=tuple(classes)) if reward == "class" else None,
        reward_model=_reward(reward),
        acquisition=acquisition_of(acquisition, c),
        final_acquisition=final_of(final_acquisition, c, selection),
        update=_update(update, window, share, num_steps, lora is not None),
        strength=_strength(update, kl_budget, alpha, beta),
        steps=steps,
        final_steps=final_steps,
        samples=samples,
        look=look,
        naturalness=DigitFeatures(),
        candidates=(Fresh(),),
        pool=pool,
        selection=selection_of(selection),
        budget=budget,
        rounds=rounds,
        seed=seed,
    )


def imagenet64(
    *,
    prior: str,
    oracle: str = "compressibility",
    classes: str = "207,281,360,387,974,88,979,417,279",
    budget: int = 1024,
    rounds: int = 4,
    seed: int = 0,
    update: UpdateName = "sqdf",
    acquisition: AcquisitionName = "ucb",
    selection: SelectionName = "top",
    reward: Literal["ensemble", "last"] = "last",
    c: float = 1.0,
    kl_budget: float | None = 20.0,
    alpha: float = 0.1,
    beta: float = 0.02,
    steps: int = 50,
    samples: int = 16,
    num_steps: int = 50,
    window: int | None = 5,
    share: float = 0.1,
    pool: int = 512,
    look: int = 64,
    lora: int | None = 8,
    noise: float = 0.0,
    device: str = "cuda",
) -> Recipe:
    """Draw pictures of ImageNet's classes at 64 pixels; needs a trained model in diffusers' format, and a GPU.

    Args:
        prior: A class-conditional `UNet2DModel` in diffusers' format: a folder or a hub name.
        oracle: compressibility, incompressibility, your own as module:function, called with one image's pixels and the
            number of its class, or command:PROGRAM, https://..., workers:module:function; people answer by ask and
            tell whatever stands here.
        classes: Numbers of the classes that are drawn, with commas between, each equally often.
        budget: Labels in all.
        rounds: Batches that they are bought in.
        seed: Seeds everything.
        update: How the model moves; "guidance" and "best-of" (a soft choice among 16 draws, at most 2.8 nats) steer the
            pretrained model and train nothing, "none" leaves it as it is.
        acquisition: What a batch is chosen by and the model is moved by; "bootstrap" needs reward "ensemble".
        selection: How a batch is chosen; "one-by-one" imagines the labels of those before, "mixed" takes half of it as
            the model draws, "drawn" all of it, and "everything" even draws that are known already, as the paper does.
        reward: "ensemble": small networks on pixels; "last": linear regression on such networks' last layers.
        c: Standard deviations of optimism in "ucb".
        kl_budget: Nats from the pretrained model that a round may end at; it goes past them and is led back. None for
            a fixed alpha.
        alpha: Coefficient of the pretrained anchor where there is no KL budget, reward standard deviations a nat.
        beta: Coefficient of the previous anchor, reward standard deviations a nat.
        steps: Steps of the update a round.
        samples: Images drawn a step.
        num_steps: Denoising steps.
        window: Most steps that "backprop" carries a gradient through; how many is drawn anew each time; none for all.
        share: Share of the steps that "adjoint", "sqdf", "ppo" and "distill" learn from each time.
        pool: Candidates that a batch is chosen from.
        look: Fresh samples that a round is judged by.
        lora: Rank of LoRA adapters; none trains all weights, of which three sets are then kept.
        noise: Standard deviation of the measurement noise added, in units of the oracle.
        device: Where the model runs.
    """
    check_members(reward, ("ensemble",), acquisition)
    tuning = FullFineTuning() if lora is None else LoRA(rank=lora, target_modules=UNET_LAYERS)
    network = PixelCNN(channels=(16, 32, 32, 32))
    return Recipe(
        name="imagenet64",
        model=PixelImageSource(name=prior, tuning=tuning, num_steps=num_steps, device=device),
        prompts=Prompts(querying=tuple(name.strip() for name in classes.split(","))),
        oracle=image_oracle_named(oracle, noise=noise, seed=seed),
        reward_model=Ensemble(network=network, members=5)
        if reward == "ensemble"
        else LastLayer(features=Learned(network=network, members=2)),
        acquisition=acquisition_of(acquisition, c),
        update=_update(update, window, share, num_steps, lora is not None),
        strength=_strength(update, kl_budget, alpha, beta),
        steps=steps,
        samples=samples,
        look=look,
        candidates=(Fresh(),),
        pool=pool,
        selection=selection_of(selection),
        budget=budget,
        rounds=rounds,
        seed=seed,
    )


def _reward(name: RewardName) -> RewardModel:
    match name:
        case "ensemble":
            return Ensemble(network=PixelCNN(), members=5)
        case "last":
            return LastLayer(features=Learned(network=PixelCNN(), members=2))
        case "gp":
            return GaussianProcess(kernel=RBF(feature=DigitFeatures()))
        case "class":
            return LastLayer(features=Identity())


def _strength(update: UpdateName, kl_budget: float | None, alpha: float, beta: float) -> Strength:
    """Go past the budget and be led back to it: few steps end nearer to the optimum than where alpha hunts for it."""
    if kl_budget is None or update in ("guidance", "best-of"):  # which finds its alpha by bisection
        return strength_of(kl_budget, alpha, beta)
    return KLBudget(nats=kl_budget, beta=beta, alpha=0.15, rate=0.02, damping=0.0)


def _update(
    name: UpdateName, window: int | None, share: float, num_steps: int, lora: bool
) -> Update[Any] | Steering | None:
    rate, schedule = 1e-3 if lora else 2e-4, Trapezoid(warmup=0.25, decay=0.5)
    match name:
        case "backprop":
            last = None if window is None else (1, min(window, num_steps))
            return DirectBackprop(learning_rate=rate, schedule=schedule, window=last, outside=2)
        case "adjoint":
            return AdjointMatching(learning_rate=rate, schedule=schedule, share=share)
        case "sqdf":
            return SQDF(learning_rate=rate, schedule=schedule, share=share, epochs=3, outside=0)
        case "ppo":
            return PPO(learning_rate=rate, schedule=schedule, epochs=2, share=share)
        case "distill":
            return Distill(learning_rate=rate, schedule=schedule, epochs=2, share=share)
        case "guidance":
            return Guidance()
        case "best-of":
            return SoftBestOf()
        case "none":
            return None
