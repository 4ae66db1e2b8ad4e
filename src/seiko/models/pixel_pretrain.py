"""Train a pixel diffusion model.

    loss = E_t E_{x_t} mean over pixels of |v_hat(x_t, t, class) - v|²,      v = alpha_t eps - sigma_t x_0

over the training steps t, spread evenly over the batch. A share of the labels is replaced by the class that means none,
so that one network draws with and without a class. The same number on held-out images, with times and noise fixed by
the seed, is the validation loss; it is no bound on a likelihood, and it says little of what samples look like.

References:
    Salimans, Ho, "Progressive Distillation for Fast Sampling of Diffusion Models", 2022,
    https://arxiv.org/abs/2202.00512 (the velocity and its loss);
    Ho, Salimans, "Classifier-Free Diffusion Guidance", 2022, https://arxiv.org/abs/2207.12598 (labels left out).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from seiko.models.pixel_files import PixelFiles, build_unet, save_pixel_model
from seiko.models.training import PretrainProgress, Training

__all__ = ["PixelArchitecture", "PixelPretraining"]

SCHEDULER: dict[str, Any] = {
    "num_train_timesteps": 1000,
    "beta_schedule": "squaredcos_cap_v2",
    "prediction_type": "v_prediction",
    "timestep_spacing": "trailing",
    "set_alpha_to_one": False,
    "clip_sample": False,
}


@dataclass(frozen=True, kw_only=True)
class PixelArchitecture:
    """Size of a new U-Net.

    Args:
        channels: Channels of each resolution, from the finest; each next one halves height and width.
        layers: Residual blocks a resolution.
        groups: Of the group normalisations; divides every number of channels.
        head: Channels of an attention head, in the middle block, where attention is.
    """

    channels: tuple[int, ...] = (16, 32, 64)
    layers: int = 1
    groups: int = 8
    head: int = 16

    def config(self, shape: tuple[int, int, int], classes: int | None) -> dict[str, Any]:
        """Return diffusers' configuration; one class more than there are is kept for none."""
        return {
            "sample_size": list(shape[1:]),
            "in_channels": shape[0],
            "out_channels": shape[0],
            "block_out_channels": list(self.channels),
            "down_block_types": ["DownBlock2D"] * len(self.channels),
            "up_block_types": ["UpBlock2D"] * len(self.channels),
            "layers_per_block": self.layers,
            "norm_num_groups": self.groups,
            "attention_head_dim": self.head,
            "num_class_embeds": None if classes is None else classes + 1,
        }


@dataclass(frozen=True, kw_only=True)
class PixelPretraining:
    """How a pixel model is trained.

    Args:
        architecture: What is trained.
        steps: Optimiser steps.
        batch: Images a step.
        learning_rate: Peak of AdamW's rate; linear warm-up over the first 5 %, cosine decay to 0.
        weight_decay: AdamW's.
        unlabelled: Share of the labels that is left out.
        validation: Images held out, chosen by the seed.
        average: Decay of the exponential moving average of the weights, which is what is saved.
        every: Steps between reports, validations and checkpoints.
        stop: Training step at which sampling stops, written beside the weights.
        seed: Seeds weights, split, batches, times and noise.
        until: Step after which training ends although the rate has not fallen to 0; None for all of them. A checkpoint
            does not depend on it.
    """

    architecture: PixelArchitecture = PixelArchitecture()
    steps: int = 6400
    batch: int = 32
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.01
    unlabelled: float = 0.15
    validation: int = 1000
    average: float = 0.999
    every: int = 250
    stop: int = 56
    seed: int = 0
    until: int | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "every", "validation"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.until is not None and not 1 <= self.until <= self.steps:
            raise ValueError(f"until must be a step from 1 to {self.steps}, got {self.until}")
        if not 0 < self.unlabelled < 1:
            raise ValueError(f"unlabelled must be a share between 0 and 1, got {self.unlabelled}")

    def run(
        self,
        images: UInt8[Tensor, "n c h w"],
        labels: Int64[Tensor, "n"],
        classes: tuple[str, ...],
        folder: str | Path,
        *,
        provenance: dict[str, Any] | None = None,
        report: Callable[[PretrainProgress], None] = lambda progress: None,
    ) -> float:
        """Train and save; an interrupted run in the same folder goes on where its last checkpoint stood.

        Args:
            images: Grey levels, 0 to 255.
            labels: Of the images.
            classes: Their names.
            folder: Where the model is saved, in diffusers' format; `PixelImageSource` reads it back.
            provenance: Written into `seiko.json`: script, data and its hash.
            report: Called every `every` steps.

        Returns:
            Validation loss of the saved weights, mean squared error of v a pixel.

        Raises:
            ValueError: If there are too few images, or the folder's checkpoint is of another training.
        """
        if len(images) <= self.validation:
            raise ValueError(f"training needs more images than the {self.validation} held out, got {len(images)}")
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        training = _Training(self, images, labels, classes)
        training.run(folder, self.steps if self.until is None else self.until, report)
        validation = training.validate()
        written = {
            **(provenance or {}),
            "training": asdict(self),
            "images": len(images),
            "seconds": round(training.seconds),
            "validation_loss": validation,
        }
        # half precision: half the size, and no difference that its samples show
        save_pixel_model(training.averaged(), training.files, folder, written, torch.float16)
        training.finish(folder)
        return validation


class _Training(Training):
    def __init__(self, config: PixelPretraining, images: Tensor, labels: Tensor, classes: tuple[str, ...]) -> None:
        self.config = config
        shape = (images.shape[1], images.shape[2], images.shape[3])
        self.files = PixelFiles(
            unet=config.architecture.config(shape, len(classes)),
            scheduler=SCHEDULER,
            classes=classes,
            null_class=len(classes),
            stop=config.stop,
        )
        self.schedule = self.files.schedule()
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(config.seed))
        held_out, kept = order[: config.validation], order[config.validation :]
        self.valid, self.train = (images[held_out], labels[held_out]), (images[kept], labels[kept])
        torch.manual_seed(config.seed)
        data = hashlib.sha256(images.contiguous().numpy().tobytes() + labels.numpy().tobytes()).hexdigest()
        super().__init__(config, build_unet(self.files.unet), data, "images")

    def loss(self, generator: torch.Generator) -> Tensor:
        rows = torch.randint(len(self.train[0]), (self.config.batch,), generator=generator)
        return self._error(self.network, self.train[0][rows], self.train[1][rows], generator)

    def _error(self, network: Any, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        count = len(images)
        share = (torch.arange(count) + torch.rand(1, generator=generator)) / count
        step = (share * self.schedule.num_train_steps).long()
        t = (step + 1) / self.schedule.num_train_steps
        x_0 = images.float() / 127.5 - 1
        eps = torch.randn(x_0.shape, generator=generator)
        alpha, sigma = (s.float()[:, None, None, None] for s in (self.schedule.alpha(t), self.schedule.sigma(t)))
        missing = torch.rand(count, generator=generator) < self.config.unlabelled
        labels = labels.masked_fill(missing, len(self.files.classes))
        found: Tensor = network(alpha * x_0 + sigma * eps, step, class_labels=labels).sample
        return (found - (alpha * eps - sigma * x_0)).square().mean()

    def averaged(self) -> Any:
        """Return a U-Net with the averaged weights."""
        network = build_unet(self.files.unet)
        network.load_state_dict(self.average)
        return network.eval()

    @torch.no_grad()
    def validate(self) -> float:
        generator = torch.Generator().manual_seed(self.config.seed + 1)
        network, total = self.averaged(), 0.0
        for images, labels in zip(*(torch.split(part, 250) for part in self.valid), strict=True):
            total += float(self._error(network, images, labels, generator)) * len(images)
        return total / len(self.valid[0])
