"""MNIST as tensors, from the files of the data collection."""

from __future__ import annotations

import gzip

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from seiko import data

__all__ = ["held_out_digits", "training_digits"]


def training_digits() -> tuple[UInt8[Tensor, "n 1 28 28"], Int64[Tensor, "n"]]:
    """Return the 60,000 training images, grey levels 0 to 255, and their classes."""
    with np.load(data.fetch("mnist-train"), allow_pickle=False) as archive:
        return torch.from_numpy(archive["x"])[:, None], torch.from_numpy(archive["y"]).long()


def held_out_digits() -> tuple[Float[Tensor, "n 1 28 28"], Int64[Tensor, "n"]]:
    """Return the 10,000 test images, in [0, 1], and their classes."""
    x = np.frombuffer(gzip.decompress(data.fetch("mnist-test-images").read_bytes()), np.uint8, offset=16)
    y = np.frombuffer(gzip.decompress(data.fetch("mnist-test-labels").read_bytes()), np.uint8, offset=8)
    return torch.from_numpy(x.copy()).reshape(-1, 1, 28, 28).float() / 255, torch.from_numpy(y.copy()).long()
