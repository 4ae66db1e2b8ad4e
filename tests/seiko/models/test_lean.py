from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from seiko.models.lean import FrozenConv2d, lean


def network(requires_grad: bool = False) -> nn.Sequential:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, stride=2), nn.SiLU(), nn.Conv2d(4, 4, 1, groups=2, bias=False))
    return layers.requires_grad_(requires_grad)


def saved_bytes(layers: nn.Module, x: torch.Tensor) -> int:
    found: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        found[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        layers(x)
    return sum(found.values())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_gradient_is_the_same_and_less_is_kept(dtype: torch.dtype) -> None:
    plain = network().to(dtype)
    frozen = copy.deepcopy(plain)
    lean(frozen)
    assert isinstance(frozen[0], FrozenConv2d)
    x = torch.randn(2, 3, 9, 8, dtype=dtype)
    found = []
    for layers in (plain, frozen):
        at = x.clone().requires_grad_()
        layers(at).square().sum().backward()
        assert at.grad is not None
        found.append(at.grad)
    torch.testing.assert_close(found[1], found[0])
    with torch.no_grad():
        torch.testing.assert_close(frozen(x), plain(x), rtol=0, atol=0)
    at = x.clone().requires_grad_()
    assert saved_bytes(frozen, at) < saved_bytes(plain, at)


def test_weights_that_move_keep_their_gradient() -> None:
    plain, same = network(requires_grad=True), network(requires_grad=True)
    lean(same)
    x = torch.randn(2, 3, 9, 8)
    for layers in (plain, same):
        layers(x).square().sum().backward()
    for a, b in zip(plain.parameters(), same.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad)


def test_lower_precision_by_autocast_goes_through() -> None:
    layers = network()
    lean(layers)
    x = torch.randn(2, 3, 8, 8, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        layers(x).float().square().sum().backward()
    assert x.grad is not None
    assert x.grad.dtype == torch.float32
    assert bool(torch.isfinite(x.grad).all())


def test_convolutions_of_another_kind_are_left_alone() -> None:
    layers = nn.Sequential(nn.Conv2d(3, 3, 3, padding="same"), nn.Conv2d(3, 3, 3, padding=1, padding_mode="reflect"))
    lean(layers)
    assert not any(isinstance(layer, FrozenConv2d) for layer in layers)
