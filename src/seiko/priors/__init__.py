"""How a name finds a pretrained model: ``"seiko:NAME"`` of those that travel in the package, a directory, the hub."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["SHIPPED", "SIDE_FILE", "locate", "prior_folder", "shipped"]

SHIPPED = "seiko:"
SIDE_FILE = "seiko.json"  # beside the weights: alphabet, length, where it came from
CONFIGURATIONS = ("config.json", "model_index.json")  # one of them makes a folder a model; the second is diffusers'


def shipped(name: str) -> Path | None:
    """Return the folder of ``"seiko:NAME"``; None for any other name.

    Raises:
        FileNotFoundError: If no shipped model is called so; says which there are.
    """
    if not name.startswith(SHIPPED):
        return None
    priors = Path(__file__).parent
    folder = priors / name.removeprefix(SHIPPED)
    if folder.parent != priors or not any((folder / file).is_file() for file in CONFIGURATIONS):
        found = {path.parent.name for file in CONFIGURATIONS for path in priors.glob(f"*/{file}")}
        known = ", ".join(sorted(f"{SHIPPED}{model}" for model in found))
        raise FileNotFoundError(f"no shipped prior is called {name!r}; there are: {known or 'none'}")
    return folder


def locate(name: str) -> Path | str:
    """Return the directory of a model, or the hub name if there is no such directory.

    Raises:
        FileNotFoundError: If the name is a path that does not exist, or no shipped prior has it.
    """
    if (folder := shipped(name)) is not None:
        return folder
    if Path(name).is_dir():
        return Path(name)
    if os.path.isabs(name) or name.startswith((".", "~")) or name.count("/") > 1:
        raise FileNotFoundError(f"there is no model directory {name!r}")
    return name


def prior_folder(name: str) -> Path:
    """Return the folder of a shipped model, or of one on this machine that was saved with its alphabet.

    Raises:
        FileNotFoundError: If there is no such folder, or no alphabet in it.
    """
    folder = shipped(name) or Path(name)
    if not (folder / SIDE_FILE).is_file():
        raise FileNotFoundError(
            f"model must be a directory with a {SIDE_FILE} (as `save_pretrained` writes it) or '{SHIPPED}NAME' of a "
            f"shipped prior, got {name!r}"
        )
    return folder
