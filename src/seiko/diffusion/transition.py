"""One denoising step as a distribution p(x_s | x_t): drawn from, scored, and compared.

    Gaussian    x_s ~ N(mean, std² I)                      KL(p || q) = |mean_p - mean_q|² / (2 std²)
    masked      m of the n masked positions are revealed,  KL(p || q) = m/n * sum over masked j of KL(p_j || q_j)
                uniformly; the rest is copied

Log-probabilities and KLs are in nats, **summed** over the event's dimensions, one number a sample. The masked KL is
the exact expectation over which positions are revealed, which both laws share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self, TypeAlias, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from seiko.diffusion.noise import Noise

__all__ = ["GaussianTransition", "MaskedTransition", "PerSample", "State", "Transition"]

State: TypeAlias = Tensor
PerSample: TypeAlias = Float[Tensor, "b"]

_ORDER, _TOKEN = 1, 2  # sub-streams of a step: which positions, which letters


@runtime_checkable
class Transition(Protocol):
    """The law of one denoising step, for a batch."""

    def sample(self, noise: Noise) -> State:
        """Draw x_s; no gradient."""
        ...

    def rsample(self, noise: Noise) -> State:
        """Draw the same x_s with a gradient through it."""
        ...

    def log_prob(self, x_s: State) -> PerSample:
        """Return log p(x_s | x_t), nats."""
        ...

    def log_likelihood(self, x_s: State, x_0: State) -> PerSample:
        """Return log p(x_s | x_t), averaged where possible over the x_s that lead to the same x_0; for learning."""
        ...

    def kl(self, other: Self) -> PerSample:
        """Return KL(self || other), nats, for two laws that start from the same x_t."""
        ...


@dataclass(frozen=True)
class GaussianTransition:
    """x_s ~ N(mean, std² I).

    Args:
        mean: `[b, *event]`.
        std: `[b, 1, ...]` or scalar, broadcastable to mean. At 0 the step is deterministic: it can be drawn, but
            `log_prob` and `kl` raise.
    """

    mean: Float[Tensor, "b *event"]
    std: Float[Tensor, "..."]

    def sample(self, noise: Noise) -> State:
        """Draw x_s without a gradient."""
        with torch.no_grad():
            return self.rsample(noise)

    def rsample(self, noise: Noise) -> State:
        """Draw x_s = mean + std * xi with the gradient of the reparameterisation."""
        return self.mean + self.std * noise.normal(tuple(self.mean.shape[1:]), self.mean.dtype)

    def log_prob(self, x_s: State) -> PerSample:
        """Return the Gaussian log density, nats, summed over the event."""
        self._need_noise("log_prob")
        per_element = -0.5 * ((x_s - self.mean) / self.std) ** 2 - torch.log(self.std) - 0.918938533204672742
        return per_element.flatten(1).sum(1)

    def log_likelihood(self, x_s: State, x_0: State) -> PerSample:
        """Return `log_prob(x_s)`."""
        return self.log_prob(x_s)

    def kl(self, other: Self) -> PerSample:
        """Return KL(self || other), nats, summed over the event; both must have the same std.

        Raises:
            ValueError: If a std is 0 (a point mass has no finite KL) or the two differ.
        """
        self._need_noise("kl")
        if not torch.equal(self.std.expand_as(self.mean), other.std.expand_as(other.mean)):
            raise ValueError("kl needs two transitions with the same std: compare models under the same process")
        return (0.5 * ((self.mean - other.mean) / self.std) ** 2).flatten(1).sum(1)

    def _need_noise(self, what: str) -> None:
        if not bool((self.std > 0).all()):
            raise ValueError(
                f"{what} of a transition with std 0 is infinite: the step is deterministic. Use eta > 0 and a schedule "
                "that ends above t = 0 (BetaSchedule(end_at_data=False), CosineSchedule(end=0.01))"
            )


@dataclass(frozen=True)
class MaskedTransition:
    """Reveal `count` of the masked positions, each by its own categorical law; copy all the others.

    The copy path never meets the logits: a revealed position stays as it is whatever the model says of it.

    Args:
        logits: `[b, L, V]` unnormalised log-probabilities over the letters (never the mask).
        x_t: `[b, L]` letters 0..V-1 with V for the mask, or its one-hot relaxation `[b, L, V + 1]`.
        count: `[b]` how many positions are revealed; at most the number that is masked.
        temperature: Of the straight-through relaxation in `rsample`.
    """

    logits: Float[Tensor, "b l v"]
    x_t: Tensor
    count: Int64[Tensor, "b"]
    temperature: float = 1.0

    @property
    def mask_token(self) -> int:
        """V: one past the last letter."""
        return self.logits.shape[-1]

    @property
    def masked(self) -> Bool[Tensor, "b l"]:
        """Which positions are still masked in x_t."""
        return hard(self.x_t) == self.mask_token

    @property
    def complete(self) -> Bool[Tensor, "b"]:
        """In which samples this step reveals all that is still masked."""
        return self.masked.sum(-1) == self.count

    def sample(self, noise: Noise) -> Int64[Tensor, "b l"]:
        """Draw x_s as letters, without a gradient."""
        with torch.no_grad():
            row, column = self._revealed(noise).nonzero(as_tuple=True)
            letters = self.logits.shape[-1]
            # only where a position is revealed: with hundreds of letters the noise would cost more than the model
            place = column[:, None] * letters + torch.arange(letters, device=row.device)
            gumbel = noise[row].fold_in(_TOKEN).gumbel_at(place, self.logits.dtype)
            x_s = hard(self.x_t).clone()
            x_s[row, column] = (self.logits[row, column] + gumbel).argmax(-1)
            return x_s

    def rsample(self, noise: Noise) -> Float[Tensor, "b l w"]:
        """Draw the same x_s as `[b, L, V + 1]` one-hot, with the straight-through Gumbel-softmax gradient.

        The gradient is **biased**: letters are discrete.

        References:
            Jang, Gu, Poole, "Categorical Reparameterization with Gumbel-Softmax", 2017,
            https://arxiv.org/abs/1611.01144 (section 2.2).
        """
        perturbed = self.logits + self._gumbel(noise)
        soft = torch.softmax(perturbed / self.temperature, dim=-1)
        one_hot = torch.nn.functional.one_hot(perturbed.argmax(-1), self.mask_token).to(soft)
        letters = torch.nn.functional.pad(one_hot + soft - soft.detach(), (0, 1))
        return torch.where(self._revealed(noise)[..., None], letters, relaxed(self.x_t, self.mask_token, soft.dtype))

    def log_prob(self, x_s: State) -> PerSample:
        """Return the log-probability of x_s, nats: of the set revealed, and of its letters; -inf if impossible."""
        masked, letters = self.masked, hard(x_s)
        revealed = masked & (letters != self.mask_token)
        chosen = self._log_probabilities().gather(-1, letters.clamp(max=self.mask_token - 1)[..., None])[..., 0]
        copied = ((letters == hard(self.x_t)) | masked).all(-1)
        possible = copied & (revealed.sum(-1) == self.count)
        log_prob = torch.where(revealed, chosen, 0.0).sum(-1) + self._log_order()
        return torch.where(possible, log_prob, -torch.inf)

    def log_likelihood(self, x_s: State, x_0: State) -> PerSample:
        """Return the log-probability of x_0's letters, nats, averaged over which positions are revealed.

        m/n * sum over masked j of log p_j(x_0,j): every masked position teaches, not only those revealed in x_s. It is
        the denoising likelihood that masked models are trained with, and has the mean of `log_prob`, up to a constant,
        where the order says nothing about x_0.
        """
        masked = self.masked
        chosen = self._log_probabilities().gather(-1, hard(x_0).clamp(max=self.mask_token - 1)[..., None])[..., 0]
        share = self.count / masked.sum(-1).clamp(min=1).to(chosen)
        return share * torch.where(masked, chosen, 0.0).sum(-1)

    def cross_entropy(self, targets: Float[Tensor, "b l v"]) -> PerSample:
        """Return E[-log p] of this step's letters, nats, where position j's letter has the law `targets[:, j]`.

        Averaged over which positions are revealed, as `log_likelihood`, which it is with one-hot targets.
        """
        masked = self.masked
        per_position = -(targets * self._log_probabilities()).sum(-1)
        share = self.count / masked.sum(-1).clamp(min=1).to(per_position)
        return share * torch.where(masked, per_position, 0.0).sum(-1)

    def kl(self, other: Self) -> PerSample:
        """Return KL(self || other), nats: the categorical KLs of the revealed positions, averaged over the sets."""
        log_p, log_q = self._log_probabilities(), other._log_probabilities()
        per_position = (log_p.exp() * (log_p - log_q)).sum(-1)
        masked = self.masked
        share = self.count / masked.sum(-1).clamp(min=1).to(per_position)
        return share * torch.where(masked, per_position, 0.0).sum(-1)

    def _log_probabilities(self) -> Float[Tensor, "b l v"]:
        return torch.log_softmax(self.logits, dim=-1)

    def _gumbel(self, noise: Noise) -> Tensor:
        return noise.fold_in(_TOKEN).gumbel(tuple(self.logits.shape[1:]), self.logits.dtype)

    def _revealed(self, noise: Noise) -> Bool[Tensor, "b l"]:
        """Choose `count` of the masked positions, each set being equally likely."""
        priority = noise.fold_in(_ORDER).uniform((self.logits.shape[1],)).masked_fill(~self.masked, torch.inf)
        return priority.argsort(-1).argsort(-1) < self.count[:, None]

    def _log_order(self) -> PerSample:
        """Return -log (n choose count)."""
        n, m = self.masked.sum(-1).to(self.logits), self.count.to(self.logits)
        return torch.lgamma(m + 1) + torch.lgamma(n - m + 1) - torch.lgamma(n + 1)


def hard(x: Tensor) -> Int64[Tensor, "b l"]:
    """Return letters, from letters or from their one-hot relaxation."""
    return x.argmax(-1) if x.is_floating_point() else x


def relaxed(x: Tensor, mask_token: int, dtype: torch.dtype) -> Float[Tensor, "b l w"]:
    """Return the one-hot relaxation with the mask as last column, from letters or from itself."""
    return x if x.is_floating_point() else torch.nn.functional.one_hot(x, mask_token + 1).to(dtype)
