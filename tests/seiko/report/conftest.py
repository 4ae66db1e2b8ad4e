from __future__ import annotations

import json

import numpy as np
import pytest

from seiko.report.data import CalibrationRow, DesignRow, LogoData, ReportData, RoundRow


def _designs(rounds: int, batch: int) -> list[DesignRow]:
    rng = np.random.default_rng(0)
    rows = []
    for index in range(1, rounds + 1):
        for number in range(batch):
            value = float(rng.normal(0.3 + 0.1 * index, 0.1))
            infeasible = number % 10 == 9
            rows.append(
                DesignRow(
                    round=index,
                    query_id=f"{index}-{number}",
                    content="".join(rng.choice(list("ACGT"), 8)),
                    kind="dna",
                    source="remask" if index > 1 and number % 2 else "fresh",
                    status="infeasible" if infeasible else "value",
                    value=None if infeasible else value,
                    predicted_mean=value + float(rng.normal(0, 0.1)) if index > 1 else None,
                    predicted_std=0.1 if index > 1 else None,
                )
            )
    return rows


@pytest.fixture(scope="session")
def run() -> ReportData:
    """Three rounds of twenty labels on eight letters of DNA."""
    calibration = CalibrationRow(n=18, r2=0.4, spearman=0.61, nll=-0.7, coverage=0.94, rmse=0.1)
    rounds = tuple(
        RoundRow(
            round=index,
            labels_used=20 * index,
            seconds=12.5,
            alpha=0.1 / index,
            beta=0.02,
            kl_pretrained=1.5 * index,
            kl_previous=1.5,
            believed_mean=0.4 + 0.1 * index,
            diversity=6.0 - 0.5 * index,
            prequential=calibration if index > 1 else None,
            held_out=calibration,
        )
        for index in (1, 2, 3)
    )
    return ReportData(
        title="Binding to SIX6",
        recipe_name="tfbind8",
        run_name="six6-a",
        seiko_version="0.1.0",
        created_at="26 July 2026",
        budget=100,
        labels_used=60,
        rounds_planned=5,
        seed=7,
        recipe_json=json.dumps({"recipe": "tfbind8", "kl_budget": 4.0}, indent=2),
        designs=tuple(_designs(3, 20)),
        rounds=rounds,
        logos=LogoData.from_samples("ACGT", ["ACGT", "CATG"], ["ACGT", "ACGA"]),
        kl_budget=4.0,
        reward_name="binding",
        diversity_max=8,
        alarms=("The KL is 4.5 nats, above its budget of 4.",),
        recommendations=("Measure the ten best again.",),
    )
