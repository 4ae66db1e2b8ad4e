from __future__ import annotations

import pytest
import torch

from seiko.config import from_json, to_json
from seiko.rewards import (
    RBF,
    DigitFeatures,
    Ensemble,
    GaussianProcess,
    LastLayer,
    Learned,
    PixelCNN,
    RewardModel,
    Schedule,
    orbit,
)

FAST = Schedule(steps=60, batch_size=64)
MODELS: dict[str, RewardModel] = {
    "ensemble": Ensemble(network=PixelCNN(channels=(4, 8)), members=3, schedule=FAST),
    "last layer": LastLayer(features=Learned(network=PixelCNN(channels=(4, 8)), members=2, schedule=FAST)),
}


def images(n: int, size: int = 12) -> torch.Tensor:
    """Return images of bars whose width is what is to be learnt."""
    generator = torch.Generator().manual_seed(0)
    x = 0.1 * torch.rand(n, 1, size, size, generator=generator)
    for i in range(n):
        start, width = int(torch.randint(0, 5, (), generator=generator)), 1 + i % 6
        x[i, 0, :, start : start + width] = 1 - x[i, 0, :, start : start + width]
    return x


def widths(n: int) -> torch.Tensor:
    return 1.0 + torch.arange(n) % 6


@pytest.mark.parametrize("pooling", ["mean", "flatten"])
def test_members_do_not_see_each_other(pooling: str) -> None:
    network = PixelCNN(channels=(3, 4), hidden=5, pooling=pooling)  # type: ignore[arg-type]
    prepared = network.prepare(orbit(None, images(6)))
    parameters = network.init(prepared, 3, torch.Generator().manual_seed(1))
    together = network.body(parameters, prepared)
    assert together.shape == (3, 6, 1, 5)
    for j in range(3):
        alone = network.body({name: value[j : j + 1] for name, value in parameters.items()}, prepared)
        torch.testing.assert_close(alone[0], together[j])
    assert not torch.allclose(together[0], together[1])


def test_the_mean_does_not_mind_the_place_and_flat_does() -> None:
    """A shift by whole strides, away from the edges, changes no mean."""
    x = torch.full((2, 1, 32, 32), 0.5)
    x[0, 0, 10:13, 10:13] = 1
    x[1, 0, 14:17, 14:17] = 1
    for pooling, alike in (("mean", True), ("flatten", False)):
        network = PixelCNN(channels=(4, 4), hidden=6, pooling=pooling)  # type: ignore[arg-type]
        prepared = network.prepare(orbit(None, x))
        body = network.body(network.init(prepared, 1, torch.Generator().manual_seed(0)), prepared)[0, :, 0]
        assert torch.allclose(body[0], body[1], atol=1e-4) is alike


@pytest.mark.parametrize("name", MODELS)
def test_a_width_is_learnt_and_its_gradient_reaches_the_pixels(name: str) -> None:
    x, y = images(150), widths(150)
    belief = MODELS[name].fit(x[:120], y[:120], None, 0)
    found = belief.posterior(x[120:])
    assert float(torch.corrcoef(torch.stack([found.mean.detach(), y[120:].to(found.mean)]))[0, 1]) > 0.85
    some = x[:5].clone().requires_grad_()
    posterior = belief.posterior(some)
    (gradient,) = torch.autograd.grad((posterior.mean + posterior.std).sum(), some)
    assert bool(gradient.isfinite().all())
    assert float(gradient.abs().max()) > 0
    assert from_json(to_json(MODELS[name])) == MODELS[name]


def test_digits_have_features_with_a_gradient_and_a_process_on_them() -> None:
    x = images(40, 28)
    feature = DigitFeatures()
    assert feature(x).shape == (40, 65)
    some = x[:3].clone().requires_grad_()
    (gradient,) = torch.autograd.grad(feature(some)[:, :-1].sum(), some)
    assert float(gradient.abs().max()) > 0
    belief = GaussianProcess(kernel=RBF(feature=feature)).fit(x, widths(40), None, 0)
    assert bool(belief.posterior(x).std.isfinite().all())


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="channels must be positive"):
        PixelCNN(channels=())
    with pytest.raises(ValueError, match=r"needs images \[n, c, h, w\], got states of shape \[5\]"):
        PixelCNN().prepare(torch.zeros(2, 1, 5))
    with pytest.raises(ValueError, match="cannot be halved 3 times"):
        PixelCNN().prepare(torch.zeros(2, 1, 1, 2, 2))
    with pytest.raises(ValueError, match=r"digits are \[1, 28, 28\]"):
        DigitFeatures()(torch.zeros(1, 1, 8, 8))
