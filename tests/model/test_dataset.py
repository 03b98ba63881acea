"""Data sets: every row as it was seen then, every label from when it was known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fraud import features
from model import dataset
from model.dataset import Dataset
from model.simulator import Simulation
from tests.model.conftest import CUT

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)
TIME = pa.timestamp("ms", tz="UTC")
FAR = START + 365 * DAY


def transactions(*rows: tuple[str, timedelta, str, str, int]) -> pa.Table:
    names = ["transaction_id", "occurred_at", "card_token", "terminal_id", "amount_minor"]
    columns = list(zip(*rows, strict=True))
    columns[1] = tuple(START + since for since in columns[1])
    types = [pa.string(), TIME, pa.string(), pa.string(), pa.int64()]
    return pa.table({n: pa.array(c, t) for n, c, t in zip(names, columns, types, strict=True)})


def labels(*rows: tuple[str, bool, timedelta]) -> pa.Table:
    return pa.table(
        {
            "transaction_id": pa.array([row[0] for row in rows], pa.string()),
            "is_fraud": pa.array([row[1] for row in rows], pa.bool_()),
            "source": pa.array(["chargeback"] * len(rows), pa.string()),
            "labelled_at": pa.array([START + row[2] for row in rows], TIME),
        }
    )


def column(data: Dataset, name: str) -> list[float]:
    values: list[float] = data.features[:, data.names.index(name)].tolist()
    return values


def visits(*days: float) -> pa.Table:
    """One card at one terminal."""
    return transactions(*((f"t{i}", day * DAY, "c", "shop", 1000) for i, day in enumerate(days)))


def test_assemble_leaves_the_row_itself_out_of_its_own_history() -> None:
    data = dataset.assemble(visits(0, 0.01, 0.02), labels(), FAR)

    assert column(data, "card_count_24h") == [0, 1, 2]
    assert data.names == features.NAMES


def test_assemble_value_that_is_not_known_is_nan() -> None:
    data = dataset.assemble(visits(0, 1), labels(), FAR)

    assert np.isnan(column(data, "card_seconds_since_last")[0])
    assert column(data, "card_seconds_since_last")[1] == 86400


def test_assemble_fraud_counts_at_the_terminal_from_the_day_after_it_became_known() -> None:
    data = dataset.assemble(visits(0, 1, 5, 6, 7), labels(("t0", True, 6 * DAY)), FAR)

    assert column(data, "terminal_frauds_7d") == [0, 0, 0, 0, 1]


def test_assemble_withdrawn_label_is_taken_back() -> None:
    known = labels(("t0", True, 2 * DAY), ("t0", False, 4 * DAY))
    data = dataset.assemble(visits(0, 3, 5), known, FAR)

    assert column(data, "terminal_frauds_30d") == [0, 1, 0]
    assert not data.target.any()


def test_assemble_repeated_label_counts_once() -> None:
    known = labels(("t0", True, 2 * DAY), ("t0", True, 3 * DAY))

    assert column(dataset.assemble(visits(0, 5), known, FAR), "terminal_frauds_30d") == [0, 1]


def test_assemble_genuine_label_that_was_given_later_stands_whatever_comes_after() -> None:
    # The fraud label waits for its late transaction; by then the newer, genuine one is known.
    known = labels(("t1", False, 2 * DAY), ("t1", True, 1 * DAY))
    data = dataset.assemble(visits(0, 3, 5), known, FAR)

    assert not data.target.any()
    assert column(data, "terminal_frauds_30d") == [0, 0, 0]


def test_assemble_label_before_its_transaction_waits_for_it() -> None:
    data = dataset.assemble(visits(0, 3, 5), labels(("t1", True, 1 * DAY)), FAR)

    assert column(data, "terminal_frauds_30d") == [0, 0, 1]
    assert data.target.tolist() == [False, True, False]


def test_assemble_label_known_after_as_of_is_not_looked_at() -> None:
    data = dataset.assemble(visits(0, 5), labels(("t0", True, 2 * DAY)), START + DAY)

    assert not data.target.any()
    assert column(data, "terminal_frauds_30d") == [0, 0]


def test_assemble_label_of_an_unknown_transaction_is_left_out() -> None:
    data = dataset.assemble(visits(0), labels(("elsewhere", True, DAY)), FAR)

    assert data.target.tolist() == [False]


def test_training_table_has_no_row_younger_than_maturity_even_when_it_is_labelled() -> None:
    data = dataset.assemble(visits(0, 1, 9), labels(("t2", True, 9.5 * DAY)), START + 10 * DAY)

    table = data.training_table()
    assert table["transaction_id"].to_pylist() == ["t0", "t1"]
    assert table.column_names == [*features.NAMES, "is_fraud", "occurred_at", "transaction_id"]


def test_assemble_reports_progress_up_to_the_end(market: Simulation) -> None:
    seen: list[tuple[int, int]] = []
    rows = market.transactions.slice(0, 5000)
    dataset.assemble(rows, market.labels, CUT, progress=lambda done, of: seen.append((done, of)))

    assert len(seen) == 2
    assert seen[-1] == (5000, 5000)


def test_assemble_the_future_changes_nothing_of_the_past(market: Simulation, history: Dataset) -> None:
    as_of = CUT - 10 * DAY
    earlier, _ = market.cut(as_of)
    shorter = dataset.assemble(earlier.transactions, earlier.labels, as_of)

    np.testing.assert_array_equal(shorter.features, history.features[: len(shorter.target)])


def test_assemble_returns_the_state_that_the_next_row_would_see(market: Simulation) -> None:
    rows = market.transactions.slice(0, 3000)
    known = market.labels
    longer = dataset.assemble(rows, known, FAR)
    shorter = dataset.assemble(rows.slice(0, 2999), known.slice(0, 0), FAR)
    last = rows.slice(2999).to_pylist()[0]
    event = dataset.PastEvent(int(last["occurred_at"].timestamp()), last["amount_minor"])
    empty = dataset.assemble(rows.slice(0, 0), known, FAR)
    card = shorter.cards[last["card_token"]]
    terminal = longer.terminals[last["terminal_id"]]

    values = features.values(event, card, terminal)
    served = np.array(values, dtype=np.float32)
    cards_only = [i for i, name in enumerate(features.NAMES) if not name.startswith("terminal")]
    np.testing.assert_array_equal(served[cards_only], longer.features[-1, cards_only])
    assert not empty.cards


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.permutations(range(4)))
def test_assemble_folds_by_time_and_then_by_identifier(order: list[int]) -> None:
    rows = transactions(
        ("t2", 0.5 * DAY, "c", "shop", 300),
        ("t0", 0.9 * DAY, "c", "shop", 400),
        ("t3", 0.5 * DAY, "c", "shop", 500),
        ("t1", 0 * DAY, "c", "shop", 100),
    )

    data = dataset.assemble(rows.take(order), labels(), FAR)
    assert data.transaction_ids == ["t1", "t2", "t3", "t0"]
    assert column(data, "card_spend_24h") == [0, 100, 400, 900]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_assemble_reads_time_of_any_resolution(unit: str) -> None:
    rows = visits(0, 1)
    rows = rows.set_column(1, "occurred_at", rows["occurred_at"].cast(pa.timestamp(unit, tz="UTC")))

    assert dataset.assemble(rows, labels(), FAR).occurred_at.tolist() == [
        int(START.timestamp()),
        int((START + DAY).timestamp()),
    ]
