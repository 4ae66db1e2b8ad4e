"""Prompts: which sample gets which, whatever the batch, and lists that make no sense."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from seiko.campaign import Campaign, NoPrompts, Prompts, Recipe, run
from seiko.campaign.prompts import choose_for_prompts, conditioner_of, prompted, read_prompts
from seiko.campaign.sampler import ModelSampler, SteeredSampler, draw_designs
from seiko.designs import Design
from seiko.diffusion import Noise
from seiko.models import GaussianToy, ImageToySource, ModelPolicy
from seiko.models.toy_images import TOY_PROMPTS
from seiko.updates import SMC, Guidance, fold

Pictures = Callable[..., Recipe]


def test_one_list_stands_for_the_others() -> None:
    assert Prompts(querying=("a",)).trained == Prompts(querying=("a",)).judged == ("a",)
    assert Prompts(querying=("a",), training=("b",)).judged == ("b",)
    assert Prompts(querying=("a",), training=("b",), held_out=("a",)).judged == ("a",)


def test_lists_that_make_no_sense() -> None:
    with pytest.raises(ValueError, match="at least one to query for"):
        Prompts(querying=())
    with pytest.raises(ValueError, match="training prompts hold 'b' twice"):
        Prompts(querying=("a",), training=("b", "c", "b"))
    with pytest.raises(ValueError, match="'b' is held out and trained on"):
        Prompts(querying=("a", "b"), held_out=("b",))


def test_a_file_of_prompts(tmp_path: Path) -> None:
    file = tmp_path / "prompts.txt"
    file.write_text("# animals\n a cat \n\na dog\n", encoding="utf-8-sig")
    assert read_prompts(file) == ("a cat", "a dog")
    file.write_text("# nothing\n")
    with pytest.raises(ValueError, match="holds no prompt"):
        read_prompts(file)
    file.write_bytes(b"na\xefve\n")
    with pytest.raises(ValueError, match="not UTF-8"):
        read_prompts(file)


def test_a_prompt_is_its_streams_own_whatever_the_batch() -> None:
    given, noise = conditioner_of(ImageToySource().load(), TOY_PROMPTS), Noise.seeded(0, 4000)
    whole = given.of(noise)
    assert [prompt for i in range(0, 4000, 37) for prompt in given.of(noise[i : i + 37])] == whole
    counts = Counter(whole)
    assert set(counts) == set(TOY_PROMPTS)
    assert all(900 < count < 1100 for count in counts.values())
    assert [TOY_PROMPTS[row] for row in given(noise)] == whole


def test_a_population_shares_the_prompt_of_its_first() -> None:
    given, noise = conditioner_of(ImageToySource().load(), TOY_PROMPTS), Noise.seeded(0, 40)
    together = given.together(8).of(noise[:37])
    first = given.of(noise)[::8]
    assert together == [first[i // 8] for i in range(37)]
    assert len(set(first)) > 1


@pytest.mark.parametrize("steering", [None, Guidance(), SMC(particles=8)])
def test_different_prompts_give_different_images(steering: Any) -> None:
    toy = ImageToySource(batch=16).load()
    given = conditioner_of(toy, ("left", "bottom"))
    sampler: Any = ModelSampler(toy, given)
    if steering is not None:
        problem = fold(lambda x: x.flatten(1).mean(1), ModelPolicy(toy, "pretrained"), 1.0)
        sampler = SteeredSampler(toy, steering, problem, given)
    designs = draw_designs(sampler, 0, 40)
    means = {prompt: [] for prompt in given.prompts}
    for design, pixels in zip(designs, toy.observe(designs), strict=True):
        assert design.prompt is not None
        means[design.prompt].append(pixels)
    left, bottom = (torch.stack(means[prompt]).mean(0)[0] for prompt in given.prompts)
    assert left[:, :4].mean() > left[:, 4:].mean() + 0.3
    assert bottom[4:].mean() > bottom[:4].mean() + 0.3
    assert draw_designs(sampler, 0, 17) == designs[:17]


def test_a_model_without_prompts_refuses_them(tmp_path: Path, pictures: Pictures) -> None:
    with pytest.raises(NoPrompts, match="GaussianToy takes no prompts: leave them out"):
        conditioner_of(GaussianToy.exact(), ["a cat"])
    designs = [Design("ACGT")]
    assert prompted(designs, None) == designs
    with (
        Campaign.open(tmp_path, pictures(prompts=Prompts(querying=("middle",)))) as campaign,
        pytest.raises(ValueError, match="got the prompt 'middle'"),
    ):
        campaign.ask()


def test_rows_that_do_not_fit_are_refused() -> None:
    class Sloppy:
        def encode(self, prompts: list[str]) -> torch.Tensor:
            return torch.zeros(len(prompts) + 1)

    with pytest.raises(ValueError, match="2 prompts must be encoded as as many rows, got 3"):
        conditioner_of(Sloppy(), ["a", "b"])  # type: ignore[arg-type]


def test_each_stage_draws_for_its_own_prompts(tmp_path: Path, pictures: Pictures, corner: Any) -> None:
    with Campaign.open(tmp_path, pictures()) as campaign:
        reports = run(campaign, corner)
        assert {query.design.prompt for query in campaign.state.queries.values()} == {"left", "right"}
        assert {row.prompt for report in reports for row in report.prompts} == {"bottom"}
        assert {design.prompt for design in campaign.sample(8)} == {"bottom"}
        assert {design.prompt for design in campaign.sample(8, prompts=["top"])} == {"top"}
        # weights of prompts that are not trained on do not move
        offset = campaign.model.versions.state_dict()["offset"]
        campaign.model.versions.reset()
        moved = (offset - campaign.model.versions.state_dict()["offset"]).abs().amax((0, 2, 3, 4)) > 0
        assert moved.tolist() == [True, False, True, False, False]


def test_what_is_found_for_each_prompt(tmp_path: Path, pictures: Pictures, corner: Any) -> None:
    recipe = pictures(prompts=Prompts(querying=TOY_PROMPTS), look=200)
    with Campaign.open(tmp_path, recipe) as campaign:
        report = run(campaign, corner)[-1]
    assert [row.prompt for row in report.prompts] == sorted(TOY_PROMPTS)
    assert sum(row.samples for row in report.prompts) == 200
    found = {row.prompt: row.believed_mean for row in report.prompts}
    assert found["left"] > found["right"] + 0.1  # the corner that is paid for is bright in the one
    mean = sum(row.samples * row.kl for row in report.prompts) / 200
    assert mean == pytest.approx(report.kl_pretrained, rel=1e-4)


@pytest.mark.parametrize("update", ["moved", "guidance"])
def test_a_run_closed_after_every_verb_is_the_same_run(
    tmp_path: Path, pictures: Pictures, corner: Any, update: str
) -> None:
    recipe = pictures() if update == "moved" else pictures(update=Guidance(), samples=32)
    with Campaign.open(tmp_path / "whole", recipe) as campaign:
        run(campaign, corner)
        state = campaign.state
        expected = (list(state.queries.values()), state.weights, _timeless(campaign))
    while True:
        with Campaign.open(tmp_path / "parts", recipe) as campaign:
            if campaign.done:
                break
            queries = campaign.ask()
        with Campaign.open(tmp_path / "parts") as campaign:
            labels = corner([query.design for query in queries])
            campaign.tell({query.id: label for query, label in zip(queries, labels, strict=True)})
        with Campaign.open(tmp_path / "parts") as campaign:
            campaign.advance()
    with Campaign.open(tmp_path / "parts") as campaign:
        state = campaign.state
        assert (list(state.queries.values()), state.weights, _timeless(campaign)) == expected


def _timeless(campaign: Campaign) -> list[Any]:
    return [dataclasses.replace(report, seconds=0.0) for report in campaign.state.reports]


# ------------------------------------------------------ batches for prompts


@pytest.mark.parametrize(
    ("counts", "count", "expected"),
    [
        ({"a": 50, "b": 50}, 8, {"a": 4, "b": 4}),
        ({"a": 50, "b": 50}, 9, {"a": 5, "b": 4}),
        ({"a": 50, "b": 2, "c": 50}, 12, {"a": 5, "b": 2, "c": 5}),
        ({"a": 1, "b": 1, "c": 1}, 2, {"a": 1, "b": 1}),
        ({None: 20}, 7, {None: 7}),
    ],
)
def test_a_batch_is_spread_evenly_over_prompts(
    counts: dict[str | None, int], count: int, expected: dict[str | None, int]
) -> None:
    prompts = [prompt for prompt, n in counts.items() for _ in range(n)]
    score = torch.rand(len(prompts), generator=torch.Generator().manual_seed(0))
    score[: len(prompts) // 2] += 1  # the first prompts are easily met

    def best(of: list[int], count: int) -> list[int]:
        return sorted(of, key=lambda row: -float(score[row]))[:count]

    rows = choose_for_prompts(best, count, prompts)
    assert Counter(prompts[row] for row in rows) == expected
    for prompt, n in expected.items():
        of = [row for row in range(len(prompts)) if prompts[row] == prompt]
        assert {row for row in rows if prompts[row] == prompt} == set(best(of, n))
    assert len({prompts[row] for row in rows[: len(expected)]}) == len(expected), "every prompt has its turn"


def test_no_prompt_takes_all_labels(tmp_path: Path, pictures: Pictures, corner: Any) -> None:
    with Campaign.open(tmp_path, pictures(prompts=Prompts(querying=TOY_PROMPTS), pool=200)) as campaign:
        run(campaign, corner)
        asked = Counter(query.design.prompt for query in campaign.state.asked(2))
    assert asked == dict.fromkeys(TOY_PROMPTS, 3)
