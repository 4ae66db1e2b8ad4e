"""The best of n draws by what a run believes: more of the objective, for a number of nats that is known beforehand.

    draw                 x^1, ..., x^n ~ p independently,  keep the one of largest A
    KL(best of n || p)   <=  log n - (n - 1) / n

No network is moved for it, the belief is free to ask, and every design is still one that the model drew. It costs n
times the draws. The bound is on the distance from p, the law that is drawn from; how far the result is from the
pretrained model also depends on which of p's draws are kept,

    KL(best of n || p_pre)  =  KL(best of n || p) + E_best[log p / p_pre],

and is estimated, not bounded, by that bound and the path KLs of the draws that were kept.

References:
    Beirami et al., "Theoretical guarantees on the best-of-n alignment policy", 2024, https://arxiv.org/abs/2401.01879
    (Theorem 1: the right-hand side is an upper bound, and often near).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from seiko.campaign.observing import observe_states, shown
from seiko.campaign.prompts import Conditioner, prompted
from seiko.campaign.sampler import Look, Sampler
from seiko.diffusion import Noise, State, Transition
from seiko.models import DiffusionModel
from seiko.rewards import Feature, PromptFeature

__all__ = ["BestOf", "best_of_nats"]

_DRAW = -31  # sub-streams: the n draws of a stream


def best_of_nats(n: int) -> float:
    """Return log n - (n - 1) / n: nats that the best of n draws is at most away from the law that they are drawn from.

    Raises:
        ValueError: If n is no positive number of draws.
    """
    if n < 1:
        raise ValueError(f"the best of n needs a positive number of draws, got {n}")
    return math.log(n) - (n - 1) / n


@dataclass(frozen=True)
class BestOf:
    """A sampler whose every design is the best of n of another's.

    Args:
        sampler: What draws.
        objective: A of what the reward model sees, larger is better; an invalid design is never the best beside a valid
            one.
        n: Draws a design.
        view: What the reward model sees of an image; None for its pixels.

    Raises:
        ValueError: If n is no positive number, or designs are drawn for several prompts: which one is a stream's own.
    """

    sampler: Sampler
    objective: Callable[[Tensor], Float[Tensor, "b"]]
    n: int
    view: Feature | PromptFeature | None = None

    def __post_init__(self) -> None:
        best_of_nats(self.n)
        if self.conditioner is not None and len(self.conditioner.prompts) > 1:
            raise ValueError(
                f"the best of {self.n} draws is that of one prompt, got {len(self.conditioner.prompts)} prompts: "
                "draw for one at a time"
            )

    @property
    def model(self) -> DiffusionModel[Transition]:
        """The model underneath."""
        return self.sampler.model

    @property
    def population(self) -> int:
        """That of the sampler."""
        return self.sampler.population

    @property
    def conditioner(self) -> Conditioner | None:
        """That of the sampler."""
        return self.sampler.conditioner

    def prompts(self, noise: Noise) -> list[str] | None:
        """Return the prompt of each stream."""
        return self.sampler.prompts(noise)

    @torch.no_grad()
    def draw(self, noise: Noise, start: State | None = None) -> State:
        """Return one x_0 for each stream."""
        best = self._draw(noise, 0, start)
        value = self._value(best, noise)
        for i in range(1, self.n):
            x = self._draw(noise, i, start)
            found = self._value(x, noise)
            better = found > value
            best, value = _where(better, x, best), torch.where(better, found, value)
        return best

    @torch.no_grad()
    def look(self, noise: Noise) -> Look:
        """Return draws with an estimate of their KL: the mean of the kept paths' KLs, and `best_of_nats` on top."""
        looks = [self.sampler.look(self._stream(noise, i)) for i in range(self.n)]
        values = torch.stack([self._value(look.x_0, noise) for look in looks])
        kept: Int64[Tensor, "b"] = values.argmax(0)
        x_0 = torch.stack([look.x_0 for look in looks])[kept, torch.arange(len(noise))]
        paths = [look.kls for look in looks if look.kls is not None]
        kls = torch.stack(paths)[kept, torch.arange(len(noise))] if len(paths) == self.n else None
        known = sum(look.kl_pretrained for look in looks) / self.n if kls is None else float(kls.mean())
        return Look(x_0=x_0, kl_pretrained=known + best_of_nats(self.n), kl_previous=None, kls=None)

    def _draw(self, noise: Noise, i: int, start: State | None) -> State:
        return self.sampler.draw(self._stream(noise, i), start)

    @staticmethod
    def _stream(noise: Noise, i: int) -> Noise:
        return noise if i == 0 else noise.fold_in(_DRAW - i)

    def _value(self, x: State, noise: Noise) -> Float[Tensor, "b"]:
        designs = prompted(self.model.export(x), self.sampler.prompts(noise))
        seen = shown(self.view, observe_states(self.model, x, designs), designs)
        value = self.objective(seen).to(torch.float32)
        valid = torch.tensor([design.valid for design in designs], device=value.device)
        return torch.where(valid, value, -torch.inf)


def _where(rows: Tensor, x: State, y: State) -> State:
    return torch.where(rows.reshape(-1, *[1] * (x.dim() - 1)), x, y)
