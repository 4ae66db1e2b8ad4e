"""Which way of joining an image's embedding with its prompt's learns what from how many labels: a study without CLIP.

    e = (m + A z + a t) / |.|    256 numbers; two images have a cosine of about .5, A a falling spectrum; a is random
    t                            one a prompt, 24 prompts

Four rewards, each with a tenth of its spread as noise: `taste` (u . e, no prompt in it), `fit` (the cosine under
another metric, as PickScore's is), `both` (their sum), and `turns` (u . e, with the sign of v . t: what is good for one
prompt is bad for another). Judged by the rank correlation of the mean with the reward at 1,000 other images of the
prompts that were labelled, and of 8 prompts that never were.

    python scripts/compare_views.py [--seeds 3]
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor
from torch.nn.functional import normalize

from seiko.rewards import MLP, Identity, LastLayer, Learned, RewardModel, spearman
from seiko.rewards.prompted import Join, join

D, PROMPTS, UNSEEN, TEST = 256, 24, 8, 1000
JOINS: tuple[Join, ...] = ("image", "concatenation", "cosine", "product")
MODELS: dict[str, RewardModel] = {
    "linear": LastLayer(features=Identity()),
    "networks": LastLayer(features=Learned(network=MLP(feature=Identity(), hidden=(64, 64)))),
}


class World:
    """Prompts, images and rewards of one seed."""

    def __init__(self, seed: int) -> None:
        self._generator = torch.Generator().manual_seed(seed)
        self._spectrum = torch.arange(1, D + 1) ** -0.5
        self._mean = normalize(self._normal(1, D), dim=1) * self._spectrum.norm()
        self._prompts = normalize(
            self._normal(PROMPTS + UNSEEN, D) + 0.5 * D**0.5 * normalize(self._normal(1, D)), dim=1
        )
        self._taste = normalize(self._normal(D, 1), dim=0)
        self._side = normalize(self._normal(D, 1), dim=0)
        self._metric = torch.eye(D) + 0.5 * self._normal(D, D) / D**0.5

    def _normal(self, *shape: int) -> Tensor:
        return torch.randn(shape, generator=self._generator)

    def draw(self, n: int, first: int, last: int) -> tuple[Tensor, Tensor]:
        """Return embeddings of images and of their prompts, of those from first to last."""
        text = self._prompts[torch.randint(first, last, (n,), generator=self._generator)]
        strength = torch.rand(n, 1, generator=self._generator) * 0.7 * self._spectrum.norm()
        return normalize(self._mean + self._normal(n, D) * self._spectrum + strength * text, dim=1), text

    def reward(self, name: str, image: Tensor, text: Tensor) -> Tensor:
        """Return the reward in units of its own spread."""
        taste = (image @ self._taste)[:, 0]
        fit = (normalize(image @ self._metric, dim=1) * normalize(text @ self._metric, dim=1)).sum(1)
        side = (text @ self._side)[:, 0]
        turned = (taste - taste.mean()) * (side - side.mean()).sign()
        parts = {"taste": [taste], "fit": [fit], "both": [taste, fit], "turns": [turned]}[name]
        return torch.stack([(part - part.mean()) / part.std() for part in parts]).sum(0)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    seeds = range(parser.parse_args().seeds)
    print("| reward | labels | regression | join | prompts labelled | others |\n| --- | --- | --- | --- | --- | --- |")
    for name in ("taste", "fit", "both", "turns"):
        for labels in (100, 300, 1000):
            for kind, model in MODELS.items():
                for how in JOINS:
                    found = torch.tensor([_judge(World(seed), name, labels, model, how, seed) for seed in seeds]).mean(
                        0
                    )
                    print(f"| {name} | {labels} | {kind} | {how} | {found[0]:.2f} | {found[1]:.2f} |", flush=True)


def _judge(world: World, name: str, labels: int, model: RewardModel, how: Join, seed: int) -> tuple[float, float]:
    image, text = world.draw(labels, 0, PROMPTS)
    y = world.reward(name, image, text)
    y = y + 0.1 * torch.randn(labels, generator=torch.Generator().manual_seed(seed))
    belief = model.fit(join(image, text, how), y, None, seed)
    ranks = []
    for first, last in ((0, PROMPTS), (PROMPTS, PROMPTS + UNSEEN)):
        image, text = world.draw(TEST, first, last)
        with torch.no_grad():
            mean = belief.posterior(join(image, text, how)).mean
        ranks.append(spearman(mean, world.reward(name, image, text)))
    return ranks[0], ranks[1]


if __name__ == "__main__":
    main()
