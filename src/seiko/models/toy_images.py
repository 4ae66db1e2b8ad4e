"""A model of tiny images whose laws are known, to try campaigns of images and prompts in seconds.

    x_0 | prompt ~ N(pattern of the prompt, std²),      x_0_hat = a_k x_t + b_k(prompt)

A prompt names the half of the image that is bright; without a prompt all of it is grey. Nothing but b moves, so that
an update of one prompt leaves the others alone. It stands in for a pixel model wherever only the plumbing is tried.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from seiko.designs import Design
from seiko.diffusion import DDIM, Conditioning, CosineSchedule, State, Step
from seiko.models.versions import FullFineTuning, Versions

__all__ = ["TOY_PROMPTS", "ImageToy", "ImageToySource"]

TOY_PROMPTS = ("left", "right", "top", "bottom")
"""What `ImageToy` can be asked for."""

_BRIGHT = 0.4


class PatternPredictor(nn.Module):
    """x_0_hat = a_k x_t + b_k(row), the row being a prompt's place in `TOY_PROMPTS`, or the one after the last.

    Args:
        slope: `[K]` a_k, step 1 first.
        offset: `[K, rows, c, h, w]` b_k.
    """

    slope: Tensor

    def __init__(self, slope: Float[Tensor, "k"], offset: Float[Tensor, "k r c h w"]) -> None:
        super().__init__()
        self.register_buffer("slope", slope)
        self.offset = nn.Parameter(offset)

    def forward(self, x_t: Float[Tensor, "b c h w"], k: Step, row: Int64[Tensor, "b"]) -> Float[Tensor, "b c h w"]:
        """Return x_0_hat at step k, one number or one a sample."""
        index = torch.as_tensor(k, device=x_t.device).reshape(-1) - 1
        return self.slope[index][:, None, None, None] * x_t + self.offset[index.expand(len(x_t)), row]


@dataclass(frozen=True)
class ImageToy:
    """Tiny images, drawn for a prompt or for none.

    Args:
        versions: A `PatternPredictor` under its three versions.
        process: DDIM that takes x_0 as the prediction.
        event_shape: (c, h, w).
        batch: Images drawn at a time.
    """

    versions: Versions
    process: DDIM
    event_shape: tuple[int, ...]
    batch: int

    def encode(self, prompts: Sequence[str]) -> Int64[Tensor, "n"]:
        """Return each prompt's row; raises `ValueError` on one that the toy does not know."""
        for prompt in prompts:
            if prompt not in TOY_PROMPTS:
                raise ValueError(f"the toy draws {', '.join(TOY_PROMPTS)}, got the prompt {prompt!r}")
        return torch.tensor([TOY_PROMPTS.index(prompt) for prompt in prompts])

    def predict(self, x_t: State, k: Step, conditioning: Conditioning = None) -> Float[Tensor, "b c h w"]:
        """Return x_0_hat."""
        row = torch.full((len(x_t),), len(TOY_PROMPTS)) if conditioning is None else conditioning
        return self.versions(x_t, k, row)

    def decode(self, x_0: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Return pixels in [0, 1]."""
        return ((x_0 + 1) / 2).clamp(0, 1)

    def observe(self, designs: Sequence[Design]) -> Float[Tensor, "n c h w"]:
        """Return pixels from PNG files; raises `ValueError` on what is no image of this size."""
        from seiko.imaging import pixels_of

        pixels = pixels_of(designs)
        if tuple(pixels.shape[1:]) != self.event_shape:
            raise ValueError(f"images of this toy are {self.event_shape}, got {tuple(pixels.shape[1:])}")
        return pixels

    def distance(self, x: Float[Tensor, "n c h w"], z: Float[Tensor, "m c h w"]) -> Float[Tensor, "n m"]:
        """Return the root of the mean squared difference of pixels."""
        first, second = self.decode(x).flatten(1), self.decode(z).flatten(1)
        return torch.cdist(first, second) / math.sqrt(first.shape[1])

    def export(self, x_0: Float[Tensor, "n c h w"]) -> list[Design]:
        """Return PNG images."""
        from seiko.imaging import image_design

        return [image_design(pixels) for pixels in self.decode(x_0)]

    def ingest(self, designs: Sequence[Design]) -> Float[Tensor, "n c h w"]:
        """Return images as states."""
        return 2 * self.observe(designs) - 1 if designs else torch.zeros(0, *self.event_shape)


@dataclass(frozen=True, kw_only=True)
class ImageToySource:
    """Configuration of an `ImageToy`.

    Args:
        size: Pixels a side, even.
        channels: 1 or 3.
        std: Of each pixel about its pattern, in states (half as much in pixels).
        num_steps: Denoising steps K.
        batch: Images drawn at a time.
    """

    size: int = 8
    channels: int = 1
    std: float = 0.25
    num_steps: int = 4
    batch: int = 256

    def __post_init__(self) -> None:
        if self.size < 2 or self.size % 2 or self.channels not in (1, 3):
            raise ValueError(
                f"size must be even and channels 1 or 3, got {self.size} and {self.channels}: halves are bright, in "
                "grey or RGB"
            )
        if not self.std > 0 or self.num_steps < 1 or self.batch < 1:
            raise ValueError(
                f"std must be positive, num_steps and batch at least 1, got {self.std}, {self.num_steps}, {self.batch}"
            )

    def load(self) -> ImageToy:
        """Return the toy; it is made, not read."""
        schedule = CosineSchedule(end=0.02)
        t = schedule.times(self.num_steps)[1:]
        alpha_t, sigma_t = schedule.alpha(t), schedule.sigma(t)
        slope = self.std**2 * alpha_t / (alpha_t**2 * self.std**2 + sigma_t**2)
        offset = (1 - slope * alpha_t)[:, None, None, None, None] * self.patterns
        backbone = PatternPredictor(slope.float(), offset.float().clone())
        process = DDIM(schedule=schedule, num_steps=self.num_steps, eta=1.0, predicts="data")
        shape = (self.channels, self.size, self.size)
        return ImageToy(FullFineTuning().attach(backbone), process, shape, self.batch)

    @cached_property
    def patterns(self) -> Float[Tensor, "r c h w"]:
        """Mean state of each prompt, and last of none."""
        half = self.size // 2
        found = torch.full((len(TOY_PROMPTS) + 1, self.channels, self.size, self.size), -_BRIGHT)
        found[0, :, :, :half] = found[1, :, :, half:] = _BRIGHT
        found[2, :, :half] = found[3, :, half:] = _BRIGHT
        found[-1] = 0
        return found
