"""What the page shows of a run on images: the best of each round, pairs before and after, prompts, naturalness.

Reward without naturalness is half of the story: a model that pays only for its reward ends in pictures that no prompt
asked for. So the pictures stand beside the numbers, and a number says how far they have gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from seiko.campaign.naturalness import verdict
from seiko.report.data import DesignRow, ReportData
from seiko.report.image_data import ImageData, NaturalnessRow, PairRow
from seiko.report.nearest import Nearest
from seiko.report.summary import answered, finite, ranked
from seiko.report.tables import MISSING, decimals_for, number
from seiko.report.thumbnails import Thumbnail, Thumbnails, has_pillow

__all__ = ["ImageCell", "ImageGrid", "ImageSection", "PairCell", "best_contents", "image_section"]

TITLE = "Best labelled images, round by round"
BEST = 6  # images of a round
PAIRS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageCell:
    """One image: its value, and what it was drawn for and what it is nearest to, in words or empty."""

    image: Thumbnail | None
    value: str
    prompt: str
    nearest: str
    alt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PairCell:
    """An image before and after."""

    before: ImageCell
    after: ImageCell


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageGrid:
    """Rows of images under a heading each, or words where there are none."""

    title: str
    caption: str = ""
    rows: tuple[tuple[str, tuple[ImageCell, ...]], ...] = ()
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSection:
    """The part of the page that is about images.

    Args:
        best: Best labelled images by round.
        pairs: Before and after.
        pairs_caption: Words under them; `pairs` empty: in their place.
        prompts: Lines of the table of prompts: prompt, labels, measured mean, best, samples, believed mean, KL.
        naturalness: Lines of the table of rounds: round, shift, distance, diversity, alignment, in words.
        verdict: Naturalness in a sentence.
    """

    best: ImageGrid
    pairs: tuple[PairCell, ...]
    pairs_caption: str
    prompts: tuple[tuple[str, ...], ...] = ()
    naturalness: tuple[tuple[str, ...], ...] = ()
    verdict: str = ""


def best_contents(data: ReportData) -> list[str]:
    """Return the images that the page shows as the best of each round."""
    return [row.content for _, rows in _best(data) for row, _ in rows]


def image_section(data: ReportData, images: ImageData) -> ImageSection:
    """Return grids and tables of a run on images; words in place of what cannot be drawn."""
    if has_pillow():
        best, pairs, caption = _grids(data, images)
    else:
        caption = "Images are read by Pillow: pip install 'seiko[images]' and write the report again."
        best, pairs = ImageGrid(title=TITLE, words=caption), ()
    return ImageSection(
        best=best,
        pairs=pairs,
        pairs_caption=caption,
        prompts=_prompt_table(data, images),
        naturalness=tuple(_naturalness_line(row) for row in images.naturalness),
        verdict=verdict(images.naturalness[-1]) if images.naturalness else "",
    )


def _grids(data: ReportData, images: ImageData) -> tuple[ImageGrid, tuple[PairCell, ...], str]:
    nearest, made = Nearest(images.known), Thumbnails()
    decimals = decimals_for(_beliefs(images.pairs))
    pairs = tuple(_pair(pair, images, made, nearest, decimals) for pair in images.pairs[:PAIRS])
    best = _best_grid(data, images, made, nearest)
    caption = (
        "The same noise and the same prompt, drawn by the pretrained model and by the current one: the first pairs as "
        "they came, not the best ones. Numbers are what the reward model believes of each."
    )
    if images.known:
        caption += f" Similarity is to the nearest of {len(images.known):,} {images.known_name}; 1 is the same picture."
    if not pairs:
        caption = "No round has been finished yet."
    if made.left_out:
        caption += f" {made.left_out} images are not shown: their files are missing, or the page is full."
    return best, pairs, caption


def _naturalness_line(row: NaturalnessRow) -> tuple[str, ...]:
    return (
        f"round {row.round}",
        number(row.shift, 2),
        number(row.frechet, 2),
        number(row.diversity, 3),
        number(row.diversity_before, 3),
        number(row.alignment, 1),
        number(row.alignment_before, 1),
        number(row.alignment_chance, 1),
    )


def _best(data: ReportData) -> list[tuple[int, list[tuple[DesignRow, float]]]]:
    """Return the best distinct images of each round, the last round first."""
    rounds = sorted({row.round for row in answered(data)}, reverse=True)
    found = [(index, [(d.row, d.value) for d in ranked(data) if d.row.round == index][:BEST]) for index in rounds]
    return [(index, rows) for index, rows in found if rows]


def _best_grid(data: ReportData, images: ImageData, made: Thumbnails, nearest: Nearest) -> ImageGrid:
    best = _best(data)
    if not best:
        return ImageGrid(title=TITLE, words="No image has a measured value yet.")
    decimals = decimals_for(value for _, rows in best for _, value in rows)

    def cells(rows: list[tuple[DesignRow, float]]) -> tuple[ImageCell, ...]:
        return tuple(
            _cell(images, row.content, row.prompt, number(value, decimals), made, nearest) for row, value in rows
        )

    rows = tuple((f"round {index}", cells(found)) for index, found in best)
    caption = f"The best {BEST} images of each round's batch by {data.reward_name}, mean of an image's labels."
    return ImageGrid(title=TITLE, caption=caption, rows=rows)


def _pair(pair: PairRow, images: ImageData, made: Thumbnails, nearest: Nearest, decimals: int | None) -> PairCell:
    def cell(content: str, believed: float | None) -> ImageCell:
        value = "" if believed is None else number(believed, decimals)
        return _cell(images, content, pair.prompt, value, made, nearest)

    return PairCell(before=cell(pair.before, pair.believed_before), after=cell(pair.after, pair.believed_after))


def _cell(
    images: ImageData, content: str, prompt: str | None, value: str, made: Thumbnails, nearest: Nearest
) -> ImageCell:
    data = images.files.get(content)
    alt = f"Image {content[:12]}" + (f" for {prompt}" if prompt is not None else "")
    return ImageCell(image=made.make(data), value=value, prompt=prompt or "", nearest=nearest(data), alt=alt)


def _beliefs(pairs: Sequence[PairRow]) -> list[float]:
    values = (value for pair in pairs for value in (pair.believed_before, pair.believed_after))
    return [value for value in values if finite(value) is not None and value is not None]


def _prompt_table(data: ReportData, images: ImageData) -> tuple[tuple[str, ...], ...]:
    """Return a line for each prompt that was labelled or judged, those that were labelled first."""
    labels: dict[str, list[float]] = {}
    for row in answered(data):
        if row.prompt is not None:
            labels.setdefault(row.prompt, []).extend([] if row.value is None else [row.value])
    judged = {row.prompt: row for row in images.prompts}
    every = [value for values in labels.values() for value in values]
    decimals = decimals_for([*every, *(row.believed_mean for row in images.prompts if row.believed_mean is not None)])
    lines = []
    for prompt in (*sorted(labels), *(prompt for prompt in judged if prompt not in labels)):
        values, seen = labels.get(prompt, []), judged.get(prompt)
        lines.append(
            (
                prompt,
                str(len(values)) if prompt in labels else MISSING,
                number(sum(values) / len(values), decimals) if values else MISSING,
                number(max(values), decimals) if values else MISSING,
                MISSING if seen is None else str(seen.samples),
                MISSING if seen is None else number(seen.believed_mean, decimals),
                MISSING if seen is None else number(seen.kl, 2),
            )
        )
    return tuple(lines)
