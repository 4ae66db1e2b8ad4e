"""A program of your own as the oracle: designs in, labels out, as CSV or JSON lines.

    in    id,design,kind[,prompt][,file]            on standard input, or in the file that {input} names
    out   id,value[,noise][,status][,reason]        on standard output, or in the file that {output} names

An image's `file` is the path of its PNG, in a folder that nobody else can read and that is there while it runs.

It is started once for a batch, with a list of arguments and no shell. Lines on standard output are labels as soon as
they are written; if it dies, what it has written in whole lines is kept, and it is started once more with the rest.
A last line without an end counts only if the program has ended well: a number could be cut in the middle.
"""

from __future__ import annotations

import csv
import io
import json
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from seiko.designs import Design
from seiko.oracles.base import Label
from seiko.oracles.external.answers import Broken, as_sent, converse
from seiko.oracles.external.process import Child

__all__ = ["Command"]


@dataclass(frozen=True, kw_only=True)
class Command:
    """Answer by running a program on a batch of designs; larger is better.

    Args:
        arguments: Program and arguments; ``{input}`` and ``{output}`` stand for files that are made for it.
        format: Of what goes in and comes out.
        timeout: Seconds that one run of it may take; then it and all that it has started are killed.
        folder: Where it runs; None for the working folder.

    Raises:
        ValueError: If there is no program, or the time is not positive.
    """

    arguments: tuple[str, ...]
    format: Literal["csv", "jsonl"] = "csv"
    timeout: float = 3600.0
    folder: Path | None = None

    def __post_init__(self) -> None:
        if not self.arguments or not self.arguments[0]:
            raise ValueError("a command needs a program, got no arguments")
        if any("\0" in argument for argument in self.arguments):
            raise ValueError(f"an argument cannot hold a zero byte, got {self.arguments!r}")
        if not self.timeout > 0:
            raise ValueError(f"timeout must be a positive number of seconds, got {self.timeout}")

    def __call__(self, designs: Sequence[Design]) -> list[Label]:
        """Return one label for each design, in order."""
        labels = dict(self.answers(designs))
        return [labels[position] for position in range(len(designs))]

    def answers(self, designs: Sequence[Design]) -> Iterator[tuple[int, Label]]:
        """Yield position and label of each design as the program answers.

        Raises:
            OracleFailed: If it cannot be started, or answers nothing that makes sense, twice.
        """
        return converse(designs, self._attempt)

    def _attempt(self, designs: Sequence[Design], number: int) -> Iterator[Mapping[str, Any]]:
        deadline = time.monotonic() + self.timeout
        with tempfile.TemporaryDirectory(prefix="seiko-") as temporary:
            sent = self._written([as_sent(design, Path(temporary)) for design in designs])
            files = {f"{{{name}}}": str(Path(temporary) / f"{name}.{self.format}") for name in ("input", "output")}
            arguments = [_filled(argument, files) for argument in self.arguments]
            from_file, to_file = ("{input}" in "".join(self.arguments), "{output}" in "".join(self.arguments))
            if from_file:
                Path(files["{input}"]).write_text(sent, encoding="utf-8")
            with Child(arguments, self.folder) as child:
                child.send(b"" if from_file else sent.encode(), close=True)
                if to_file:
                    for _ in child.lines(deadline):
                        pass
                    yield from self._of_file(child, Path(files["{output}"]), deadline)
                else:
                    yield from self._records(_Whole(child, deadline))
                if code := child.exit_code(deadline):
                    raise Broken(_ended(code, child))

    def _of_file(self, child: Child, path: Path, deadline: float) -> Iterator[Mapping[str, Any]]:
        code = child.exit_code(deadline)
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise Broken(_ended(code, child) if code else "it wrote no output file") from None
        except UnicodeDecodeError as error:
            raise Broken("what it wrote is not UTF-8") from error
        lines = io.StringIO(text if code == 0 else text[: text.rfind("\n") + 1], newline="")
        yield from self._records(lines)

    def _written(self, rows: list[dict[str, str]]) -> str:
        if self.format == "jsonl":
            return "".join(json.dumps(row) + "\n" for row in rows)
        text = io.StringIO()
        columns = list(dict.fromkeys(name for row in rows for name in row))
        writer = csv.DictWriter(text, columns, lineterminator="\n", restval="")
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()

    def _records(self, lines: Iterable[str]) -> Iterator[Mapping[str, Any]]:
        if self.format == "csv":
            yield from _csv_records(lines)
            return
        for line in lines:
            if line.strip():
                try:
                    record = json.loads(line)
                except (ValueError, RecursionError):
                    raise Broken(f"it wrote {line.strip()!r:.60}, which is no JSON") from None
                if not isinstance(record, dict):
                    raise Broken(f"it wrote {line.strip()!r:.60}, which is no JSON object")
                yield record


class _Whole:
    """The lines of a child's output as text; of the last one, if it has no end, only what a good end vouches for."""

    def __init__(self, child: Child, deadline: float) -> None:
        self._child, self._deadline = child, deadline

    def __iter__(self) -> Iterator[str]:
        for line in self._child.lines(self._deadline):
            if not line.endswith(b"\n") and (code := self._child.exit_code(self._deadline)):
                raise Broken(_ended(code, self._child))
            try:
                yield line.decode()
            except UnicodeDecodeError as error:
                raise Broken("what it wrote is not UTF-8") from error


def _csv_records(lines: Iterable[str]) -> Iterator[Mapping[str, Any]]:
    header: list[str] | None = None
    try:
        for cells in csv.reader(lines, strict=True):
            if not any(cell.strip() for cell in cells):
                continue
            if header is None:
                header = [cell.strip().lower().lstrip("\ufeff") for cell in cells]
                if "id" not in header or not {"value", "status"} & set(header):
                    raise Broken(f"its output needs a header with id and value, it begins with {','.join(cells)!r:.60}")
            else:
                yield dict(zip(header, cells, strict=False))
    except csv.Error as error:
        raise Broken(f"its output is no CSV: {error}") from error


def _filled(argument: str, files: Mapping[str, str]) -> str:
    for name, path in files.items():
        argument = argument.replace(name, path)
    return argument


def _ended(code: int, child: Child) -> str:
    how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    return f"it {how}" + (f": {words}" if (words := child.last_words()) else "")
