"""A batch as a file: CSV, JSON lines, FASTA, SMILES, SDF.

The format is the one that is asked for, or that of the file's ending. Only tables hold places on plates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seiko.cli.errors import InputError
from seiko.cli.molecules import as_molecules
from seiko.cli.output import as_csv, as_jsonl

if TYPE_CHECKING:
    from seiko.campaign import Query

__all__ = ["ASK_COLUMNS", "AskFormat", "as_batch", "format_of"]

ASK_COLUMNS = ("id", "design", "kind", "round", "source", "predicted_mean", "predicted_std")
PLACE = ("plate", "well", "replicate")
LETTERS = ("dna", "rna", "protein")


class AskFormat(StrEnum):
    """Formats of a batch."""

    csv = "csv"
    jsonl = "jsonl"
    fasta = "fasta"
    smiles = "smiles"
    sdf = "sdf"


_ENDINGS = {
    ".jsonl": AskFormat.jsonl,
    ".fasta": AskFormat.fasta,
    ".fa": AskFormat.fasta,
    ".smi": AskFormat.smiles,
    ".smiles": AskFormat.smiles,
    ".sdf": AskFormat.sdf,
}


def format_of(format: AskFormat | None, out: Path | None) -> AskFormat:
    """Return the format that is asked for, else that of the file's ending, else CSV."""
    return format or (AskFormat.csv if out is None else _ENDINGS.get(out.suffix.lower(), AskFormat.csv))


def as_batch(rows: Sequence[Mapping[str, Any]], format: AskFormat, queries: Sequence[Query], out: Path | None) -> str:
    """Return a batch as text.

    Raises:
        InputError: If the format makes no sense for the kind of designs, or has no place for plates.
    """
    plated = any("well" in row for row in rows)
    prompts = ("prompt",) if any(row.get("prompt") is not None for row in rows) else ()
    columns = ("id", *PLACE, *ASK_COLUMNS[1:]) if plated else ASK_COLUMNS
    if format is AskFormat.csv:
        return as_csv((*columns, *prompts), rows)
    if format is AskFormat.jsonl:
        return as_jsonl({column: row.get(column) for column in (*columns, *prompts)} for row in rows)
    if plated:
        raise InputError(f"places on a plate cannot be written as {format.value}: use csv or jsonl")
    if format is AskFormat.fasta:
        if others := sorted({query.design.kind for query in queries} - set(LETTERS)):
            raise InputError(f"designs of kind {others[0]!r} cannot be written as fasta: use csv or jsonl")
        return "".join(f">{row['id']}\n{row['design']}\n" for row in rows)
    return as_molecules([dict(row) for row in rows], "smiles" if format is AskFormat.smiles else "sdf")
