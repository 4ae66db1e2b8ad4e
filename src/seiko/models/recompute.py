"""Recompute a network block by block in the backward pass, each under the version that computed it.

diffusers' own checkpointing computes a block again while `backward()` runs, when `current` is in use whatever version
computed it first: the gradient through an anchor would be that of the tuned network, or fail where torch finds other
shapes. Here each block remembers its version and takes it up again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.utils.checkpoint import checkpoint

from seiko.models.versions import Versions

__all__ = ["recompute_blocks"]


def recompute_blocks(versions: Versions) -> None:
    """Turn on the checkpointing of the network's own blocks, aware of versions.

    Raises:
        ValueError: If the network has no blocks that know how.
    """
    network: Any = getattr(versions, "backbone", None)
    network = getattr(network, "network", network)
    if not getattr(network, "_supports_gradient_checkpointing", False):
        raise ValueError(f"{type(network).__name__} cannot be recomputed block by block: choose checkpoint 'step'")

    def run(block: Callable[..., Any], *inputs: Any) -> Any:
        name = versions.in_use  # type: ignore[attr-defined]

        def under_version(*inputs: Any) -> Any:
            with versions.use(name):
                return block(*inputs)

        return checkpoint(under_version, *inputs, use_reentrant=False)

    network.enable_gradient_checkpointing(run)
