"""What is timed: a model of Stable Diffusion's real classes, a window, and an optimistic reward on features.

    A(x) = w . phi + c sqrt(phi^T M^-1 phi),       phi = tanh(P pool(x)),       M = Phi^T Phi + lambda I

All ways of taking the step share model, noise, window, anchor and this reward, so that their gradients can be compared.
Weights are random: time and memory do not depend on what a network has learnt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from seiko.diffusion import GaussianTransition, Noise
from seiko.models import LatentImageSource, ModelPolicy, RandomPipeline
from seiko.models.random_pipeline import SD15_UNET, SD15_VAE
from seiko.updates import Anchor, Problem

__all__ = ["FULL", "MIDDLE", "TINY", "Reward", "Setting", "Subject"]

COEFFICIENT = 0.05  # of the one anchor, the previous model: the authors' code has no other
SCALE = 7.5


@dataclass(frozen=True)
class Reward:
    """UCB on fixed features of a latent.

    Args:
        projection: `[pooled, d]` P.
        weights: `[d]` w.
        matrix: `[d, d]` M.
        c: Optimism.
    """

    projection: Tensor
    weights: Tensor
    matrix: Tensor
    c: float = 1.0

    @classmethod
    def drawn(cls, channels: int, features: int, labels: int) -> Reward:
        """Return a reward with random features and as many random labels."""
        generator = torch.Generator().manual_seed(0)
        projection = torch.randn(channels * 64, features, generator=generator) / 8
        phi = torch.tanh(torch.randn(labels, channels * 64, generator=generator) @ projection)
        weights = torch.randn(features, generator=generator) / features**0.5
        return cls(projection, weights, phi.T @ phi + torch.eye(features))

    def features(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
        """Return phi."""
        return torch.tanh(torch.nn.functional.adaptive_avg_pool2d(x, 8).flatten(1) @ self.projection)

    def root(self) -> Float[Tensor, "d d"]:
        """Return R with R R^T = M^-1, made once a fit."""
        root: Tensor = torch.linalg.inv(torch.linalg.cholesky(self.matrix)).T
        return root

    def with_root(self, root: Tensor, x: Tensor) -> Float[Tensor, "n"]:
        """Return A by a root that is there already."""
        phi = self.features(x)
        value: Tensor = phi @ self.weights + self.c * (phi @ root).norm(dim=1)
        return value


@dataclass(frozen=True, kw_only=True)
class Setting:
    """How large, and how many steps.

    Args:
        unet: Configuration of the U-Net; empty for a tiny one.
        vae: Likewise of the autoencoder.
        text: Likewise of the text encoder.
        decoded: Whether the reward looks at decoded pixels, so that the autoencoder is in the gradient.
        steps: K.
        window: Steps with a gradient.
        samples: Images a step.
        features: d.
        labels: Labels that the reward knows.
    """

    unet: Mapping[str, Any] = field(default_factory=dict)
    vae: Mapping[str, Any] = field(default_factory=dict)
    text: Mapping[str, Any] = field(default_factory=dict)
    decoded: bool = False
    steps: int = 6
    window: int = 3
    samples: int = 1
    features: int = 512
    labels: int = 2000

    def build(self) -> Subject:
        """Return what is timed, with a current and a previous model that are not the pretrained one."""
        source = LatentImageSource(
            name="random", num_steps=self.steps, guidance=SCALE, checkpoint="none", batch=2 * self.samples
        )
        pipeline = RandomPipeline(family="sd", unet=self.unet, vae=self.vae, text=self.text).build()
        model: Any = source.adapt(pipeline)
        if self.decoded:
            model.autoencoder.vae.enable_gradient_checkpointing()
        generator = torch.Generator().manual_seed(1)

        def stir() -> None:
            with torch.no_grad():
                for parameter in model.versions.parameters():
                    parameter.add_(0.02 * torch.randn(parameter.shape, generator=generator))

        stir()
        model.versions.remember()
        stir()
        reward = Reward.drawn(3 if self.decoded else model.event_shape[0], self.features, self.labels)
        return Subject(self, model, reward, model.encode(["a photo of a cat"] * self.samples))


@dataclass(frozen=True)
class Subject:
    """What is timed.

    Args:
        setting: Where it is from.
        model: Under guidance, with three versions.
        reward: A.
        conditioning: One row a sample.
    """

    setting: Setting
    model: Any
    reward: Reward
    conditioning: Tensor

    @property
    def noise(self) -> Noise:
        """The streams that all ways draw from."""
        return Noise.seeded(0, self.setting.samples)

    def problem(self) -> Problem[GaussianTransition]:
        """Return the problem as seiko poses it."""
        root = self.reward.root()
        previous: ModelPolicy[GaussianTransition] = ModelPolicy(self.model, "previous")
        return Problem(lambda x: self.reward.with_root(root, self.seen(x)), (Anchor(previous, COEFFICIENT),))

    def seen(self, x: Tensor) -> Tensor:
        """Return what the reward looks at."""
        decoded: Tensor = self.model.decode(x) if self.setting.decoded else x
        return decoded

    def clear(self) -> None:
        """Forget the gradient."""
        for parameter in self.model.versions.parameters():
            parameter.grad = None

    def gradient(self) -> Tensor:
        """Return the gradient in the adapters."""
        return torch.cat([p.grad.flatten() for p in self.model.versions.parameters() if p.grad is not None])


MIDDLE = Setting(
    unet={
        "sample_size": 32,
        "block_out_channels": (128, 256, 384),
        "down_block_types": ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        "layers_per_block": 2,
        "attention_head_dim": 8,
        "cross_attention_dim": 16,
    }
)
FULL = Setting(
    unet=SD15_UNET,
    vae=SD15_VAE,
    text={
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
    },
    decoded=True,
    steps=2,
    window=1,
)
"""Stable Diffusion 1.5 as published, at 512 pixels; its vocabulary alone is smaller here, 514 tokens of 49,408."""
TINY = Setting(steps=4, window=2, features=16, labels=50)
