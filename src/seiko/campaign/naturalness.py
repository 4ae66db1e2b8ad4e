"""Whether fresh images are still natural, in words: how far from the pretrained model's, and do they fit their prompts.

    naturalness    features have moved by more than one standard deviation each: what one average image would give
    alignment      CLIP's cosine of images and their prompts has lost more than half of what it had above that of the
                   pretrained model's images and other prompts; or a fifth of itself, where there is one prompt only
    diversity      fresh images differ by less than half of what the pretrained model's do

A reward can be had by pictures of nothing: features see that they look like no picture, alignment that they are not
what was asked for. A CLIP that cannot tell prompts apart by a point of 100 rings nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, Protocol

from seiko.campaign.seen import NaturalnessReport

__all__ = ["FAR", "SOME", "drifted", "verdict"]

FAR, SOME = 1.0, 0.3  # standard deviations a feature
NARROW = 0.5  # of the pretrained model's diversity
LOST = 0.5  # of the alignment that is above chance
LOST_ALONE = 0.2  # of all of it, where chance is not known
TELLS_APART = 1.0  # points of alignment above chance


class Moved(Protocol):
    """What a verdict is about."""

    @property
    def shift(self) -> float:
        """Standard deviations a feature."""
        ...

    @property
    def features(self) -> str:
        """Name of the features."""
        ...

    @property
    def dimensions(self) -> int:
        """How many there are."""
        ...

    @property
    def alignment(self) -> float | None:
        """100 times the mean cosine of image and prompt; None if not known."""
        ...

    @property
    def alignment_before(self) -> float | None:
        """Of the pretrained model's images."""
        ...


def verdict(last: Moved) -> str:
    """Return the naturalness of a round in a sentence or two."""
    if last.shift > FAR:
        words = "are far from the pretrained model's: look at the pairs before believing the reward"
    elif last.shift > SOME:
        words = "have moved away from the pretrained model's"
    else:
        words = "look like the pretrained model's"
    sentence = (
        f"Fresh images {words}: their features ({last.features}, {last.dimensions}) lie {last.shift:.2f} "
        "standard deviations away on average; 1 is what a single average image would give."
    )
    if last.alignment is not None and last.alignment_before is not None:
        sentence += (
            f" They fit their prompts with an alignment of {last.alignment:.1f}, the pretrained model's with "
            f"{last.alignment_before:.1f}."
        )
    return sentence


def drifted(
    last: NaturalnessReport, diversity: float
) -> Iterator[tuple[Literal["naturalness", "alignment", "diversity"], str]]:
    """Yield alarms of a round: name and sentence.

    Args:
        last: What the look at the round found.
        diversity: Mean pairwise distance of its images.
    """
    if last.shift > FAR:
        yield "naturalness", f"Naturalness. {verdict(last)}"
    if last.alignment is not None and last.alignment_before is not None and _lost(last):
        beside = "" if last.alignment_chance is None else f"; with other prompts those have {last.alignment_chance:.1f}"
        yield (
            "alignment",
            f"Fresh images no longer show what was asked for: their alignment with their prompts is "
            f"{last.alignment:.1f}, the pretrained model's {last.alignment_before:.1f}{beside}.",
        )
    before = last.diversity_before
    if before and diversity < NARROW * before:
        yield (
            "diversity",
            f"Fresh images differ by {diversity:.3f} on average, the pretrained model's by {before:.3f}: the model is "
            "collapsing.",
        )


def _lost(last: NaturalnessReport) -> bool:
    assert last.alignment is not None  # the caller has looked
    assert last.alignment_before is not None
    if last.alignment_chance is None:
        return last.alignment < (1 - LOST_ALONE) * last.alignment_before
    above = last.alignment_before - last.alignment_chance
    return above > TELLS_APART and last.alignment - last.alignment_chance < (1 - LOST) * above
