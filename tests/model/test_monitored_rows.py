"""What the query wrote, read: windows to the millisecond, their features, and whole cards where there are many."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from fraud import features
from fraud.transaction import rfc3339
from model import monitored_rows
from model.examples import EVENT
from model.history import NEVER
from model.monitored_rows import NO_VERDICT, Rows
from tests.model.monitored_market import CHALLENGER, CHAMPION, CONTRACT, DAY, Seen, seen
from tests.model.served_market import as_maps

UNTIL = 1_772_323_200
SINCE = UNTIL - DAY


@pytest.fixture(scope="module")
def quiet() -> Seen:
    return seen()


def table(*rows: dict[str, object]) -> pa.Table:
    """Rows of the query; what is not given is as of a plain decision."""
    plain = {
        **dict.fromkeys(EVENT, "x"),
        "amount_minor": 100,
        "occurred_at": rfc3339(UNTIL - 60),
        "arrived_at": rfc3339(UNTIL - 60),
        "known_at": None,
        "first_fraud_at": None,
        "action": "approve",
        "score": 0.5,
        "propensity": None,
        "model_package": CHAMPION,
        "degraded": False,
        "contract": CONTRACT,
        "is_fraud": None,
        "review_is_fraud": None,
        "chargeback_is_fraud": None,
    }
    given = [{**plain, "transaction_id": f"t{place}", **row} for place, row in enumerate(rows)]
    columns = {name: pa.array([row[name] for row in given], kind) for name, kind in monitored_rows.COLUMNS.items()}
    matrix = np.full((len(given), len(features.NAMES)), 3.0)
    return pa.table({**columns, "features": as_maps(matrix)})


def read(folder: Path, given: pa.Table, most_rows: int = 1_000) -> tuple[Rows, int]:
    folder.mkdir(exist_ok=True)
    pq.write_table(given, folder / "part")
    return monitored_rows.read(folder, SINCE, UNTIL, most_rows)


def ids(rows: Rows) -> list[str]:
    return rows.events["transaction_id"].to_pylist()


def test_window_begins_after_its_begin_and_ends_with_its_end_to_the_millisecond(tmp_path: Path) -> None:
    moments = (SINCE, SINCE + 0.001, UNTIL, UNTIL + 0.001)
    rows, arrived = read(
        tmp_path, table(*({"arrived_at": rfc3339(at), "occurred_at": rfc3339(SINCE)} for at in moments))
    )

    assert dict(zip(ids(rows), rows.in_window.tolist(), strict=True)) == {
        "t0": False, "t1": True, "t2": True, "t3": False,
    }  # fmt: skip
    assert arrived == 2


def test_rows_stand_in_the_order_of_event_time_and_then_of_identifiers(tmp_path: Path) -> None:
    rows, _ = read(
        tmp_path,
        table(
            {"transaction_id": "b"},
            {"transaction_id": "a"},
            {"transaction_id": "c", "occurred_at": rfc3339(SINCE - DAY)},
            {"transaction_id": "d", "occurred_at": rfc3339(UNTIL + DAY), "arrived_at": rfc3339(UNTIL - 61)},
        ),
    )

    assert ids(rows) == ["c", "d", "a", "b"]
    assert rows.at[1] == UNTIL - 61, "its clock is not believed"


def test_features_are_read_of_the_window_alone(tmp_path: Path) -> None:
    rows, _ = read(tmp_path, table({}, {"arrived_at": rfc3339(SINCE - 1)}))

    assert np.isnan(rows.features[~rows.in_window]).all() and (rows.features[rows.in_window] == 3).all()
    assert rows.readable.tolist() == rows.in_window.tolist()


def test_features_of_another_contract_are_not_readable(tmp_path: Path) -> None:
    rows, _ = read(tmp_path, table({}, {"contract": "0000000000000000"}, {"contract": None}))

    assert rows.readable.tolist() == [True, False, False]


def test_what_is_not_there_is_said_in_its_own_way(tmp_path: Path) -> None:
    nothing = dict.fromkeys(("score", "propensity", "model_package", "degraded", "channel"))
    rows, _ = read(tmp_path, table(nothing))

    assert np.isnan(rows.score[0]) and rows.propensity[0] == 1
    assert rows.package[0] == -1 and rows.packages == ()
    assert not rows.degraded[0] and not rows.judged[0] and not rows.is_fraud[0]
    assert rows.known_at[0] == rows.first_fraud_at[0] == NEVER
    assert rows.review[0] == rows.chargeback[0] == NO_VERDICT
    assert rows.events["channel"].to_pylist() == [None]


def test_decisions_and_verdicts_are_read_as_they_are(tmp_path: Path) -> None:
    rows, _ = read(
        tmp_path,
        table(
            {"action": "review", "review_is_fraud": False, "chargeback_is_fraud": True, "is_fraud": True,
             "known_at": rfc3339(UNTIL - 5), "first_fraud_at": rfc3339(UNTIL - 9), "propensity": 0.25},
            {"action": "block", "model_package": CHALLENGER, "degraded": True},
        ),
    )  # fmt: skip

    assert [monitored_rows.ACTIONS[word] for word in rows.action] == ["review", "block"]
    assert [rows.packages[place] for place in rows.package] == [CHAMPION, CHALLENGER]
    assert (rows.review[0], rows.chargeback[0], rows.is_fraud[0], rows.propensity[0]) == (0, 1, True, 0.25)
    assert (rows.known_at[0], rows.first_fraud_at[0]) == (UNTIL - 5, UNTIL - 9)
    assert rows.degraded.tolist() == [False, True] and rows.judged.tolist() == [True, False]


def test_rows_of_a_whole_market_keep_their_features(tmp_path: Path, quiet: Seen) -> None:
    order = np.random.default_rng(1).permutation(len(quiet.at))
    shuffled = quiet.where(np.ones(len(quiet.at), dtype=np.bool_))
    pq.write_table(shuffled.table.take(pa.array(order)).slice(0, 20_000), tmp_path / "a")
    pq.write_table(shuffled.table.take(pa.array(order)).slice(20_000), tmp_path / "b")
    rows, arrived = monitored_rows.read(tmp_path, quiet.as_of - DAY, quiet.as_of, 10_000_000)

    place = pc.index_in(rows.events["transaction_id"], value_set=quiet.table["transaction_id"]).to_numpy()
    assert sorted(place) == list(range(len(quiet.at)))
    np.testing.assert_array_equal(rows.at, quiet.at[place])
    assert arrived == rows.in_window.sum() == quiet.in_window.sum()
    np.testing.assert_array_equal(rows.features[rows.in_window], quiet.matrix[place][rows.in_window])


# --- Many rows --------------------------------------------------------------------------------------------------------


def test_of_too_many_rows_some_cards_are_looked_at_with_all_their_rows(
    tmp_path: Path, quiet: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = 30_000
    monkeypatch.setattr(monitored_rows, "MOST_OF_ALL", most)
    count = int(quiet.in_window.sum())
    rows, arrived = quiet.read(tmp_path)

    assert arrived == count
    assert len(rows) == pytest.approx(most, rel=0.15)
    kept = set(rows.events["card_token"].to_pylist())
    of_kept = pc.is_in(quiet.table["card_token"], value_set=pa.array(sorted(kept))).to_numpy()
    assert of_kept.sum() == len(rows) < len(quiet.at)


def test_of_too_many_rows_of_a_window_about_as_many_as_asked_for_are_looked_at(tmp_path: Path, quiet: Seen) -> None:
    given = quiet.where(quiet.in_window)
    first, _ = given.read(tmp_path / "one", most_rows=600)
    again, _ = given.read(tmp_path / "two", most_rows=600)

    assert first.in_window.sum() == pytest.approx(600, rel=0.2)
    assert ids(first) == ids(again), "the same cards every time"


def test_cards_that_are_looked_at_are_the_same_in_every_process(tmp_path: Path) -> None:
    rows, _ = read(tmp_path, table(*({"card_token": f"card-{place}"} for place in range(10))), most_rows=5)

    assert sorted(rows.events["card_token"].to_pylist()) == ["card-1", "card-3", "card-5", "card-6", "card-8", "card-9"]


# --- What cannot be read ----------------------------------------------------------------------------------------------


def test_empty_folder_is_no_rows(tmp_path: Path) -> None:
    rows, arrived = monitored_rows.read(tmp_path, SINCE, UNTIL, 10)

    assert len(rows) == arrived == 0 and rows.features.shape == (0, len(features.NAMES))


def test_hidden_files_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "_SUCCESS").write_text("")
    (tmp_path / ".part.crc").write_text("x")

    assert monitored_rows.read(tmp_path, SINCE, UNTIL, 10)[1] == 0


def test_missing_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^part lacks propensity, score$"):
        read(tmp_path, table({}).drop_columns(["propensity", "score"]))


def test_file_that_is_no_parquet_is_named(tmp_path: Path) -> None:
    (tmp_path / "part").write_text("no parquet")

    with pytest.raises(ValueError, match="part is not Parquet"):
        monitored_rows.read(tmp_path, SINCE, UNTIL, 10)
