"""The benchmark of drift looks at markets as the job does, and counts what it finds honestly."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from benchmarks import drift, planted_shifts, watched_markets
from benchmarks.drift import Alarm, Found, Window
from benchmarks.planted_shifts import SHIFTS
from benchmarks.watched_markets import CHAMPION, Market, Shape
from fraud import features
from fraud.entities import DAY
from fraud.monitoring_plan import Plan
from model.history import NEVER

SMALL = Shape(3, cards=200, warm_up_days=0, training_days=21, reference_days=8, later_days=2)
MOVED = Alarm("baseline_drift_check", "drift", "transaction_amount")
GONE = Alarm("completeness_check", "data", "country")


@pytest.fixture(scope="module")
def market() -> Market:
    return drift._silently(lambda: watched_markets.open_market(SMALL, Plan()))


def of(alarms: list[tuple[Alarm, ...]], market: int = 0) -> list[Window]:
    return [Window(market, 500, each) for each in alarms]


def test_quiet_day_is_read_as_the_archive_held_it(market: Market) -> None:
    day = SMALL.quiet_until
    rows, arrived, context = market.look_at(market.traffic, day)

    assert arrived == rows.in_window.sum() > 150
    assert rows.arrived_at[rows.in_window].min() > context.since == market.moment(day)
    assert rows.arrived_at.max() <= context.until == context.since + DAY
    assert not (rows.judged & (rows.known_at > context.until)).any() and rows.judged.any()
    assert (rows.known_at[~rows.judged] == NEVER).all()
    assert np.isnan(rows.features[~rows.in_window]).all() and not np.isnan(rows.features[rows.in_window]).all()


def test_champion_serves_once_its_verdicts_were_in(market: Market) -> None:
    rows = market.rows(market.traffic, SMALL.days, SMALL.days, 0)
    first = rows.at[rows.package == rows.packages.index(CHAMPION)].min()

    assert market.moment(SMALL.serves_from) <= first < market.moment(SMALL.serves_from) + DAY
    assert market.baseline.champion == CHAMPION
    assert set(market.baseline.decisions) == {"approve", "review", "block", "degraded"}
    assert market.baseline.scores is not None and market.baseline.quietest_day is None


@pytest.mark.parametrize("name", [name for name in SHIFTS if "new kind" not in name])
def test_planted_shift_changes_nothing_before_its_day(market: Market, name: str) -> None:
    begins = market.moment(SMALL.quiet_until)
    changed, quiet = SHIFTS[name].plant(market, SMALL.quiet_until), market.traffic
    before = quiet.history.at < begins
    kept = changed.history.at < begins

    assert changed.events.filter(kept).equals(quiet.events.filter(before))
    np.testing.assert_array_equal(changed.matrix[kept], quiet.matrix[before])
    later = changed.events.filter(~kept), quiet.events.filter(~before)
    same = later[0].equals(later[1]) and np.array_equal(changed.matrix[~kept], quiet.matrix[~before], equal_nan=True)
    assert not same


def test_planted_amounts_reach_the_features(market: Market) -> None:
    changed = SHIFTS["amounts × 2"].plant(market, SMALL.quiet_until)
    last, column = changed.history.at >= market.moment(SMALL.quiet_until), features.NAMES.index("transaction_amount")

    np.testing.assert_allclose(changed.matrix[last, column], 2 * market.traffic.matrix[last, column])


def test_planted_share_is_about_as_large_as_it_says(market: Market) -> None:
    some = planted_shifts._some(market, 0, 0.2)

    assert some.mean() == pytest.approx(0.2, abs=0.02)


def test_vanished_field_is_found_on_the_day(market: Market) -> None:
    day = SMALL.quiet_until
    _, found = drift._look(market, SHIFTS["country no longer sent"].plant(market, day), day)

    assert ("missing_column_check", "data", "country") in found


def test_alarm_of_the_day_without_a_change_is_no_change_found(market: Market) -> None:
    gone = Alarm("missing_column_check", "data", "country")
    shift = SHIFTS["country no longer sent"]

    assert gone in drift._new(market, shift, ())
    assert gone not in drift._new(market, shift, (gone,))


def test_quiet_windows_are_days_of_one_market(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drift, "CARDS", (150, 151))
    first, second = drift.quiet_windows(4, 2)

    assert (first.market, second.market) == (4, 4)
    assert first.rows != second.rows and min(first.rows, second.rows) > 100


def test_count_tells_alarms_by_window_by_market_and_by_kind() -> None:
    windows = of([(), (MOVED,), (MOVED, GONE)]) + of([()] * 3, market=1)
    counted = drift.count(windows)

    assert (counted["windows"], counted["markets"], counted["false_alarms"], counted["markets_with_any"]) == (
        6,
        2,
        2,
        1,
    )
    assert counted["by_concern"] == {"drift": 2, "data": 1}
    assert counted["by_name"] == {"transaction_amount": 2, "country": 1}
    assert counted["share"] < counted["at_most"] < counted["at_most_over_markets"]


def test_count_of_quiet_windows_has_the_bounds_of_none() -> None:
    counted = drift.count([window for market in range(300) for window in of([()] * 7, market)])

    assert counted["at_most"] == pytest.approx(1 - 0.05 ** (1 / 2_100))
    assert counted["at_most_clustered"] == counted["at_most_over_markets"] == pytest.approx(1 - 0.05 ** (1 / 300))


@pytest.mark.parametrize(
    ("loud", "worth"),
    [([[1] * 5 + [0] * 5] * 2 + [[0] * 10] * 98, 220), ([[1] + [0] * 9] * 10 + [[0] * 10] * 90, 1_000)],
)
def test_count_windows_of_a_market_that_resemble_each_other_are_worth_fewer(
    loud: list[list[int]], worth: float
) -> None:
    counted = drift.count(
        [window for market, days in enumerate(loud) for window in of([(MOVED,) * day for day in days], market)]
    )

    assert counted["worth"] == pytest.approx(worth, rel=0.15)
    assert counted["at_most"] <= counted["at_most_clustered"]


def test_power_is_the_share_of_markets_of_a_size() -> None:
    found = [
        Found("amounts × 2", 300, ()),
        Found("amounts × 2", 300, (MOVED, GONE)),
        Found("amounts × 2", 1_000, (MOVED,)),
    ]
    (row,) = drift.power(found)

    assert row["found"] == {300: 0.5, 1_000: 1.0} and row["markets"] == {300: 2, 1_000: 1}
    assert row["concerns"] == {"drift": pytest.approx(2 / 3), "data": pytest.approx(1 / 3)}
    assert row["checks"][0] == "baseline_drift_check"


def test_result_is_shown_with_every_change(capsys: pytest.CaptureFixture[str]) -> None:
    found = [Found(name, 300, (GONE,)) for name in SHIFTS]
    drift.show({"seconds": 3.0, "quiet": drift.count(of([(MOVED,), ()])), "power": drift.power(found)})
    printed = capsys.readouterr().out

    assert all(name in printed for name in SHIFTS)
    assert "check: baseline_drift_check" in printed and "50.000%" in printed


def test_work_that_is_spread_comes_back_in_order() -> None:
    with ThreadPoolExecutor(2) as pool:
        assert drift._spread(pool, lambda case: [case, case], [3, 1, 2], "") == [3, 3, 1, 1, 2, 2]
