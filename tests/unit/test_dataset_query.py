"""The query of a data set: its moments filled in, and where its answer goes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from fraud import dataset_query
from tests.fakes.retraining import QUERY

AS_OF = datetime(2025, 3, 1, 0, 30, 0, 250_000, UTC).timestamp()
TRAINING_SET = Path("model/sql/training_set.sql").read_text(encoding="utf-8")


def test_select_reads_up_to_a_moment_and_so_many_days_before_it() -> None:
    assert dataset_query.select("$from|$as_of", AS_OF, 2) == "2025-02-27T00:30:00.250Z|2025-03-01T00:30:00.250Z"


def test_select_partitions_are_a_day_wider_because_arrival_and_event_may_differ() -> None:
    assert dataset_query.select("$first_day|$last_day", AS_OF, 2) == "2025-02-26|2025-03-02"


def test_select_partitions_are_days_of_utc() -> None:
    midnight = datetime(2025, 1, 1, tzinfo=UTC).timestamp()
    assert dataset_query.select("$first_day|$last_day", midnight, 1) == "2024-12-30|2025-01-02"
    assert dataset_query.select("$first_day|$last_day", midnight - 0.001, 1) == "2024-12-29|2025-01-01"


def test_select_placeholder_that_nothing_fills_is_no_query() -> None:
    with pytest.raises(KeyError, match="day"):
        dataset_query.select("$day", AS_OF, 1)


def test_select_of_this_application_has_everything_filled_in() -> None:
    statement = dataset_query.select(TRAINING_SET, AS_OF, 97)
    assert "$" not in statement
    assert "dt BETWEEN '2024-11-23' AND '2025-03-02'" in statement
    assert "occurred_at >= '2024-11-24T00:30:00.250Z'" in statement
    assert "arrived_at <= '2025-03-01T00:30:00.250Z'" in statement
    assert "known_at <= '2025-03-01T00:30:00.250Z'" in statement


def test_unload_writes_parquet_to_the_address_whatever_the_statement_ends_with() -> None:
    assert dataset_query.unload(f"\n{QUERY} -- the end\n", "s3://archive/retraining/first/dataset/") == (
        f"UNLOAD (\n{QUERY} -- the end\n) TO 's3://archive/retraining/first/dataset/'"
        " WITH (format = 'PARQUET', compression = 'SNAPPY')"
    )
