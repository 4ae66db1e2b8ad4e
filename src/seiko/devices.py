"""Where a model computes, by PyTorch's names for devices."""

from __future__ import annotations

import torch

__all__ = ["device_named"]


def device_named(name: str) -> torch.device:
    """Return a device that is there.

    Args:
        name: cpu, cuda, cuda:1, mps, ...

    Raises:
        ValueError: If PyTorch knows no such device, or sees none on this machine.
    """
    try:
        device = torch.device(name)
        module = None if device.type == "cpu" else torch.get_device_module(device)
    except RuntimeError as error:
        raise ValueError(
            f"device {name!r} is none that PyTorch computes on: choose cpu, cuda, cuda:1, mps, ..."
        ) from error
    if module is None:
        return device
    count = module.device_count() if module.is_available() else 0
    if (device.index or 0) >= count:
        seen = f"this machine has {count}" if count else "PyTorch sees none on this machine"
        raise ValueError(f"device {name!r} is not there, {seen}: choose another one, or cpu")
    return device
