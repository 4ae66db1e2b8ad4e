"""The report's record: everything that the page shows, and nothing that it has to ask for.

The report is a function of this record alone, so it can be drawn from a ledger, from a file or from a test. Numbers
that are not known are None (a NaN is read as None); the page prints them as "—".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from seiko.report.image_data import ImageData

__all__ = [
    "CalibrationRow",
    "DesignRow",
    "FrontData",
    "LogoData",
    "MoleculeData",
    "ReportData",
    "RoundRow",
    "Status",
    "letter_frequencies",
]

Status = Literal["value", "infeasible", "failed", "retracted", "abandoned", "pending"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignRow:
    """One query: what was asked, what was believed then, what came back.

    Args:
        round: Round that asked it, from 1.
        query_id: The query's name in the ledger.
        content: The design's text.
        kind: ``"dna"``, ``"protein"``, ``"tokens"``, ``"smiles"``, ``"image"`` (the content is a SHA-256 then).
        source: Where the candidate came from, for example ``"fresh"``, ``"remask"``, ``"library"``.
        status: State of its label; ``"pending"`` where none has come.
        value: The label, oracle's units, larger is better; present exactly when ``status == "value"``.
        noise: Standard deviation of the measurement, oracle's units.
        predicted_mean: Mean that the reward model predicted when the design was chosen, oracle's units.
        predicted_std: Standard deviation of the *label* predicted then (epistemic and noise together), oracle's units.
        prompt: What the design was drawn for; None if the model takes no prompts.

    Raises:
        ValueError: If the status is unknown, or the value is missing, superfluous or not finite.
    """

    round: int
    query_id: str
    content: str
    kind: str
    source: str
    status: Status
    value: float | None = None
    noise: float | None = None
    predicted_mean: float | None = None
    predicted_std: float | None = None
    prompt: str | None = None

    def __post_init__(self) -> None:
        if self.status not in get_args(Status):
            raise ValueError(f"status must be one of {', '.join(get_args(Status))}, got {self.status!r}")
        if self.status == "value":
            if self.value is None or not math.isfinite(self.value):
                raise ValueError(f"query {self.query_id}: status 'value' needs a finite number, got {self.value!r}")
        elif self.value is not None:
            raise ValueError(f"query {self.query_id}: status {self.status!r} has no value, got {self.value!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationRow:
    """How predictions met labels that had not been fitted; the fields of `seiko.rewards.base.Calibration`.

    Args:
        n: Number of labels.
        r2: 1 - residual variance / label variance.
        spearman: Rank correlation of mean and label.
        nll: Mean Gaussian negative log-likelihood, nats a label.
        coverage: Share of labels within mean ± 1.96 predictive standard deviations (nominal .95).
        rmse: Root mean squared error, oracle's units.
    """

    n: int
    r2: float | None = None
    spearman: float | None = None
    nll: float | None = None
    coverage: float | None = None
    rmse: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundRow:
    """What one finished round did.

    Args:
        round: From 1.
        labels_used: Labels charged against the budget by the end of the round.
        seconds: Wall-clock time of the round's `advance`.
        alpha: Weight of the KL from the pretrained model, reward standard deviations a nat.
        beta: Weight of the KL from the previous round's model, same unit.
        kl_pretrained: Path KL of the current from the pretrained model, nats.
        kl_previous: Path KL of the current from the previous round's model, nats.
        believed_mean: Reward model's mean over fresh samples of the model after the round, oracle's units.
        diversity: Mean pairwise distance between fresh samples, in `ReportData.diversity_unit`.
        prequential: Predictions made before the round's own labels, against those labels.
        held_out: Predictions of the round's fit on the labels held out from it.
    """

    round: int
    labels_used: int
    seconds: float | None = None
    alpha: float | None = None
    beta: float | None = None
    kl_pretrained: float | None = None
    kl_previous: float | None = None
    believed_mean: float | None = None
    diversity: float | None = None
    prequential: CalibrationRow | None = None
    held_out: CalibrationRow | None = None


def letter_frequencies(samples: Sequence[Sequence[str]], alphabet: Sequence[str]) -> tuple[tuple[float, ...], ...]:
    """Return the share of each letter at each position, `[L][V]`, of samples of one length.

    Args:
        samples: Strings, or lists of tokens.
        alphabet: The letters, in the order of the columns.

    Raises:
        ValueError: If there is no sample, the lengths differ, or a letter is not in the alphabet.
    """
    if not samples:
        raise ValueError("letter frequencies need at least one sample, got none")
    length = len(samples[0])
    index = {letter: column for column, letter in enumerate(alphabet)}
    counts = [[0] * len(alphabet) for _ in range(length)]
    for sample in samples:
        if len(sample) != length:
            raise ValueError(f"samples must have one length, got {length} and {len(sample)}")
        for position, letter in enumerate(sample):
            if letter not in index:
                raise ValueError(f"letter {letter!r} is not in the alphabet {' '.join(alphabet)}")
            counts[position][index[letter]] += 1
    return tuple(tuple(count / len(samples) for count in row) for row in counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoData:
    """Letter frequencies of samples from the pretrained and from the current model.

    Args:
        alphabet: V letters or tokens, without mask and padding.
        before: `[L][V]`, pretrained model; every row sums to 1.
        after: `[L][V]`, current model.
        kind: As in `DesignRow`; chooses the colours.

    Raises:
        ValueError: If a row has another length than the alphabet, is negative or does not sum to 1.
    """

    alphabet: tuple[str, ...]
    before: tuple[tuple[float, ...], ...]
    after: tuple[tuple[float, ...], ...]
    kind: str = "dna"

    def __post_init__(self) -> None:
        for name, matrix in (("before", self.before), ("after", self.after)):
            for position, row in enumerate(matrix, start=1):
                if len(row) != len(self.alphabet):
                    raise ValueError(f"{name}, position {position}: {len(self.alphabet)} letters, {len(row)} numbers")
                if not all(f >= 0 for f in row) or not math.isclose(math.fsum(row), 1, abs_tol=1e-4):
                    raise ValueError(f"{name}, position {position}: frequencies must be >= 0 and sum to 1, got {row}")

    @classmethod
    def from_samples(
        cls,
        alphabet: Sequence[str],
        before: Sequence[Sequence[str]],
        after: Sequence[Sequence[str]],
        kind: str = "dna",
    ) -> LogoData:
        """Count the letters of samples from the pretrained and from the current model."""
        return cls(
            alphabet=tuple(alphabet),
            before=letter_frequencies(before, alphabet),
            after=letter_frequencies(after, alphabet),
            kind=kind,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MoleculeData:
    """Fresh SMILES of the pretrained and of the current model; what of them is no molecule is told, not drawn.

    Args:
        before: Samples of the pretrained model; empty before the first finished round.
        after: Samples of the model after the last round.
        known: What a drawn molecule is compared with, for example the training data; empty for `before`.
        known_name: What `known` is, in words.
    """

    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    known_name: str = "known molecules"


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontData:
    """What was measured of each labelled design in a run with several objectives.

    Args:
        names: Of the properties.
        larger: Whether more of each is better.
        values: One row a design, in the order of the labels.
        rounds: The round that asked it; 0 for one that was attached.
        front: Whether no other design dominates it.
        hypervolume: (labels, hypervolume of the first so many).
    """

    names: tuple[str, ...]
    larger: tuple[bool, ...]
    values: tuple[tuple[float, ...], ...]
    rounds: tuple[int, ...]
    front: tuple[bool, ...]
    hypervolume: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportData:
    """One run, as the page shows it.

    Args:
        title: Heading of the page.
        recipe_name: The recipe's function name.
        run_name: The run folder's name.
        seiko_version: Version that wrote the run.
        created_at: Date and time to print, already in words; the page adds no clock of its own.
        budget: Labels that may be used.
        labels_used: Labels charged against the budget so far.
        rounds_planned: Rounds of the recipe.
        seed: The run's seed.
        recipe_json: The recipe, pretty-printed.
        designs: All queries in the order in which they were asked.
        rounds: Finished rounds, in order.
        logos: Letter frequencies before and after; None where positions do not align (molecules, images).
        molecules: Samples before and after of a run whose designs are SMILES; None for every other kind.
        images: Pairs, prompts and naturalness of a run whose designs are images; None for every other kind.
        kl_budget: Nats from the pretrained model that the recipe allows; None if it fixes alpha instead.
        reward_name: Name of the label, with its unit, for the axes.
        diversity_unit: Unit of `RoundRow.diversity`.
        diversity_max: Largest possible diversity, for example the sequence length; None if unbounded.
        alarms: Sentences that should stop a reader: KL above its budget, many infeasible designs, poor coverage.
        recommendations: What to do next, in sentences.
        front: What was measured of each design in a run with several objectives; None in every other.
    """

    title: str
    recipe_name: str
    run_name: str
    seiko_version: str
    created_at: str
    budget: int
    labels_used: int
    rounds_planned: int
    seed: int
    recipe_json: str
    designs: tuple[DesignRow, ...] = ()
    rounds: tuple[RoundRow, ...] = ()
    logos: LogoData | None = None
    molecules: MoleculeData | None = None
    images: ImageData | None = None
    kl_budget: float | None = None
    reward_name: str = "reward"
    diversity_unit: str = "positions"
    diversity_max: float | None = None
    alarms: tuple[str, ...] = ()
    recommendations: tuple[str, ...] = ()
    front: FrontData | None = None
