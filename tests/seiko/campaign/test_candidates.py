"""Fresh draws are the model's law; remasking keeps what it does not mask."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from seiko.campaign import Fresh, Labelled, Remask
from seiko.campaign.sampler import ModelSampler
from seiko.designs import Design
from seiko.diffusion import Noise, rollout
from seiko.models import GaussianToy, MaskedLM, ModelPolicy

NONE = Labelled(torch.zeros(0, 6, dtype=torch.int64), torch.zeros(0))


class OnlyThree:
    """A model that reveals letter 3 only, so that each position that was masked shows."""

    def __init__(self, model: MaskedLM) -> None:
        self._model = model

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def predict(self, x_t: Tensor, k: Any, conditioning: Any = None) -> Tensor:
        logits = torch.full((*x_t.shape, 4), -50.0)
        logits[..., 3] = 50.0
        return logits


def replaced(model: MaskedLM) -> ModelSampler:
    return ModelSampler(OnlyThree(model))


def labelled(n: int) -> Labelled:
    """Return n designs of letters 0 to 2; the first is the best."""
    generator = torch.Generator().manual_seed(5)
    return Labelled(torch.randint(3, (n, 6), generator=generator), -torch.arange(n).float())


def masked(model: MaskedLM, source: Remask, n: int, parents: Labelled | None = None) -> Tensor:
    """Return which positions of one parent are masked in n proposals."""
    x = source.propose(replaced(model), parents or labelled(1), Noise.seeded(0, n))
    assert x is not None
    return x == 3


def test_fresh_is_a_draw_of_the_current_model(model: MaskedLM) -> None:
    expected = rollout(ModelPolicy(model), None, Noise.seeded(3, 8)).x_0
    assert torch.equal(Fresh().propose(ModelSampler(model), NONE, Noise.seeded(3, 8)), expected)
    assert (Fresh().source, Fresh().share) == ("fresh", 1.0)


def test_remask_has_nothing_to_start_from_before_the_first_label(model: MaskedLM) -> None:
    assert Remask().propose(ModelSampler(model), NONE, Noise.seeded(0, 4)) is None


def test_unmasked_positions_are_kept_and_at_least_one_is_masked(model: MaskedLM) -> None:
    parent = labelled(1)
    x = Remask(mask_rate=0.3).propose(replaced(model), parent, Noise.seeded(0, 500))
    assert x is not None
    assert bool(((x == 3) | (x == parent.x[0])).all())
    assert int((x == 3).sum(-1).min()) == 1
    assert bool((x == 3).any(0).all()), "each position must be masked in some proposals"


def test_nothing_stays_masked(model: MaskedLM) -> None:
    x = Remask(mask_rate=1.0).propose(ModelSampler(model), labelled(3), Noise.seeded(0, 50))
    assert x is not None
    assert int(x.max()) <= 3


@pytest.mark.parametrize("rate", [1e-9, 0.3, 0.7, 1.0])
def test_the_mask_rate_is_respected(model: MaskedLM, rate: float) -> None:
    # One position is always masked, each of the five others with probability `rate`.
    found = masked(model, Remask(mask_rate=rate), 4000).float().mean()
    assert float(found) == pytest.approx((1 + 5 * rate) / 6, abs=0.01)


def test_a_range_of_rates_draws_one_for_each_candidate(model: MaskedLM) -> None:
    counts = masked(model, Remask(mask_rate=(0.05, 0.95)), 4000).sum(-1).float()
    one_rate = masked(model, Remask(mask_rate=0.5), 4000).sum(-1).float()
    assert float(counts.mean()) == pytest.approx(float(one_rate.mean()), abs=0.1)
    assert float(counts.var()) > 1.5 * float(one_rate.var())  # both ends of the range are there


def test_it_starts_from_the_best_only_and_from_each_of_them(model: MaskedLM) -> None:
    parents = labelled(12)
    x = Remask(best=4, mask_rate=1e-9).propose(replaced(model), parents, Noise.seeded(0, 400))
    assert x is not None
    from_parent = ((x[:, None] == parents.x) | (x[:, None] == 3)).all(-1)
    assert bool(from_parent[:, :4].any(-1).all())
    assert int(from_parent[:, :4].sum(0).min()) > 50


def test_proposals_do_not_depend_on_the_batch_they_are_drawn_in(model: MaskedLM) -> None:
    source, parents = Remask(mask_rate=0.5), labelled(5)
    whole = source.propose(replaced(model), parents, Noise.seeded(0, 6))
    parts = [source.propose(replaced(model), parents, Noise.seeded(0, [i])) for i in range(6)]
    assert whole is not None
    assert torch.equal(whole, torch.cat([part for part in parts if part is not None]))


def test_remask_is_for_masked_diffusion_only() -> None:
    with pytest.raises(TypeError, match="Remask needs a masked diffusion model, this one uses DDIM"):
        Remask().propose(ModelSampler(GaussianToy.exact()), NONE, Noise.seeded(0, 2))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Fresh(share=0), "share must be positive, got 0; leave the source out"),
        (lambda: Remask(share=-1.0), "share must be positive, got -1.0"),
        (lambda: Remask(best=0), "best must be at least 1 design, got 0"),
        (lambda: Remask(mask_rate=0.0), r"mask_rate must lie in \(0, 1\].*got 0.0"),
        (lambda: Remask(mask_rate=1.5), r"mask_rate must lie in \(0, 1\].*got 1.5"),
        (lambda: Remask(mask_rate=(0.5, 0.2)), r"mask_rate .*got \(0.5, 0.2\)"),
    ],
)
def test_what_cannot_be_is_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_hits_are_started_from_before_any_label_and_beside_them_after(model: MaskedLM) -> None:
    source = Remask(mask_rate=1e-9, hits=("ACGACG",), best=1)
    x = source.propose(replaced(model), NONE, Noise.seeded(0, 50))
    assert x is not None
    hit = torch.tensor([0, 1, 2, 0, 1, 2])
    assert bool(((x == hit) | (x == 3)).all())
    parent = Labelled(torch.zeros(1, 6, dtype=torch.int64), torch.zeros(1))
    x = source.propose(replaced(model), parent, Noise.seeded(0, 400))
    assert x is not None
    from_hit, from_parent = (((x == row) | (x == 3)).all(-1) for row in (hit, parent.x[0]))
    assert bool((from_hit | from_parent).all())
    assert 150 < int(from_hit.sum()) < 250


def test_a_hit_that_is_no_design_of_the_model_is_named(model: MaskedLM) -> None:
    with pytest.raises(ValueError, match="'ACGT' has 4 letters, this model's have 6"):
        Remask(hits=("ACGT",)).propose(ModelSampler(model), NONE, Noise.seeded(0, 4))


def test_sequences_have_no_substructure_to_keep(model: MaskedLM) -> None:
    with pytest.raises(TypeError, match="only molecules have substructures, this model's designs are 'dna'"):
        Remask(keep="C").propose(ModelSampler(model), labelled(2), Noise.seeded(0, 4))


def test_letters_that_are_kept_are_not_masked(molecule: MaskedLM) -> None:
    parent = molecule.ingest([Design("CC(=O)NCCc1ccccc1", "smiles")])
    held = torch.tensor(molecule.holding(parent[0].tolist(), "c1ccccc1"))
    x = Remask(mask_rate=1.0, keep="c1ccccc1").propose(
        ModelSampler(molecule), Labelled(parent, torch.zeros(1)), Noise.seeded(0, 100)
    )
    assert x is not None
    assert bool(held.any())
    assert bool((x[:, held] == parent[:, held]).all())
    assert bool((x[:, ~held] != parent[:, ~held]).any(0).all())
