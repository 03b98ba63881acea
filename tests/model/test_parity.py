"""Parity: honest markets are the same to the last bit or within bounds; errors planted in what was served are found."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from fraud import features
from fraud.entities import DAY
from model import offline_features, parity
from model.examples import Matrix
from model.findings import Finding, Parity
from model.history import NEVER
from model.monitored_rows import Rows
from model.offline_features import CardView, TerminalView
from tests.model import judged_market
from tests.model.judged_market import column
from tests.model.served_market import Market, market

ALPHA = 1e-5
DAYS = 15
SEEDS = range(20)
Plant = Callable[[Matrix, Market], None]


def look(given: Rows, until: int, **limits: object) -> tuple[dict[str, Finding], Parity]:
    findings, compared = parity.check(given, judged_market.context(until, **limits), alpha=ALPHA)
    assert {each.check for each in findings} == {"parity_check"}
    assert {each.concern for each in findings} == {"data"}
    return {each.name: each for each in findings}, compared


def after(plant: Plant, days: int = DAYS, seed: int = 1) -> dict[str, Finding]:
    of = market(days, seed)
    served = of.served()
    plant(served, of)
    found, _ = look(judged_market.rows(of, served), of.as_of)
    return found


def violated(found: dict[str, Finding]) -> set[str]:
    return {name for name, each in found.items() if each.outcome == "violated"}


def cards(of: Market) -> CardView:
    return CardView(of.history)


def terminals(of: Market) -> TerminalView:
    return TerminalView(of.history, np.zeros(len(of.history), dtype=np.bool_))


def of_archive(view: CardView | TerminalView, values: np.ndarray, of: Market) -> np.ndarray:
    placed = np.empty(len(values))
    placed[view.order] = values
    return placed[of.archived]


# --- Honest operation -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_an_honest_market_has_no_mismatch(seed: int) -> None:
    of = market(DAYS, 100 + seed, cards=300)

    found, compared = look(judged_market.rows(of, of.served()), of.as_of)

    assert {each.outcome for each in found.values()} <= {"passed", "skipped"}
    assert found["card"].outcome == "passed"
    assert compared.mismatched == 0
    assert compared.compared > 5_000


def test_a_market_whose_terminals_lag_minutes_has_no_mismatch() -> None:
    """What happened in the last minutes of a day was not yet written when the next began."""
    of = market(DAYS, 3)
    history = of.history
    missing = history.at % DAY >= DAY - 600

    def lagging(served: Matrix, _: Market) -> None:
        rest = offline_features.TerminalView(
            replace(history, is_fraud=missing, known_at=history.at), np.zeros(len(history), dtype=np.bool_)
        )
        for name in ("7d", "30d"):
            sums = rest.read(features.WINDOWS["terminal"][name])
            newest = rest.read(replace(features.WINDOWS["terminal"]["1d"]))[1]
            served[:, column(f"terminal_count_{name}")] = of_archive(rest, sums[0] - newest, of)

    found = after(lagging, seed=3)

    assert found["terminal"].outcome == "passed"
    assert found["terminal"].observed == 0


def test_verdicts_that_come_within_a_day_are_no_mismatch() -> None:
    """What was known on the newest closed day had not reached the terminal yet."""

    def slow(served: Matrix, of: Market) -> None:
        view = terminals(of)
        for name in ("1d", "7d", "14d", "21d", "30d"):
            window = features.WINDOWS["terminal"][name]
            older = replace(window, tiles=window.tiles - 1, lag=2)
            frauds = view.read(older)[1] if older.tiles else np.zeros(len(view.order))
            served[:, column(f"terminal_frauds_{name}")] = of_archive(view, frauds, of)
            if f"terminal_ordinary_frauds_{name}" in features.NAMES:
                served[:, column(f"terminal_ordinary_frauds_{name}")] = 0
        known_at = np.where(of.history.known_at < NEVER, of.history.known_at + DAY, NEVER)
        late = TerminalView(replace(of.history, known_at=known_at), np.zeros(len(of.history), dtype=np.bool_))
        days = offline_features.MEASURES["days_since_last_fraud"](late, ())
        served[:, column("terminal_days_since_last_fraud_30d")] = of_archive(late, days, of) + 1

    found = after(slow)

    assert found["verdict"].outcome == "passed"
    assert found["verdict"].observed == 0


def test_verdicts_on_what_came_before_the_rows_are_no_mismatch() -> None:
    of = market(18, 2)

    found, compared = look(judged_market.rows(of, of.served()), of.as_of)

    assert found["verdict"].count > 0
    assert compared.mismatched == 0


def test_a_card_whose_events_came_in_another_order_is_left_out() -> None:
    of = market(DAYS, 1)
    given = judged_market.rows(of, of.served())
    arrived = given.arrived_at.copy()
    late = np.flatnonzero(given.in_window)[::5]
    arrived[late] += 2 * DAY // 3
    served = given.features.copy()
    served[np.ix_(late, [column("card_count_24h")])] += 1

    honest, compared = look(replace(given, arrived_at=arrived), of.as_of)
    disordered, _ = look(replace(given, arrived_at=arrived, features=served), of.as_of)

    assert compared.left_out > 100
    assert honest["card"].outcome == "passed"
    # Of the late ones those still count that no other event of their card overtook.
    assert disordered["card"].outcome == "violated"


def test_events_of_a_card_in_the_same_second_are_left_out() -> None:
    of = market(DAYS, 1)
    given = judged_market.rows(of, of.served())
    window = np.flatnonzero(given.in_window)
    one = given.events["card_token"].to_pylist()[window[0]]
    everything = [each for each in window.tolist() if given.events["card_token"][each].as_py() == one]
    at, served = given.at.copy(), given.features.copy()
    at[everything] = at[everything[0]]
    served[everything] = np.nan

    _, before = look(given, of.as_of)
    _, compared = look(replace(given, at=at, arrived_at=at), of.as_of)

    assert len(everything) > 1
    assert compared.left_out >= before.left_out + len(everything)


def test_a_replay_that_came_long_after_it_happened_says_nothing_of_lag() -> None:
    of = market(DAYS, 1)
    given = judged_market.rows(of, of.served())
    served = given.features.copy()
    for feature in features.TABLE:
        if feature.entity == "terminal":
            served[:, column(feature.name)] = np.nan if feature.measure.startswith("days") else 0
    # Fifteen days in an hour, of which the last arrived in the window.
    arrived = of.as_of - 3600 + (given.at - given.at[0]) // (24 * DAYS)

    found, _ = look(replace(given, arrived_at=arrived, features=served), of.as_of)

    assert not violated(found)


def test_history_that_began_with_the_rows_is_compared_as_a_whole() -> None:
    """Where what was served says that a card was first seen within the rows, also long windows can be computed."""
    of = market(DAYS, 1)
    whole = replace(of, archived=np.ones(len(of.history), dtype=np.bool_))
    given = judged_market.rows(whole, whole.served())

    found, compared = look(given, of.as_of)
    _, part = look(judged_market.rows(of, of.served()), of.as_of)

    assert not violated(found)
    assert compared.mismatched == 0
    assert compared.compared > part.compared * 1.3


# --- Planted errors ---------------------------------------------------------------------------------------------------


def test_a_window_of_one_tile_more_is_found() -> None:
    def one_more(served: Matrix, of: Market) -> None:
        view, window = cards(of), features.WINDOWS["card"]["24h"]
        sums = view.read(replace(window, tiles=window.tiles + 1))
        served[:, column("card_count_24h")] = of_archive(view, sums[0], of)

    found = after(one_more)

    assert violated(found) == {"card"}
    assert "card_count_24h differs on" in found["card"].sentence
    assert found["card"].observed is not None and found["card"].observed > 0.01


def test_a_sum_in_the_place_of_a_mean_is_found() -> None:
    def sums(served: Matrix, of: Market) -> None:
        view = cards(of)
        total = view.read(features.WINDOWS["card"]["7d"])[1]
        empty = np.isnan(served[:, column("card_mean_7d")])
        served[:, column("card_mean_7d")] = np.where(empty, np.nan, of_archive(view, total, of))

    found = after(sums)

    assert violated(found) == {"card"}
    assert "card_mean_7d" in found["card"].sentence


def test_two_columns_that_changed_places_are_found() -> None:
    def swap(served: Matrix, _: Market) -> None:
        pair = [column("card_seconds_since_last"), column("card_seconds_since_first")]
        served[:, pair] = served[:, pair[::-1]]

    assert violated(after(swap)) == {"card"}


def test_a_transaction_of_another_hour_is_found() -> None:
    def local(served: Matrix, _: Market) -> None:
        served[:, column("transaction_hour")] = (served[:, column("transaction_hour")] + 1) % 24

    assert violated(after(local)) == {"card"}


def test_terminal_state_that_is_a_day_old_is_found() -> None:
    def stale(served: Matrix, of: Market) -> None:
        view = terminals(of)
        for name in ("7d", "30d"):
            window = features.WINDOWS["terminal"][name]
            sums = view.read(replace(window, lag=window.lag + 1))
            served[:, column(f"terminal_count_{name}")] = of_archive(view, sums[0], of)

    found = after(stale)

    assert violated(found) == {"terminal"}
    assert "terminal_count_7d" in found["terminal"].sentence


def test_verdicts_that_never_reach_a_terminal_are_found() -> None:
    def deaf(served: Matrix, of: Market) -> None:
        for feature in features.TABLE:
            if "fraud" in feature.measure:
                nothing = np.nan if feature.measure.startswith("days") else 0
                served[:, column(feature.name)] = nothing

    assert violated(after(deaf)) == {"verdict"}


def test_verdicts_known_before_they_came_are_found() -> None:
    def leaking(served: Matrix, of: Market) -> None:
        served[:] = of.leaking()

    assert violated(after(leaking, days=22)) == {"verdict"}


def test_a_single_broken_card_is_no_violation() -> None:
    of = market(DAYS, 1)
    given = judged_market.rows(of, of.served())
    served = given.features.copy()
    tokens = np.array(given.events["card_token"].to_pylist())
    busiest = max(set(tokens[given.in_window].tolist()), key=lambda each: int((tokens == each).sum()))
    served[np.ix_(tokens == busiest, [column("card_count_7d")])] += 1

    found, compared = look(replace(given, features=served), of.as_of)

    assert compared.mismatched > 0
    assert not violated(found)


def test_a_broken_card_of_few_is_not_yet_proof() -> None:
    of = market(DAYS, 1)
    given = judged_market.rows(of, of.served())
    served = given.features.copy()
    _, few = look(given, of.as_of, parity_entities=10)
    tokens = np.array(given.events["card_token"].to_pylist())
    chosen = sorted(set(tokens[given.in_window].tolist()), key=lambda each: (zlib.crc32(each.encode()), each))[:10]
    served[np.ix_(tokens == chosen[0], [column("transaction_hour")])] += 1

    found, compared = look(replace(given, features=served), of.as_of, parity_entities=10)

    assert few.cards == compared.cards == 10
    assert found["card"].observed == pytest.approx(0.1)
    assert found["card"].outcome == "passed"


# --- What is looked at, and what is said ------------------------------------------------------------------------------


def test_the_same_entities_are_looked_at_whatever_else_came() -> None:
    of = market(DAYS, 1)
    given = judged_market.rows(of, of.served())

    _, compared = look(given, of.as_of, parity_entities=50)

    assert (compared.cards, compared.terminals) == (50, 50)


def test_part_of_the_cards_bounds_terminals_from_below_only() -> None:
    of = market(DAYS, 1)
    given = judged_market.rows(of, of.served())
    served = given.features.copy()
    served[:, column("terminal_count_7d")] += 1000
    context = judged_market.context(of.as_of)

    whole, _ = parity.check(replace(given, features=served), context, alpha=ALPHA)
    part, _ = parity.check(replace(given, features=served), replace(context, kept=0.5), alpha=ALPHA)

    assert [each.outcome for each in whole] == ["passed", "violated", "passed"]
    assert [each.outcome for each in part] == ["passed", "passed", "passed"]


def test_no_sentence_says_whose_transaction_it_was() -> None:
    def broken(served: Matrix, _: Market) -> None:
        served[:] = served + 1

    of = market(DAYS, 1)
    found = after(broken)

    assert violated(found) == {"card", "terminal", "verdict"}
    sentences = " ".join(each.sentence for each in found.values())
    for name in ("transaction_id", "card_token", "terminal_id"):
        assert not any(each in sentences for each in of.events[name].unique().to_pylist())


def test_a_window_that_holds_nothing_readable_is_skipped() -> None:
    of = market(DAYS, 1)
    given = judged_market.rows(of, of.served())

    found, compared = look(replace(given, readable=np.zeros(len(given), dtype=np.bool_)), of.as_of)

    assert {each.outcome for each in found.values()} == {"skipped"}
    assert compared == Parity(cards=0, terminals=0, compared=0, mismatched=0, left_out=0)


def test_no_row_at_all_is_skipped() -> None:
    of = market(DAYS, 1)
    given = judged_market.rows(replace(of, archived=np.zeros(len(of.history), dtype=np.bool_)), of.served()[:0])

    found, _ = look(given, of.as_of)

    assert {each.outcome for each in found.values()} == {"skipped"}
