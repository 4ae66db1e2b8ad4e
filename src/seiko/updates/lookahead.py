"""What an objective says of a chain that has not ended: at the predicted x_0, or at completions.

    Gaussian    A(x_0_hat(x_t))
    masked      C log mean_m exp(A(z_m) / C),   z_m = x_t with every masked position drawn from its own law

Both stand in for the soft value V(x_t) = C log E[exp(A(x_0) / C) | x_t]: the first is off by the spread of x_0 about
its prediction, the second by what the masked positions know of each other; both are right at the end of the chain.

The completions of a state are a function of it: their randomness is addressed by its letters, so that a policy that
looks ahead is a policy like any other, the same for a sample whatever the batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from seiko.diffusion import (
    DenoisingTransition,
    GaussianTransition,
    MaskedTransition,
    Noise,
    PerSample,
    State,
    Transition,
)
from seiko.diffusion.transition import hard

__all__ = ["complete", "need_gaussian", "objective_gradient", "predicted_value", "predicted_x_0"]

_COMPLETION = 21  # sub-stream of the stream that a state addresses


def need_gaussian(name: str, law: Transition) -> None:
    """Raise `TypeError` for a law that is not Gaussian."""
    if not isinstance(law, GaussianTransition):
        raise TypeError(
            f"{name} needs Gaussian steps, this policy's are {type(law).__name__}: use PPO or Distill, which take any"
        )


def objective_gradient(
    objective: Callable[[Tensor], PerSample], x_0: State, of: State | None = None
) -> tuple[PerSample, Tensor]:
    """Return A `[b]` and its gradient, both detached.

    Args:
        objective: A.
        x_0: Final states.
        of: What the gradient is of, from which x_0 was computed; None for x_0 itself.

    Raises:
        TypeError: If the objective has no gradient.
    """
    with torch.enable_grad():
        if of is None:
            of = x_0 = x_0.detach().requires_grad_()
        value = objective(x_0)
        if not value.requires_grad:
            raise TypeError(
                "the objective has no gradient in the states: use PPO, Distill or SMC, which only need its values"
            )
        (gradient,) = torch.autograd.grad(value.sum(), of)
    return value.detach(), gradient


def predicted_x_0(law: Transition) -> State:
    """Return x_0_hat of a Gaussian step.

    Raises:
        TypeError: If the law does not carry its prediction.
    """
    if not isinstance(law, DenoisingTransition):
        raise TypeError(
            f"a {type(law).__name__} does not say what x_0 it predicts: return a DenoisingTransition, as DDIM does"
        )
    return law.x_0


def predicted_value(
    law: Transition, objective: Callable[[Tensor], PerSample], temperature: float, completions: int
) -> PerSample:
    """Return the value that the objective has ahead of the state which a law starts from, reward units.

    Args:
        law: Of the step that starts there.
        objective: A.
        temperature: C.
        completions: How many completions of a masked state are averaged.
    """
    if not isinstance(law, MaskedTransition):
        return objective(predicted_x_0(law))
    _, values = complete(law, objective, completions)
    return temperature * (torch.logsumexp(values / temperature, 1) - math.log(completions))


def complete(
    law: MaskedTransition, objective: Callable[[Tensor], PerSample], count: int
) -> tuple[Int64[Tensor, "b m l"], Float[Tensor, "b m"]]:
    """Return completions of the states that a law starts from, and A of each.

    Every masked position is drawn from its own law. A completion that turns up often is valued once.
    """
    with torch.no_grad():
        letters = hard(law.x_t)
        gumbel = _address(letters).fold_in(_COMPLETION).gumbel((count, *law.logits.shape[1:]), law.logits.dtype)
        drawn = torch.where(law.masked[:, None], (law.logits[:, None] + gumbel).argmax(-1), letters[:, None])
        every = drawn.flatten(0, 1)
        inverse = torch.unique(_address(every).keys, return_inverse=True)[1]
        one = torch.zeros_like(inverse).scatter_(0, inverse, torch.arange(len(every), device=every.device))
        values = objective(every[one[: int(inverse.max()) + 1]])[inverse]
        return drawn, values.reshape(drawn.shape[:2])


def _address(letters: Int64[Tensor, "b l"]) -> Noise:
    """Return the stream that belongs to each row of letters."""
    stream = Noise(torch.zeros(len(letters), dtype=torch.int64, device=letters.device))
    for position in letters.unbind(1):
        stream = stream.fold_in(position)
    return stream
