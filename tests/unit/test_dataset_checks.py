"""What an examination found, and what follows: learn, wait, or call somebody."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud import dataset_checks
from fraud.dataset_checks import WORST_LAST, Check, Checks, Outcome, Part, outcome, parse, told
from fraud.errors import InvalidEvidence

PASSED = Check(name="frauds", outcome=Outcome.PASSED, sentence="Frauds: enough.")
SHORT = Check(name="frauds", outcome=Outcome.NOT_ENOUGH, sentence="Frauds: 3 of 50.", observed=3, limit=50)
STALE = Check(name="freshness", outcome=Outcome.NOT_ENOUGH, sentence="The newest verdict is 20 days old.")
LEAK = Check(name="leakage", outcome=Outcome.UNFIT, sentence="terminal_fraud_share_30d knows the future.")


def checks(*found: Check, **fields: Any) -> Checks:
    given: dict[str, Any] = {
        "schema_version": 1,
        "source": "archive",
        "rows": 12_345,
        "learning": Part(
            rows=10_000, frauds=120, first_at="2025-03-01T00:00:00.000Z", last_at="2025-05-20T00:00:00.000Z"
        ),
        "evaluation": Part(rows=2_000, frauds=30),
        "gap_days": 7.0,
        "left_out": {"gap": 345},
        "checks": found,
    }
    return Checks(**given | fields)


def document(**fields: Any) -> bytes:
    given = {
        "schema_version": 1,
        "source": "archive",
        "rows": 12_345,
        "learning": {
            "rows": 10_000,
            "frauds": 120,
            "first_at": "2025-03-01T00:00:00.000Z",
            "last_at": "2025-05-20T00:00:00.000Z",
        },
        "evaluation": {"rows": 2_000, "frauds": 30},
        "gap_days": 7,
        "left_out": {"gap": 345},
        "checks": [
            {"name": "frauds", "outcome": "not_enough", "sentence": "Frauds: 3 of 50.", "observed": 3, "limit": 50}
        ],
    }
    return json.dumps(given | fields).encode()


def test_parse_reads_what_was_found() -> None:
    assert parse(document()) == checks(SHORT)


def test_parse_field_that_newer_code_adds_is_passed_over() -> None:
    assert parse(document(seed=7)) == checks(SHORT)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff",
        b"[]",
        b"[" * 100_000,
        b'{"x": ' + b"[" * 100_000,
        document(schema_version=2),
        document(source="dice"),
        document(rows="many"),
        document(rows=None),
        document(gap_days=float("nan")),
        document(checks=[{"name": "frauds", "outcome": "maybe", "sentence": ""}]),
        document(checks={}),
        document(learning={"rows": 1}),
    ],
)
def test_parse_what_nobody_can_read_is_no_evidence(text: bytes) -> None:
    with pytest.raises(InvalidEvidence, match=r"^checks\.json cannot be read: "):
        parse(text)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ((PASSED,), Outcome.PASSED),
        ((PASSED, SHORT), Outcome.NOT_ENOUGH),
        ((LEAK, SHORT, PASSED), Outcome.UNFIT),
        ((), Outcome.UNFIT),
    ],
)
def test_outcome_is_the_worst_of_all_checks(found: tuple[Check, ...], expected: Outcome) -> None:
    assert outcome(checks(*found)) is expected


@given(st.lists(st.sampled_from([PASSED, SHORT, LEAK]), min_size=1), st.sampled_from([PASSED, SHORT, LEAK]))
def test_outcome_one_more_check_never_makes_it_better(found: list[Check], another: Check) -> None:
    before, after = (WORST_LAST.index(outcome(checks(*each))) for each in (found, [*found, another]))
    assert after == max(before, WORST_LAST.index(another.outcome))


def test_told_what_there_is_to_learn_from() -> None:
    assert told(checks(PASSED)) == ("10,000 transactions with 120 frauds to learn from, 2,000 with 30 to measure on.")


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ((PASSED, SHORT, STALE), "Frauds: 3 of 50. The newest verdict is 20 days old."),
        ((SHORT, LEAK), "terminal_fraud_share_30d knows the future."),
        ((), "Nothing was checked."),
    ],
)
def test_told_why_not_by_the_worst_alone(found: tuple[Check, ...], words: str) -> None:
    assert told(checks(*found)) == words


def test_largest_document_leaves_room_for_all_that_is_checked() -> None:
    assert len(document(checks=[{"name": "n", "outcome": "passed", "sentence": "x" * 1_000}] * 500)) < (
        dataset_checks.LARGEST_DOCUMENT
    )
