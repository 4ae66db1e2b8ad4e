"""The paper's image recipe: a text-to-image model tuned to LAION's aesthetic score, and what it was compared with.

As published: 15,360 labels in 4 rounds that double (1,024 to 8,192), every i.i.d. draw labelled; 50 steps of DDIM at
eta 1 under guidance of 7.5; LoRA of rank 4 on the attention; gradient through a random number of last steps, AdamW at
1e-3; networks on CLIP embeddings as the reward model. What differs here on purpose: both anchors are present, the KL is
summed over dimensions (the paper's .01 of a mean over 16,384 is 6e-7 a nat), the ridge form of the uncertainty, and one
number more that the reward model sees, the cosine of image and prompt.

References:
    Uehara et al., "Feedback Efficient Online Fine-Tuning of Diffusion Models", 2024,
    https://arxiv.org/abs/2402.16359 (section 6.3 and appendix: methods and settings);
    Black et al., 2023, https://arxiv.org/abs/2305.13301 (names of common animals as prompts).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from seiko.campaign import Fresh, Prompts, Recipe
from seiko.campaign.batches import doubling
from seiko.campaign.prompts import read_prompts
from seiko.models import LatentImageSource, LoRA
from seiko.models.latent_image_source import ATTENTION
from seiko.oracles import Aesthetic, CLIPScore, Oracle, image_oracle_named
from seiko.rewards import MLP, Ensemble, Identity, LastLayer, Learned, PromptedEmbedding, RewardModel, VisionEmbedding
from seiko.updates import PPO, DirectBackprop, Guidance, Steering, Update
from seiko_recipes.choices import AcquisitionName, acquisition_of, selection_of, strength_of

__all__ = ["ANIMALS", "HELD_OUT", "aesthetic"]

MethodName = Literal["ucb", "bootstrap", "greedy", "non-adaptive", "guidance", "ppo"]

ANIMALS = (
    *("cat", "dog", "horse", "monkey", "rabbit", "zebra", "spider", "bird", "sheep", "deer", "cow", "goat", "lion"),
    *("tiger", "bear", "raccoon", "fox", "wolf", "lizard", "beetle", "ant", "butterfly", "fish", "shark", "whale"),
    *("dolphin", "squirrel", "mouse", "rat", "snake", "turtle", "frog", "chicken", "duck", "goose", "bee", "pig"),
    *("turkey", "fly", "llama", "camel", "bat", "gorilla", "hedgehog", "kangaroo"),
)
HELD_OUT = ("cheetah", "crocodile", "hippopotamus", "lobster", "octopus", "snail")


def aesthetic(
    *,
    model: str = "stable-diffusion-v1-5/stable-diffusion-v1-5",
    oracle: str = "aesthetic",
    clip: str = "openai/clip-vit-large-patch14",
    prompts: str | None = None,
    held_out: str | None = None,
    method: MethodName = "ucb",
    budget: int = 15360,
    rounds: int = 4,
    seed: int = 0,
    c: float = 1.0,
    kl_budget: float | None = None,
    alpha: float = 6e-7,
    beta: float = 6e-7,
    selection: Literal["everything", "top"] = "everything",
    steps: int = 50,
    samples: int = 32,
    look: int = 64,
    num_steps: int = 50,
    guidance: float = 7.5,
    lora: int = 4,
    learning_rate: float = 1e-3,
    noise: float = 0.0,
    size: int | None = None,
    seen: int = 224,
    batch: int = 8,
    precision: Literal["fp32", "bf16", "fp16"] = "fp32",
    device: str = "cpu",
) -> Recipe:
    """Tune a text-to-image model (Stable Diffusion 1 to 3, XL, Flux) to what people like to look at.

    Args:
        model: Hub name or folder in diffusers' format.
        oracle: aesthetic, clip, pickscore, compressibility, incompressibility, your own as module:function, called
            with one image's pixels and its prompt, or command:PROGRAM, https://..., workers:module:function; people
            answer by ask and tell whatever stands here.
        clip: CLIP on whose embeddings of images and prompts the reward model stands, that judges naturalness, and
            which "aesthetic" and "clip" ask: a hub name or a folder; "aesthetic" needs ViT-L/14.
        prompts: A file of prompts to draw for, one a line; none for 45 names of animals.
        held_out: A file of prompts on which rounds are judged; none for six other animals, or for the file's own.
        method: "ucb" and "bootstrap" are SEIKO's; "greedy" has no optimism; "non-adaptive" buys all labels of the
            pretrained model at once; "guidance" steers and trains nothing; "ppo" uses no gradient of the reward.
        budget: Labels in all.
        rounds: Batches that they are bought in, each twice as large as the one before.
        seed: Seeds everything.
        c: Standard deviations of optimism in "ucb".
        kl_budget: Nats from the pretrained model, held by dual ascent on alpha; none for the fixed strengths.
        alpha: Coefficient of the pretrained anchor, reward standard deviations a nat.
        beta: Coefficient of the previous anchor, likewise.
        selection: "everything" labels each draw, as the paper does; "top" chooses from a pool of twice the batch.
        steps: Steps of the update a round.
        samples: Images drawn a step.
        look: Fresh images that a round is judged by.
        num_steps: Denoising steps.
        guidance: Scale of classifier-free guidance.
        lora: Rank of the adapters.
        learning_rate: AdamW's.
        noise: Standard deviation of the measurement noise added, in units of the oracle.
        size: Side of the images, pixels; none for what the model was trained at.
        seen: Side of the images as the reward model sees them, pixels.
        batch: Images that pass through the network at a time; decides memory alone.
        precision: Of weights and computation; adapters stay in fp32.
        device: cpu, cuda, ...; where the networks run.
    """
    if method == "non-adaptive":
        rounds = 1
    source = LatentImageSource(
        name=model,
        tuning=LoRA(rank=lora, scale=float(lora), target_modules=ATTENTION),
        guidance=guidance,
        num_steps=num_steps,
        height=size,
        width=size,
        seen=seen,
        precision=precision,
        batch=batch,
        # "backprop" goes through its window a step at a time by itself
        checkpoint="step" if method == "ppo" else "none",
        device=device,
    )
    return Recipe(
        name="aesthetic",
        model=source,
        prompts=_prompts(prompts, held_out),
        oracle=_oracle(oracle, clip, noise, seed, device),
        view=PromptedEmbedding(model=clip, device=device),
        reward_model=_reward(method),
        acquisition=acquisition_of(_ACQUISITION.get(method, "greedy"), c),
        update=_update(method, learning_rate, num_steps),
        strength=strength_of(kl_budget, alpha, beta),
        steps=steps,
        samples=samples,
        look=look,
        naturalness=VisionEmbedding(model=clip, device=device),
        candidates=(Fresh(),),
        pool=2 * max(doubling(budget, rounds)),
        selection=selection_of(selection),
        budget=budget,
        rounds=rounds,
        batches=doubling(budget, rounds),
        seed=seed,
    )


def _prompts(prompts: str | None, held_out: str | None) -> Prompts:
    querying = ANIMALS if prompts is None else read_prompts(prompts)
    judged: tuple[str, ...] = HELD_OUT if prompts is None else ()
    return Prompts(querying=querying, held_out=judged if held_out is None else read_prompts(held_out))


def _oracle(name: str, clip: str, noise: float, seed: int, device: str) -> Oracle:
    match name:
        case "aesthetic":
            return Aesthetic(clip=clip, noise=noise, seed=seed, device=device)
        case "clip":
            return CLIPScore(model=clip, noise=noise, seed=seed, device=device)
        case _:
            return image_oracle_named(name, noise=noise, seed=seed)


def _reward(method: MethodName) -> RewardModel:
    network = MLP(feature=Identity(), hidden=(64, 64))
    if method == "bootstrap":
        return Ensemble(network=network)
    return LastLayer(features=Learned(network=network))


_ACQUISITION: Mapping[MethodName, AcquisitionName] = {"ucb": "ucb", "bootstrap": "bootstrap"}
"""Of the methods that are optimistic; the others trust the mean."""


def _update(method: MethodName, learning_rate: float, num_steps: int) -> Update[Any] | Steering:
    match method:
        case "guidance":
            return Guidance()
        case "ppo":
            return PPO(learning_rate=learning_rate, share=0.1)
        case _:
            return DirectBackprop(
                learning_rate=learning_rate, weight_decay=1e-4, window=(1, num_steps), kept=0, outside=1
            )
