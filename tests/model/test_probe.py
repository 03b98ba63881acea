"""The probe refuses features that knew verdicts before they came, and accuses no honest system."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from fraud import features
from model import dataset, probe
from model.examples import EVENT, Examples, Matrix
from model.history import NEVER, seconds
from model.probe import Finding
from model.simulator import Simulation, simulate
from tests.model.conftest import MARKET
from tests.model.served_market import DAY, Market, market
from tests.model.test_split import examples

MARKETS = [(14, 1), (14, 2), (14, 3), (45, 3)]
HONEST, LEAKING = probe.LARGEST_SHARE / 2, probe.LARGEST_SHARE * 1.5
"""Both stay away from the limit."""
FRAUDS_1D = features.NAMES.index("terminal_frauds_1d")


def look(at: Market, matrix: Matrix) -> list[Finding]:
    return probe.look(at.examples(matrix))


def worst(found: Sequence[Finding]) -> float:
    return max(each.share for each in found)


@pytest.mark.parametrize(("days", "seed"), MARKETS)
def test_probe_of_an_honest_system_whose_earlier_history_is_missing_accuses_no_feature(days: int, seed: int) -> None:
    at = market(days, seed)
    found = look(at, at.served())

    assert sum(each.days >= probe.FEWEST_DAYS for each in found) >= 2
    assert worst(found) < HONEST


@pytest.mark.parametrize(("days", "seed"), MARKETS)
def test_probe_of_verdicts_that_count_up_to_a_day_late_accuses_no_feature(days: int, seed: int) -> None:
    at = market(days, seed)
    late = np.random.default_rng(seed).integers(0, DAY, len(at.history))

    assert worst(look(at, at.compute(at.history.known_at + late))) < HONEST


@pytest.mark.parametrize(("days", "seed"), MARKETS)
def test_probe_of_verdicts_that_stood_still_for_three_days_accuses_no_feature(days: int, seed: int) -> None:
    at = market(days, seed)
    known_at = at.history.known_at
    stood_still = np.where(known_at > at.as_of - 6 * DAY, known_at + 3 * DAY, known_at)

    assert worst(look(at, at.compute(stood_still))) < HONEST


@pytest.mark.parametrize(("days", "seed"), MARKETS)
def test_probe_of_terminal_risk_that_ignores_the_label_delay_names_the_features(days: int, seed: int) -> None:
    at = market(days, seed)
    found = look(at, at.leaking())

    accused = {each.feature for each in found if each.share > probe.LARGEST_SHARE}
    assert accused == {each.feature for each in found if each.days >= probe.FEWEST_DAYS}
    assert "terminal_frauds_1d" in accused and worst(found) == 1.0


@pytest.mark.parametrize(("days", "seed"), MARKETS)
def test_probe_of_verdicts_known_after_a_day_or_after_half_the_time_is_a_leak_too(days: int, seed: int) -> None:
    at = market(days, seed)
    history = at.history
    half = history.at + np.where(history.is_fraud, history.known_at - history.at, 0) // 2

    assert worst(look(at, at.compute(np.minimum(history.at + DAY, history.known_at)))) > 0.5
    assert worst(look(at, at.compute(half))) > 0.5


@pytest.mark.parametrize(("days", "seed"), MARKETS)
def test_probe_of_a_leak_in_every_second_row_or_until_it_was_mended_still_tells(days: int, seed: int) -> None:
    at = market(days, seed)
    rows = at.history.at[at.archived]
    second = np.random.default_rng(seed).random(len(rows)) < 0.5
    before = rows < at.as_of - 0.4 * days * DAY

    for leaking in (second, before):
        assert worst(look(at, np.where(leaking[:, np.newaxis], at.leaking(), at.served()))) > LEAKING


def test_probe_old_fraud_at_one_busy_terminal_is_not_taken_for_a_leak() -> None:
    """It happened before the archive began and became known since, just as another did that shows the difference."""
    at = market(14, 11)
    found = {each.feature: each for each in look(at, at.served())}["terminal_frauds_7d"]

    assert found.following > found.rows * 0.4 and found.days >= probe.FEWEST_DAYS
    assert found.share < LEAKING / 2


def test_probe_finding_shows_a_transaction_on_which_served_and_known_differ() -> None:
    at = market(14, 2)
    found = {each.feature: each for each in look(at, at.leaking())}["terminal_frauds_1d"]
    shown = pc.index(at.events["transaction_id"], found.transaction_id).as_py() - int((~at.archived).sum())

    assert at.leaking()[shown, FRAUDS_1D] > at.served()[shown, FRAUDS_1D]


def test_probe_windows_longer_than_the_data_set_are_not_looked_into() -> None:
    at = market(14, 2)
    rows = {each.feature: each.rows for each in look(at, at.leaking())}

    assert rows["terminal_frauds_1d"] > 0 and rows["terminal_frauds_7d"] > 0
    assert {rows[f"terminal_frauds_{window}"] for window in ("14d", "21d", "30d")} == {0}


def test_probe_looks_into_every_feature_that_reads_verdicts_and_no_other() -> None:
    at = market(14, 2)
    known, never = at.served(), at.compute(np.full(len(at.history), NEVER))
    changed = ~np.isclose(known, never, equal_nan=True).all(axis=0)
    changed |= ~np.isclose(at.leaking(), never, equal_nan=True).all(axis=0)

    assert {feature.name for feature in probe.PROBED} == {features.NAMES[i] for i in np.flatnonzero(changed)}


def test_probe_of_a_long_data_set_looks_into_every_kind_of_feature() -> None:
    at = market(45, 3)
    accused = {each.feature for each in look(at, at.leaking()) if each.share == 1.0}

    assert accused == {feature.name for feature in probe.PROBED}


@pytest.mark.parametrize(
    ("measure", "at_once", "known", "more"),
    [
        ("frauds", 2, 1, True),
        ("frauds", 1, 2, False),
        ("days_since_last_fraud", 2, 1, False),
        ("days_since_last_fraud", 1, 2, True),
        ("days_since_last_fraud", 1, np.nan, True),
        ("days_since_first_fraud", np.nan, 1, False),
        ("days_since_first_fraud", 2, 1, True),
    ],
)
def test_probe_knowing_more_raises_counts_and_brings_the_last_fraud_nearer(
    measure: str, at_once: float, known: float, more: bool
) -> None:
    feature = next(each for each in probe.PROBED if each.measure == measure)

    assert probe._knows_more(feature, np.array([at_once]), np.array([known])).tolist() == [more]


@pytest.mark.parametrize(
    ("served", "rows", "following"), [(1, 1, 0), (3, 1, 0), (2, 1, 0), (4, 1, 1), (9, 1, 1), (np.nan, 0, 0)]
)
def test_probe_value_follows_when_it_is_nearer_to_at_once_than_to_known_and_to_a_day_late(
    served: float, rows: int, following: int
) -> None:
    row = examples([100 * DAY])
    feature = probe.PROBED[1]
    row.features[:, features.NAMES.index(feature.name)] = served
    known, late, at_once = (np.array([value]) for value in (1.0, 3.0, 4.0))
    found = probe._finding(row, row.at, probe._Values(feature, known, late, at_once), 0)

    assert (found.rows, found.following, found.days) == (rows, following, rows)


def test_probe_rows_whose_features_cannot_be_read_are_passed_over_but_remembered() -> None:
    at = market(45, 3)
    everything, unread = at.leaking(), at.leaking()
    unread[np.random.default_rng(1).random(len(unread)) < 0.3] = np.nan

    for whole, left in zip(look(at, everything), look(at, unread), strict=True):
        assert left.following == left.rows
        assert left.rows <= 0.8 * whole.rows or whole.rows < 200
        # Frauds of ordinary amounts are told by features, so that some are not known to be.
        assert left.rows >= 0.6 * whole.rows or "ordinary" in whole.feature


def test_probe_without_any_fraud_finds_no_row_to_look_into() -> None:
    at = market(14, 2)
    rows = at.examples(at.served())
    innocent = replace(rows, first_fraud_at=np.full(len(rows), NEVER))

    assert {(each.rows, each.following, each.share) for each in probe.look(innocent)} == {(0, 0, 0.0)}


def test_probe_patience_is_the_days_after_which_half_of_the_frauds_were_known() -> None:
    at = market(14, 2)
    rows = at.examples(at.served())
    given = np.where(rows.first_fraud_at < NEVER, rows.at + 3 * DAY + 1, NEVER)

    assert probe.patience(replace(rows, first_fraud_at=given)) == 4


# --- Verdicts that are given twice, or withdrawn --------------------------------------------------------------------


def judged_twice() -> tuple[Simulation, pa.Table]:
    """A market with its labels: every reviewed fraud is charged back five days later; who was cleared was accused."""
    simulation = simulate(replace(MARKET, review_share=0.7, genuine_review_share=0.03))
    labels = simulation.labels
    reviewed, fraud = pc.equal(labels["source"], "review"), labels["is_fraud"]
    again = labels.filter(pc.and_(reviewed, fraud))
    again = again.set_column(2, "source", pa.repeat("chargeback", again.num_rows))
    again = again.set_column(3, "labelled_at", pc.add(again["labelled_at"], pa.scalar(timedelta(days=5))))
    accused = labels.filter(pc.and_(reviewed, pc.invert(fraud)))
    accused = accused.set_column(1, "is_fraud", pa.repeat(pa.scalar(True), accused.num_rows))
    withdrawn = labels.filter(pc.and_(reviewed, pc.invert(fraud)))
    withdrawn = withdrawn.set_column(3, "labelled_at", pc.add(withdrawn["labelled_at"], pa.scalar(timedelta(days=4))))
    others = labels.filter(pc.invert(pc.and_(reviewed, pc.invert(fraud))))
    return simulation, pa.concat_tables([table.cast(labels.schema) for table in (others, again, accused, withdrawn)])


@pytest.fixture(scope="module")
def served_twice() -> Examples:
    """What the code that serves made of it."""
    simulation, labels = judged_twice()
    until = MARKET.start + timedelta(days=MARKET.days)
    served = dataset.fold(simulation.transactions, labels, until)
    known = labels.filter(pc.less_equal(labels["labelled_at"], pa.scalar(until, labels["labelled_at"].type)))
    first, standing = np.full(len(served.target), NEVER), np.full(len(served.target), NEVER)
    rows = pc.index_in(known["transaction_id"], value_set=pa.array(served.transaction_ids)).to_numpy()
    fraud, given = known["is_fraud"].to_numpy(), seconds(known["labelled_at"])
    np.minimum.at(first, rows[fraud], given[fraud])
    for row in np.argsort(given):
        standing[rows[row]] = given[row]
    ordered = simulation.transactions.take(
        pc.index_in(pa.array(served.transaction_ids), value_set=simulation.transactions["transaction_id"])
    )
    at, none = served.occurred_at, np.zeros(len(first), dtype=np.bool_)
    verdicts = (standing < NEVER, served.target, standing, first)
    matrix, named = served.features, np.ones(served.features.shape, dtype=np.bool_)
    return Examples(ordered.select(list(EVENT)), at, at, matrix, named, ~none, none, *verdicts).ordered()


def test_probe_of_verdicts_given_twice_or_withdrawn_accuses_no_feature(served_twice: Examples) -> None:
    found = probe.look(served_twice)

    assert sum(each.days >= probe.FEWEST_DAYS for each in found) >= 5
    assert worst(found) < HONEST


def test_probe_by_the_verdict_that_stands_would_accuse_an_honest_system(
    served_twice: Examples,
) -> None:
    """Why the query of the data set asks when fraud was first said."""
    standing = np.where(served_twice.is_fraud, served_twice.known_at, NEVER)

    assert worst(probe.look(replace(served_twice, first_fraud_at=standing))) > probe.LARGEST_SHARE
