"""The summary of a run: counting against the truth."""

import pytest

from cli.summary import Outcome, Percentiles, fraud, percentiles, precision_at, summarise, throughput


def outcome(
    action: str = "approve",
    score: float | None = 0.1,
    *,
    is_fraud: bool = False,
    amount: int = 100,
    arrived_at: float = 0.0,
    decided_at: float = 0.05,
) -> Outcome:
    return Outcome(action, score, amount, is_fraud, arrived_at, decided_at, degraded=score is None)


def test_summary_counts_what_was_neither_decided_nor_quarantined_as_lost() -> None:
    summary = summarise(10, 3, [outcome()] * 4, [outcome()] * 2, [], [], 0.01)
    assert (summary.decided, summary.quarantined, summary.lost) == (6, 3, 1)


def test_summary_names_every_action_and_the_degraded() -> None:
    summary = summarise(2, 0, [outcome("block"), outcome(score=None)], [], [], [], 0.01)
    assert summary.actions == {"approve": 1, "review": 0, "block": 1}
    assert summary.degraded == 1


def test_summary_throughput_is_of_the_part_at_full_speed_and_latency_as_measured() -> None:
    summary = summarise(
        3,
        0,
        [outcome(decided_at=2.0), outcome(arrived_at=1.0, decided_at=4.0)],
        [outcome(decided_at=0.02)],
        [20.0],
        [7.0],
        0.01,
    )
    assert summary.per_second == 0.5
    assert summary.latency == Percentiles(20.0, 20.0)
    assert summary.handler == Percentiles(7.0, 7.0)


def test_fraud_reviewed_counts_as_caught_and_its_value_as_saved() -> None:
    found = fraud(
        [
            outcome("block", is_fraud=True, amount=500),
            outcome("review", is_fraud=True, amount=300),
            outcome("approve", is_fraud=True, amount=200),
            outcome("block"),
        ]
    )
    assert (found.count, found.caught, found.value, found.value_saved, found.genuine_blocked) == (3, 2, 1000, 800, 1)


def test_precision_is_of_the_highest_scores() -> None:
    scores = [outcome(score=0.9, is_fraud=True), outcome(score=0.8), outcome(score=0.1, is_fraud=True)]
    assert precision_at(scores, 1) == 1.0
    assert precision_at(scores, 2) == 0.5


def test_precision_without_scores_is_unknown() -> None:
    assert precision_at([outcome(score=None)], 5) is None


@pytest.mark.parametrize(("count", "p50", "p99"), [(1, 1, 1), (2, 1, 2), (100, 50, 99), (1000, 500, 990)])
def test_percentiles_are_nearest_rank(count: int, p50: float, p99: float) -> None:
    assert percentiles(list(range(count, 0, -1))) == Percentiles(p50, p99)


def test_nothing_has_neither_percentiles_nor_throughput() -> None:
    assert percentiles([]) is None
    assert throughput([]) == 0.0
