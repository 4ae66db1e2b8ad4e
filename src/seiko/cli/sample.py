"""`sample`: draw designs from a run's model or from a pretrained one."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seiko.cli.errors import InputError
from seiko.cli.images import deliver_images, only_images, with_prompts
from seiko.cli.molecules import as_molecules
from seiko.cli.output import as_csv, deliver, say
from seiko.cli.runs import MODEL_FILES, Force, OutFile, is_run, open_run
from seiko.designs import INVALID

if TYPE_CHECKING:
    from seiko.designs import Design

__all__ = ["SampleFormat", "sample", "write_designs"]


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
    prompt: Annotated[
        list[str] | None,
        typer.Option("--prompt", help="What to draw for; may be repeated.", show_default="the recipe's"),
    ] = None,
    best_of: Annotated[
        int,
        typer.Option("--best-of", min=1, help="Of a run: each design is the best of so many draws by its belief."),
    ] = 1,
    out: OutFile = None,
    force: Force = False,
) -> None:
    """Draw fresh designs from a model; they are not labelled and cost nothing.

    Images are written as files: --format png --out FOLDER, with a table manifest.csv.
    """
    if is_run(source):
        with open_run(source) as campaign:
            designs = campaign.sample(n, seed=seed, round=round, prompts=prompt or None, best_of=best_of)
    else:
        if round is not None:
            raise InputError(f"--round belongs to a run; {source} is a pretrained model")
        if best_of > 1:
            raise InputError(f"--best-of needs a run's belief; {source} is a pretrained model")
        designs = _from_prior(source, n, seed, prompt or None)
    if format is SampleFormat.png and only_images(designs):
        drawn = [design for design in designs if design.valid]
        rows = [{"id": f"sample-{i:05d}", "design": design.content} for i, design in enumerate(drawn, start=1)]
        deliver_images(out, ("design",), rows, drawn, force=force)
    else:
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
        table = [{"design": design.content, "kind": design.kind, "prompt": design.prompt} for design in designs]
        return as_csv(with_prompts(("design", "kind"), table), table)
    if kind not in KINDS[format]:
        fitting = [name.value for name, kinds in KINDS.items() if kind in kinds]
        raise InputError(
            f"designs of kind {kind!r} cannot be written as {format.value}: use {' or '.join(['csv', *fitting])}"
        )
    if format is SampleFormat.fasta:
        return "".join(f">sample-{i}\n{design.content}\n" for i, design in enumerate(designs, start=1))
    rows = [
        {"id": f"sample-{i}", "design": design.content, "kind": design.kind, "key": design.key}
        for i, design in enumerate(designs, start=1)
    ]
    return as_molecules(rows, "smiles" if format is SampleFormat.smiles else "sdf")


def _from_prior(name: str, n: int, seed: int, prompts: list[str] | None) -> list[Design]:
    if not name.startswith("seiko:") and not any((Path(name) / file).is_file() for file in MODEL_FILES):
        what = "holds neither a run nor a model" if Path(name).is_dir() else "is neither a run nor a model's folder"
        raise InputError(f"{name} {what}; shipped priors are named seiko:NAME")
    from seiko.campaign.prompts import conditioner_of
    from seiko.campaign.sampler import ModelSampler, draw_designs
    from seiko.models import source_of

    model = source_of(name).load()
    conditioner = None if prompts is None else conditioner_of(model, prompts)
    return draw_designs(ModelSampler(model, conditioner), seed, n)
