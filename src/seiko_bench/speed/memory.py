"""Bytes of a step: resident memory of a process of its own, and what a graph holds, counted without computing.

    measured   the largest resident set while the step runs, in a fresh process, and the set before it
    counted    a network on torch's "meta" device, which has shapes and no numbers; every tensor that autograd saves is
               counted once, weights not

Counting makes sizes comparable that do not fit here: five copies of Stable Diffusion's U-Net, Stable Diffusion XL.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from seiko_bench.speed.setting import FULL, MIDDLE, TINY
from seiko_bench.speed.ways import OURS, Theirs, ours, timed

__all__ = ["counted", "in_process", "measure_memory", "measured"]

SETTINGS = {"tiny": TINY, "middle": MIDDLE, "full": FULL}
_STATUS = Path("/proc/self/status")


def _resident(peak: bool) -> int:
    """Return bytes of resident memory, now or at its largest since `_forget_peak`."""
    if not _STATUS.is_file():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    key = "VmHWM:" if peak else "VmRSS:"
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(key))
    return int(line.split()[1]) * 1024


def _forget_peak() -> None:
    """Let the peak begin anew, where the system lets a process say so."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def in_process(setting: str, way: str, threads: int) -> dict[str, Any]:
    """Take one step in this process; return bytes and seconds."""
    torch.set_num_threads(threads)
    before_all = _resident(peak=False)
    subject = SETTINGS[setting].build()
    theirs = Theirs(subject) if way == "theirs" else None
    _forget_peak()
    before = _resident(peak=False)
    if theirs is not None:
        spent = timed(theirs.step)
    elif way == "floor":
        spent = timed(lambda: _one_pass(subject))
    else:
        spent = timed(lambda: ours(subject, OURS[way]))
    return {
        "before_build": before_all,
        "before_step": before,
        "peak": _resident(peak=True),
        "wall_seconds": spent.wall,
        "processor_seconds": spent.processor,
        "gradient_norm": float(subject.gradient().norm()),
        "parameters": sum(p.numel() for p in subject.model.pipeline.unet.parameters()),
    }


def _one_pass(subject: Any) -> None:
    """Take the one pass that nobody can do without, forward and backward with both halves."""
    from seiko.models import ModelPolicy

    x = subject.model.process.prior(subject.model.event_shape, subject.noise).requires_grad_()
    ModelPolicy(subject.model).transition(x, 1, subject.conditioning).mean.sum().backward()


def measured(setting: str, way: str, threads: int = 1) -> dict[str, Any]:
    """Take one step in a process of its own; return bytes and seconds."""
    command = [sys.executable, "-m", "seiko_bench.speed.memory", setting, way, str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command[2:])} ended with {done.returncode}: {done.stderr[-500:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure_memory(setting: str, threads: int = 1) -> dict[str, Any]:
    """Return what each way holds beyond a bare process, bytes, and the ratios."""
    found = {way: measured(setting, way, threads) for way in ("theirs", "floor", *OURS)}
    held = {way: one["peak"] - one["before_build"] for way, one in found.items()}
    return {
        "measured": found,
        "held": held,
        "of_theirs": {way: held[way] / held["theirs"] for way in OURS},
        "of_floor": {way: held[way] / held["floor"] for way in OURS},
    }


def counted(unet: Mapping[str, Any], rows: int, *, frugal: bool = True) -> dict[str, int]:
    """Return bytes of a U-Net's weights and of what autograd saves in one pass with adapters, single precision.

    Args:
        unet: Its configuration.
        rows: Images in the pass; both halves of guidance count.
        frugal: Whether frozen convolutions keep nothing, as in seiko; torch's own keep their input.
    """
    import diffusers

    from seiko.models import LoRA
    from seiko.models.latent_image_source import ATTENTION
    from seiko.models.lean import lean

    with torch.device("meta"):
        library: Any = diffusers
        network = library.UNet2DConditionModel(**unet)
        weights = sum(p.numel() * p.element_size() for p in network.parameters())
        backbone: Any = LoRA(rank=4, scale=4.0, target_modules=ATTENTION).attach(_Whole(network))
        side = int(unet["sample_size"])
        x = torch.zeros(rows, 4, side, side, requires_grad=True)
        text = torch.zeros(rows, 77, int(unet["cross_attention_dim"]))
        added = None
        if "projection_class_embeddings_input_dim" in unet:
            pooled = int(unet["projection_class_embeddings_input_dim"]) - 6 * int(unet["addition_time_embed_dim"])
            added = {"text_embeds": torch.zeros(rows, pooled), "time_ids": torch.zeros(rows, 6)}
        if frugal:
            lean(backbone.backbone)
        saved: dict[int, int] = {}

        def keep(tensor: torch.Tensor) -> torch.Tensor:
            storage = tensor.untyped_storage()
            saved[storage._cdata] = max(saved.get(storage._cdata, 0), storage.nbytes())
            alive.append(tensor)  # a storage that is freed may be counted again under the same name
            return tensor

        alive: list[torch.Tensor] = []
        parameters = {p.untyped_storage()._cdata for p in backbone.backbone.parameters()}
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), _attention_in_blocks():
            backbone(x, torch.zeros(rows), text, added)
    graph = sum(size for storage, size in saved.items() if storage not in parameters)
    return {"parameters": weights // 4, "weights": weights, "graph": graph}


@contextmanager
def _attention_in_blocks() -> Iterator[None]:
    """Use the attention that processors and GPUs use; "meta" would fall back on the one that keeps whole matrices."""
    functional: Any = nn.functional
    usual = functional.scaled_dot_product_attention

    def blocks(query: Any, key: Any, value: Any, **options: Any) -> Any:
        return torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(query, key, value)[0]

    functional.scaled_dot_product_attention = blocks
    try:
        yield
    finally:
        functional.scaled_dot_product_attention = usual


class _Whole(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Any, t: Any, text: Any, added: Any) -> Any:
        return self.network(x, t, text, added_cond_kwargs=added, return_dict=False)[0]


if __name__ == "__main__":
    print(json.dumps(in_process(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
