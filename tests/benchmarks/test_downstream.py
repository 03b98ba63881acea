"""The measurements that costs are computed from still hold; times are not asserted."""

import json
import subprocess
import sys

import pytest

from benchmarks.cost_inputs import Measured
from benchmarks.cost_terms import PROJECTION_WRITES
from local.children import ROOT

BATCH = 100
MEASURED = Measured()


@pytest.fixture(scope="module")
def result() -> dict[str, float]:
    arguments = ["--transactions", str(2 * BATCH), "--batch", str(BATCH)]
    command = [sys.executable, "-m", "benchmarks.downstream", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    parsed: dict[str, float] = json.loads(done.stdout)
    return parsed


@pytest.mark.parametrize("name", ["decision_bytes", "index_bytes", "document_bytes"])
def test_bytes_of_a_decision_are_those_that_costs_are_computed_from(result: dict[str, float], name: str) -> None:
    assert result["decisions"] == 2 * BATCH
    assert result[name] == pytest.approx(getattr(MEASURED, name), rel=0.02)


def test_archived_and_logged_bytes_are_about_those_that_costs_are_computed_from(result: dict[str, float]) -> None:
    start, each = MEASURED.log_bytes
    assert result["log_bytes_an_invocation"] == pytest.approx(start + each * BATCH, rel=0.1)
    assert result["archived_bytes"] == pytest.approx(MEASURED.archived_bytes, rel=0.15)


def test_projection_takes_at_most_the_units_that_are_charged(result: dict[str, float]) -> None:
    assert PROJECTION_WRITES - 2 < result["projection_write_units"] <= PROJECTION_WRITES
    assert 1 < result["projection_read_units"] <= 2
