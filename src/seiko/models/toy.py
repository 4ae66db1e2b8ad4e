"""Two models whose law is known exactly, to test an update against its closed form.

    GaussianToy     x_0_hat = a_k x_t + b_k: every state of the chain is Gaussian, mean and variance by recursion
    EnumerableToy   a table of logits for each of the (V + 1)^L partly masked states: the law by a dynamic programme,
                    P(x) = sum over R of P(x without R) p(R is revealed) p(x_R | x without R)

The optimum of E[A] - sum_j c_j KL(P || p_j), with C = sum_j c_j and a memoryless chain, is in closed form

    p(x) ∝ exp(A(x) / C) * prod_j p_j(x)^(c_j / C)

The Gaussian class holds it exactly for a linear A and anchors that differ in b_k only (b_k alone moves); the table
holds it exactly with one position a step and anchors that are joint laws. Law and path KL are differentiable in
`current`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from seiko.designs import Design
from seiko.diffusion import DDIM, Conditioning, CosineSchedule, GaussianTransition, MaskedDiffusion, State, Step
from seiko.diffusion.transition import hard
from seiko.models.alphabet import Alphabet
from seiko.models.versions import FullFineTuning, Tuning, Version, Versions

__all__ = ["AffinePredictor", "EnumerableToy", "GaussianToy", "LogitTable"]


class AffinePredictor(nn.Module):
    """x_0_hat = a_k x_t + b_k, one slope and one offset vector a step.

    Args:
        slope: `[K]` a_k, step 1 (the least noisy) first.
        offset: `[K, d]` b_k, likewise.
    """

    def __init__(self, slope: Float[Tensor, "k"], offset: Float[Tensor, "k d"]) -> None:
        super().__init__()
        self.slope, self.offset = nn.Parameter(slope), nn.Parameter(offset)

    def forward(self, x_t: Float[Tensor, "b d"], k: Step) -> Float[Tensor, "b d"]:
        """Return x_0_hat at step k, one number or one a sample."""
        index = torch.as_tensor(k, device=x_t.device).reshape(-1) - 1
        return self.slope[index][:, None] * x_t + self.offset[index]


@dataclass(frozen=True)
class GaussianToy:
    """A Gaussian diffusion whose predictor is affine, so that its law is Gaussian and known.

    Args:
        versions: An `AffinePredictor` under its three versions.
        process: DDIM that takes x_0 as the prediction; memoryless at eta = 1.
        dimensions: d, coordinates of a state; they are independent.
    """

    versions: Versions
    process: DDIM
    dimensions: int

    @classmethod
    def exact(
        cls,
        *,
        mean: float = 0.0,
        std: float = 1.0,
        dimensions: int = 1,
        num_steps: int = 10,
        eta: float = 1.0,
        end: float = 0.02,
        tuning: Tuning | None = None,
    ) -> GaussianToy:
        """Return the toy whose predictor is the posterior mean E[x_0 | x_t] of data N(mean, std²).

        Args:
            mean: Of the data, the same in every coordinate.
            std: Of the data.
            dimensions: Coordinates of a state.
            num_steps: Denoising steps K.
            eta: Stochasticity; at 1 the chain starts from alpha = 0 and forgets its start exactly.
            end: Time at which sampling stops; above 0 every step has a density.
            tuning: Which weights move; all by default.
        """
        if not std > 0:
            raise ValueError(f"std must be positive, got {std}")
        schedule = CosineSchedule(end=end)
        t = schedule.times(num_steps)[1:]
        alpha_t, sigma_t = schedule.alpha(t), schedule.sigma(t)
        slope = std**2 * alpha_t / (alpha_t**2 * std**2 + sigma_t**2)
        offset = ((1 - slope * alpha_t) * mean)[:, None].expand(-1, dimensions)
        backbone = AffinePredictor(slope.float(), offset.float().clone())
        process = DDIM(schedule=schedule, num_steps=num_steps, eta=eta, predicts="data")
        return cls((tuning or FullFineTuning()).attach(backbone), process, dimensions)

    @property
    def event_shape(self) -> tuple[int, ...]:
        """(d,)."""
        return (self.dimensions,)

    def predict(self, x_t: State, k: Step, conditioning: Conditioning = None) -> Float[Tensor, "b d"]:
        """Return x_0_hat."""
        return self.versions(x_t, k)

    def decode(self, x_0: State) -> State:
        """Return the state as it is."""
        return x_0

    def distance(self, x: Float[Tensor, "n d"], z: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
        """Return the Euclidean distance."""
        return torch.cdist(x, z)

    def export(self, x_0: Float[Tensor, "n d"]) -> list[Design]:
        """Return vectors as designs: numbers with blanks between them, nine digits, which is all of a float32."""
        return [Design(content=" ".join(f"{value:.9g}" for value in row), kind="vector") for row in x_0.tolist()]

    def ingest(self, designs: Sequence[Design]) -> Float[Tensor, "n d"]:
        """Return designs as vectors; raises `ValueError` on one that is not of this model."""
        rows = []
        for design in designs:
            if design.kind != "vector":
                raise ValueError(f"design {design.content!r} is of kind {design.kind!r}, this model's are 'vector'")
            row = [float(number) for number in design.content.split()]
            if len(row) != self.dimensions or not all(map(math.isfinite, row)):
                raise ValueError(f"design {design.content!r} must be {self.dimensions} finite numbers")
            rows.append(row)
        return torch.tensor(rows, dtype=torch.float32).reshape(len(rows), self.dimensions)

    def steps(self, version: Version = "current") -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield (A `[d]`, B `[d]`, std) of each step, x_s = A x_t + B + std * xi, from k = K down to 1."""
        for k in range(self.process.num_steps, 0, -1):
            law = self._transition(version, k)
            yield law.mean[1] - law.mean[0], law.mean[0], law.std.flatten()

    def law(self, version: Version = "current") -> tuple[Float[Tensor, "d"], Float[Tensor, "d"]]:
        """Return mean and variance of the final state, exactly; the chain starts from N(0, I)."""
        mean, variance = torch.zeros(self.dimensions), torch.ones(self.dimensions)
        for slope, offset, std in self.steps(version):
            mean, variance = slope * mean + offset, slope**2 * variance + std**2
        return mean, variance

    def path_kl(self, version: Version, reference: Version) -> Float[Tensor, ""]:
        """Return KL(version || reference) of the whole path, exactly; nats, summed over dimensions."""
        mean, variance = torch.zeros(self.dimensions), torch.ones(self.dimensions)
        total = torch.zeros(())
        for (slope, offset, std), (other_slope, other_offset, _) in zip(
            self.steps(version), self.steps(reference), strict=True
        ):
            gap = (slope - other_slope) * mean + offset - other_offset
            total = total + ((gap**2 + (slope - other_slope) ** 2 * variance) / (2 * std**2)).sum()
            mean, variance = slope * mean + offset, slope**2 * variance + std**2
        return total

    def _transition(self, version: Version, k: int) -> GaussianTransition:
        probe = torch.stack([torch.zeros(self.dimensions), torch.ones(self.dimensions)])
        with self.versions.use(version):
            return self.process.transition(self.predict(probe, k), probe, k)

    @staticmethod
    def tilted(
        weight: Float[Tensor, "d"], anchors: Sequence[tuple[Tensor, Tensor, float]]
    ) -> tuple[Float[Tensor, "d"], Float[Tensor, "d"]]:
        """Return mean and variance of the optimum for A(x) = weight · x.

        precision = sum_j (c_j / C) / variance_j
        mean      = (sum_j (c_j / C) mean_j / variance_j + weight / C) / precision

        Args:
            weight: Gradient of the objective, reward units a coordinate.
            anchors: (mean `[d]`, variance `[d]`, coefficient) of each anchor.
        """
        temperature = sum(coefficient for _, _, coefficient in anchors)
        precision = sum((c / temperature / variance for _, variance, c in anchors), start=torch.zeros_like(weight))
        pull = sum((c / temperature * mean / variance for mean, variance, c in anchors), start=weight / temperature)
        return pull / precision, 1 / precision


class LogitTable(nn.Module):
    """Logits over V letters at L positions, a row for each partly masked state.

    Args:
        logits: `[(V + 1)^L, L, V]`; a state's row is its number in base V + 1, position 0 the leading digit.
    """

    def __init__(self, logits: Float[Tensor, "n l v"]) -> None:
        super().__init__()
        self.logits = nn.Parameter(logits)

    def forward(self, x_t: State) -> Float[Tensor, "b l v"]:
        """Return logits, from letters `[b, L]` or from their one-hot relaxation `[b, L, V + 1]`."""
        if not x_t.is_floating_point():
            return self.logits[rank(x_t, self.logits.shape[-1] + 1)]
        share = x_t.new_ones(len(x_t), 1)
        for position in x_t.unbind(1):
            share = (share[:, :, None] * position[:, None, :]).flatten(1)
        return torch.einsum("bn,nlv->blv", share, self.logits)


def rank(x: Int64[Tensor, "b l"], base: int) -> Int64[Tensor, "b"]:
    """Return the number that each row is in the given base, the first digit leading."""
    powers = base ** torch.arange(x.shape[-1] - 1, -1, -1, device=x.device)
    return (x * powers).sum(-1)


def digits(length: int, base: int) -> Int64[Tensor, "n l"]:
    """Return all base^length rows, in the order of `rank`."""
    return torch.cartesian_prod(*[torch.arange(base)] * length).reshape(-1, length)


@dataclass(frozen=True)
class EnumerableToy:
    """A masked diffusion model so small that its law can be written down.

    Args:
        versions: A `LogitTable` under its three versions.
        length: Positions L.
        vocabulary: Letters V.
        num_steps: Denoising steps K; the closed form is met exactly at K = L only.
    """

    versions: Versions
    length: int
    vocabulary: int
    num_steps: int

    @classmethod
    def from_law(
        cls, law: Float[Tensor, "..."], *, num_steps: int | None = None, tuning: Tuning | None = None
    ) -> EnumerableToy:
        """Return the toy whose conditionals are all those of one joint law.

        Args:
            law: L axes of V, positive; it is normalised.
            num_steps: Denoising steps; None reveals one position a step.
            tuning: Which weights move; all by default.
        """
        backbone = LogitTable(cls.conditionals(law).float())
        length, vocabulary = law.dim(), law.shape[0]
        return cls((tuning or FullFineTuning()).attach(backbone), length, vocabulary, num_steps or length)

    @staticmethod
    def conditionals(law: Float[Tensor, "..."]) -> Float[Tensor, "n l v"]:
        """Return log p(x_j | revealed positions) of a joint law for every partly masked state; 0 where revealed."""
        length, vocabulary = law.dim(), law.shape[0]
        if len(set(law.shape)) != 1 or not bool((law > 0).all()):
            raise ValueError(f"law must be positive with {length} axes of one size, got shape {tuple(law.shape)}")
        for axis in range(length):  # letter V of an axis is its marginal: the mask
            law = torch.cat([law, law.sum(axis, keepdim=True)], axis)
        states = digits(length, vocabulary + 1)
        logits = torch.zeros(len(states), length, vocabulary, dtype=law.dtype)
        for j in range(length):
            masked = states[:, j] == vocabulary
            for letter in range(vocabulary):
                filled = states.clone()
                filled[:, j] = letter
                ratio = law.flatten()[rank(filled, vocabulary + 1)] / law.flatten()
                logits[:, j, letter] = torch.where(masked, ratio.log(), 0.0)
        return logits

    @property
    def event_shape(self) -> tuple[int, ...]:
        """(L,)."""
        return (self.length,)

    @cached_property
    def process(self) -> MaskedDiffusion:
        """Masked diffusion with K steps."""
        return MaskedDiffusion(vocabulary=self.vocabulary, num_steps=self.num_steps)

    @cached_property
    def alphabet(self) -> Alphabet:
        """The numbers 0 to V - 1."""
        return Alphabet.numbers(self.vocabulary)

    @cached_property
    def designs(self) -> Int64[Tensor, "n l"]:
        """All V^L final states; entry i of a law or of an objective vector belongs to row i."""
        return digits(self.length, self.vocabulary)

    def predict(self, x_t: State, k: Step, conditioning: Conditioning = None) -> Float[Tensor, "b l v"]:
        """Return logits over letters at every position; the step does not matter."""
        return self.versions(x_t)

    def decode(self, x_0: State) -> State:
        """Return the letters as they are."""
        return x_0

    def distance(self, x: Int64[Tensor, "n l"], z: Int64[Tensor, "m l"]) -> Float[Tensor, "n m"]:
        """Return the Hamming distance, in positions."""
        return (x[:, None] != z[None]).sum(-1).float()

    def export(self, x_0: Int64[Tensor, "n l"]) -> list[Design]:
        """Return sequences as designs."""
        return self.alphabet.write(x_0)

    def ingest(self, designs: Sequence[Design]) -> Int64[Tensor, "n l"]:
        """Return designs as sequences; raises `ValueError` on one that is not of this model."""
        return self.alphabet.read(designs, self.length)

    def lookup(self, values: Float[Tensor, "n"], x_0: State) -> Float[Tensor, "b"]:
        """Return the entry of an objective vector at final states, from letters or, differentiably, one-hot."""
        if not x_0.is_floating_point():
            return values[rank(hard(x_0), self.vocabulary)]
        one_hot = x_0[..., : self.vocabulary]
        share = torch.stack([one_hot[:, j, self.designs[:, j]] for j in range(self.length)]).prod(0)
        return share @ values

    def law(self, version: Version = "current") -> Float[Tensor, "n"]:
        """Return the exact probability of each of the V^L final states."""
        *_, (_, _, probability) = self._levels(version)
        complete = (self._states != self.vocabulary).all(-1)
        return probability[complete]

    def path_kl(self, version: Version, reference: Version) -> Float[Tensor, ""]:
        """Return KL(version || reference) of the whole path, exactly; nats."""
        with self.versions.use(version):
            p = torch.log_softmax(self.versions(self._states), -1)
        with self.versions.use(reference):
            q = torch.log_softmax(self.versions(self._states), -1)
        masked = self._states == self.vocabulary
        per_state = torch.where(masked, (p.exp() * (p - q)).sum(-1), 0.0).sum(-1) / masked.sum(-1).clamp(min=1)
        total = torch.zeros((), dtype=p.dtype)
        for count, before, _ in self._levels(version):
            total = total + count * (before * per_state).sum()
        return total

    @cached_property
    def _states(self) -> Int64[Tensor, "n l"]:
        return digits(self.length, self.vocabulary + 1)

    def _levels(self, version: Version) -> Iterator[tuple[int, Tensor, Tensor]]:
        """Yield (positions revealed, state probabilities before, and after) for each step, k = K first."""
        states, mask = self._states, self.vocabulary
        with self.versions.use(version):
            log_p = torch.log_softmax(self.versions(states), -1)
        masked = (states == mask).sum(-1)
        probability = (masked == self.length).to(log_p)
        left = self.length
        for k in range(self.num_steps, 0, -1):
            count = -(-left // k)
            after = probability if count == 0 else torch.zeros_like(probability)
            for revealed in itertools.combinations(range(self.length), count) if count else ():
                chosen = list(revealed)
                target = ((states[:, chosen] != mask).all(-1) & (masked == left - count)).nonzero()[:, 0]
                source = states[target]
                source[:, chosen] = mask
                row = rank(source, mask + 1)
                letters = log_p[row[:, None], torch.tensor(chosen), states[target][:, chosen]].sum(-1)
                arrival = probability[row] * letters.exp() / math.comb(left, count)
                after = after.index_add(0, target, arrival)
            yield count, probability, after
            probability, left = after, left - count

    @staticmethod
    def tilted(
        objective: Float[Tensor, "n"], anchors: Sequence[tuple[Float[Tensor, "n"], float]]
    ) -> tuple[Float[Tensor, "n"], Float[Tensor, ""]]:
        """Return the optimum's law and value, C log sum_x exp(A(x) / C) prod_j p_j(x)^(c_j / C), reward units.

        Args:
            objective: A of each final state.
            anchors: (law, coefficient) of each anchor.
        """
        temperature = sum(coefficient for _, coefficient in anchors)
        log_tilt = (objective + sum(coefficient * law.log() for law, coefficient in anchors)) / temperature
        return torch.softmax(log_tilt, 0), temperature * torch.logsumexp(log_tilt, 0)
