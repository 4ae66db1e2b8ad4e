"""What an outside oracle is sent, what it may answer, and what becomes of designs that it does not answer.

    out   id, design, kind          one row or object a design; the id is the design's key; of an image also its prompt,
                                    and its file, as a path for a program, else in base64
    in    id, value or status, and if it likes noise and reason; in any order; as JSON also values, several by name

An answer with a known id and a finite value (or status infeasible or failed) is a label at once. Whatever else comes is
never guessed at: an unknown id is passed over, a second, different answer too; NaN or text in place of a number leaves
the design unanswered. What is unanswered is sent *once* more, alone; what is then still unanswered has failed, for the
reason that is known, and costs nothing. If the oracle has said nothing that makes sense of any design, it is not the
designs that are at fault: the loop stops, with all that was told before, and can be started again.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from seiko.designs import IMAGE, Design
from seiko.oracles.base import Label

__all__ = ["Answers", "Broken", "OracleFailed", "as_sent", "converse", "read_answer"]


class OracleFailed(Exception):
    """The oracle does not answer; what it answered before is kept."""


class Broken(Exception):
    """This attempt ended before all was answered; the message says why."""


def as_sent(design: Design, folder: Path | None = None) -> dict[str, str]:
    """Return what an outside oracle is told of a design.

    Args:
        design: An image must have its file.
        folder: Where images are written to, for an oracle on this machine: it is told the path; None sends base64.

    Raises:
        ValueError: If an image comes without its file.
    """
    row = {"id": design.key, "design": design.content, "kind": design.kind}
    if design.prompt is not None:
        row["prompt"] = design.prompt
    if design.kind == IMAGE and design.data is None:
        raise ValueError(
            f"image {design.content[:12]} comes without its PNG: `Campaign.bytes_of` reads it from the run folder"
        )
    if design.data is not None and folder is None:
        row["png"] = base64.b64encode(design.data).decode()
    elif design.data is not None and folder is not None:
        file = folder / f"{design.key}.png"  # 16 hexadecimal digits: nothing of it is anybody's text
        file.write_bytes(design.data)
        row["file"] = str(file)
    return row


def read_answer(answer: Mapping[str, Any]) -> Label:
    """Return the label that one answer says.

    Raises:
        ValueError: If it says none; the message says why.
    """
    status = str(answer.get("status") or "value").strip().lower()
    reason = answer.get("reason")
    words = None if reason in (None, "") else str(reason)[:500]
    value, noise = _number(answer, "value"), _number(answer, "noise")
    if status == "infeasible" and value is None:
        return Label.infeasible(words or "")
    if status == "failed" and value is None:
        return Label.failed(words or "")
    if status != "value":
        raise ValueError(f"it answered the status {status!r:.40} with the value {value}")
    if value is None and isinstance(several := answer.get("values"), Mapping) and several:
        numbers = [(str(name), _number(several, name)) for name in several]
        if missing := [name for name, number in numbers if number is None]:
            raise ValueError(f"it answered no value of {missing[0]!r:.40}")
        return Label(noise=noise, reason=words, values=tuple((name, n) for name, n in numbers if n is not None))
    if value is None:
        raise ValueError("it answered no value")
    return Label(value=value, noise=noise, reason=words)


def _number(answer: Mapping[str, Any], name: str) -> float | None:
    cell = answer.get(name)
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return None
    try:
        number = math.nan if isinstance(cell, bool) else float(cell)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"it answered {cell!r:.40} as {name}")
    return number


class Answers:
    """What came of some designs so far.

    Args:
        designs: In the order of the positions that labels are given for; a design that is there twice is sent once.
    """

    def __init__(self, designs: Sequence[Design]) -> None:
        self._positions: dict[str, list[int]] = {}
        self._designs: dict[str, Design] = {}
        for position, design in enumerate(designs):
            self._positions.setdefault(design.key, []).append(position)
            self._designs[design.key] = design
        self._why: dict[str, str] = {}
        self.heard = False  # whether any answer named a design that was asked for

    def waiting(self) -> list[Design]:
        """Return the designs without a label."""
        return list(self._designs.values())

    def take(self, answer: Mapping[str, Any]) -> Iterator[tuple[int, Label]]:
        """Yield the positions that an answer labels."""
        key = str(answer.get("id") or "").strip()
        if key not in self._designs:
            self.heard = self.heard or key in self._positions
            return
        self.heard = True
        try:
            label = read_answer(answer)
        except ValueError as error:
            self._why[key] = str(error)
            return
        del self._designs[key]
        for position in self._positions[key]:
            yield position, label

    def give_up(self, why: str) -> Iterator[tuple[int, Label]]:
        """Yield a failure for every design that has no label."""
        for key in list(self._designs):
            del self._designs[key]
            for position in self._positions[key]:
                yield position, Label.failed(self._why.get(key, why))


def converse(
    designs: Sequence[Design], attempt: Callable[[Sequence[Design], int], Iterator[Mapping[str, Any]]]
) -> Iterator[tuple[int, Label]]:
    """Yield position and label of each design as answers come; twice at most is anything sent.

    Args:
        designs: What is to be labelled.
        attempt: Sends designs and yields answers; called with the number of the attempt, 0 or 1.

    Raises:
        OracleFailed: If no design at all was answered.
    """
    answers = Answers(designs)
    why = "it was left out"
    for number in (0, 1):
        if not answers.waiting():
            return
        try:
            # closed here and now if whoever reads us stops in the middle: what the attempt has started must end
            with closing(attempt(answers.waiting(), number)) as answered:  # type: ignore[type-var]
                for answer in answered:
                    yield from answers.take(answer)
            why = "it was left out"
        except Broken as error:
            why = str(error)
    if answers.waiting() and not answers.heard:
        raise OracleFailed(f"the oracle answered none of {len(answers.waiting())} designs, twice: {why}")
    yield from answers.give_up(why)
