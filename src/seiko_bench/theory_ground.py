"""What the theory bench stands on: a space that is known whole, its pretrained law, and the optimum at 4 nats.

    TF Bind 8   65,536 DNA sequences of eight letters and the shipped prior
    small       256 sequences of four letters and a prior that was hardly trained: does it run?

alpha is such that the optimum p* ∝ exp(r/alpha) p_pre for the true reward is NATS from p_pre; J counts with that alpha.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from seiko.models import Alphabet, Architecture, MaskedLM, MaskedLMSource, ModelPolicy, Pretraining
from seiko.oracles import Oracle
from seiko.report.style import replace_bytes
from seiko_bench.exact import alpha_for, designs, kl, law, tilted, value
from seiko_bench.theory_parts import Agreement
from seiko_recipes.sequences import tfbind8

__all__ = ["NATS", "Ground", "number", "read_law", "small", "tf_bind_8", "write_law"]

NATS = 4.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Ground:
    """A space on which everything is exact.

    Args:
        source: The pretrained model.
        length: Positions L.
        vocabulary: Letters V.
        reward: r of each design, in the order of `exact.designs`.
        pretrained: Law of the pretrained model.
        alpha: Coefficient of the pretrained anchor in J, reward units a nat.
        changes: Fields by which a recipe for TF Bind 8 becomes one for this space.
    """

    source: MaskedLMSource
    length: int
    vocabulary: int
    reward: Float[Tensor, "n"] = field(repr=False)
    pretrained: Float[Tensor, "n"] = field(repr=False)
    alpha: float
    changes: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, source: MaskedLMSource, oracle: Oracle, folder: Path, changes: Mapping[str, Any]) -> Ground:
        """Return the space of a model and an oracle; the pretrained law is kept in a folder, since it takes seconds."""
        model = source.load()
        labels = oracle(model.export(designs(model.length, len(model.alphabet))))
        reward = torch.tensor([label.value for label in labels], dtype=torch.float64)
        pretrained = _pretrained_law(model, folder)
        # rounded: a run that is resumed on another machine must find the same recipe
        alpha = round(alpha_for(pretrained, reward, NATS), 4)
        return cls(
            source=source,
            length=model.length,
            vocabulary=len(model.alphabet),
            reward=reward,
            pretrained=pretrained,
            alpha=alpha,
            changes=changes,
        )

    @cached_property
    def designs(self) -> Int64[Tensor, "n l"]:
        """All designs as tokens."""
        return designs(self.length, self.vocabulary)

    @cached_property
    def unit(self) -> float:
        """Standard deviation of r over all designs, three digits: what alpha and beta are counted in."""
        return round(float(self.reward.std()), 3)

    @cached_property
    def optimum(self) -> Float[Tensor, "n"]:
        """p* ∝ exp(r/alpha) p_pre."""
        return self.optimum_at(self.alpha)

    def optimum_at(self, alpha: float) -> Float[Tensor, "n"]:
        """Return the optimum for the true reward at another alpha; at 0 the best designs alone."""
        if alpha == 0:
            best = (self.reward == self.reward.max()).double()
            return best / best.sum()
        return tilted(self.pretrained, self.reward, alpha)

    def value(self, p: Float[Tensor, "n"]) -> float:
        """Return J(p)."""
        return value(p, self.reward, self.pretrained, self.alpha)

    def share(self, p: Float[Tensor, "n"]) -> float:
        """Return the share of the attainable gain, (J(p) - J(p_pre)) / (J(p*) - J(p_pre)); 1 at the optimum."""
        start = self.value(self.pretrained)
        return (self.value(p) - start) / (self.value(self.optimum) - start)

    def kl(self, p: Float[Tensor, "n"]) -> float:
        """Return KL(p || p_pre), nats."""
        return kl(p, self.pretrained)

    def look_up(self, x_0: Tensor) -> Float[Tensor, "b"]:
        """Return r at final states, from letters `[b, L]` or, differentiably, from one-hot `[b, L, V + 1]`."""
        if not x_0.is_floating_point():
            return self.reward.to(torch.float32)[number(x_0, self.vocabulary)]
        found = self.reward.to(x_0.dtype).expand(len(x_0), -1)
        for j in range(self.length):  # the multilinear extension: one letter after the other is averaged away
            found = torch.einsum(
                "bv,bvn->bn", x_0[:, j, : self.vocabulary], found.reshape(len(x_0), self.vocabulary, -1)
            )
        return found[:, 0]


def number(x: Int64[Tensor, "b l"], vocabulary: int) -> Int64[Tensor, "b"]:
    """Return the place of designs in the order of `exact.designs`."""
    return (x * vocabulary ** torch.arange(x.shape[1] - 1, -1, -1)).sum(-1)


def tf_bind_8(folder: Path) -> Ground:
    """Return TF Bind 8 with the recipe's prior; the pretrained law is kept in the folder."""
    recipe = tfbind8()
    assert isinstance(recipe.model, MaskedLMSource)
    assert recipe.oracle is not None
    return Ground.of(recipe.model, recipe.oracle, folder, {})


def small(folder: Path) -> Ground:
    """Return 256 sequences of four letters, with a prior made in the folder in a moment."""
    place, alphabet = folder / "prior", Alphabet.dna()
    if not (place / "seiko.json").exists():
        with torch.random.fork_rng(devices=[]):
            training = Pretraining(architecture=Architecture(width=8, layers=1, heads=1), steps=1, batch=8)
            training.run(torch.from_numpy(np.random.default_rng(0).integers(4, size=(64, 4))), alphabet, place)
    source, oracle = MaskedLMSource(name=str(place)), Agreement()
    return Ground.of(source, oracle, folder, {"model": source, "oracle": oracle, "look": 50})


def _pretrained_law(model: MaskedLM, folder: Path) -> Float[Tensor, "n"]:
    weights = hashlib.sha256()
    for _, tensor in sorted(model.versions.merged().state_dict().items()):
        weights.update(tensor.cpu().contiguous().numpy().tobytes())
    path = folder / f"prior-{weights.hexdigest()[:16]}.npy"
    if not path.exists():
        write_law(path, law(ModelPolicy(model, "pretrained")))
    return read_law(path)


def write_law(path: Path, p: Float[Tensor, "n"]) -> None:
    """Keep a law in a file, whole or not at all."""
    buffer = io.BytesIO()
    np.save(buffer, p.numpy(), allow_pickle=False)
    replace_bytes(path, buffer.getvalue())


def read_law(path: Path) -> Float[Tensor, "n"]:
    """Return a law that was kept."""
    return torch.from_numpy(np.load(path, allow_pickle=False))
