"""Molecular graphs under Gaussian diffusion: the paper's own kind of model for molecules.

A state is a packed graph (`graph_codec`), the denoiser a dense graph transformer (`graph_transformer`) that predicts
x_0, the process DDIM, so that every update for Gaussian processes runs on it. `decode` gives a reward model the state
without its last noise, in the same coordinates and differentiable; `export` reads a molecule off it.

A directory holds `config.json` (layout, sizes, last time), `model.safetensors`, and `seiko.json` (where it comes from).

References:
    Jo, Lee, Hwang, "Score-based Generative Modeling of Graphs via the System of Stochastic Differential Equations",
    2022, https://arxiv.org/abs/2202.02514 (Gaussian diffusion of atoms and bonds, quantised at the end).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors.torch import load_file, save_file
from torch import Tensor

from seiko.designs import INVALID, Design
from seiko.devices import device_named
from seiko.diffusion import DDIM, Conditioning, CosineSchedule, State, Step
from seiko.models.graph_codec import GraphCodec, Repair
from seiko.models.graph_transformer import GraphArchitecture, GraphTransformer
from seiko.models.versions import FullFineTuning, Tuning, Versions
from seiko.priors import SIDE_FILE, locate

__all__ = ["GraphDiffusion", "GraphSource"]

MODEL_TYPE, CONFIG, WEIGHTS = "seiko-graph", "config.json", "model.safetensors"


@dataclass(frozen=True)
class GraphDiffusion:
    """A Gaussian diffusion model of molecular graphs.

    Args:
        versions: A `GraphTransformer` under its three versions.
        codec: Layout of a state.
        num_steps: Denoising steps K.
        eta: Stochasticity of DDIM; memoryless at 1.
        end: Time at which sampling stops; above 0, so that every step has a density.
        repair: What `export` does to a drawing that is no molecule.
    """

    versions: Versions
    codec: GraphCodec
    num_steps: int
    eta: float = 1.0
    end: float = 0.15
    repair: Repair = "largest"

    @property
    def event_shape(self) -> tuple[int, ...]:
        """(d,)."""
        return (self.codec.dimensions,)

    @cached_property
    def process(self) -> DDIM:
        """DDIM on the cosine schedule with K steps; the model predicts x_0."""
        schedule = CosineSchedule(end=self.end)
        return DDIM(schedule=schedule, num_steps=self.num_steps, eta=self.eta, predicts="data")

    def predict(self, x_t: State, k: Step, conditioning: Conditioning = None) -> Float[Tensor, "b d"]:
        """Return x_0_hat."""
        t = self.process.times.to(x_t.device)[torch.as_tensor(k, device=x_t.device)]
        return self.versions(x_t, t.to(x_t.dtype).expand(len(x_t)))

    def decode(self, x_0: State) -> State:
        """Return the state without its last noise; what `ingest` returns stays as it is."""
        return self.codec.soften(x_0)

    def distance(self, x: Float[Tensor, "n d"], z: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
        """Return 1 - Tanimoto similarity of count Morgan fingerprints, 0 to 1.

        A distance of the coordinates would depend on the order of the places, which says nothing of the molecule.
        """
        from seiko.chemistry import morgan_counts, tanimoto

        first, second = (morgan_counts([design.content for design in self.export(part)]) for part in (x, z))
        return 1 - tanimoto(first, second)

    def export(self, x_0: Float[Tensor, "n d"]) -> list[Design]:
        """Return the molecules nearest to final states; what is no molecule becomes a design of kind "invalid"."""
        from seiko.chemistry import parse
        from seiko.models.graph_molecule import to_smiles

        written = to_smiles(self.codec, *self.codec.quantise(x_0), self.repair)
        return [Design(content=smiles, kind="smiles" if parse(smiles) else INVALID) for smiles in written]

    def ingest(self, designs: Sequence[Design]) -> Float[Tensor, "n d"]:
        """Return designs as clean states, atoms in canonical order.

        Raises:
            ValueError: If one is no SMILES, or has no place in this model's graphs.
        """
        from seiko.models.graph_molecule import atom_classes

        rows = []
        for design in designs:
            if design.kind not in ("smiles", INVALID):
                raise ValueError(f"design {design.content!r} is of kind {design.kind!r}, this model's are 'smiles'")
            rows.append(atom_classes(self.codec, design.content))
        atoms = torch.tensor([row[0] for row in rows], dtype=torch.int64).reshape(-1, self.codec.places)
        bonds = torch.tensor([row[1] for row in rows], dtype=torch.int64).reshape(-1, self.codec.pairs)
        return self.codec.embed(atoms, bonds)

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write the current version so that `GraphSource` reads it back."""
        network = self.versions.merged()
        assert isinstance(network, GraphTransformer)
        return save_graph_model(network, self.end, folder)


def save_graph_model(
    network: GraphTransformer,
    end: float,
    folder: str | Path,
    provenance: dict[str, Any] | None = None,
    dtype: torch.dtype = torch.float32,
) -> Path:
    """Write a graph transformer so that `GraphSource` reads it back."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: value.to(dtype).contiguous() for name, value in network.state_dict().items()}, folder / WEIGHTS)
    config = {
        "model_type": MODEL_TYPE,
        "codec": asdict(network.codec),
        "architecture": asdict(network.architecture),
        "end": end,
    }
    for name, content in ((CONFIG, config), (SIDE_FILE, {"provenance": provenance or {}})):
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return folder


@dataclass(frozen=True, kw_only=True)
class GraphSource:
    """Which graph diffusion model to load, and how it may move.

    Args:
        name: A local directory, a hub name, or ``"seiko:NAME"`` for a prior that travels in the package.
        tuning: `FullFineTuning` for small backbones, `LoRA` for large ones.
        num_steps: Denoising steps K.
        eta: Stochasticity of DDIM; the updates rely on 1.
        repair: What is done to a drawing that is no molecule: nothing (``"raw"``), its largest connected part is kept
            (``"largest"``), or bonds are lowered too until every valence fits (``"valence"``). The last makes all
            designs valid, and hides from the labels what the model really drew.
        device: Where the model runs.
    """

    name: str = "seiko:qm9"
    tuning: Tuning = field(default_factory=FullFineTuning)
    num_steps: int = 50
    eta: float = 1.0
    repair: Repair = "largest"
    device: str = "cpu"

    def locate(self) -> Path:
        """Return the directory; one from the hub is downloaded.

        Raises:
            FileNotFoundError: If the name is a path that does not exist, or no shipped prior has it.
        """
        where = locate(self.name)
        if isinstance(where, Path):
            return where
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(where, allow_patterns=[CONFIG, WEIGHTS]))

    def load(self) -> GraphDiffusion:
        """Load the weights (safetensors only) and attach the three versions.

        Raises:
            FileNotFoundError: If there is no such model.
            ValueError: If what is there is no graph diffusion model.
        """
        folder = self.locate()
        path = folder / CONFIG
        config = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        if config.get("model_type") != MODEL_TYPE:
            raise ValueError(f"{self.name!r} holds no graph diffusion model: its {CONFIG} must say {MODEL_TYPE!r}")
        codec = GraphCodec(**{**config["codec"], "elements": tuple(config["codec"]["elements"])})
        network = GraphTransformer(codec, GraphArchitecture(**config["architecture"]))
        network.load_state_dict({name: value.float() for name, value in load_file(folder / WEIGHTS).items()})
        versions = self.tuning.attach(network.to(device_named(self.device)))
        return GraphDiffusion(versions, codec, self.num_steps, self.eta, config["end"], self.repair)
