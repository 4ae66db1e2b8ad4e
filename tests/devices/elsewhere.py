"""A second device that needs no hardware: its tensors meet no others, as those of a GPU meet none of the CPU's.

Every operation is checked as CUDA checks it (all tensors on one device; numbers and indices may come from the CPU), and
then computed on the CPU. It is PyTorch's backend for other people's devices, registered for the whole process: so this
file is run as a program of its own, `python elsewhere.py CASE FOLDER [CLIP]`, and says where it stopped if it did.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.backend_registration import _DummyBackendModule, _setup_privateuseone_for_python_backend

NAME = "elsewhere"
_aten = torch.ops.aten
_PUT = (_aten.index_put_.default, _aten.index_put.default, _aten._index_put_impl_.default)
_ACROSS = {_aten.copy_.default, _aten._to_copy.default, _aten.index.Tensor, *_PUT}


class Elsewhere(torch.Tensor):
    """A tensor of the device; `inner` holds its numbers."""

    inner: torch.Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> Elsewhere:
        made: Elsewhere = torch.Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls,
            inner.shape,
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            layout=inner.layout,
            device=torch.device(NAME, 0),
            requires_grad=inner.requires_grad,
        )
        made.inner = inner.detach()
        return made

    def __repr__(self) -> str:  # type: ignore[override]
        return f"Elsewhere({self.inner!r})"

    def numpy(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("a tensor of another device has no numpy array: call cpu() first")

    def tolist(self) -> Any:
        return self.inner.tolist()

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


def _run(func: Any, args: Any, kwargs: Any) -> Any:
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    own = [x for x in tensors if isinstance(x, Elsewhere)]
    if own and func not in _ACROSS and any(x.dim() for x in tensors if not isinstance(x, Elsewhere)):
        met = ", ".join(f"{x.device.type}{list(x.shape)}" for x in tensors)
        raise RuntimeError(f"{func} got tensors of two devices: {met}")
    if own and func in (_aten.index.Tensor, *_PUT) and not isinstance(args[0], Elsewhere):
        raise RuntimeError(f"{func} of a tensor on the CPU got indices or values of another device")
    asked = kwargs.get("device")
    here = bool(own) if asked is None else torch.device(asked).type == NAME
    if func in (_aten.index.Tensor, _aten.copy_.default, *_PUT):
        here = isinstance(args[0], Elsewhere)
    if here and kwargs.get("generator") is not None:
        raise RuntimeError(f"{func} got a generator of the CPU")
    if asked is not None and here:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    with _disable_current_modes():
        found = func(*tree_map(_inner, args), **tree_map(_inner, kwargs))
    if not here:
        return found
    out = tree_map(lambda x: Elsewhere(x) if isinstance(x, torch.Tensor) and not isinstance(x, Elsewhere) else x, found)
    return return_and_correct_aliasing(func, args, kwargs, out) if own else out


def _inner(x: Any) -> Any:
    return x.inner if isinstance(x, Elsewhere) else x


class _Dispatch(TorchDispatchMode):
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class _Backend(_DummyBackendModule):  # type: ignore[misc]
    """What PyTorch asks of a device beside its operations."""

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16, torch.float16]

    def manual_seed_all(self, seed: int) -> None:
        """Nothing is drawn there but from streams of its own."""


def register() -> torch.library.Library:
    """Make the device known to this process for as long as the result lives.

    What is made of Python's numbers and lists is made below all modes: that takes kernels.
    """
    _setup_privateuseone_for_python_backend(NAME, backend_module=_Backend())
    kernels = torch.library.Library("aten", "IMPL")

    def empty_strided(size: Any, stride: Any, **kwargs: Any) -> Elsewhere:
        return Elsewhere(torch.empty_strided(size, stride, dtype=kwargs.get("dtype")))

    def copy_from(source: torch.Tensor, target: torch.Tensor, non_blocking: bool = False) -> torch.Tensor:
        _inner(target).copy_(_inner(source))
        return target

    kernels.impl("empty_strided", empty_strided, "PrivateUse1")
    kernels.impl("_copy_from", copy_from, "PrivateUse1")
    return kernels


@contextmanager
def elsewhere() -> Iterator[None]:
    """Let tensors be made there and moved there; backward passes stay in this thread, where the modes are."""
    with torch.autograd.set_multithreading_enabled(False), _Dispatch():
        yield


def _recipes(folder: Path, clip: str | None) -> dict[str, Callable[[], Any]]:
    from seiko.updates import DPO, SMC, PreferenceDPO
    from seiko_recipes.aesthetic import aesthetic
    from seiko_recipes.images import digits
    from seiko_recipes.molecules import graphs, molecules
    from seiko_recipes.sequences import ehrlich

    def shapes(**options: Any) -> Any:
        small = {"budget": 16, "rounds": 2, "steps": 1, "samples": 6, "pool": 20, "num_steps": 3, "look": 8}
        return digits(**{**small, **options})

    def drugs(**options: Any) -> Any:
        small = {"budget": 16, "rounds": 2, "steps": 1, "final_steps": 1, "samples": 6, "pool": 20, "generations": 1}
        return molecules(**{**small, **options})

    def letters(**options: Any) -> Any:
        return ehrlich(**{"budget": 16, "rounds": 2, "steps": 1, "samples": 6, "pool": 20, **options})

    def latents(**options: Any) -> Any:
        assert clip is not None
        from seiko.models import RandomPipeline

        model = RandomPipeline(family="sd").save(folder / "sd")
        small = {"budget": 5, "rounds": 2, "steps": 1, "samples": 2, "look": 3, "num_steps": 3, "size": 16, "seen": 16}
        return aesthetic(**{"model": str(model), "clip": clip, "oracle": "compressibility", **small, **options})

    return {
        "letters": letters,
        "molecules": drugs,
        "ensemble": lambda: drugs(reward="ensemble", acquisition="bootstrap", update="distill", selection="mixed"),
        "steered": lambda: replace(drugs(kl_budget=None, generations=0), update=SMC(particles=8, moves=1)),
        "lora": lambda: drugs(lora=2, keep="c1ccccc1", selection="diverse"),
        "preferences": lambda: replace(drugs(), update=PreferenceDPO()),
        "images": shapes,
        "gradient": lambda: shapes(update="backprop", reward="ensemble", acquisition="thompson"),
        "guided": lambda: shapes(update="guidance", kl_budget=None),
        "prompts": lambda: replace(shapes(reward="class", oracle="quality"), update=DPO()),
        "adjoint": lambda: shapes(update="adjoint", reward="gp", lora=2),
        "graphs": lambda: graphs(budget=16, rounds=2, steps=1, samples=6, pool=20, num_steps=3),
        "latents": latents,
        "policy": lambda: latents(method="ppo"),
    }


def main() -> None:
    """Run a small campaign there, draw from it, and open it again on the CPU."""
    from seiko.campaign import Campaign, run

    case, folder, *clip = sys.argv[1:]
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    kernels = register()  # noqa: F841
    recipe = _recipes(Path(folder), clip[0] if clip else None)[case]()
    there = replace(recipe, look=8, model=replace(recipe.model, device=NAME))
    with elsewhere(), Campaign.open(Path(folder) / "there", there) as campaign:
        run(campaign)
        versions = campaign.model.versions
        assert versions is not None
        assert {parameter.device.type for parameter in versions.parameters()} == {NAME}
        assert len(campaign.sample(3)) == 3
        print(len(campaign.state.labels), "labels,", len(campaign.state.reports), "rounds")


if __name__ == "__main__":
    main()
