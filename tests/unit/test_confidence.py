"""Bounds are wide where little is known, hold under peeking, and agree with the textbook where they must."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud import confidence
from fraud.confidence import EVERYTHING, NOTHING, Cluster, Estimate, Interval

ALPHA = 0.005


def spread(events: int, size: int, clusters: int = 100) -> Estimate:
    """Events and transactions, evenly over clusters."""
    return confidence.of_clusters(Cluster(events // clusters, 0, size // clusters) for _ in range(clusters))


def width(interval: Interval) -> float:
    return interval.high - interval.low


def test_of_clusters_without_transactions_is_nothing() -> None:
    assert confidence.of_clusters([]) == NOTHING
    assert confidence.of_clusters([Cluster(0, 0, 0)]) == NOTHING


def test_of_clusters_variance_is_the_jackknifes() -> None:
    clusters = [Cluster(3, 1, 10), Cluster(0, 0, 5), Cluster(4, 0, 6)]
    leaving_out = [(4 / 11), (6 / 16), (2 / 15)]
    expected = sum((each - 6 / 21) ** 2 for each in leaving_out) * 2 / 3

    assert confidence.of_clusters(clusters).value == pytest.approx(6 / 21)
    assert confidence.of_clusters(clusters).variance == pytest.approx(expected)


def test_of_clusters_as_even_as_can_be_still_has_the_variance_of_independent_transactions() -> None:
    estimate = spread(events=1_000, size=10_000)
    assert estimate.variance == pytest.approx(0.1 * 0.9 / 10_000)
    assert estimate.effective == 10_000


def test_of_clusters_that_decide_alike_are_worth_as_many_observations_as_they_are() -> None:
    all_or_nothing = confidence.of_clusters(Cluster(100 * (place % 2), 0, 100) for place in range(50))
    assert all_or_nothing.effective == pytest.approx(50, rel=0.05)


def test_of_clusters_freedom_counts_large_clusters_only() -> None:
    assert spread(0, 10_000).freedom == pytest.approx(99)
    dominated = [Cluster(1, 0, 10_000), *[Cluster(1, 0, 10)] * 99]
    assert confidence.of_clusters(dominated).freedom < 0.3


def test_one_cluster_tells_nothing() -> None:
    alone = confidence.of_clusters([Cluster(500, 0, 1_000)])
    assert confidence.change(alone, ALPHA, 1_000) == EVERYTHING
    assert confidence.difference(alone, spread(500, 1_000), ALPHA, 1_000) == EVERYTHING
    assert confidence.share(alone, ALPHA, 0.05) == Interval(0.0, 1.0)


def test_two_clusters_tell_next_to_nothing() -> None:
    blocked = confidence.of_clusters([Cluster(500, 0, 500)] * 2)
    assert confidence.share(blocked, ALPHA, 0.05).low < 0.001
    assert confidence.difference(blocked, spread(0, 1_000), ALPHA, 1_000).low < 0


def test_no_transaction_tells_nothing() -> None:
    assert confidence.share(NOTHING, ALPHA, 0.05) == Interval(0.0, 1.0)
    assert confidence.difference(NOTHING, spread(0, 1_000), ALPHA, 1_000) == EVERYTHING


def test_share_without_events_is_bounded_like_the_rule_of_three() -> None:
    bounds = confidence.share(spread(0, 10_000), ALPHA, 0.01)
    assert bounds.low == 0
    # Of one look and of independent transactions it would be log(1 / alpha) / n.
    assert math.log(1 / ALPHA) / 10_000 < bounds.high < 3 * math.log(1 / ALPHA) / 10_000


def test_change_without_events_is_no_certainty() -> None:
    bounds = confidence.change(spread(0, 10_000), ALPHA, 1_000)
    assert bounds.high == -bounds.low > math.log(1 / ALPHA) / 10_000


def test_share_of_only_events_is_no_certainty() -> None:
    bounds = confidence.share(confidence.of_independent(10, 10), ALPHA, 0.01)
    assert bounds.low < 1 == bounds.high


@pytest.mark.parametrize("limit", [0.0, 1.0])
def test_share_can_be_held_against_the_ends(limit: float) -> None:
    bounds = confidence.share(spread(100, 10_000), ALPHA, limit)
    assert 0 < bounds.low < 0.01 < bounds.high < 1


@given(st.integers(0, 400), st.integers(0, 400), st.floats(0, 1))
def test_share_lies_within_its_bounds(events: int, others: int, limit: float) -> None:
    bounds = confidence.share(confidence.of_independent(events, events + others), ALPHA, limit)
    assert 0 <= bounds.low <= events / max(events + others, 1) <= bounds.high <= 1


@given(st.integers(0, 99))
def test_share_bounds_rise_with_every_event(events: int) -> None:
    fewer, more = (confidence.share(confidence.of_independent(n, 100), ALPHA, 0.05) for n in (events, events + 1))
    assert fewer.low <= more.low and fewer.high <= more.high


def test_excess_lies_between_the_ends_of_both_shares_bounds() -> None:
    ours, theirs = spread(300, 10_000), spread(100, 10_000)
    mine, others = (confidence.share(each, ALPHA / 2, 0.01) for each in (ours, theirs))
    bounds = confidence.excess(ours, theirs, ALPHA, 0.01)
    assert bounds == Interval(mine.low - others.high, mine.high - others.low)
    assert bounds.low < 0.02 < bounds.high


def test_bounds_narrow_with_transactions_and_widen_with_certainty() -> None:
    few, many = (
        confidence.difference(spread(n // 100, n), spread(n // 100, n), ALPHA, 1_000) for n in (10_000, 40_000)
    )
    surer = confidence.difference(spread(100, 10_000), spread(100, 10_000), ALPHA / 10, 1_000)
    assert width(many) < 0.6 * width(few)
    assert width(few) < width(surer)


def test_bounds_of_few_transactions_are_wider_than_their_number_alone_makes_them() -> None:
    early = confidence.change(spread(100, 1_000), ALPHA, 100_000)
    in_time = confidence.change(spread(100, 1_000), ALPHA, 1_000)
    assert width(early) > 2 * width(in_time)


def test_of_logarithm_is_the_delta_method() -> None:
    estimate = confidence.of_logarithm(60.0, (10.0, 20.0), (2, 2))
    assert estimate.value == pytest.approx(math.log(15))
    assert estimate.variance == pytest.approx((2 * (10 / 15 - 1) ** 2 + 2 * (20 / 15 - 1) ** 2) / 16)
    assert confidence.of_logarithm(0.0, (10.0,), (0,)) == NOTHING


def test_boundary_is_lowest_about_when_it_was_told_to_be() -> None:
    heights = {time: confidence._boundary(time, ALPHA) for time in (0.05, 0.3, 1.0, 3.0, 20.0)}
    assert min(heights, key=lambda time: heights[time]) == 1.0


def test_boundary_is_crossed_as_seldom_as_it_says_over_many_looks() -> None:
    rng = np.random.default_rng(3)
    times = np.geomspace(0.02, 50, 400)
    steps = rng.normal(size=(2_000, 400)) * np.sqrt(np.diff(times, prepend=0.0))
    heights = [confidence._boundary(time, 0.1) for time in times]
    crossed = (steps.cumsum(axis=1) / np.sqrt(times) > heights).any(axis=1).mean()
    assert 0.03 < crossed < 0.1


@pytest.mark.parametrize("freedom", [5, 10, 30, 127])
@pytest.mark.parametrize("normal", [2.5, 3.5])
def test_student_is_scipys_quantile_or_a_little_more(normal: float, freedom: int) -> None:
    special = pytest.importorskip("scipy.special")
    expected = special.stdtrit(freedom, special.ndtr(normal))
    assert expected * 0.999 < confidence._student(normal, freedom) < expected * 1.03


def test_share_inverts_scipys_beta_binomial() -> None:
    special = pytest.importorskip("scipy.special")
    bounds = confidence.share(confidence.of_independent(60, 100_000), ALPHA, 0.01)
    mixture = special.betaln(1 + 60, 99 + 99_940) - special.betaln(1, 99)
    for bound in bounds:
        evidence = mixture - special.xlogy(60, bound) - special.xlog1py(99_940, -bound)
        # So many observations leave next to nothing of Student's correction.
        assert evidence == pytest.approx(math.log(1 / ALPHA), rel=0.01)


@pytest.mark.parametrize("truth", [0.002, 0.01, 0.05])
def test_share_holds_the_truth_at_all_looks(truth: float) -> None:
    rng = np.random.default_rng(5)
    events = rng.binomial(100, truth, (200, 20)).cumsum(axis=1)
    missed = sum(
        any(
            not bounds.low <= truth <= bounds.high
            for at, seen in enumerate(run.tolist())
            for bounds in [confidence.share(confidence.of_independent(seen, 100 * (at + 1)), 0.05, 0.01)]
        )
        for run in events
    )
    assert missed / 200 < 0.05
