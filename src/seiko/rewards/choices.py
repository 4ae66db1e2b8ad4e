"""Preferences as a likelihood: which of those shown was the best.

    P(w is chosen from S) = exp(f_w / tau) / sum_{j in S} exp(f_j / tau)

For two it is Bradley-Terry's sigmoid((f_w - f_l) / tau). For n it is the first choice of Plackett and Luce, what a
rater does who sees each reward with independent Gumbel noise of scale tau; n - 1 separate comparisons in its place
would count one answer n - 1 times (of four alike: log 1/8 for what has the probability 1/4). A tie is half a win
either way. In all three, with q the share of the win and p = softmax(f_S / tau),

    log P = sum_j q_j log p_j,     gradient (q - p) / tau,     -Hessian (diag p - p p^T) / tau^2

which is concave in f.

References:
    Bradley, Terry, "Rank analysis of incomplete block designs", 1952; Luce, "Individual choice behavior", 1959;
    Plackett, "The analysis of permutations", 1975.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["Choices"]


@dataclass(frozen=True, eq=False)
class Choices:
    """Answers to "which of these is the best?", one a row.

    Args:
        shown: `[m, k]` rows of the states that were shown; -1 where fewer than k were.
        share: `[m, k]` share of the win, float64: 1 for the winner, or 1/2 each in a tie of two.
    """

    shown: Int[Tensor, "m k"]
    share: Float[Tensor, "m k"]

    @classmethod
    def of(cls, answers: Sequence[tuple[int, Sequence[int], bool]]) -> Choices:
        """Make them from (winner, the others shown, whether it was a tie).

        Raises:
            ValueError: If nothing else was shown, or a tie has more than two.
        """
        width = 1 + max((len(others) for _, others, _ in answers), default=1)
        shown = torch.full((len(answers), width), -1, dtype=torch.long)
        share = torch.zeros(len(answers), width, dtype=torch.float64)
        for row, (winner, others, tie) in enumerate(answers):
            if not others or (tie and len(others) != 1):
                raise ValueError(f"a choice is among two or more and a tie of two, got {winner} and {list(others)}")
            shown[row, : 1 + len(others)] = torch.tensor([winner, *others])
            share[row, 0] = 1.0
            if tie:
                share[row, :2] = 0.5
        return cls(shown, share)

    def __len__(self) -> int:
        return len(self.shown)

    def __getitem__(self, rows: Tensor) -> Choices:
        return Choices(self.shown[rows], self.share[rows])

    def log_likelihood(self, f: Float[Tensor, "*b n"], tau: float = 1.0) -> Float[Tensor, "*b m"]:
        """Return log P of each answer, nats; differentiable.

        Args:
            f: Rewards of the states.
            tau: Scale of the raters' noise, in the units of f.
        """
        log_p = self._logits(f, tau).log_softmax(-1)
        return (self.share.to(f) * log_p.masked_fill(self.shown < 0, 0.0)).sum(-1)

    def derivatives(self, f: Float[Tensor, "n"], tau: float) -> tuple[Float[Tensor, "n"], Float[Tensor, "n n"]]:
        """Return gradient and negative Hessian of the whole log-likelihood, in closed form."""
        p = self._logits(f, tau).softmax(-1)
        rows = self.shown.clamp_min(0)
        gradient = torch.zeros_like(f).index_add_(0, rows.flatten(), ((self.share.to(f) - p) / tau).flatten())
        curvature = torch.diag_embed(p) - p[:, :, None] * p[:, None, :]
        n = len(f)
        where = (rows[:, :, None] * n + rows[:, None, :]).flatten()
        hessian = f.new_zeros(n * n).index_add_(0, where, (curvature / tau**2).flatten())
        return gradient, hessian.view(n, n)

    def _logits(self, f: Tensor, tau: float) -> Tensor:
        return (f[..., self.shown.clamp_min(0)] / tau).masked_fill(self.shown < 0, -torch.inf)
