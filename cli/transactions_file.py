"""Reads transactions from Parquet, CSV or JSONL a few thousand rows at a time, whatever their columns are called."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from cli.errors import CommandError

Row = Mapping[str, Any]
Columns = Mapping[str, str]
"""Our name of a field → the file's name of its column."""

FIELDS = (
    "transaction_id", "occurred_at", "card_token", "card", "terminal_id", "amount_minor", "amount",
    "currency", "channel", "merchant_category", "country", "is_fraud",
)  # fmt: skip
NEEDED = (("transaction_id",), ("occurred_at",), ("card_token", "card"), ("terminal_id",), ("amount_minor", "amount"))
# The published transactions of the Fraud Detection Handbook.
HANDBOOK: Columns = {
    "transaction_id": "TRANSACTION_ID",
    "occurred_at": "TX_DATETIME",
    "card": "CUSTOMER_ID",
    "terminal_id": "TERMINAL_ID",
    "amount": "TX_AMOUNT",
    "is_fraud": "TX_FRAUD",
}
BATCH_ROWS = 4096


def rows(path: Path, columns: Columns) -> Iterator[dict[str, Any]]:
    """Every row, with our names for the columns; at most BATCH_ROWS of them are in memory."""
    wanted = {source: field for field, source in columns.items()}
    for row in _reader(path)[1](path, list(wanted)):
        yield {wanted[name]: value for name, value in row.items() if name in wanted and value not in (None, "")}


def columns_of(path: Path, mapping: str | None) -> Columns:
    """The file's columns by our names: as mapped, else recognised.

    Raises:
        CommandError: a needed field has no column.

    """
    names = _reader(path)[0](path)
    columns = recognise(names) | parse_mapping(mapping or "")
    _check(columns, names, path)
    return columns


def recognise(names: Iterable[str]) -> dict[str, str]:
    """Our own names, and the Handbook's where all of them are there."""
    present = set(names)
    if set(HANDBOOK.values()) - {"TX_FRAUD"} <= present:
        return {field: source for field, source in HANDBOOK.items() if source in present}
    return {field: field for field in FIELDS if field in present}


def parse_mapping(text: str) -> dict[str, str]:
    """`transaction_id=ID,amount=TX_AMOUNT` as a mapping. Raises: CommandError."""
    columns = {}
    for pair in filter(None, text.split(",")):
        field, separator, source = pair.strip().partition("=")
        if not separator or field not in FIELDS:
            raise CommandError(f"--columns: {pair!r} is not FIELD=COLUMN with FIELD one of {', '.join(FIELDS)}.")
        columns[field] = source
    return columns


def _check(columns: Columns, names: Iterable[str], path: Path) -> None:
    absent = sorted(set(columns.values()) - set(names))
    missing = ["/".join(choice) for choice in NEEDED if not set(choice) & set(columns)]
    if absent:
        raise CommandError(f"{path} has no column {', '.join(absent)}; it has {', '.join(names)}.")
    if missing:
        raise CommandError(
            f"{path} has no column for {', '.join(missing)}: name it with --columns, such as "
            f"--columns '{missing[0].split('/')[-1]}=COLUMN'. It has {', '.join(names)}."
        )


def count(path: Path) -> int | None:
    """Number of rows where the format says so without reading them."""
    if path.suffix != ".parquet":
        return None
    return int(_parquet(path).metadata.num_rows)


def limited(events: Iterable[Any], limit: int | None) -> Iterator[Any]:
    """The first `limit` of them, or all."""
    return islice(events, limit)


def _reader(path: Path) -> Any:
    if not path.is_file():
        raise CommandError(f"No such file: {path}")
    if path.suffix not in READERS:
        raise CommandError(f"{path}: expected a name that ends in {', '.join(READERS)}.")
    return READERS[path.suffix]


def _parquet(path: Path) -> Any:
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    try:
        return parquet.ParquetFile(path)
    except arrow.ArrowInvalid as error:
        raise CommandError(f"{path} is not a Parquet file: {error}") from error


def _parquet_names(path: Path) -> list[str]:
    return list(_parquet(path).schema_arrow.names)


def _parquet_rows(path: Path, names: list[str]) -> Iterator[Row]:
    for batch in _parquet(path).iter_batches(BATCH_ROWS, columns=names, use_threads=False):
        yield from batch.to_pylist()


def _csv_names(path: Path) -> list[str]:
    with path.open(newline="", encoding="utf-8-sig") as lines:
        return next(csv.reader(lines), [])


def _csv_rows(path: Path, _: list[str]) -> Iterator[Row]:
    with path.open(newline="", encoding="utf-8-sig") as lines:
        yield from csv.DictReader(lines)


def _jsonl_names(path: Path) -> list[str]:
    return list(next(_jsonl_rows(path, []), {}))


def _jsonl_rows(path: Path, _: list[str]) -> Iterator[Row]:
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield _json_object(path, number, line)


def _json_object(path: Path, number: int, line: str) -> Row:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise CommandError(f"{path} line {number} is not JSON: {error}") from error
    if not isinstance(row, dict):
        raise CommandError(f"{path} line {number} is not a JSON object.")
    return row


READERS = {
    ".parquet": (_parquet_names, _parquet_rows),
    ".csv": (_csv_names, _csv_rows),
    ".jsonl": (_jsonl_names, _jsonl_rows),
}
