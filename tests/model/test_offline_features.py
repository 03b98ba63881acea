"""The vectorised features equal the fold that serves, on any history and on a week of real size."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fraud import features
from model import dataset, offline_features
from model.history import NEVER, History

HANDBOOK = os.environ.get("HANDBOOK_TRANSACTIONS", "")
"""Path of the transactions that the Fraud Detection Handbook publishes, as Parquet; not part of the project."""

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
FAR = START + timedelta(days=3650)
TIME = pa.timestamp("ms", tz="UTC")
Event = tuple[int, str, str, int]
"""Seconds since START, card, terminal, amount in minor units."""
Verdict = tuple[int, int, bool]
"""Row, seconds since that row's event, fraud or genuine."""

seconds = st.one_of(
    st.integers(0, 600), st.integers(0, 5 * 86400), st.integers(0, 50 * 86400), st.integers(0, 400 * 86400)
)
amounts = st.one_of(st.sampled_from([1, 100, 999, 1000, 3000, 3001]), st.integers(1, 10**6), st.integers(1, 10**12))
events = st.lists(st.tuples(seconds, st.sampled_from("abc"), st.sampled_from("xy"), amounts), min_size=1, max_size=40)
delays = st.one_of(st.integers(0, 86400), st.integers(0, 40 * 86400))
verdicts = st.lists(st.tuples(st.integers(0, 39), delays, st.booleans()), max_size=15)
changing = st.lists(st.tuples(st.integers(0, 39), st.integers(-86400, 40 * 86400), st.booleans()), max_size=30)


def transactions(happened: Sequence[Event]) -> pa.Table:
    return pa.table(
        {
            "transaction_id": [f"t{number:02}" for number in range(len(happened))],
            "occurred_at": pa.array([START + timedelta(seconds=at) for at, *_ in happened], TIME),
            "card_token": [card for _, card, *_ in happened],
            "terminal_id": [terminal for _, _, terminal, _ in happened],
            "amount_minor": pa.array([amount for *_, amount in happened], pa.int64()),
        }
    )


def labels(happened: Sequence[Event], given: Sequence[Verdict]) -> pa.Table:
    known = [(row, after, is_fraud) for row, after, is_fraud in given if row < len(happened)]
    moments = [START + timedelta(seconds=happened[row][0] + after) for row, after, _ in known]
    return pa.table(
        {
            "transaction_id": pa.array([f"t{row:02}" for row, *_ in known], pa.string()),
            "is_fraud": pa.array([is_fraud for *_, is_fraud in known], pa.bool_()),
            "source": pa.array(["chargeback"] * len(known), pa.string()),
            "labelled_at": pa.array(moments, TIME),
        }
    )


def frauds_of(happened: Sequence[Event], given: Sequence[Verdict]) -> pa.Table:
    """Transactions with the outcome beside them, for `History`."""
    known = {row: happened[row][0] + after for row, after, is_fraud in given if is_fraud and row < len(happened)}
    moments = [START + timedelta(seconds=known[row]) if row in known else None for row in range(len(happened))]
    table = transactions(happened).append_column("is_fraud", pa.array([moment is not None for moment in moments]))
    return table.append_column("labelled_at", pa.array(moments, TIME))


def assert_equal(found: offline_features.Matrix, expected: offline_features.Matrix) -> None:
    """Equal to the last bit, unknown values included; says which features are not."""
    same = (found == expected) | (np.isnan(found) & np.isnan(expected))
    assert not [name for name, column in zip(features.NAMES, same.T, strict=True) if not column.all()]


@settings(max_examples=250, deadline=None)
@given(events, verdicts)
def test_compute_any_history_equals_the_fold(happened: list[Event], given: list[Verdict]) -> None:
    once = list({row: (row, after, True) for row, after, _ in given}.values())
    found = offline_features.compute(History.from_table(frauds_of(happened, once), timedelta(0)))

    assert_equal(found, dataset.fold(transactions(happened), labels(happened, once), FAR).features)


@settings(max_examples=150, deadline=None)
@given(events, changing)
def test_assemble_any_verdicts_early_repeated_or_withdrawn_equals_the_fold(
    happened: list[Event], given: list[Verdict]
) -> None:
    rows, known = transactions(happened), labels(happened, given)
    found, expected = dataset.assemble(rows, known, FAR), dataset.fold(rows, known, FAR)

    assert_equal(found.features, expected.features)
    assert found.target.tolist() == expected.target.tolist()
    assert (found.cards, found.terminals) == (expected.cards, expected.terminals)


def test_compute_no_rows_is_an_empty_matrix() -> None:
    empty = History.from_table(frauds_of([(0, "a", "x", 1)], []).slice(0, 0), timedelta(0))
    assert offline_features.compute(empty).shape == (0, len(features.NAMES))


def test_compute_reports_progress_up_to_the_last_feature() -> None:
    seen: list[tuple[int, int]] = []
    history = History.from_table(frauds_of([(0, "a", "x", 1)], []), timedelta(0))
    offline_features.compute(history, lambda done, of: seen.append((done, of)))

    assert seen[-1] == (len(features.NAMES), len(features.NAMES))
    assert seen == sorted(seen)


def test_compute_every_measure_of_the_table_has_its_vectorised_form() -> None:
    assert set(offline_features.MEASURES) == set(features.MEASURES)


def test_history_orders_by_time_and_then_by_identifier() -> None:
    table = frauds_of([(5, "a", "x", 1), (0, "b", "y", 2), (0, "c", "x", 3)], [(2, 60, True)]).take([2, 0, 1])
    history = History.from_table(table, timedelta(days=7))

    assert history.transaction_ids.to_pylist() == ["t01", "t02", "t00"]
    assert [history.card_tokens[code].as_py() for code in history.card.tolist()] == ["b", "c", "a"]
    assert (history.known_at - history.at).tolist()[1] == 60
    assert history.known_at.tolist()[::2] == [NEVER, NEVER]


def test_history_without_times_of_labels_takes_the_delay() -> None:
    table = frauds_of([(0, "a", "x", 1), (9, "a", "x", 1)], [(1, 60, True)]).drop_columns(["labelled_at"])
    history = History.from_table(table, timedelta(days=7))

    assert (history.known_at - history.at)[history.is_fraud].tolist() == [7 * 86400]


def test_history_verdict_before_its_transaction_waits_for_it() -> None:
    history = History.from_table(frauds_of([(0, "a", "x", 1)], [(0, -60, True)]), timedelta(days=7))
    assert history.known_at.tolist() == history.at.tolist()


@pytest.mark.skipif(not HANDBOOK, reason="HANDBOOK_TRANSACTIONS names no file of the Handbook's transactions")
def test_compute_a_real_week_equals_the_fold() -> None:
    """A week of a tenth of the terminals, with two months before it, from the Handbook's own file."""
    rows = handbook(datetime(2018, 4, 20, tzinfo=UTC), datetime(2018, 7, 1, tzinfo=UTC))
    found = offline_features.compute(History.from_table(rows, timedelta(days=7)))
    frauds = rows.filter(rows["is_fraud"])
    verdicts = pa.table(
        {
            "transaction_id": frauds["transaction_id"],
            "is_fraud": frauds["is_fraud"],
            "source": pa.array(["chargeback"] * len(frauds)),
            "labelled_at": pc.add(frauds["occurred_at"], pa.scalar(timedelta(days=7))),
        }
    )
    week = slice(-7 * len(rows) // 72, None)

    assert_equal(found[week], dataset.fold(rows, verdicts, FAR).features[week])


def handbook(first: datetime, end: datetime) -> pa.Table:
    """Transactions of a tenth of the terminals between two dates, in our columns."""
    if not Path(HANDBOOK).is_file():
        pytest.skip(f"HANDBOOK_TRANSACTIONS names {HANDBOOK}, which is no file")
    table = pq.read_table(HANDBOOK)
    times = table["TX_DATETIME"].cast(pa.timestamp("us", tz="UTC"))
    within = pc.and_(pc.greater_equal(times, pa.scalar(first)), pc.less(times, pa.scalar(end)))
    table = table.append_column("occurred_at", times)
    table = table.filter(pc.and_(within, pc.less(table["TERMINAL_ID"], 1000)))
    return pa.table(
        {
            "transaction_id": table["TRANSACTION_ID"].cast(pa.string()),
            "occurred_at": table["occurred_at"],
            "card_token": table["CUSTOMER_ID"].cast(pa.string()),
            "terminal_id": table["TERMINAL_ID"].cast(pa.string()),
            "amount_minor": pc.round(pc.multiply(table["TX_AMOUNT"], 100)).cast(pa.int64()),
            "is_fraud": table["TX_FRAUD"].cast(pa.bool_()),
        }
    )
