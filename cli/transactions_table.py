"""Reads a file of transactions column by column, for what looks at all of them at once.

Rows are never Python objects here: a million of them take seconds and a few hundred megabytes.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cli import transactions_file
from cli.errors import CommandError
from cli.transaction_events import DECIMALS, LARGEST_EPOCH_SECONDS

Columns = Mapping[str, str]
TIME = pa.timestamp("ms", "UTC")
TRUE_WORDS = pa.array(["true", "1", "1.0", "yes"])
USUAL_DECIMALS = 2


def read(path: Path, mapping: str | None) -> pa.Table:
    """The transactions as columns of the event, `is_fraud` beside them, in the order of the file.

    Raises:
        CommandError: a needed column is missing or cannot be read.
    """
    columns = transactions_file.columns_of(path, mapping)
    if "is_fraud" not in columns:
        raise CommandError(f"{path} does not say what was fraud: name the column with --columns is_fraud=COLUMN.")
    try:
        raw = _read_columns(path, sorted(set(columns.values())))
        table = pa.table({name: make(raw, columns) for name, make in MAKERS.items()})
    except pa.ArrowException as error:
        raise CommandError(f"{path} cannot be read: {error}") from error
    _check(table, path)
    return table


def _read_columns(path: Path, names: list[str]) -> pa.Table:
    if path.suffix == ".parquet":
        import pyarrow.parquet as parquet

        return parquet.read_table(path, columns=names)
    if path.suffix == ".csv":
        import pyarrow.csv as csv

        return csv.read_csv(path, convert_options=csv.ConvertOptions(include_columns=names))
    import pyarrow.json as lines

    return lines.read_json(path).select(names)


def _check(table: pa.Table, path: Path) -> None:
    if not table.num_rows:
        raise CommandError(f"{path} holds no transactions.")
    empty = [name for name in table.column_names if table[name].null_count]
    if empty:
        raise CommandError(f"{path} has rows without {', '.join(empty)}.")


def _text(field: str, other: str | None = None) -> Any:
    def make(raw: pa.Table, columns: Columns) -> pa.ChunkedArray:
        return raw[columns.get(field) or columns[other or field]].cast(pa.string())

    return make


def _occurred_at(raw: pa.Table, columns: Columns) -> pa.ChunkedArray:
    """Times without a zone are UTC; numbers are seconds or milliseconds since 1970, as elsewhere in the command."""
    times = raw[columns["occurred_at"]]
    if pa.types.is_integer(times.type) or pa.types.is_floating(times.type):
        numbers = times.cast(pa.float64())
        scale = pc.if_else(pc.greater(numbers, LARGEST_EPOCH_SECONDS), 1.0, 1000.0)
        return pc.multiply(numbers, scale).cast(pa.int64(), safe=False).cast(TIME)
    if pa.types.is_timestamp(times.type) and times.type.tz is None:
        return pc.assume_timezone(times, "UTC").cast(TIME, safe=False)
    if pa.types.is_string(times.type):
        times = _parsed(times)
    return times.cast(TIME, safe=False)


def _parsed(text: pa.ChunkedArray) -> pa.ChunkedArray:
    """ISO 8601; arrow takes a zone from all of a column's values or from none."""
    try:
        return text.cast(pa.timestamp("us", "UTC"))
    except pa.ArrowInvalid:
        return pc.assume_timezone(text.cast(pa.timestamp("us")), "UTC")


def _amount_minor(raw: pa.Table, columns: Columns) -> pa.ChunkedArray:
    if "amount_minor" in columns:
        return raw[columns["amount_minor"]].cast(pa.int64())
    amounts = raw[columns["amount"]].cast(pa.float64())
    # Half rounded up, as a single event's amount is.
    return pc.floor(pc.add(pc.multiply(amounts, _scale(raw, columns)), 0.5 + 1e-9)).cast(pa.int64())


def _scale(raw: pa.Table, columns: Columns) -> Any:
    """Minor units in a unit of each row's currency."""
    usual = float(10**USUAL_DECIMALS)
    if "currency" not in columns:
        return usual
    places = pc.index_in(raw[columns["currency"]].cast(pa.string()), value_set=pa.array(list(DECIMALS)))
    scales = pa.array([float(10**decimals) for decimals in DECIMALS.values()])
    return pc.fill_null(pc.take(scales, places), usual)


def _is_fraud(raw: pa.Table, columns: Columns) -> pa.ChunkedArray:
    told = raw[columns["is_fraud"]]
    if pa.types.is_boolean(told.type):
        return told
    words = pc.utf8_lower(pc.utf8_trim_whitespace(told.cast(pa.string())))
    return pc.is_in(words, value_set=TRUE_WORDS)


MAKERS = {
    "transaction_id": _text("transaction_id"),
    "occurred_at": _occurred_at,
    "card_token": _text("card_token", "card"),
    "terminal_id": _text("terminal_id"),
    "amount_minor": _amount_minor,
    "is_fraud": _is_fraud,
}
