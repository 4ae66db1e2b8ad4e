"""Three ways to the same gradient: the pattern of the authors' code, ours, and the passes that nobody can do without.

    theirs   conditional and unconditional passes apart and each checkpointed, the reference asked at every step under
             autograd, five copies of the network, the inverse of the features' matrix for each sample
    ours     both halves in one pass, the reference inside of the window only, one network with adapters, a root
    floor    each pass that the gradient needs, alone: forward without a graph, forward and backward with one

"Theirs" is written from that description; no line of it is the authors'.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from seiko.models import ModelPolicy
from seiko.updates import DirectBackprop, UpdateState
from seiko_bench.speed.setting import COEFFICIENT, SCALE, Subject

__all__ = ["OURS", "Spent", "Theirs", "floor", "ours", "timed"]

COPIES = 5
OURS: dict[str, DirectBackprop] = {
    "kept-none": DirectBackprop(kept=0, outside=0),
    "kept-one": DirectBackprop(kept=1, outside=0),
    "kept-all": DirectBackprop(outside=0),
}
"""How much of the window's activations is kept: nothing, those of the last step, all."""


@dataclass(frozen=True, kw_only=True)
class Spent:
    """Seconds: by the clock, and of this process's processors (which does not count others' work)."""

    wall: float
    processor: float


def timed(work: Callable[[], Any]) -> Spent:
    """Do the work and return what it cost."""
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return Spent(wall=time.perf_counter() - wall, processor=time.process_time() - processor)


class Theirs:
    """The pattern of the authors' code.

    Args:
        subject: What is timed.
        copies: Networks in memory; two of them compute.
    """

    def __init__(self, subject: Subject, copies: int = COPIES) -> None:
        self.subject = subject
        model = subject.model.model
        self.process, self.text = model.process, model.text
        self.current = model.versions.backbone
        with model.versions.use("previous"):
            self.reference = copy.deepcopy(self.current).requires_grad_(False)
        self.others = [copy.deepcopy(self.reference) for _ in range(copies - 2)]

    def step(self) -> None:
        """Leave the gradient of the loss in the current network's adapters."""
        subject, setting = self.subject, self.subject.setting
        given = self.text(subject.conditioning)
        null = self.text(subject.model.unconditional(setting.samples))
        noise = subject.noise
        x = self.process.prior(subject.model.event_shape, noise.fold_in(0))
        kl = torch.zeros(setting.samples)
        for k in range(setting.steps, 0, -1):
            if k >= setting.window:
                x = x.detach()
            law = self.process.transition(self._guided(self.current, x, k, null, given), x, k)
            reference = self.process.transition(self._guided(self.reference, x, k, null, given), x, k)
            step_kl = law.kl(reference)
            kl = kl + (step_kl if k <= setting.window else step_kl.detach())
            x = law.rsample(noise.fold_in(k))
            if k > setting.window:
                x = x.detach()
        (COEFFICIENT * kl - self._reward(x)).mean().backward()  # type: ignore[no-untyped-call]

    def _guided(self, network: Any, x: Tensor, k: int, null: dict[str, Tensor], given: dict[str, Tensor]) -> Tensor:
        t = self.process.times[k].expand(len(x))

        def half(x: Tensor, text: Tensor) -> Tensor:
            found: Tensor = network(x, t, text=text)
            return found

        without, wanted = (checkpoint(half, x, part["text"], use_reentrant=False) for part in (null, given))
        assert isinstance(without, Tensor)
        assert isinstance(wanted, Tensor)
        return without + SCALE * (wanted - without)

    def _reward(self, x: Tensor) -> Tensor:
        reward, rows = self.subject.reward, []
        for phi in reward.features(self.subject.seen(x)):
            inverse = torch.linalg.inv(reward.matrix)
            rows.append(phi @ reward.weights + reward.c * (phi @ inverse @ phi).sqrt())
        return torch.stack(rows)


def ours(subject: Subject, update: DirectBackprop) -> None:
    """Leave the same gradient there by seiko's own update."""
    policy: Any = ModelPolicy(subject.model)
    state = UpdateState(torch.optim.SGD(policy.parameters(), lr=0.0))
    windowed = DirectBackprop(
        window=subject.setting.window, kept=update.kept, outside=update.outside, max_grad_norm=float("inf")
    )
    windowed.step(state, policy, subject.problem(), subject.conditioning, subject.noise)


def floor(subject: Subject) -> Spent:
    """Return what the passes cost that the gradient cannot do without, each measured alone and counted.

    K - W passes of the current network without a graph and one of the reference, W of the current with forward and
    backward, W - 1 of the reference with both: at the first step of the window nothing comes before its input.
    """
    setting, k = subject.setting, subject.setting.window
    current: Any = ModelPolicy(subject.model)
    previous: Any = ModelPolicy(subject.model, "previous")
    x = subject.model.process.prior(subject.model.event_shape, subject.noise)

    def plain() -> None:
        with torch.no_grad():
            current.transition(x, k, subject.conditioning)

    def with_graph(policy: Any, *, input: bool) -> Callable[[], None]:
        def work() -> None:
            policy.transition(x.clone().requires_grad_(input), k, subject.conditioning).mean.sum().backward()

        return work

    plain()
    counted = (
        (plain, setting.steps - setting.window + 1),
        (with_graph(current, input=True), setting.window - 1),
        (with_graph(current, input=False), 1),
        (with_graph(previous, input=True), setting.window - 1),
    )
    wall = processor = 0.0
    for work, times in counted:
        if times:
            spent = timed(work)
            wall, processor = wall + times * spent.wall, processor + times * spent.processor
    subject.clear()
    return Spent(wall=wall, processor=processor)
