"""`pretrain`: train a masked diffusion model on sequences; interrupted, the same command goes on."""

from __future__ import annotations

import hashlib
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from seiko.cli.errors import InputError
from seiko.cli.output import as_json, deliver, say

if TYPE_CHECKING:
    from seiko.models import PretrainProgress

__all__ = ["pretrain"]


class Kind(StrEnum):
    """Kinds of new language models."""

    bert = "bert"
    esm = "esm"


def pretrain(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", show_default=False, help="Sequences: one a line, FASTA, or CSV with a column `sequence`."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the model.", show_default=False)],
    alphabet: Annotated[str, typer.Option("--alphabet", metavar="dna|protein|tokens:N", help="Its letters.")] = "dna",
    length: Annotated[
        int | None, typer.Option("--length", min=1, help="Letters of each sequence.", show_default="read from the file")
    ] = None,
    width: Annotated[int, typer.Option("--width", min=1, help="Hidden size.")] = 64,
    layers: Annotated[int, typer.Option("--layers", min=1, help="Transformer layers.")] = 2,
    heads: Annotated[int, typer.Option("--heads", min=1, help="Attention heads.")] = 4,
    architecture: Annotated[Kind, typer.Option("--architecture", help="Learned or rotary positions.")] = Kind.bert,
    steps: Annotated[int, typer.Option("--steps", min=1, help="Optimiser steps.")] = 5000,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Sequences a step.")] = 256,
    learning_rate: Annotated[float, typer.Option("--learning-rate", help="Peak learning rate of AdamW.")] = 2e-3,
    seed: Annotated[int, typer.Option("--seed", help="Seeds weights, masks and the validation split.")] = 0,
    force: Annotated[bool, typer.Option("--force", help="Train anew although DIR holds a model.")] = False,
) -> None:
    """Train a masked diffusion model on a file of sequences of one length."""
    if width % heads:
        raise InputError(f"--width must be a multiple of --heads, got {width} and {heads}")
    if not 0 < learning_rate < 1:
        raise InputError(f"--learning-rate must lie between 0 and 1, got {learning_rate}")
    from seiko.cli.sequences import alphabet_named, read_sequences, tokens
    from seiko.models import Architecture, Pretraining

    letters = alphabet_named(alphabet)
    x = tokens(file, read_sequences(file), letters, length)
    if (out / "model.safetensors").exists() and not (out / "checkpoint.pt").exists() and not force:
        raise InputError(f"{out} holds a model already: name another folder, or train anew with --force")
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file: name a folder")
    training = Pretraining(
        architecture=Architecture(kind=architecture.value, width=width, layers=layers, heads=heads),
        steps=steps,
        batch=batch,
        learning_rate=learning_rate,
        every=min(200, max(1, steps // 10)),
        seed=seed,
    )
    say(f"{len(x)} sequences of {x.shape[1]} letters; Ctrl-C stops, the same command goes on")
    provenance = {"data": file.name, "data_sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    with _Bar(steps) as bar:
        validation = training.run(x, letters, out, provenance=provenance, report=bar.report)
    deliver(as_json({"model": str(out), "sequences": len(x), "validation_nats_per_token": validation}), None)
    say(f"{out}: {validation:.4f} nats a token on held-out sequences; `seiko sample {out}` draws from it")


class _Bar:
    """A progress bar in a terminal, else a line a report."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        console = Console(stderr=True)
        self._terminal = console.is_terminal
        text = TextColumn("step {task.completed:.0f}/{task.total:.0f}  {task.fields[numbers]}")
        self._bar = Progress(BarColumn(30), text, TimeRemainingColumn(), console=console, disable=not self._terminal)
        self._task: TaskID = self._bar.add_task("", total=steps, numbers="")

    def __enter__(self) -> _Bar:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def report(self, seen: PretrainProgress) -> None:
        rate = seen.step / seen.seconds if seen.seconds > 0 else 0.0
        numbers = f"loss {seen.loss:.4f}  validation {seen.validation:.4f} nats a token  {rate:.1f} steps/s"
        if self._terminal:
            self._bar.update(self._task, completed=seen.step, numbers=numbers)
        else:
            print(f"step {seen.step}/{self.steps}  {numbers}", file=sys.stderr, flush=True)
