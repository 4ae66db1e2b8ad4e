"""The record of a run on images, filled from its ledger and its files; nothing is drawn anew."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from seiko.campaign import Campaign, RoundReport, RunState
from seiko.campaign.artifacts import LedgerError
from seiko.designs import IMAGE, Design
from seiko.report.data import ReportData
from seiko.report.image_data import ImageData, NaturalnessRow, PairRow, PromptRow
from seiko.report.images import PAIRS, best_contents

__all__ = ["image_data", "known_images", "with_images"]


def image_data(campaign: Campaign, state: RunState, known: Sequence[bytes] = ()) -> ImageData | None:
    """Return pairs, prompts and naturalness of a run; None for a run whose designs are not images.

    Args:
        campaign: The run.
        state: Its present.
        known: PNG bytes of images that each is compared with.
    """
    if {query.design.kind for query in state.queries.values()} != {IMAGE}:
        return None
    last = state.reports[-1] if state.reports else None
    pairs = tuple(PairRow(**asdict(pair)) for pair in last.images) if last else ()
    return ImageData(
        files=_files(campaign, (name for pair in pairs[:PAIRS] for name in (pair.before, pair.after))),
        pairs=pairs,
        prompts=tuple(PromptRow(**asdict(row)) for row in last.prompts) if last else (),
        naturalness=tuple(_row(report) for report in state.reports if report.naturalness is not None),
        known=tuple(known),
    )


def with_images(campaign: Campaign, data: ReportData) -> ReportData:
    """Return a record with what images change of it: the files of the best ones, the unit of diversity."""
    if data.images is None:
        return data
    return replace(
        data,
        images=replace(data.images, files={**data.images.files, **_files(campaign, best_contents(data))}),
        diversity_unit="mean distance of images",
        diversity_max=None,
    )


def known_images(folder: Path) -> tuple[bytes, ...]:
    """Return the PNG files of a folder, in the order of their names.

    Raises:
        ValueError: If there is none.
        OSError: If one cannot be read.
    """
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() == ".png" and file.is_file())
    if not files:
        raise ValueError(f"the folder {folder} holds no PNG file: known images are PNG files in one folder")
    return tuple(file.read_bytes() for file in files)


def _row(report: RoundReport) -> NaturalnessRow:
    assert report.naturalness is not None  # the caller has looked
    return NaturalnessRow(round=report.round, diversity=report.diversity, **asdict(report.naturalness))


def _files(campaign: Campaign, contents: Iterable[str]) -> dict[str, bytes]:
    """Return those files that are whole; the page says how many are missing."""
    found = {}
    for content in contents:
        try:
            found[content] = campaign.bytes_of(Design(content, IMAGE))
        except (LedgerError, ValueError):
            continue
    return found
