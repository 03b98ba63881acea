"""The benchmark runs, every side does the whole work, and the application's calls stay few; times are not asserted."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.sides import ALTERNATIVES, OURS

ROOT = Path(__file__).parents[2]
BATCH, TRANSACTIONS = 100, 100
MOST_CALLS_A_BATCH = 12


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    arguments = ["--transactions", str(TRANSACTIONS), "--batch", str(BATCH), "--json"]
    command = [sys.executable, "-m", "benchmarks.scoring_path", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    parsed: dict[str, Any] = json.loads(done.stdout)
    return parsed


def test_batches_hold_mostly_distinct_cards(result: dict[str, Any]) -> None:
    assert result["run"]["distinct_cards"] >= 0.9


@pytest.mark.parametrize("side", [OURS, *ALTERNATIVES])
def test_side_decides_every_transaction_by_the_model(result: dict[str, Any], side: str) -> None:
    measured = result["sides"][side]
    assert measured["decisions"] == TRANSACTIONS + BATCH
    assert measured["same_as_ours"] >= 0.9
    assert set(measured["actions"]) > {"approve"}


def test_ours_takes_few_calls_a_batch(result: dict[str, Any]) -> None:
    assert result["sides"][OURS]["most_calls_in_a_batch"] <= MOST_CALLS_A_BATCH


def test_ours_asks_the_model_once_a_batch(result: dict[str, Any]) -> None:
    assert result["sides"][OURS]["calls_per_1000"]["InvokeEndpoint"] == 1000 / BATCH


@pytest.mark.parametrize("side", ALTERNATIVES)
def test_alternative_calls_for_every_transaction(result: dict[str, Any], side: str) -> None:
    calls = result["sides"][side]["calls_per_1000"]
    assert calls["BatchGetItem"] >= 1000
    assert calls["InvokeEndpoint"] >= 1000
