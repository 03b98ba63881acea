"""Reading the archive: features by name, whatever wrote them, and only where they mean what the code means."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fraud import features, windows
from fraud.aws import decision_items
from fraud.entities import CARD, TERMINAL
from model import served
from model.examples import EVENT
from tests.fakes import samples
from tests.model.served_market import CONTRACT, as_maps

MAPS = pa.map_(pa.string(), pa.float64())
OLDER = features.NAMES[:-3]
FOREIGN = hashlib.sha256("\n".join(["1", *features.NAMES]).encode()).hexdigest()[:16]
"""The contract of the same names under another version of their definition."""

Named = list[tuple[str, float | None]]


def every(names: tuple[str, ...] = features.NAMES, value: float | None = 1.0) -> Named:
    return [(name, value) for name in names]


def readable(*rows: tuple[Named | None, str | None]) -> list[bool]:
    maps, contracts = pa.array([row for row, _ in rows], MAPS), pa.array([each for _, each in rows], pa.string())
    found: list[bool] = served.readable(maps, contracts).tolist()
    return found


def table(rows: list[Named | None], contracts: list[str | None]) -> pa.Table:
    """What the query of the archive gives."""
    count = len(rows)
    plain = {name: pa.nulls(count, kind) for name, kind in served._COLUMNS.items()}
    given = {
        "transaction_id": pa.array([f"t{number}" for number in range(count)]),
        "features": pa.array(rows, MAPS),
        "contract": pa.array(contracts, pa.string()),
    }
    return pa.table(
        plain | dict.fromkeys(("occurred_at", "arrived_at"), pa.repeat("2026-03-01T00:00:00Z", count)) | given
    )


def archived(**fields: Any) -> dict[str, Any]:
    """A decision as the stream hands it on and the archive keeps it."""
    item = decision_items.encode(samples.decision(**fields), 365)
    document: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(decision_items.decode(item, "1").document))
    return document


# --- What is readable -------------------------------------------------------------------------------------------------


def test_readable_is_what_the_service_archives() -> None:
    new = samples.accepted()
    known = features.values(new, windows.empty(CARD), windows.empty(TERMINAL))
    documents = [archived(accepted=new, features=known), archived()]
    rows = [(list(each["features"].items()), each["contract"]) for each in documents]

    assert len(rows[0][0]) == len(features.NAMES) and any(value is None for _, value in rows[0][0])
    assert readable(*rows) == [True, True]


def test_readable_is_an_older_table_with_fewer_features_whatever_their_order() -> None:
    contract = features.contract_hash(OLDER)

    assert readable((every(OLDER), contract), (every(OLDER[::-1]), contract)) == [True, True]


def test_readable_is_not_another_definition_of_the_same_names() -> None:
    assert FOREIGN != CONTRACT
    assert readable((every(), CONTRACT), (every(), FOREIGN), (every(), None)) == [True, False, False]


def test_readable_is_not_a_newer_table_with_more_features() -> None:
    names = (*features.NAMES, "card_count_9d")

    assert readable((every(names), features.contract_hash(names))) == [False]


def test_readable_needs_features() -> None:
    assert readable((None, CONTRACT), (None, features.contract_hash(())), ([], CONTRACT)) == [False] * 3
    assert readable() == []


def test_readable_tells_rows_of_one_contract_apart_by_what_they_name() -> None:
    contract = features.contract_hash(OLDER)
    rows = [(every(OLDER), contract), (every(), contract), (every(OLDER), CONTRACT), (every(), CONTRACT)]

    assert readable(*rows) == [True, False, False, True]
    assert readable(*rows[::-1]) == [True, False, False, True]


def test_readable_asks_for_each_contract_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []

    def contract_hash(names: Iterable[str]) -> str:
        asked.append(tuple(names))
        return CONTRACT

    monkeypatch.setattr(features, "contract_hash", contract_hash)
    maps = as_maps(np.ones((5_000, len(features.NAMES)), dtype=np.float32))

    assert served.readable(maps, pa.repeat(CONTRACT, 5_000)).all() and asked == [features.NAMES]


def test_readable_of_a_part_of_rows_looks_at_no_others() -> None:
    maps, contracts = pa.array([every(), every(OLDER), None], MAPS), pa.array([CONTRACT, CONTRACT, CONTRACT])

    assert served.readable(maps.slice(1), contracts.slice(1)).tolist() == [False, False]
    assert served.readable(maps.slice(0, 1), contracts.slice(0, 1)).tolist() == [True]


# --- Reading ----------------------------------------------------------------------------------------------------------


def test_reading_takes_no_value_of_another_definition_for_one_of_ours(tmp_path: Path) -> None:
    pq.write_table(
        table([every(), every(), every(OLDER)], [CONTRACT, FOREIGN, features.contract_hash(OLDER)]), tmp_path / "0"
    )
    found = served.read(tmp_path)

    assert found.readable.tolist() == [True, False, True]
    assert np.isnan(found.features[1]).all() and not found.named[1].any()
    assert found.named[2].sum() == len(OLDER) and np.isnan(found.features[2]).sum() == 3


def test_reading_takes_features_by_name_whatever_their_order_and_passes_over_others(tmp_path: Path) -> None:
    names = ("transaction_amount", "card_count_1h")
    rows: list[Named | None] = [
        [("card_count_1h", 2.0), ("passed_over", 9.0), ("transaction_amount", 5.0)],
        None,
        [("transaction_amount", 7.0), ("card_count_1h", None)],
    ]
    pq.write_table(table(rows, [features.contract_hash(names)] * 3), tmp_path / "0")
    found = served.read(tmp_path)
    columns = [features.NAMES.index(name) for name in names]

    np.testing.assert_array_equal(found.features[:, columns], [[5, 2], [np.nan] * 2, [7, np.nan]])
    assert found.readable.tolist() == [True, False, True]
    assert np.flatnonzero(found.named.any(axis=0)).tolist() == sorted(columns)


def test_reading_orders_what_is_named_with_the_rows(tmp_path: Path) -> None:
    rows = table([every(), every(OLDER)], [CONTRACT, features.contract_hash(OLDER)])
    place = rows.column_names.index("transaction_id")
    pq.write_table(rows.set_column(place, "transaction_id", pa.array(["t2", "t1"])), tmp_path / "0")

    assert served.read(tmp_path).named.sum(axis=1).tolist() == [len(OLDER), len(features.NAMES)]


def test_reading_features_of_a_part_of_rows_takes_no_others() -> None:
    maps = as_maps(np.arange(3 * len(features.NAMES), dtype=np.float32).reshape(3, -1))
    matrix, named = served.flatten(maps.slice(1, 1))

    assert matrix.tolist() == [list(range(len(features.NAMES), 2 * len(features.NAMES)))] and named.all()


def test_reading_does_not_ask_what_a_writer_calls_the_group_of_a_map(tmp_path: Path) -> None:
    pq.write_table(table([every()] * 50, [CONTRACT] * 50), tmp_path / "ours", compression="none")
    content = (tmp_path / "ours").read_bytes()
    tmp_path.joinpath("other").mkdir()
    (tmp_path / "other" / "0").write_bytes(content.replace(b"key_value", b"map_entry"))

    assert served.read(tmp_path / "other").readable.tolist() == [True] * 50


def test_reading_keeps_what_is_known_of_an_event() -> None:
    assert set(EVENT) <= served._COLUMNS.keys()
