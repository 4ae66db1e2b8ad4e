"""Images out of a run and labels back in: a folder of PNG files with a table beside them.

    FOLDER/manifest.csv     id, file, prompt, value, ...      one row an image; `value` is for whoever labels
    FOLDER/1-0001.png       ...

`seiko tell RUN FOLDER` takes the table back. Rows without a value are still open and left alone. A file beside it must
be the image that was asked for: pictures that were swapped or edited would put labels to the wrong designs.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import re
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seiko.cli.errors import InputError
from seiko.cli.output import as_csv
from seiko.designs import IMAGE, Design

if TYPE_CHECKING:
    from seiko.campaign.label_file import Reading
    from seiko.campaign.state import RunState
    from seiko.oracles import Label

__all__ = [
    "MANIFEST",
    "PICTURE_COLUMNS",
    "deliver_images",
    "measured_images",
    "only_images",
    "read_manifest",
    "with_prompts",
]

MANIFEST = "manifest.csv"
PICTURE_COLUMNS = ("value", "round", "source", "predicted_mean", "predicted_std", "design")
ATTACH_COLUMNS = ("file", "prompt", "value", "noise", "status", "reason", "replicate")
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)


def only_images(designs: Sequence[Design]) -> bool:
    """Whether there are designs and all valid ones are images."""
    kinds = {design.kind for design in designs if design.valid}
    return kinds == {IMAGE}


def with_prompts(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the columns of a table, with `prompt` as the last one where a row has one."""
    return (*columns, *(("prompt",) if any(row.get("prompt") is not None for row in rows) else ()))


def deliver_images(
    folder: Path | None, columns: Sequence[str], rows: Sequence[Mapping[str, Any]], designs: Sequence[Design], *,
    force: bool = False,
) -> None:  # fmt: skip
    """Write images and their table into a folder, whole or not at all; the same again is left as it is.

    Args:
        folder: Made by this; an existing one must hold the same, or be replaced.
        columns: Of the table, after id, file and prompt.
        rows: One for each image; `id` names its file.
        designs: The images, with their files.
        force: Replace a folder that this wrote before.

    Raises:
        InputError: If there is no folder given, an image has no file, or the folder holds something else.
        OSError: If it cannot be written.
    """
    if folder is None:
        raise InputError("images are files: name a folder for them, --out FOLDER")
    table, files = [], {}
    for number, (row, design) in enumerate(zip(rows, designs, strict=True), start=1):
        if design.data is None:
            raise InputError(f"the image {row['id']} has no file: it is no valid design, or the run folder lost it")
        stem = str(row["id"]) if _PLAIN.fullmatch(str(row["id"])) else f"image-{number:05d}"
        files[f"{stem}.png"] = design.data
        table.append({**row, "file": f"{stem}.png", "prompt": design.prompt})
    files[MANIFEST] = as_csv(("id", "file", "prompt", *columns), table).encode()
    if folder.exists() and not _may_replace(folder, files, force=force):
        return
    if not folder.absolute().parent.is_dir():
        raise InputError(f"cannot write {folder}: there is no folder {folder.absolute().parent}")
    _replace(folder, files)


def read_manifest(folder: Path, state: RunState) -> tuple[bytes, str]:
    """Return the table of a folder with the rows that are still open blanked, and its path for messages.

    Raises:
        InputError: If there is no table, or a file in the folder is not the image that its row asked for.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise InputError(f"{folder} is a folder without {MANIFEST}: name the one that `seiko ask --out` wrote")
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
        separator = max(",;\t", key=text.splitlines()[0].count)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        parts: list[str] = []
        header: list[str] = []
        start, lines = 0, text.splitlines(keepends=True)
        for cells in reader:
            end, row = reader.line_num, dict(zip(header, cells, strict=False))
            whole = lines[start:end]
            if not header:
                header = [cell.strip().lower() for cell in cells]
            elif row:
                _check_file(folder, row, state, start + 1)
                if "value" in row and not row["value"].strip() and not row.get("status", "").strip():
                    whole = ["\n"] * len(whole)  # the lines keep their numbers
            parts += whole
            start = end
    except (UnicodeDecodeError, csv.Error, IndexError):
        return data, str(path)  # whoever parses it says what is wrong, with its line
    return "".join(parts).encode(), str(path)


def measured_images(folder: Path, reading: Reading) -> dict[Design, list[Label]]:
    """Return the labels of images that no run asked for: a folder with PNG files and a table of file and value.

    Raises:
        InputError: If there is no table.
        LabelFileError: At the first thing that is wrong with it, with its line.
    """
    from seiko.campaign.label_file import label_of, rows_of

    path = folder / MANIFEST
    if not path.is_file():
        raise InputError(f"{folder} is a folder without {MANIFEST}: a table with the columns file and value is needed")
    measured: dict[Design, list[Label]] = {}
    for row in rows_of(path.read_bytes(), str(path), reading, {}, ATTACH_COLUMNS, (("file",), ("value",))):
        name = row.text("file")
        if not _PLAIN.fullmatch(name) or not (folder / name).is_file():
            raise row.error("file", f"{name!r} is no file of this folder")
        label = label_of(row, reading.units)
        if label.status == "failed":
            raise row.error("status", "a failed measurement says nothing: leave the row out")
        data = (folder / name).read_bytes()
        design = Design(hashlib.sha256(data).hexdigest(), IMAGE, row.text("prompt") or None, data)
        known = measured.setdefault(design, [])
        known.append(replace(label, replicate=row.count("replicate") or len(known) + 1))
    return measured


def _check_file(folder: Path, row: Mapping[str, str], state: RunState, line: int) -> None:
    query, name = state.queries.get(row.get("id", "").strip()), row.get("file", "").strip()
    if query is None or not name:
        return
    if not _PLAIN.fullmatch(name):
        raise InputError(f"{folder / MANIFEST}, line {line}: {name!r} is no file of this folder; nothing was taken")
    file = folder / name
    if file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() != query.design.content:
        raise InputError(
            f"{file} is not the image that query {query.id} asked for: files were swapped or edited; nothing was "
            "taken. `seiko ask --out` into another folder writes them again"
        )


def _may_replace(folder: Path, files: Mapping[str, bytes], *, force: bool) -> bool:
    """Tell whether to write; raises `InputError` where that would lose something."""
    if not folder.is_dir():
        raise InputError(f"{folder} is a file: images need a folder, --out FOLDER")
    there = sorted(entry.name for entry in folder.iterdir())
    if not there:
        return True
    if there == sorted(files) and all((folder / name).read_bytes() == data for name, data in files.items()):
        return False
    if MANIFEST not in there:
        raise InputError(f"{folder} holds something else, and no {MANIFEST}: name another folder")
    if not force:
        raise InputError(
            f"{folder} holds other images, or labels were written into its table: name another folder, or replace it "
            "with --force"
        )
    return True


def _replace(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write the files beside the folder first, then put them in its place."""
    beside = folder.with_name(f".{folder.name}-{secrets.token_hex(8)}.tmp")
    beside.mkdir()
    try:
        for name, data in files.items():
            (beside / name).write_bytes(data)
        if folder.exists():
            away = folder.with_name(f".{folder.name}-{secrets.token_hex(8)}.old")
            os.replace(folder, away)
            os.replace(beside, folder)
            shutil.rmtree(away)
        else:
            os.replace(beside, folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
