"""Drift is told when it is there and hardly ever when it is not, on samples of any size and rows that resemble."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud import drift
from fraud.drift import Floors, ShareShift, Shift

NO_FLOORS = Floors(0.0, 0.0)
EVEN = np.full(10, 0.1)
SKEWED = np.array([0.7, 0.15, 0.1, 0.03, 0.015, 0.005])
DRAWS = 3_000

bins = st.lists(st.integers(0, 10_000), min_size=1, max_size=12)
pairs = st.integers(1, 12).flatmap(
    lambda size: st.tuples(*[st.lists(st.integers(0, 10_000), min_size=size, max_size=size)] * 2)
)


def shifted(
    expected: Any, observed: Any, alpha: float, design_effect: float = 1.0, floors: Floors = NO_FLOORS
) -> Shift:
    return drift.shift(
        expected,
        observed,
        expected_size=sum(expected) / design_effect,
        observed_size=sum(observed) / design_effect,
        alpha=alpha,
        floors=floors,
    )


def days(rng: np.random.Generator, shares: np.ndarray, rows: int, count: int, concentration: float) -> list[list[int]]:
    """Counts of days whose own shares vary around those given: the more, the smaller the concentration."""
    return rng.multinomial(rows, rng.dirichlet(shares * concentration, count)).tolist()


# --- Distances --------------------------------------------------------------------------------------------------------


@given(bins)
def test_distances_of_equal_counts_are_zero(counts: list[int]) -> None:
    assert (drift.psi(counts, counts), drift.ks(counts, counts)) == (0, 0)


@given(pairs)
def test_distances_are_symmetric_and_within_their_range(counts: tuple[list[int], list[int]]) -> None:
    one, other = counts

    assert drift.psi(one, other) == pytest.approx(drift.psi(other, one), abs=1e-12) and drift.psi(one, other) >= 0
    assert drift.ks(one, other) == pytest.approx(drift.ks(other, one), abs=1e-12) and 0 <= drift.ks(one, other) <= 1


@given(st.integers(1, 49), st.integers(1, 49))
def test_distances_grow_as_counts_move_away(first: int, second: int) -> None:
    near, far = sorted((first, second))
    moved = [[50 - by, 50 + by] for by in (near, far)]

    assert drift.psi([50, 50], moved[0]) <= drift.psi([50, 50], moved[1])
    assert drift.ks([50, 50], moved[0]) <= drift.ks([50, 50], moved[1])


def test_psi_is_the_sum_over_smoothed_shares() -> None:
    p, q = (30.5 / 101, 70.5 / 101), (60.5 / 201, 140.5 / 201)

    assert drift.psi([30, 70], [60, 140]) == pytest.approx(
        sum((b - a) * math.log(b / a) for a, b in zip(p, q, strict=True))
    )
    assert drift.psi([1_000_000, 1_000_000], [1_500_000, 500_000]) == pytest.approx(0.25 * math.log(3), rel=1e-5)


def test_psi_of_an_empty_bin_is_large_and_finite() -> None:
    assert 1 < drift.psi([500, 500], [0, 1_000]) < 10


def test_ks_is_the_largest_distance_of_the_cumulative_distributions() -> None:
    assert drift.ks([10, 10, 10, 10], [2, 2, 2, 14]) == pytest.approx(0.45)
    assert drift.ks([1, 0], [0, 5]) == 1
    assert drift.ks([0, 0], [3, 4]) == 0


@pytest.mark.parametrize(("expected", "observed"), [([1, 2], [1]), ([], []), ([1], [])])
def test_psi_of_other_bins_is_refused(expected: list[int], observed: list[int]) -> None:
    with pytest.raises(ValueError, match=r"bins|shorter"):
        drift.psi(expected, observed)


# --- Limits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("freedom", "alpha", "quantile"),
    [(1, 0.05, 3.841459), (2, 0.05, 5.991465), (9, 0.01, 21.665994), (9, 1e-6, 44.810938), (4, 0.5, 3.356694)],
)
def test_psi_limit_is_the_chi_square_quantile_times_the_inverse_sizes(
    freedom: int, alpha: float, quantile: float
) -> None:
    counts = [100] * (freedom + 1)
    limits = drift.shift(counts, counts, expected_size=500, observed_size=125, alpha=2 * alpha, floors=NO_FLOORS)

    assert limits.psi_limit == pytest.approx(quantile * (1 / 500 + 1 / 125), rel=1e-5)


def test_ks_limit_is_that_of_two_samples() -> None:
    limits = drift.shift([5] * 4, [5] * 4, expected_size=200, observed_size=50, alpha=0.1, floors=NO_FLOORS)

    # The textbook's 1.358 at 5 %.
    assert limits.ks_limit == pytest.approx(1.3581 * math.sqrt(1 / 200 + 1 / 50), rel=1e-4)


def test_limits_are_never_below_the_floors() -> None:
    limits = shifted([10**6] * 4, [10**6] * 4, 0.01, floors=Floors(0.1, 0.2))

    assert (limits.psi_limit, limits.ks_limit) == (0.1, 0.2)
    assert not Shift(0.1, 0.2, 0.1, 0.2).is_shifted
    assert Shift(0.11, 0.0, 0.1, 0.2).is_shifted and Shift(0.0, 0.21, 0.1, 0.2).is_shifted


def test_single_bin_never_shifts() -> None:
    assert shifted([7], [70_000], 0.05) == Shift(0.0, 0.0, 0.0, pytest.approx(0.5595, abs=1e-4))


def test_shift_of_a_sample_worth_one_row_cannot_tell() -> None:
    worth_one = drift.shift([900, 100], [0, 500], expected_size=400, observed_size=1, alpha=0.001, floors=NO_FLOORS)

    assert not worth_one.can_tell and not worth_one.is_shifted
    assert shifted([900, 100], [0, 500], 0.001).can_tell


@pytest.mark.parametrize("shares", [EVEN, SKEWED], ids=["even", "skewed"])
@pytest.mark.parametrize("rows", [25, 60, 400, 5_000])
def test_limits_are_reached_by_chance_no_more_often_than_alpha(shares: np.ndarray, rows: int) -> None:
    rng = np.random.default_rng(rows)
    baselines, windows = (rng.multinomial(size, shares, DRAWS).tolist() for size in (20_000, rows))

    false = sum(shifted(one, other, 0.01).is_shifted for one, other in zip(baselines, windows, strict=True))
    assert false / DRAWS <= 0.0145  # 0.01 and 2.5 standard errors


@pytest.mark.parametrize("rows", [60, 400])
def test_psi_limit_is_no_wider_than_it_has_to_be(rows: int) -> None:
    rng = np.random.default_rng(rows)
    baselines, windows = (rng.multinomial(size, EVEN, DRAWS).tolist() for size in (20_000, rows))

    beyond = [shifted(one, other, 0.2) for one, other in zip(baselines, windows, strict=True)]
    assert sum(each.psi > each.psi_limit for each in beyond) / DRAWS == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize(("shares", "concentration"), [(EVEN, 100), (SKEWED, 50)], ids=["even", "skewed"])
def test_limits_hold_for_days_that_vary_with_the_design_effect_of_other_days(
    shares: np.ndarray, concentration: float
) -> None:
    rng = np.random.default_rng(3)
    false = naive = 0
    for _ in range(400):
        training = days(rng, shares, 1_000, 35, concentration)
        (window,) = days(rng, shares, 1_000, 1, concentration)
        total = np.sum(training, axis=0).tolist()
        false += shifted(total, window, 0.01, drift.design_effect(training)).is_shifted
        naive += shifted(total, window, 0.01).is_shifted

    assert false / 400 <= 0.02
    assert naive / 400 > 0.5


@pytest.mark.parametrize("clumps", [50, 100])
def test_limits_hold_for_rows_that_come_in_clumps(clumps: int) -> None:
    """One card's burst fills a bin, or leaves it empty; counted as rows, its logarithm would be too sure of both."""
    rng = np.random.default_rng(clumps)
    baseline = [100_000] * 10
    windows = (20 * rng.multinomial(clumps, EVEN, DRAWS)).tolist()

    false = sum(
        drift.shift(
            baseline, window, expected_size=50_000, observed_size=clumps, alpha=0.01, floors=NO_FLOORS
        ).is_shifted
        for window in windows
    )
    assert false / DRAWS <= 0.0145


def test_shift_of_a_tenth_of_the_rows_is_found_in_a_day() -> None:
    rng = np.random.default_rng(5)
    training = days(rng, EVEN, 1_500, 35, 2_000)
    moved = np.array([0.02, 0.02, *EVEN[2:8], 0.18, 0.18])
    found = [
        shifted(np.sum(training, axis=0).tolist(), window, 1e-5, drift.design_effect(training), Floors(0.1, 0.1))
        for window in days(rng, moved, 1_500, 20, 2_000)
    ]

    assert all(each.is_shifted for each in found)


# --- Shares -----------------------------------------------------------------------------------------------------------


def share(expected: tuple[int, int], observed: tuple[int, int], alpha: float, floor: float = 0.0) -> ShareShift:
    sizes = {"expected_size": float(expected[1]), "observed_size": float(observed[1])}
    return drift.share_shift(*expected, *observed, **sizes, alpha=alpha, floor=floor)


@pytest.mark.parametrize("sizes", [(5, 5), (40, 12), (120, 40), (30, 90)])
@pytest.mark.parametrize("alpha", [0.05, 1e-3, 1e-5])
def test_share_leaves_its_bounds_no_more_often_than_alpha_whatever_it_is(sizes: tuple[int, int], alpha: float) -> None:
    """Exact: all pairs of counts, weighed by their binomial probabilities."""
    before, after = sizes
    outside = np.zeros((before + 1, after + 1))
    for count in range(before + 1):
        bounds = share((count, before), (0, after), alpha)
        candidates = np.arange(after + 1) / after
        outside[count] = (candidates < bounds.low) | (candidates > bounds.high)

    for probability in [1e-4, 1e-3, *np.linspace(0.01, 0.99, 50)]:
        weights = [
            np.array([math.comb(n, k) * probability**k * (1 - probability) ** (n - k) for k in range(n + 1)])
            for n in sizes
        ]
        assert weights[0] @ outside @ weights[1] <= alpha


@given(st.integers(0, 500), st.integers(0, 50), st.floats(1e-9, 0.5), st.floats(0, 0.2))
def test_share_that_did_not_change_lies_within_bounds_no_nearer_than_the_floor(
    expected: int, observed: int, alpha: float, floor: float
) -> None:
    bounds = share((expected, 500), (observed, 50), alpha, floor)

    assert bounds.expected == expected / 500 and bounds.observed == observed / 50
    assert 0 <= bounds.low <= max(bounds.expected - floor, 0)
    assert 1 >= bounds.high >= min(bounds.expected + floor, 1)


def test_share_of_nothing_may_be_something_in_a_small_sample_and_not_in_a_large_one() -> None:
    assert not share((0, 5_000), (1, 20), 1e-5).is_shifted
    assert share((0, 5_000), (12, 20), 1e-5).is_shifted
    assert share((0, 5_000), (30, 2_000), 1e-5).is_shifted
    assert not share((0, 5_000), (30, 2_000), 1e-5, floor=0.05).is_shifted


def test_share_of_all_may_be_less_in_a_small_sample_and_not_in_a_large_one() -> None:
    assert not share((5_000, 5_000), (19, 20), 1e-5).is_shifted
    assert share((5_000, 5_000), (1_970, 2_000), 1e-5).is_shifted


def test_share_of_no_rows_bounds_nothing() -> None:
    for expected, observed in (((0, 0), (5, 5)), ((5, 5), (0, 0))):
        assert not share(expected, observed, 0.05).is_shifted


def test_share_bounds_are_narrower_the_larger_the_samples() -> None:
    bounds = [share((n, 10 * n), (n, 10 * n), 0.001) for n in (5, 50, 500, 5_000)]
    widths = [each.high - each.low for each in bounds]

    assert widths == sorted(widths, reverse=True)


# --- What rows are worth ----------------------------------------------------------------------------------------------


def test_effective_is_rows_over_the_design_effect_of_no_more_than_most_and_one_at_least() -> None:
    assert drift.effective(1_000, math.inf, 4) == 250
    assert drift.effective(1_000, 600, 4) == 150
    assert drift.effective(3, 600, 4) == 1


@pytest.mark.parametrize("shares", [EVEN, SKEWED], ids=["even", "skewed"])
def test_design_effect_of_independent_rows_is_about_one(shares: np.ndarray) -> None:
    rng = np.random.default_rng(1)
    found = [drift.design_effect(rng.multinomial(1_000, shares, 35).tolist()) for _ in range(50)]

    assert min(found) >= 1 and np.median(found) < 2.5


def test_design_effect_of_days_that_vary_is_how_much_more_they_do() -> None:
    rng = np.random.default_rng(2)
    # Of a Dirichlet-multinomial with n rows and concentration c: (n + c) / (1 + c).
    found = [drift.design_effect(days(rng, EVEN, 1_000, 35, 99)) for _ in range(30)]

    assert 0.9 * 10.99 < np.median(found) < 2.2 * 10.99


def test_design_effect_of_bins_that_move_together_is_that_of_their_edge() -> None:
    rng = np.random.default_rng(4)
    upper = rng.binomial(1_000, rng.beta(10, 10, 35))
    daily = [[*rng.multinomial(1_000 - n, [0.2] * 5), *rng.multinomial(n, [0.2] * 5)] for n in upper.tolist()]

    at_the_edge = drift.design_effect([[1_000 - n, n] for n in upper.tolist()])
    assert drift.design_effect(daily) >= at_the_edge > 20


def test_design_effect_of_shares_that_wander_over_weeks_exceeds_that_of_their_days_in_turmoil() -> None:
    wandering = [[500 + 4 * day, 500 - 4 * day] for day in range(-20, 20)]
    mixed = [wandering[position] for position in np.random.default_rng(1).permutation(40)]

    assert drift.design_effect(wandering) > 2 * drift.design_effect(mixed)


def test_design_effect_without_enough_days_or_bins_is_the_default() -> None:
    full, sparse = [400, 600], [4, 6]

    assert drift.design_effect([]) == drift.DEFAULT_DESIGN_EFFECT
    assert drift.design_effect([full] * 4) == drift.DEFAULT_DESIGN_EFFECT
    assert drift.design_effect([full] * 4 + [sparse] * 9) == drift.DEFAULT_DESIGN_EFFECT
    assert drift.design_effect([[1_000, 0]] * 20) == drift.DEFAULT_DESIGN_EFFECT
    assert drift.design_effect([full] * 5) == 1


def test_design_effect_days_with_too_few_rows_change_nothing() -> None:
    daily = days(np.random.default_rng(6), EVEN, 500, 20, 50)

    assert drift.design_effect([[20, *[0] * 9], *daily, [0] * 10]) == drift.design_effect(daily)


# --- What moves by itself ---------------------------------------------------------------------------------------------


def steady(first: list[int], second: list[int], design_effect: float = 1.0) -> bool:
    return drift.is_steady(first, second, design_effect=design_effect, floors=Floors(0.1, 0.1), alpha=0.001)


def test_halves_that_chance_explains_are_steady() -> None:
    rng = np.random.default_rng(7)
    halves = rng.multinomial(3_000, EVEN, (200, 2)).tolist()

    assert sum(not steady(*each) for each in halves) <= 2


def test_halves_that_differ_beyond_chance_and_a_quarter_of_a_floor_are_not_steady() -> None:
    assert steady([50_000, 50_000], [51_000, 49_000])
    assert not steady([50_000, 50_000], [53_000, 47_000])
    assert steady([50_000, 50_000], [53_000, 47_000], design_effect=500)


def test_halves_a_floor_apart_are_not_steady_whatever_chance_may_do() -> None:
    assert not steady([5_000, 5_000], [7_000, 3_000], design_effect=4_000)


def test_half_without_rows_is_steady() -> None:
    assert steady([900, 100], [0, 0]) and steady([0, 0], [900, 100])
