from __future__ import annotations

import itertools
import math
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from seiko.rewards import LastLayer, ReverseComplement, Windows, spearman
from seiko.rewards.window_kernel import WindowKernel
from seiko.rewards.windows import Landmarks


def by_hand(x: list[int], z: list[int], width: int, sharpness: float) -> float:
    """Count windows of both strands letter by letter."""
    total = 0.0
    for image in (z, [3 - letter for letter in reversed(z)]):
        for p, q in itertools.product(range(-width + 1, len(x)), range(-width + 1, len(image))):
            matches = sum(
                0 <= p + k < len(x) and 0 <= q + k < len(image) and x[p + k] == image[q + k] for k in range(width)
            )
            total += math.exp(sharpness * (matches - width))
    return total


def test_the_kernel_is_its_definition() -> None:
    x, z = [0, 1, 2, 3, 0], [2, 3, 1, 1, 0]
    kernel = WindowKernel(vocabulary=4, widths=(2, 3), sharpness=0.7, symmetry=ReverseComplement())
    expected = sum(by_hand(x, z, w, 0.7) / math.sqrt(by_hand(x, x, w, 0.7) * by_hand(z, z, w, 0.7)) for w in (2, 3))
    assert float(kernel(torch.tensor([x]), torch.tensor([z]))) == pytest.approx(expected / 2, rel=1e-6)


def test_the_kernel_is_normalised_and_positive() -> None:
    x = torch.randint(0, 4, (50, 6), generator=torch.Generator().manual_seed(0))
    gram = WindowKernel(vocabulary=4, widths=(1, 4), sharpness=1.0, symmetry=ReverseComplement())(x, x)
    torch.testing.assert_close(gram.diagonal(), torch.ones(50, dtype=torch.float64), rtol=1e-6, atol=0)
    torch.testing.assert_close(gram, gram.T)
    assert float(torch.linalg.eigvalsh(gram)[0]) > -1e-6


def test_features_give_the_kernel_back() -> None:
    x = torch.randint(0, 5, (40, 6), generator=torch.Generator().manual_seed(1))
    kernel = WindowKernel(vocabulary=5, widths=(2, 3), sharpness=1.0)
    feature = Landmarks.of(kernel, x)
    phi = feature(x).double()
    torch.testing.assert_close(phi @ phi.T, kernel(x, x), atol=1e-4, rtol=0)
    torch.testing.assert_close(feature(torch.nn.functional.one_hot(x, 5).double()), phi, atol=1e-4, rtol=0)


def test_fewer_landmarks_still_know_what_they_miss(landscape) -> None:
    x, y = landscape.some(200)
    source = Windows(vocabulary=4, widths=(2, 4), sharpness=(1.0,))
    full = LastLayer(features=source).fit(x, y, None, 0)
    few = LastLayer(features=Windows(vocabulary=4, widths=(2, 4), sharpness=(1.0,), landmarks=20)).fit(x, y, None, 0)
    assert few.weights.shape == (20,)
    states = landscape.x[::17]
    assert float(few.posterior(states).std.mean()) > 0.5 * float(full.posterior(states).std.mean())


def test_wrong_settings_are_named() -> None:
    with pytest.raises(ValueError, match=r"widths must be positive and not empty, got \(\)"):
        Windows(vocabulary=4, widths=())
    with pytest.raises(ValueError, match="landmarks must be positive"):
        Windows(vocabulary=4, landmarks=0)
    with pytest.raises(ValueError, match="fitted to tokens"):
        LastLayer(features=Windows(vocabulary=4)).fit(torch.rand(3, 5, 4), torch.rand(3), None, 0)
    with pytest.raises(ValueError, match="choose narrower windows"):
        LastLayer(features=Windows(vocabulary=32, widths=(14,))).fit(torch.zeros(3, 20).long(), torch.rand(3), None, 0)


def test_it_ranks_measured_affinities(data_dir: Path) -> None:
    """On TF Bind 8, 200 + 300 labels; a GP on single 6-letter windows reaches .69, plain ensembles .60."""
    with np.load(os.path.join(data_dir, "tfbind8_six6_ref_r1.npz")) as arrays:
        table = torch.from_numpy(arrays["y_table"])
    x = torch.cartesian_prod(*[torch.arange(4)] * 8)
    generator = torch.Generator().manual_seed(0)
    low, top = (table <= table.median()).nonzero()[:, 0], (table >= table.quantile(0.8)).nonzero()[:, 0]
    chosen = torch.cat(
        [part[torch.randperm(len(part), generator=generator)[:n]] for part, n in ((low, 200), (top, 300))]
    )
    model = LastLayer(features=Windows(vocabulary=4, sharpness=(1.0,)), symmetry=ReverseComplement())
    belief = model.fit(x[chosen], table[chosen], None, 0)
    states = torch.randperm(len(x), generator=generator)[:8000]
    posterior = belief.posterior(x[states])
    assert spearman(posterior.mean, table[states]) > 0.71
    inside = (posterior.mean - table[states]).abs() <= 1.96 * (posterior.std**2 + belief.report.residual_std**2).sqrt()
    assert 0.85 < float(inside.double().mean()) < 0.99
