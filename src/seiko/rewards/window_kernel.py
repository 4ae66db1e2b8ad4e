"""Window kernel of sequences: the short words, up to mismatches, that two sequences share.

    k_w(x, z)  = sum over windows a of x, b of z of exp(sharpness * (matches(a, b) - w))
    k(x, z)    = mean over widths w of k_w(x, z) / sqrt(k_w(x, x) k_w(z, z)),        so k(x, x) = 1

Windows of width w overhang both ends by w - 1 letters that match nothing, so that every letter lies in equally many
windows; a symmetry adds the windows of z's other images (both strands of DNA). Where a word stands does not matter,
which words there are does. Sequences share most of their words, so for tokens each distinct word is compared once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, Num
from torch import Tensor
from torch.nn import functional

from seiko.rewards.features import one_hot
from seiko.rewards.symmetry import Symmetry, orbit

__all__ = ["WindowKernel", "Words"]

_BLOCK = 1 << 24  # entries of the largest temporary: 64 MB of float32


@dataclass(frozen=True, eq=False)
class Words:
    """The windows of n sequences, by their distinct spellings.

    Args:
        spelled: `[u, w V]` one-hot spellings.
        index: `[n, P]` which spelling stands at each window.
    """

    spelled: Float[Tensor, "u wV"]
    index: Int[Tensor, "n P"]

    def sum(self, values: Float[Tensor, "u d"], weight: Float[Tensor, "n"] | None = None) -> Float[Tensor, "n d"]:
        """Return the sum over each sequence's windows of a value a spelling, times a weight a sequence."""
        weights = None if weight is None else weight[:, None].expand(self.index.shape).contiguous()
        return functional.embedding_bag(self.index, values, mode="sum", per_sample_weights=weights)


@dataclass(frozen=True, kw_only=True)
class WindowKernel:
    """The normalised window kernel.

    Args:
        vocabulary: Number of letters, the mask not counted.
        widths: Widths of the windows, letters.
        sharpness: How fast a mismatch forgets: one mismatch costs a factor exp(-sharpness).
        symmetry: Images whose windows count as the state's own.
    """

    vocabulary: int
    widths: tuple[int, ...]
    sharpness: float
    symmetry: Symmetry | None = None

    def windows(self, x: Tensor, width: int) -> Float[Tensor, "n P wV"]:
        """Return the one-hot windows of one width, ends overhanging, `[n, L + width - 1, width * vocabulary]`."""
        letters = functional.pad(one_hot(x, self.vocabulary), (0, 0, width - 1, width - 1))
        return letters.unfold(1, width, 1).transpose(-1, -2).flatten(2)

    def codes(self, x: Int[Tensor, "n L"], width: int) -> Int[Tensor, "n P"]:
        """Return one integer a window of tokens, below (vocabulary + 1)^width; equal windows have equal integers."""
        return _codes(self._padded(x, width), self.vocabulary + 1)

    def _padded(self, x: Int[Tensor, "n L"], width: int) -> Int[Tensor, "n P w"]:
        return functional.pad(x.long(), (width - 1, width - 1), value=self.vocabulary).unfold(1, width, 1)

    def words(self, x: Int[Tensor, "n L"], width: int, dtype: torch.dtype = torch.float32) -> Words:
        """Return the distinct windows of tokens."""
        mask, padded = self.vocabulary, self._padded(x, width)
        codes = _codes(padded, mask + 1)
        distinct, index = torch.unique(codes, return_inverse=True)
        occurrence = torch.arange(index.numel(), device=x.device)
        first = torch.empty_like(distinct).scatter_(0, index.flatten(), occurrence)
        return Words(one_hot(padded.flatten(0, 1)[first], mask).flatten(1).to(dtype), index)

    def image_words(self, x: Int[Tensor, "n L"], width: int, dtype: torch.dtype = torch.float32) -> Words:
        """Return the distinct windows of all images of each state."""
        images = orbit(self.symmetry, x)
        words = self.words(images.flatten(0, 1), width, dtype)
        return Words(words.spelled, torch.unflatten(words.index, 0, images.shape[:2]).flatten(1))

    def compare(self, a: Float[Tensor, "*u wV"], b: Float[Tensor, "v wV"], width: int) -> Float[Tensor, "*u v"]:
        """Return exp(sharpness * (matches - width)) of all pairs of spellings."""
        return (self.sharpness * (a @ b.T - width)).exp()

    def self_similarity(self, x: Tensor) -> Float[Tensor, "widths n"]:
        """Return k_w(x, x) of each width, unnormalised; the images of one state give the same number."""
        rows = max(1, _BLOCK // (x.shape[1] + max(self.widths)) ** 2 // 16)
        return torch.cat([self._self_similarity(part) for part in torch.split(x, rows)], dim=1)

    def _self_similarity(self, x: Tensor) -> Float[Tensor, "widths n"]:
        # matches of windows p and q = sum over k of [x_(p+k) = z_(q+k)]: sums along diagonals of one comparison, those
        # of a wide window continuing those of a narrow one.
        equal, over = _letter_matches(x, orbit(self.symmetry, x), self.vocabulary), max(self.widths) - 1
        equal = functional.pad(equal, (over, over, 0, 0, over, over))
        dtype = x.dtype if x.is_floating_point() else torch.float32
        matches, found = equal, {}
        for width in range(1, over + 2):
            size = equal.shape[1] - width + 1
            if width > 1:
                matches = matches[:, :size, :, :size] + equal[:, width - 1 :, :, width - 1 :]
            if width in self.widths:
                own = slice(over - width + 1, size - over + width - 1)  # windows that overhang by width - 1 at most
                inside = matches[:, own, :, own].to(dtype)
                found[width] = (self.sharpness * (inside - width)).exp().sum((1, 2, 3))
        return torch.stack([found[width] for width in self.widths])

    def __call__(self, x: Int[Tensor, "n L"], z: Int[Tensor, "m L"]) -> Float[Tensor, "n m"]:
        """Return k(x, z) for all pairs of token sequences, float64."""
        total = torch.zeros(len(x), len(z), dtype=torch.float64, device=x.device)
        norms = self.self_similarity(x)[:, :, None] * self.self_similarity(z)[:, None]
        for width, norm in zip(self.widths, norms, strict=True):
            own, other = self.words(x, width, torch.float64), self.image_words(z, width, torch.float64)
            shared = own.sum(self.sums(own.spelled, other, width))
            total += shared / norm.to(torch.float64).sqrt()
        return total / len(self.widths)

    def spread(self, values: Float[Tensor, "u d"], width: int) -> Float[Tensor, "u d"]:
        """Return, for every code u, the sum over codes v of exp(sharpness * (matches - width)) values_v.

        The comparison is a product over positions, so that it is applied to one position at a time: u * width steps
        instead of u^2.
        """
        base, keep = self.vocabulary + 1, math.exp(-self.sharpness)
        for position in range(width):
            letters = values.view(base**position, base, -1)
            values = (1.0 - keep) * letters
            values[:, self.vocabulary] = 0.0  # the letter beyond the end does not match itself
            values += keep * letters.sum(1, keepdim=True)
        return values.view(base**width, -1)

    def sums(self, spelled: Float[Tensor, "u wV"], words: Words, width: int) -> Float[Tensor, "u m"]:
        """Return, for each spelling, the sum of its comparisons with the windows of each sequence."""
        rows = max(1, _BLOCK // max(1, len(words.spelled)))
        parts = [words.sum(self.compare(words.spelled, part, width)).T for part in torch.split(spelled, rows)]
        return torch.cat(parts)


def _letter_matches(x: Tensor, images: Tensor, vocabulary: int) -> Num[Tensor, "n L o L"]:
    """Return whether letters of x and of its images agree, softly for relaxed one-hots; masks never do."""
    if x.is_floating_point():
        own, other = one_hot(x, vocabulary), images[..., :vocabulary]
        return torch.unflatten(own @ other.flatten(1, 2).transpose(1, 2), -1, images.shape[1:3])
    own, other = x[:, :, None, None], images[:, None]
    return ((own == other) & (own < vocabulary)).to(torch.uint8)


def _codes(windows: Int[Tensor, "n P w"], base: int) -> Int[Tensor, "n P"]:
    """Return one integer a window; two windows are equal if and only if their integers are."""
    width = windows.shape[-1]
    if base**width >= 2**63:
        raise ValueError(f"windows of {width} letters out of {base} do not fit an integer; choose narrower windows")
    powers = torch.tensor([base**k for k in range(width)], device=windows.device)
    return (windows * powers).sum(-1)
