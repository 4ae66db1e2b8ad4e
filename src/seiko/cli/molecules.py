"""Molecules as chemists' files: SMILES (.smi), one a line with its name, and SDF with coordinates and properties.

A row becomes a record: `design` is the molecule, `id` its name, and every other cell that is filled a property of the
SDF record under the column's name. Text of a user is made one line, so that it can neither end a property nor a
record. What has no place in a file is left out and counted on standard error.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from seiko.cli.errors import InputError
from seiko.cli.output import say
from seiko.designs import INVALID

__all__ = ["as_molecules"]

Row = Mapping[str, Any]


def as_molecules(rows: Sequence[Row], format: Literal["smiles", "sdf"]) -> str:
    """Return rows with at least `id`, `design` and `kind` as one file; invalid designs are left out of it.

    Raises:
        InputError: If a design is of another kind than SMILES, or RDKit is missing where it is needed.
    """
    if others := sorted({str(row["kind"]) for row in rows} - {"smiles", INVALID}):
        raise InputError(f"designs of kind {others[0]!r} cannot be written as {format}: use csv or jsonl")
    text, left_out = _smi(rows) if format == "smiles" else _sdf(rows)
    if left_out:
        say(f"{len(left_out)} of {len(rows)} designs are no molecules and are left out, the first {left_out[0]}")
    return text


def _smi(rows: Sequence[Row]) -> tuple[str, list[str]]:
    """Write all that a line can hold, without asking RDKit whether it is a molecule."""
    lines, left_out = [], []
    for row in rows:
        if row["kind"] != INVALID and row["design"] and not any(letter.isspace() for letter in row["design"]):
            lines.append(f"{row['design']} {_line(row['id'])}\n")
        else:
            left_out.append(_line(row["id"]))
    return "".join(lines), left_out


def _sdf(rows: Sequence[Row]) -> tuple[str, list[str]]:
    try:
        from rdkit import Chem
        from rdkit.Chem import rdDepictor
    except ImportError as error:
        raise InputError("SDF is written by RDKit: pip install 'seiko[molecules]', or use smiles") from error
    from seiko.chemistry import parse

    text, left_out = io.StringIO(), []
    writer = Chem.SDWriter(text)
    for row in rows:
        shared = None if row["kind"] == INVALID else parse(row["design"])
        if shared is None:
            left_out.append(_line(row["id"]))
            continue
        mol = Chem.Mol(shared)
        rdDepictor.Compute2DCoords(mol)
        mol.SetProp("_Name", _line(row["id"]))
        for column, value in {"id": row["id"], "smiles": row["design"], **row}.items():
            if column not in ("design", "kind") and value is not None and _line(value):
                mol.SetProp(column, _line(value))
        writer.write(mol)
    writer.close()
    return text.getvalue(), left_out


def _line(value: Any) -> str:
    return " ".join(str(value).split())
