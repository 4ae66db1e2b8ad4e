"""A dense graph transformer that is sure of nothing it was not told: the denoiser of packed molecular graphs.

The state of each place and pair is a one-hot vector with Gaussian noise, whose posterior splits exactly,

    log p(c | x_t) = alpha_t scale x_c / sigma_t² + log p(c | all the others) + constant

The first term is known; the network learns the second. Its output is the expected clean state sum_c p(c | x_t) x_c,
which is E[x_0 | x_t], and never leaves the code's hull: there is nothing to clip.

Three streams: places `[b, N, width]`, pairs `[b, N (N - 1) / 2, pair_width]` (upper triangle only), one global vector.
Attention between places takes a bias and a gate a head from the pairs; a pair hears from its ends, from the attention
and from the triangles it is in, which is how rings and valences are seen. All is symmetric in i and j, and equivariant
to permutations of the places: training on permuted graphs would change nothing.

References:
    Vignac et al., "DiGress: Discrete Denoising Diffusion for Graph Generation", 2023, https://arxiv.org/abs/2209.14734
    (node, edge and global streams); Hussain, Zaki, Subramanian, "Global Self-Attention as a Replacement for Graph
    Convolution", 2022, https://arxiv.org/abs/2108.03348 (bias and gate from edges); Jumper et al., "Highly accurate
    protein structure prediction with AlphaFold", 2021, https://doi.org/10.1038/s41586-021-03819-2 (triangles);
    Dieleman et al., "Continuous diffusion for categorical data", 2022, https://arxiv.org/abs/2211.15089 (x_0_hat as the
    mean of a softmax).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seiko.models.graph_codec import GraphCodec

__all__ = ["GraphArchitecture", "GraphTransformer"]

_FREQUENCIES = 16


@dataclass(frozen=True, kw_only=True)
class GraphArchitecture:
    """Size of a graph transformer.

    Args:
        width: Channels of a place, and of the global vector.
        pair_width: Channels of a pair.
        layers: Layers.
        heads: Attention heads.
        triangles: Channels of the triangle product.
    """

    width: int = 96
    pair_width: int = 48
    layers: int = 5
    heads: int = 8
    triangles: int = 16

    def __post_init__(self) -> None:
        for name in ("width", "pair_width", "layers", "heads", "triangles"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.width % self.heads:
            raise ValueError(f"width must be a multiple of heads, got {self.width} and {self.heads}")


class Pairing(nn.Module):
    """Between the packed pairs `[..., pairs]` and full matrices `[..., N, N]`, as products with constant 0/1 matrices.

    A product is as fast as indexing at N = 9, and its gradient is a product too instead of a scattered sum.
    """

    def __init__(self, codec: GraphCodec) -> None:
        super().__init__()
        n, (i, j) = codec.places, codec.ends
        pair, self.places = torch.arange(codec.pairs), n
        full, incidence = torch.zeros(codec.pairs, n, n), torch.zeros(2, codec.pairs, n)
        full[pair, i, j] = full[pair, j, i] = 1.0
        incidence[0, pair, i] = incidence[1, pair, j] = 1.0
        self.register_buffer("full", full.flatten(1), persistent=False)
        self.register_buffer("incidence", incidence, persistent=False)
        self.full: Tensor
        self.incidence: Tensor

    def spread(self, pairs: Float[Tensor, "b pairs c"]) -> Float[Tensor, "b c places places"]:
        """Return symmetric matrices with a diagonal of 0."""
        return (pairs.transpose(1, 2) @ self.full).reshape(len(pairs), -1, self.places, self.places)

    def gather(self, matrices: Float[Tensor, "b c places places"]) -> Float[Tensor, "b pairs c"]:
        """Return m_ij + m_ji of each pair."""
        return (matrices.flatten(2) @ self.full.T).transpose(1, 2)

    def ends(self, places: Float[Tensor, "b places c"]) -> tuple[Tensor, Tensor]:
        """Return `[b, pairs, c]` what stands at both ends of each pair."""
        return self.incidence[0] @ places, self.incidence[1] @ places


class GraphLayer(nn.Module):
    """One layer: attention, triangles, and a perceptron for each stream."""

    def __init__(self, architecture: GraphArchitecture, pairing: Pairing) -> None:
        super().__init__()
        width, pair_width, self.heads = architecture.width, architecture.pair_width, architecture.heads
        self.triangles = triangles = architecture.triangles
        self.pairing = pairing
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.pair_norm = nn.LayerNorm(pair_width, elementwise_affine=False)
        self.modulate = nn.Linear(width, 4 * width + 4 * pair_width)
        self.from_places = nn.Linear(width, 3 * width + 2 * pair_width)
        self.from_pairs = nn.Linear(pair_width, 2 * self.heads + 2 * triangles)
        self.attended = nn.Linear(width, width)
        self.pair_mix = nn.Linear(self.heads + triangles + 2 * pair_width, pair_width)
        self.perceptron = nn.Sequential(nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, width))
        self.pair_perceptron = nn.Sequential(
            nn.Linear(pair_width, 2 * pair_width), nn.SiLU(), nn.Linear(2 * pair_width, pair_width)
        )
        self.pooled = nn.Linear(width + pair_width, width)

    def forward(self, h: Tensor, e: Tensor, g: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the three streams after the layer."""
        width, pair_width = h.shape[-1], e.shape[-1]
        shifts = torch.split(self.modulate(g)[:, None], [width] * 4 + [pair_width] * 4, dim=-1)
        h_in = self.norm(h) * (1 + shifts[0]) + shifts[1]
        e_in = self.pair_norm(e) * (1 + shifts[4]) + shifts[5]
        query, key, value, summed, multiplied = torch.split(
            self.from_places(h_in), [width] * 3 + [pair_width] * 2, dim=-1
        )
        bias, gate, left, right = torch.split(
            self.pairing.spread(self.from_pairs(e_in)), [self.heads] * 2 + [self.triangles] * 2, dim=1
        )
        query, key, value = (
            x.reshape(len(x), -1, self.heads, width // self.heads).transpose(1, 2) for x in (query, key, value)
        )
        score = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1]) + bias
        weight = torch.softmax(score, dim=-1) * torch.sigmoid(gate)
        h = h + self.attended((weight @ value).transpose(1, 2).flatten(2))
        first, second = self.pairing.ends(torch.cat([summed, multiplied], dim=-1))
        heard = torch.cat(
            [
                self.pairing.gather(torch.cat([score, left @ right], dim=1)),
                first[..., :pair_width] + second[..., :pair_width],
                first[..., pair_width:] * second[..., pair_width:],
            ],
            dim=-1,
        )
        e = e + self.pair_mix(heard)
        h = h + self.perceptron(self.norm(h) * (1 + shifts[2]) + shifts[3])
        e = e + self.pair_perceptron(self.pair_norm(e) * (1 + shifts[6]) + shifts[7])
        return h, e, g + nn.functional.silu(self.pooled(torch.cat([h.mean(1), e.mean(1)], dim=-1)))


class GraphTransformer(nn.Module):
    """The denoiser: noisy packed graphs and times to expected clean ones.

    Args:
        codec: Layout of the packed graphs.
        architecture: Size.
    """

    def __init__(self, codec: GraphCodec, architecture: GraphArchitecture) -> None:
        super().__init__()
        self.codec, self.architecture = codec, architecture
        width, pair_width = architecture.width, architecture.pair_width
        pairing = Pairing(codec)
        self.embed = nn.Linear(2 * codec.atom_classes, width)
        self.pair_embed = nn.Linear(2 * codec.bond_classes, pair_width)
        self.time_embed = nn.Sequential(nn.Linear(2 * _FREQUENCIES, width), nn.SiLU(), nn.Linear(width, width))
        self.layers = nn.ModuleList(GraphLayer(architecture, pairing) for _ in range(architecture.layers))
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, codec.atom_classes))
        self.pair_head = nn.Sequential(nn.LayerNorm(pair_width), nn.Linear(pair_width, codec.bond_classes))
        frequencies = math.pi / 2 * torch.arange(1, _FREQUENCIES + 1)
        self.register_buffer("frequencies", frequencies, persistent=False)
        self.frequencies: Tensor

    def forward(self, x_t: Float[Tensor, "b d"], t: Float[Tensor, "b"]) -> Float[Tensor, "b d"]:
        """Return x_0_hat = E[x_0 | x_t].

        Args:
            x_t: Packed graphs cos(pi t / 2) x_0 + sin(pi t / 2) eps.
            t: Times in (0, 1], 1 is noise.
        """
        atoms, bonds = self.logits(x_t, t)
        return self.codec.centre(torch.softmax(atoms, dim=-1), torch.softmax(bonds, dim=-1))

    def logits(
        self, x_t: Float[Tensor, "b d"], t: Float[Tensor, "b"]
    ) -> tuple[Float[Tensor, "b places atom"], Float[Tensor, "b pairs bond"]]:
        """Return log p(class | x_t) of places and of pairs, up to constants."""
        angle = (math.pi / 2 * t.to(x_t.dtype))[:, None]
        likelihood = x_t * (self.codec.scale * torch.cos(angle) / torch.sin(angle) ** 2)
        told, noisy = self.codec.split(likelihood), self.codec.split(x_t)
        phase = self.frequencies * t.to(x_t.dtype)[:, None]
        g = self.time_embed(torch.cat([torch.sin(phase), torch.cos(phase)], dim=-1))
        h = self.embed(torch.cat([noisy[0], torch.softmax(told[0], dim=-1)], dim=-1))
        e = self.pair_embed(torch.cat([noisy[1], torch.softmax(told[1], dim=-1)], dim=-1))
        for layer in self.layers:
            h, e, g = layer(h, e, g)
        return told[0] + self.head(h).float(), told[1] + self.pair_head(e).float()
