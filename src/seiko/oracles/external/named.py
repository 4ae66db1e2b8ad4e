"""Outside oracles by one word on the command line.

command:PROGRAM ARGUMENT ...     CSV in and out; command+jsonl: for JSON lines. Quoted as in a shell; there is none
https://HOST/PATH                a service; https://HOST/PATH#VARIABLE sends the token in that environment variable
workers:MODULE:FUNCTION          a function in two worker processes; workers+N: in N
"""

from __future__ import annotations

import re
import shlex
from urllib.parse import urldefrag

from seiko.oracles.external.command import Command
from seiko.oracles.external.service import Service
from seiko.oracles.external.workers import Workers

__all__ = ["external_oracle"]

_COMMAND = re.compile(r"command(?:\+(csv|jsonl))?:(.*)", re.DOTALL)
_WORKERS = re.compile(r"workers(?:\+([0-9]{1,4}))?:(.*)", re.DOTALL | re.ASCII)


def external_oracle(text: str) -> Command | Service | Workers | None:
    """Return the outside oracle that a word names; None if it is none of theirs.

    Raises:
        ValueError: If it begins like one and cannot be meant.
    """
    if found := _COMMAND.fullmatch(text):
        try:
            arguments = tuple(shlex.split(found[2]))
        except ValueError as error:
            raise ValueError(f"{text!r}: {error}; quote arguments as in a shell") from error
        return Command(arguments=arguments, format="jsonl" if found[1] == "jsonl" else "csv")
    if found := _WORKERS.fullmatch(text):
        return Workers(target=found[2], processes=int(found[1] or 2))
    if re.match(r"https?:", text, re.IGNORECASE):
        url, variable = urldefrag(text)
        return Service(url=url, token=variable or None)
    return None
