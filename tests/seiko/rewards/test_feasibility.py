from __future__ import annotations

import pytest
import torch
from torch import Tensor

from seiko import config
from seiko.rewards import Feasibility, Identity, OneHot, ReverseComplement, Windows
from seiko.rewards.feasibility import _laplace


def words(n: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Sequences, and whether they are free of the word CG, which cannot be labelled on either strand."""
    x = torch.randint(0, 4, (n, 8), generator=torch.Generator().manual_seed(seed))
    return x, ~((x[:, :-1] == 1) & (x[:, 1:] == 2)).any(1)


def brier(p: Tensor, feasible: Tensor) -> float:
    return float((p - feasible.to(p)).square().mean())


def test_without_an_infeasible_label_it_is_the_beta_mean() -> None:
    x, _ = words(10)
    model = Feasibility(features=OneHot(vocabulary=4), prior=(3.0, 1.0))
    for labels, expected in (
        (torch.ones(10, dtype=torch.bool), 13 / 14),
        (torch.zeros(10, dtype=torch.bool), 3 / 14),
        (torch.ones(0, dtype=torch.bool), 3 / 4),
    ):
        belief = model.fit(x[: len(labels)], labels, 0)
        assert belief.probability(x[:4]).tolist() == pytest.approx([expected] * 4)
        assert belief.labels == len(labels)


@pytest.mark.parametrize(
    "features",
    [OneHot(vocabulary=4), Windows(vocabulary=4, widths=(2,), sharpness=(1.0, 4.0))],
    ids=["letters", "windows"],
)
def test_it_learns_what_cannot_be_labelled(features: OneHot | Windows) -> None:
    x, feasible = words(400)
    both = ReverseComplement()
    belief = Feasibility(features=features, symmetry=both).fit(x, feasible, 0)
    assert belief.infeasible == int((~feasible).sum())
    z, truth = words(1000, seed=1)
    p = belief.probability(z)
    assert bool(((p > 0) & (p < 1)).all())
    base = brier(torch.full_like(p, belief.rate), truth)
    assert brier(p, truth) < (0.75 if isinstance(features, Windows) else 1.0) * base
    torch.testing.assert_close(p, belief.probability((3 - z).flip(1)), atol=1e-5, rtol=0)
    for low, high in ((0.0, 0.5), (0.5, 0.8), (0.8, 1.0)):  # what it says is what happens
        inside = (p >= low) & (p < high)
        if int(inside.sum()) > 100:
            assert float(truth[inside].double().mean()) == pytest.approx(float(p[inside].mean()), abs=0.1)


def test_far_from_all_labels_it_says_less() -> None:
    x = torch.randn(80, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    belief = Feasibility(features=Identity()).fit(x, x[:, 0] + 0.5 > 0, 0)
    assert belief.weights is not None
    assert belief.root is not None
    z = torch.tensor([[2.0]], dtype=torch.float64)
    bold = torch.sigmoid(belief.weights[0] + belief.weights[1] * 2.0)
    assert 0.5 < float(belief.probability(z)) < float(bold)


def test_newton_finds_the_mode_and_the_evidence() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(25, 1, generator=generator, dtype=torch.float64)
    y = (x[:, 0] + 0.5 * torch.randn(25, generator=generator) > 0).double()
    phi = torch.cat([torch.ones_like(x), x], 1)
    fit = _laplace(phi, y, 2.0, torch.zeros(2, dtype=torch.float64))
    axis = torch.linspace(-8, 12, 600, dtype=torch.float64)
    b, w = torch.meshgrid(axis, axis, indexing="ij")
    logit = b[..., None] + w[..., None] * x[:, 0]
    log_joint = (y * logit - torch.nn.functional.softplus(logit)).sum(-1) - b.square() / 20 - w.square() / 4
    log_joint -= 0.5 * torch.tensor(10.0 * 2.0).log() + torch.tensor(2 * torch.pi).log()
    top = int(log_joint.argmax())
    assert fit.weights.tolist() == pytest.approx([float(b.flatten()[top]), float(w.flatten()[top])], abs=0.05)
    cell = float(axis[1] - axis[0]) ** 2
    exact = float(torch.logsumexp(log_joint.flatten(), 0) + torch.tensor(cell).log())
    assert fit.log_evidence == pytest.approx(exact, abs=0.2)


def test_the_gradient_reaches_a_relaxed_state() -> None:
    x, feasible = words(60)
    belief = Feasibility(features=Windows(vocabulary=4, widths=(2,), sharpness=(1.0,))).fit(x, feasible, 0)
    z = torch.rand(2, 8, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    assert torch.autograd.gradcheck(belief.probability, z, eps=1e-7, atol=1e-5)


def test_settings() -> None:
    model = Feasibility(features=Windows(vocabulary=4), symmetry=ReverseComplement())
    assert config.from_json(config.to_json(model)) == model
    with pytest.raises(ValueError, match="two positive pseudo-counts"):
        Feasibility(features=Identity(), prior=(0.0, 1.0))
    with pytest.raises(ValueError, match="one boolean for each of the 3 states, got 2"):
        Feasibility(features=Identity()).fit(torch.zeros(3, 1), torch.ones(2, dtype=torch.bool), 0)
