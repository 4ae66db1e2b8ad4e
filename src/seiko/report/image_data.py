"""The part of the report's record that is about images: files, pairs before and after, prompts, naturalness.

Files are PNG bytes by their SHA-256; those that are not at hand are missing from the mapping, and told in words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["ImageData", "NaturalnessRow", "PairRow", "PromptRow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairRow:
    """One stream of noise, drawn before and after tuning.

    Args:
        before: SHA-256 of the pretrained model's image.
        after: SHA-256 of the current model's.
        prompt: What both were drawn for.
        believed_before: Reward model's mean at the one, oracle's units.
        believed_after: At the other.
    """

    before: str
    after: str
    prompt: str | None = None
    believed_before: float | None = None
    believed_after: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptRow:
    """Fresh samples of one prompt after the last round.

    Args:
        prompt: What they were drawn for.
        samples: How many.
        believed_mean: Reward model's mean over them, oracle's units.
        kl: Path KL from the pretrained model along their paths, nats.
    """

    prompt: str
    samples: int
    believed_mean: float | None = None
    kl: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NaturalnessRow:
    """How far the images of one round have gone from the pretrained model's.

    Args:
        round: From 1.
        shift: Standard deviations of the pretrained model's images a feature; 1 is what one average image would give.
        frechet: Squared Fréchet distance of the standardised features.
        features: Name of the features.
        dimensions: How many.
        samples: Images on each side.
        diversity: Mean pairwise distance of fresh images.
        diversity_before: Of the pretrained model's, same unit.
        alignment: 100 times the mean cosine of fresh images and their prompts; None where it is not known.
        alignment_before: Of the pretrained model's images.
        alignment_chance: Of those with the other prompts.
    """

    round: int
    shift: float
    frechet: float
    features: str
    dimensions: int
    samples: int
    diversity: float | None = None
    diversity_before: float | None = None
    alignment: float | None = None
    alignment_before: float | None = None
    alignment_chance: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageData:
    """What the page shows of a run on images.

    Args:
        files: PNG bytes by SHA-256: of the best labelled images and of the pairs.
        pairs: Before and after the last round.
        prompts: What was found for each prompt; empty for a model that takes none.
        naturalness: One row a finished round.
        known: PNG bytes of images that each is compared with, for example training data.
        known_name: What they are, in words.
    """

    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    pairs: tuple[PairRow, ...] = ()
    prompts: tuple[PromptRow, ...] = ()
    naturalness: tuple[NaturalnessRow, ...] = ()
    known: tuple[bytes, ...] = field(default=(), repr=False)
    known_name: str = "known images"
