"""Naturalness: the Fréchet distance against its closed forms, and features that see what goes wrong with pictures."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from seiko.metrics.distances import frechet_gaussians
from seiko.metrics.images import PixelStatistics, feature_shift, prompt_fit


def test_frechet_of_gaussians_in_one_dimension() -> None:
    """|mu_a - mu_b|² + (sd_a - sd_b)²."""
    for mean, a, b in ((0.0, 1.0, 1.0), (1.5, 1.0, 3.0), (-2.0, 0.5, 0.1)):
        means = torch.tensor([[mean], [0.0]], dtype=torch.float64)
        variances = torch.tensor([[[a**2]], [[b**2]]], dtype=torch.float64)
        found = frechet_gaussians(means[0], variances[0], means[1], variances[1])
        assert found == pytest.approx(mean**2 + (a - b) ** 2, abs=1e-9)


def test_frechet_of_gaussians_that_commute() -> None:
    """Covariances with the same axes Q: |mu_a - mu_b|² + sum of (sd_a - sd_b)² along them."""
    generator = torch.Generator().manual_seed(0)
    axes, _ = torch.linalg.qr(torch.randn(5, 5, generator=generator, dtype=torch.float64))
    a, b = torch.rand(2, 5, generator=generator, dtype=torch.float64) * 2
    means = torch.randn(2, 5, generator=generator, dtype=torch.float64)
    covariances = [axes @ torch.diag(sd**2) @ axes.T for sd in (a, b)]
    expected = float((means[0] - means[1]).square().sum() + (a - b).square().sum())
    assert frechet_gaussians(means[0], covariances[0], means[1], covariances[1]) == pytest.approx(expected, rel=1e-9)


def test_frechet_of_gaussians_that_do_not_commute() -> None:
    """In two dimensions tr (S_a S_b)^(1/2) = sqrt(tr S_a S_b + 2 sqrt(det S_a S_b))."""
    a = torch.tensor([[2.0, 0.7], [0.7, 1.0]], dtype=torch.float64)
    b = torch.tensor([[0.5, -0.3], [-0.3, 3.0]], dtype=torch.float64)
    cross = math.sqrt(float((a @ b).trace()) + 2 * math.sqrt(float(torch.det(a @ b))))
    expected = float(a.trace() + b.trace()) - 2 * cross
    zero = torch.zeros(2, dtype=torch.float64)
    assert frechet_gaussians(zero, a, zero, b) == pytest.approx(expected, rel=1e-9)


def test_shift_is_in_standard_deviations_a_feature() -> None:
    reference = torch.randn(500, 7, generator=torch.Generator().manual_seed(0)) * torch.logspace(-3, 3, 7)
    assert feature_shift(reference, reference).shift == pytest.approx(0.0, abs=1e-6)
    moved = reference + 2 * reference.std(0)
    assert feature_shift(moved, reference).shift == pytest.approx(2.0, rel=1e-4)
    assert feature_shift(moved, reference).frechet == pytest.approx(4.0 * 7, rel=1e-4)
    collapsed = reference.mean(0).expand(500, -1)
    assert feature_shift(collapsed, reference).shift == pytest.approx(1.0, rel=1e-3)


def test_features_that_say_nothing_are_left_out() -> None:
    reference = torch.randn(100, 2, generator=torch.Generator().manual_seed(0))
    bias = torch.cat([reference, torch.ones(100, 1)], 1)
    assert feature_shift(bias + torch.tensor([1.0, 0.0, 0.0]), bias) == feature_shift(
        reference + torch.tensor([1.0, 0.0]), reference
    )
    assert feature_shift(torch.ones(5, 3), torch.ones(5, 3)).shift == 0
    assert feature_shift(torch.ones(5, 1), torch.zeros(5, 1)).shift == 1, "constant in each, but not the same"


@pytest.mark.parametrize("size", [4, 9, 28])
def test_statistics_of_pixels(size: int) -> None:
    x = torch.rand(6, 3, size, size, generator=torch.Generator().manual_seed(0))
    phi = PixelStatistics()(x)
    assert phi.shape[0] == 6
    assert phi.isfinite().all()
    torch.testing.assert_close(phi[:, :48].unflatten(1, (3, 16)).mean(2), x.mean((2, 3)), atol=0.05, rtol=0)
    with pytest.raises(ValueError, match=r"\[n, c, h, w\]"):
        PixelStatistics()(x[0])


def test_they_see_what_over_optimisation_does_to_pictures() -> None:
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(1000, 3, 5, 5, generator=generator)
    pictures = functional.interpolate(coarse, size=(24, 24), mode="bilinear")
    phi = PixelStatistics()
    reference = phi(pictures)
    again = functional.interpolate(torch.rand(1000, 3, 5, 5, generator=generator), size=(24, 24), mode="bilinear")
    same = feature_shift(phi(again), reference).shift
    noisy = (pictures + 0.1 * torch.randn(pictures.shape, generator=generator)).clamp(0, 1)
    tinted = (pictures + torch.tensor([0.2, 0.0, 0.0])[:, None, None]).clamp(0, 1)
    for worse in (noisy, tinted, pictures.mean((1, 2, 3), keepdim=True).expand_as(pictures)):
        assert feature_shift(phi(worse), reference).shift > 2 * same


def test_images_fit_their_own_prompts_and_others() -> None:
    cosines = torch.tensor([[0.3, 0.1, 0.2], [0.1, 0.5, 0.3]])
    found = prompt_fit(cosines, torch.tensor([0, 1]))
    assert (found.own, found.others) == (pytest.approx(40.0), pytest.approx(17.5))
    alone = prompt_fit(cosines[:, :1], torch.tensor([0, 0]))
    assert (alone.own, alone.others) == (pytest.approx(20.0), None)
