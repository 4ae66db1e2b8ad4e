"""A run of sequences and a run of images, small enough that no model is ever loaded, and people who come in."""

from __future__ import annotations

import dataclasses
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient

from seiko.acquisition import UCB
from seiko.campaign import Campaign, Fresh, Objectives, Property, Recipe, Remask
from seiko.campaign.ledger import NewEvent
from seiko.models import Alphabet, Architecture, MaskedLMSource, Pretraining
from seiko.rewards import LastLayer, OneHot
from seiko.updates import PPO, KLBudget
from seiko.web import Access, Options, create_app
from seiko.web.desk import Desk

IMAGES = 24


@pytest.fixture(scope="session")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    folder = tmp_path_factory.mktemp("web-model")
    training = Pretraining(architecture=Architecture(width=8, layers=1, heads=1), steps=1, batch=8)
    training.run(torch.randint(4, (64, 6), generator=torch.Generator().manual_seed(0)), Alphabet.dna(), folder)
    return Recipe(
        name="tiny",
        model=MaskedLMSource(name=str(folder), num_steps=2),
        reward_model=LastLayer(features=OneHot(vocabulary=4)),
        acquisition=UCB(),
        update=PPO(learning_rate=1e-2),
        strength=KLBudget(nats=1.0),
        steps=2,
        samples=16,
        look=50,
        candidates=(Fresh(share=0.5), Remask(share=0.5)),
        pool=60,
        budget=48,
        rounds=2,
    )


def png(seed: int) -> bytes:
    from PIL import Image

    pixels = np.random.default_rng(seed).integers(0, 255, (6, 6, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).resize((48, 48), Image.Resampling.BICUBIC).save(buffer, "PNG")
    return buffer.getvalue()


def asked(*designs: tuple[str, str]) -> NewEvent:
    rows = [
        {"id": f"1-{i:04d}", "content": content, "kind": kind, "source": "fresh", "mean": 0.5, "std": 0.1}
        for i, (content, kind) in enumerate(designs, start=1)
    ]
    return NewEvent("asked", {"round": 1, "queries": rows})


SEQUENCES = ("ACGTAC", "CCGTAC", "GGGTAC", "TTGTAC")


@pytest.fixture
def sequences(recipe: Recipe, tmp_path: Path) -> Path:
    """Return a run whose first batch, four sequences, waits for labels."""
    with Campaign.open(tmp_path / "run", recipe) as campaign:
        campaign.ledger.append([asked(*((content, "dna") for content in SEQUENCES))], expected=campaign.state.last_seq)
    return tmp_path / "run"


OBJECTIVES = Objectives(
    properties=(
        Property(name="potency", reference=5.0),
        Property(name="clearance", goal="min", reference=60.0, unit=10.0),
    ),
    combine="pareto",
)


@pytest.fixture
def several(recipe: Recipe, tmp_path: Path) -> Path:
    """Return a run with two properties, whose first batch, four sequences, waits for labels."""
    with Campaign.open(tmp_path / "several", dataclasses.replace(recipe, objectives=OBJECTIVES)) as campaign:
        campaign.ledger.append([asked(*((content, "dna") for content in SEQUENCES))], expected=campaign.state.last_seq)
    return tmp_path / "several"


def start_images(place: Path | str, recipe: Recipe) -> None:
    with Campaign.open(place, recipe) as campaign:
        names = [campaign.ledger.artifacts.put(png(seed)) for seed in range(IMAGES)]
        campaign.ledger.append([asked(*((name, "image") for name in names))], expected=campaign.state.last_seq)


@pytest.fixture
def images(recipe: Recipe, tmp_path: Path) -> Path:
    """Return a run whose first batch, 24 images, waits for labels."""
    start_images(tmp_path / "pictures", recipe)
    return tmp_path / "pictures"


@pytest.fixture
def images_at(recipe: Recipe) -> Callable[[str], str]:
    """Return a function that starts such a run at a place of somebody's own, and returns the place."""

    def start(place: str) -> str:
        start_images(place, recipe)
        return place

    return start


@dataclass
class Served:
    """A run that is served, and the tokens of its people."""

    app: Any
    desk: Desk
    tokens: dict[str, str]

    def client(self) -> TestClient:
        return TestClient(self.app, base_url="http://127.0.0.1", follow_redirects=False)

    def log_in(self, name: str = "owner") -> Person:
        client = self.client()
        answer = client.post("/login", data={"token": self.tokens[name]})
        assert answer.status_code == 303, answer.text
        return Person(client)


class Person:
    """Somebody with a browser, as far as forms go."""

    def __init__(self, client: TestClient) -> None:
        self.client = client
        found = re.search(r'X-CSRF-Token": "([0-9a-f]{64})"', client.get("/rate").text)
        assert found is not None
        self.csrf = found[1]

    def get(self, path: str, **options: Any) -> Any:
        return self.client.get(path, **options)

    def post(self, path: str, htmx: bool = False, **fields: Any) -> Any:
        headers = {"HX-Request": "true"} if htmx else {}
        return self.client.post(path, data={"csrf": self.csrf, **fields}, headers=headers)

    def upload(self, data: bytes, name: str = "plate.csv") -> Any:
        return self.client.post("/upload", data={"csrf": self.csrf}, files={"file": (name, data, "text/csv")})


Serve = Callable[..., Served]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Return a function that serves a run to an owner and to raters."""
    open_desks: list[Desk] = []

    def start(place: Path | str, people: tuple[str, ...] = ("anna", "ben"), **options: Any) -> Served:
        access, links = Access.prepare(None, people)
        desk = Desk(str(place))
        open_desks.append(desk)
        # the test client's host has no port, and its requests come faster than a person's
        settings = {"posts_a_second": 1000, "burst": 1000} | options
        app = create_app(desk, access, Options(**settings))
        return Served(app, desk, {link.name: link.token for link in links})

    yield start
    for desk in open_desks:
        desk.close()
