"""`sample`: draw designs from a run's model or from a pretrained one."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seiko.cli.errors import InputError
from seiko.cli.molecules import as_molecules
from seiko.cli.output import as_csv, deliver, say
from seiko.cli.runs import Force, OutFile, is_run, open_run
from seiko.designs import INVALID

if TYPE_CHECKING:
    from seiko.designs import Design

__all__ = ["SampleFormat", "sample", "write_designs"]

CHUNK = 1000


class SampleFormat(StrEnum):
    """Formats of designs."""

    csv = "csv"
    fasta = "fasta"
    smiles = "smiles"
    sdf = "sdf"
    png = "png"


KINDS = {
    SampleFormat.fasta: ("dna", "rna", "protein"),
    SampleFormat.smiles: ("smiles",),
    SampleFormat.sdf: ("smiles",),
    SampleFormat.png: ("image",),
}


def sample(
    source: Annotated[
        str,
        typer.Argument(
            metavar="RUN|PRIOR", show_default=False, help="A run, a model's folder, or seiko:NAME for a shipped prior."
        ),
    ],
    n: Annotated[int, typer.Option("--n", min=1, help="Number of designs; duplicates are kept.")] = 100,
    seed: Annotated[int, typer.Option("--seed", help="Other seeds give other designs.")] = 0,
    round: Annotated[
        int | None,
        typer.Option("--round", min=0, help="Of a run: 0 is the pretrained model.", show_default="the last finished"),
    ] = None,
    format: Annotated[
        SampleFormat, typer.Option("--format", help="It must suit the kind of design.")
    ] = SampleFormat.csv,
    out: OutFile = None,
    force: Force = False,
) -> None:
    """Draw fresh designs from a model; they are not labelled and cost nothing."""
    if is_run(source):
        with open_run(source) as campaign:
            designs = campaign.sample(n, seed=seed, round=round)
    else:
        if round is not None:
            raise InputError(f"--round belongs to a run; {source} is a pretrained model")
        designs = _from_prior(source, n, seed)
    deliver(write_designs(designs, format), out, force=force)
    invalid = sum(not design.valid for design in designs)
    distinct = len({design.key for design in designs})
    say(f"{len(designs)} designs, {distinct} of them distinct" + (f", {invalid} invalid" if invalid else ""))


def write_designs(designs: list[Design], format: SampleFormat) -> str:
    """Return designs in a format.

    Raises:
        InputError: If the format makes no sense for their kind.
    """
    kind = next((design.kind for design in designs if design.valid), INVALID)
    if format is SampleFormat.csv:
        return as_csv(("design", "kind"), [{"design": design.content, "kind": design.kind} for design in designs])
    if kind not in KINDS[format]:
        fitting = [name.value for name, kinds in KINDS.items() if kind in kinds and name is not SampleFormat.png]
        raise InputError(
            f"designs of kind {kind!r} cannot be written as {format.value}: use {' or '.join(['csv', *fitting])}"
        )
    if format is SampleFormat.png:
        raise InputError(f"--format {format.value} belongs to a later version: use csv")
    if format is SampleFormat.fasta:
        return "".join(f">sample-{i}\n{design.content}\n" for i, design in enumerate(designs, start=1))
    rows = [
        {"id": f"sample-{i}", "design": design.content, "kind": design.kind, "key": design.key}
        for i, design in enumerate(designs, start=1)
    ]
    return as_molecules(rows, "smiles" if format is SampleFormat.smiles else "sdf")


def _from_prior(name: str, n: int, seed: int) -> list[Design]:
    if not name.startswith("seiko:") and not (Path(name) / "config.json").is_file():
        what = "holds neither a run nor a model" if Path(name).is_dir() else "is neither a run nor a model's folder"
        raise InputError(f"{name} {what}; shipped priors are named seiko:NAME")
    import torch

    from seiko.diffusion import Noise, Transition, rollout
    from seiko.models import ModelPolicy, source_of

    model = source_of(name).load()
    policy: ModelPolicy[Transition] = ModelPolicy(model)
    noise = Noise.seeded(seed, n)
    with torch.no_grad():
        x = torch.cat([rollout(policy, None, noise[i : i + CHUNK]).x_0 for i in range(0, n, CHUNK)])
    return model.export(x)
