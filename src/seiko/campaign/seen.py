"""What a look at a round found beside its numbers: prompt by prompt, image by image, and whether it is still natural.

Plain records, as the ledger keeps them; `seiko.campaign.gallery` fills them.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ImagePair", "NaturalnessReport", "PromptReport"]


@dataclass(frozen=True, kw_only=True)
class PromptReport:
    """Fresh samples of one prompt.

    Args:
        prompt: What they were drawn for.
        samples: How many.
        believed_mean: Reward model's mean over them, oracle's units; None without a fit.
        kl: Path KL from the pretrained model along their paths, nats; None where only the mean over all is known.
    """

    prompt: str
    samples: int
    believed_mean: float | None
    kl: float | None


@dataclass(frozen=True, kw_only=True)
class ImagePair:
    """One stream of noise, drawn by the pretrained model and by the model after the round.

    Args:
        before: SHA-256 of the pretrained model's image.
        after: SHA-256 of the other.
        prompt: What both were drawn for.
        believed_before: Reward model's mean at the one, oracle's units; None without a fit.
        believed_after: At the other.
    """

    before: str
    after: str
    prompt: str | None
    believed_before: float | None
    believed_after: float | None


@dataclass(frozen=True, kw_only=True)
class NaturalnessReport:
    """How far fresh images have gone from the pretrained model's, by their features.

    Args:
        features: Name of the features.
        dimensions: How many there are.
        samples: Images on each side, drawn from the same noise for the same prompts: a model that has not moved has
            distance 0.
        frechet: Squared Fréchet distance of the Gaussians fitted to both, in standard deviations of the pretrained
            model's images.
        shift: sqrt(frechet / dimensions), standard deviations a feature; about 1 if all became one average image.
        diversity_before: Mean pairwise distance of the pretrained model's images, in the unit of
            `RoundReport.diversity`.
        alignment: 100 times the mean cosine of these images and their prompts, by the features' own CLIP; None without
            prompts, or where the features read no text.
        alignment_before: Likewise of the pretrained model's images.
        alignment_chance: Of the pretrained model's images with the other prompts; None if there is one prompt alone.
    """

    features: str
    dimensions: int
    samples: int
    frechet: float
    shift: float
    diversity_before: float
    alignment: float | None = None
    alignment_before: float | None = None
    alignment_chance: float | None = None
