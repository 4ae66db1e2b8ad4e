"""Features of molecules are those of their SMILES, whatever row of letters spells them."""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path

import pytest
import torch
from scipy import stats
from torch import Tensor

pytest.importorskip("rdkit")
pytest.importorskip("selfies")
pytest.importorskip("gpytorch")

from seiko import config
from seiko.chemistry import (
    PROPERTIES,
    FragmentAlphabet,
    atom_pair_counts,
    element_counts,
    flat,
    morgan_counts,
    properties,
    tanimoto,
    to_symbols,
)
from seiko.designs import Design
from seiko.rewards import (
    AtomPairs,
    Descriptors,
    Feature,
    Formula,
    GaussianProcess,
    Kernel,
    MorganCounts,
    Sum,
    Tanimoto,
    molecule_kernel,
    spearman,
)
from seiko.rewards.molecules import DESCRIPTORS, ELEMENTS

LEFT = ["C", "CO", "CC(=O)N", "FC(F)(F)", "NC(=O)"]
RIGHT = ["Cl", "C", "C#N", "C(=O)O", "N1CCOCC1", "OC", "CCCCCC", "S(N)(=O)=O", "C2CC2", "Br", "CNC", "OCC(O)CO"]
SMILES = [flat(f"{a}c1ccc({b})cc1") or "" for a, b in itertools.product(LEFT, RIGHT)]


@pytest.fixture(scope="module")
def alphabet() -> FragmentAlphabet:
    return FragmentAlphabet.learn([to_symbols(smiles, "selfies") for smiles in SMILES], 60, "selfies")


@pytest.fixture(scope="module")
def model(alphabet: FragmentAlphabet, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a folder that says what the letters mean; features need nothing else of a model."""
    folder = tmp_path_factory.mktemp("model")
    (folder / "seiko.json").write_text(json.dumps({"alphabet": dataclasses.asdict(alphabet)}))
    return str(folder)


@pytest.fixture(scope="module")
def x(alphabet: FragmentAlphabet) -> Tensor:
    return alphabet.read([Design(smiles, "smiles") for smiles in SMILES])


def test_fingerprints_are_those_of_the_molecules(model: str, x: Tensor) -> None:
    torch.testing.assert_close(MorganCounts(model=model)(x), morgan_counts(SMILES))
    small = MorganCounts(model=model, radius=1, size=64)(x)
    torch.testing.assert_close(small, morgan_counts(SMILES, radius=1, size=64))
    assert small.dtype == torch.float32
    torch.testing.assert_close(MorganCounts(model=model, by_role=True)(x), morgan_counts(SMILES, by_role=True))
    torch.testing.assert_close(AtomPairs(model=model, size=128)(x), atom_pair_counts(SMILES, size=128))


def features(model: str) -> list[Feature]:
    return [MorganCounts(model=model), AtomPairs(model=model), Descriptors(model=model), Formula(model=model)]


def test_another_spelling_has_the_same_features(model: str, x: Tensor, alphabet: FragmentAlphabet) -> None:
    longer = torch.nn.functional.pad(x, (2, 3), value=alphabet.empty)
    for feature in features(model):
        assert torch.equal(feature(longer), feature(x))


def test_descriptors_are_in_their_usual_spread(model: str, x: Tensor) -> None:
    names = ("weight", "logp")
    found = Descriptors(model=model, names=names)(x)
    values = properties(SMILES, names)
    torch.testing.assert_close(found[:, 0], ((values[:, 0] - 330) / 60).float())
    torch.testing.assert_close(found[:, 1], ((values[:, 1] - 2.5) / 1.4).float())
    assert Descriptors(model=model)(x).shape == (60, len(DESCRIPTORS))
    assert set(DESCRIPTORS) <= set(PROPERTIES)
    assert float(Descriptors(model=model)(x).abs().max()) < 7


def test_a_formula_is_in_its_usual_spread(model: str, x: Tensor) -> None:
    found = Formula(model=model)(x)
    assert found.shape == (60, len(ELEMENTS))
    assert found.dtype == torch.float32
    atoms = element_counts(SMILES, ["C", "H"])
    torch.testing.assert_close(found[:, 0], ((atoms[:, 0] - 17) / 3.7).float())
    torch.testing.assert_close(found[:, 9], ((atoms[:, 1] - 20.5) / 5.8).float())


def test_what_is_no_molecule_is_nothing(model: str, alphabet: FragmentAlphabet) -> None:
    x = torch.full((2, 5), alphabet.empty)
    for feature in features(model):
        assert float(feature(x).abs().max()) == 0


def test_relaxed_tokens_are_refused(model: str) -> None:
    for feature in features(model):
        with pytest.raises(TypeError, match="no gradient: choose an update that needs none"):
            feature(torch.rand(2, 5, 61))


def test_wrong_models_and_names_are_named(model: str, tmp_path: Path) -> None:
    x = torch.zeros(1, 3, dtype=torch.int64)
    with pytest.raises(ValueError, match=r"no descriptor is called 'beauty'; there are: weight, logp"):
        Descriptors(model=model, names=("logp", "beauty"))
    with pytest.raises(FileNotFoundError, match=r"got '.*absent'"):
        MorganCounts(model=str(tmp_path / "absent"))(x)
    with pytest.raises(
        ValueError, match=r"'seiko:tfbind8' is no molecule model: its letters are \['A', 'C', 'G', 'T'\]"
    ):
        MorganCounts(model="seiko:tfbind8")(x)


def test_features_travel_as_json_without_their_model() -> None:
    for feature in (
        MorganCounts(model="seiko:absent", radius=3, by_role=True),
        AtomPairs(model="seiko:absent", size=9),
        Descriptors(model="seiko:absent", names=("sa",)),
        Formula(model="seiko:absent"),
        molecule_kernel("seiko:absent"),
    ):
        assert config.from_json(config.to_json(feature)) == feature


def test_the_kernel_of_fingerprints_is_the_similarity_of_molecules(model: str, x: Tensor) -> None:
    (covariance,) = Tanimoto(feature=MorganCounts(model=model)).bind(None)
    found = covariance({}, covariance.inputs(x[:20]), covariance.inputs(x[15:]))
    torch.testing.assert_close(found.float(), tanimoto(morgan_counts(SMILES[:20]), morgan_counts(SMILES[15:])))


def test_a_gaussian_process_ranks_qed(model: str, x: Tensor) -> None:
    y = properties(SMILES, ["qed"])[:, 0].double()
    order = torch.randperm(60, generator=torch.Generator().manual_seed(0))
    seen, held = order[:40], order[40:]
    belief = GaussianProcess(kernel=molecule_kernel(model), restarts=1).fit(x[seen], y[seen], None, 0)
    posterior = belief.posterior(x[held])
    rank = float(stats.spearmanr(posterior.mean, y[held]).statistic)
    print(f"Spearman {rank:.3f} of 20 molecules from 40")
    assert rank > 0.75
    inside = (posterior.mean - y[held]).abs() < 3 * posterior.std + 0.02
    assert float(inside.float().mean()) > 0.8
    known = belief.posterior(x[seen])
    assert float(known.std.mean()) < float(posterior.std.mean())
    assert float(stats.spearmanr(known.mean, y[seen]).statistic) > 0.95


@pytest.mark.parametrize(("what", "least"), [("formula", 0.9), ("property", 0.9), ("role", 0.5)])
def test_it_finds_out_by_what_molecules_are_alike(model: str, x: Tensor, what: str, least: float) -> None:
    """Each label here is told by another part of the kernel, and fingerprints alone know it less well."""
    y = {
        "formula": lambda: -(element_counts(SMILES, ["O", "N"]).sum(1) - 2).square(),
        "property": lambda: -(properties(SMILES, ["logp"])[:, 0] - 2).square(),
        "role": lambda: tanimoto(*[morgan_counts(SMILES, by_role=True)] * 2)[:, 30],
    }[what]().double()
    orders = [torch.randperm(60, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2, 3)]

    def rank(kernel: Kernel) -> float:
        found = []
        for order in orders:
            seen, held = order[:40], order[40:]
            belief = GaussianProcess(kernel=kernel, mean="likelihood", restarts=1).fit(x[seen], y[seen], None, 0)
            found.append(spearman(belief.posterior(x[held]).mean, y[held]))
        return sum(found) / len(found)

    both, alone = rank(molecule_kernel(model)), rank(Tanimoto(feature=MorganCounts(model=model)))
    print(f"{what}: Spearman {both:.3f} of 20 molecules from 40, {alone:.3f} by circular fingerprints, three splits")
    assert both > max(alone, least)


def test_it_goes_on_beyond_the_labels(model: str, x: Tensor) -> None:
    """What good molecules have apart is better together; without the linear kernel the best are taken for middling."""
    counts = morgan_counts(SMILES).double()
    worth = torch.zeros(counts.shape[1], dtype=torch.float64)
    common = (counts > 0).sum(0).topk(40).indices
    worth[common] = torch.randn(40, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = counts @ worth
    order = y.argsort()
    seen, best = order[:45], order[45:]

    def believed(kernel: Kernel) -> Tensor:
        belief = GaussianProcess(kernel=kernel, mean="likelihood", restarts=1).fit(x[seen], y[seen], None, 0)
        return belief.posterior(x[best]).mean.double()

    whole = molecule_kernel(model)
    six, five = believed(whole), believed(Sum(kernels=whole.kernels[:-1]))
    print(f"the best 15 of 60 are {y[best].mean():.2f}, believed {six.mean():.2f}, without it {five.mean():.2f}")
    assert (six - y[best]).square().mean() < 0.7 * (five - y[best]).square().mean()
    assert spearman(six, y[best]) > spearman(five, y[best])
