"""Any oracle by one word, for a command line.

qed, plogp, sa, a task of PMO      those that come with seiko
module:function                    your own function, in this process
command:..., https://..., workers:module:function      outside of it, see `seiko.oracles.external`
"""

from __future__ import annotations

from seiko.oracles.base import Oracle
from seiko.oracles.external import external_oracle
from seiko.oracles.function import PythonFunction
from seiko.oracles.molecules import oracle_named

__all__ = ["oracle_from"]


def oracle_from(text: str, *, noise: float = 0.0, seed: int = 0) -> Oracle:
    """Return the oracle that a word names; larger labels are better in each.

    Args:
        text: The word.
        noise: Standard deviation of the noise that is added to an oracle that comes with seiko.
        seed: Seed of that noise.

    Raises:
        ValueError: If there is none, or noise is asked of one that answers as it does.
    """
    if ":" not in text:
        return oracle_named(text, noise=noise, seed=seed)
    if noise:
        raise ValueError(f"noise is added to the oracles that come with seiko; {text} answers as it does")
    return external_oracle(text) or PythonFunction(target=text)
