"""A round's objective as updates take it: of the model's own states, and of what they are drawn for.

    A(x_0, c) = objective(what the reward model sees of decode(x_0) and c) / scale        reward standard deviations

An update knows a prompt as a row of conditioning only; here the row is read back as the prompt that it was made from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from torch import Tensor

from seiko.acquisition import Objective
from seiko.campaign.observing import decoded
from seiko.campaign.prompts import Conditioner, prompts_of
from seiko.diffusion import Conditioning, PerSample, State, Transition
from seiko.models import DiffusionModel
from seiko.rewards import Belief, Feature, PromptFeature
from seiko.rewards.prompted import through

__all__ = ["Aim", "standardised"]


@dataclass(frozen=True, eq=False)
class Aim:
    """An objective of states, in reward standard deviations; `given` binds it to what they are drawn for.

    Args:
        model: Decodes states.
        objective: A, oracle's units, of what the reward model sees.
        scale: The belief's.
        view: What that is of an image; None for the decoded state.
        conditioners: All lists of prompts that anything is drawn for.
    """

    model: DiffusionModel[Transition]
    objective: Objective | Callable[[Tensor], Tensor]
    scale: float
    view: Feature | PromptFeature | None = None
    conditioners: Iterable[Conditioner] = field(default=(), repr=False)

    def __call__(self, x_0: State) -> PerSample:
        """Return A; raises `ValueError` if the view asks for prompts."""
        return self._at(x_0, None)

    def given(self, conditioning: Conditioning) -> Callable[[State], PerSample]:
        """Return A of states that are drawn for these rows."""
        if conditioning is None or not isinstance(self.view, PromptFeature):
            return self
        prompts = prompts_of(conditioning, self.conditioners)
        return lambda x_0: self._at(x_0, prompts)

    def _at(self, x_0: State, prompts: list[str] | None) -> PerSample:
        seen = decoded(self.model, x_0)
        if self.view is not None:
            seen = through(self.view, seen, prompts)
        return (self.objective(seen) / self.scale).to(x_0.device)


def standardised(
    model: DiffusionModel[Transition],
    belief: Belief,
    objective: Objective | Callable[[Tensor], Tensor],
    view: Feature | PromptFeature | None = None,
    conditioners: Iterable[Conditioner] = (),
) -> Aim:
    """Return an objective in units of a belief's scale; see `Aim`."""
    return Aim(model, objective, belief.scale, view, conditioners)
