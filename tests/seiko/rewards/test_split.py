from __future__ import annotations

import torch

from seiko.rewards.split import bootstrap_counts, held_out_mask, uniforms


def test_later_labels_change_nothing_for_earlier_ones() -> None:
    assert torch.equal(uniforms(5, 1, 4, 100)[:, :30], uniforms(5, 1, 4, 30))
    assert torch.equal(uniforms(5, 1, 9, 30)[:4], uniforms(5, 1, 4, 30))
    assert torch.equal(held_out_mask(500, 3, 0.1, 0)[:, :200], held_out_mask(200, 3, 0.1, 0))


def test_uniforms_are_uniform_and_independent() -> None:
    u = uniforms(0, 0, 50, 2000)
    assert bool(((u >= 0) & (u < 1)).all())
    histogram = torch.histc(u.float(), bins=10, min=0, max=1) / u.numel()
    torch.testing.assert_close(histogram, torch.full((10,), 0.1), atol=0.005, rtol=0)
    correlation = torch.corrcoef(u) - torch.eye(50)
    assert float(correlation.abs().max()) < 0.12  # 5 standard errors
    for other in (uniforms(1, 0, 50, 2000), uniforms(0, 1, 50, 2000)):
        assert abs(float(torch.corrcoef(torch.stack([u.flatten(), other.flatten()]))[0, 1])) < 0.02


def test_held_out_labels_are_spread_over_time() -> None:
    mask = held_out_mask(1000, 20, 0.1, 0).double()
    assert abs(float(mask.mean()) - 0.1) < 0.01
    assert abs(float(mask[:, 500:].mean()) - 0.1) < 0.015
    assert not held_out_mask(9, 20, 0.5, 0).any()
    assert not held_out_mask(10, 50, 0.99, 0).all(dim=1).any()


def test_bootstrap_counts_are_poisson() -> None:
    counts = bootstrap_counts(2000, 20, 0)
    assert abs(float(counts.mean()) - 1.0) < 0.02
    assert abs(float(counts.var()) - 1.0) < 0.04
    assert abs(float((counts == 0).double().mean()) - 0.3679) < 0.01
    assert bool((bootstrap_counts(1, 40, 0) > 0).all())
