"""Reads what the query of the archive wrote: the features that were served, and the verdicts that came.

Features lie there by name, so that rows of an older table of features are read as well. They are laid out as a matrix
some rows at a time: as names and values they take twenty times the memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fraud import features
from model.examples import EVENT, Examples, Flags, Matrix
from model.history import NEVER, Seconds

CLOCK_TOLERANCE = 300
"""Seconds that an event may lie ahead of its arrival before it counts at its arrival, as it did when it was served."""
ROWS_AT_A_TIME = 65_536

_TIMES = ("occurred_at", "arrived_at", "known_at", "first_fraud_at")
_COLUMNS = {
    **EVENT,
    **dict.fromkeys(_TIMES, pa.string()),
    "action": pa.string(),
    "is_fraud": pa.bool_(),
    "features": pa.map_(pa.string(), pa.float64()),
}
_NAMES = pa.array(features.NAMES)
_MILLISECONDS = pa.timestamp("ms", tz="UTC")
_NEVER_MS = NEVER // 1000 * 1000


class _Read(NamedTuple):
    """Some rows: their plain columns, their features, and which features they name."""

    table: pa.Table
    features: Matrix
    named: Flags


def read(folder: Path) -> Examples:
    """All rows of all files, each file Parquet whatever it is called.

    Raises:
        ValueError: a column is missing.
    """
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith((".", "_")))
    parts = [part for path in files for part in _parts(path)] or [_nothing()]
    table = pa.concat_tables([part.table for part in parts])
    named = np.any([part.named for part in parts], axis=0)
    return _examples(table, np.concatenate([part.features for part in parts]), named).ordered()


def flatten(maps: pa.MapArray) -> tuple[Matrix, Flags]:
    """Features by name as a matrix in the order of `fraud.features.NAMES`, and which of these are named at all.

    NaN stands where a name is missing or its value is null; other names are passed over.
    """
    offsets = maps.offsets.to_numpy()
    entries = slice(int(offsets[0]), int(offsets[-1]))
    rows = np.repeat(np.arange(len(maps)), np.diff(offsets))
    columns = _positions(maps.keys[entries])
    values = maps.items[entries].to_numpy(zero_copy_only=False)
    ours = columns >= 0
    matrix = np.full((len(maps), len(features.NAMES)), np.nan, dtype=np.float32)
    # A value beyond 32 bits becomes infinite, which the checks find.
    with np.errstate(over="ignore"):
        matrix[rows[ours], columns[ours]] = values[ours]
    return matrix, np.bincount(columns[ours], minlength=len(features.NAMES)) > 0


def _positions(names: pa.Array) -> Seconds:
    """Where each name stands in the table of features; -1 where it does not."""
    distinct = names.dictionary_encode()
    position = pc.fill_null(pc.index_in(distinct.dictionary, value_set=_NAMES), -1)
    positions: Seconds = position.to_numpy()[distinct.indices.to_numpy()]
    return positions


def _parts(path: Path) -> Iterator[_Read]:
    # What the group of a map is called is its writer's choice.
    columns = pq.ParquetFile(path).schema
    paths = [columns.column(i).path for i in range(len(columns))]
    keys = [each for each in paths if each.startswith("features.") and each.endswith(".key")]
    file = pq.ParquetFile(path, read_dictionary=keys)
    if missing := sorted(_COLUMNS.keys() - set(file.schema_arrow.names)):
        raise ValueError(f"{path.name} lacks {', '.join(missing)}")
    for batch in file.iter_batches(ROWS_AT_A_TIME, columns=list(_COLUMNS)):
        table = pa.table({name: batch[name].cast(kind) for name, kind in _COLUMNS.items() if name != "features"})
        readable = batch["features"].is_valid()
        yield _Read(table.append_column("readable", readable), *flatten(batch["features"]))


def _nothing() -> _Read:
    empty = {name: pa.array([], kind) for name, kind in _COLUMNS.items() if name != "features"}
    width = len(features.NAMES)
    table = pa.table({**empty, "readable": pa.array([], pa.bool_())})
    return _Read(table, np.empty((0, width), dtype=np.float32), np.zeros(width, dtype=np.bool_))


def _examples(table: pa.Table, matrix: Matrix, named: Flags) -> Examples:
    time = {name: _milliseconds(table[name]) for name in _TIMES}
    occurred, arrived = time["occurred_at"], time["arrived_at"]
    return Examples(
        events=table.select(list(EVENT)),
        at=np.where(occurred > arrived + CLOCK_TOLERANCE * 1000, arrived, occurred) // 1000,
        arrived_at=arrived // 1000,
        features=matrix,
        readable=_flags(table["readable"]),
        blocked=_flags(pc.equal(table["action"], "block")),
        judged=_flags(pc.is_valid(table["is_fraud"])),
        is_fraud=_flags(table["is_fraud"]),
        known_at=_verdict_time(time["known_at"]),
        first_fraud_at=_verdict_time(time["first_fraud_at"]),
        absent=tuple(name for name, is_named in zip(features.NAMES, named, strict=True) if not is_named),
    )


def _milliseconds(texts: pa.ChunkedArray) -> Seconds:
    millis: Seconds = pc.fill_null(pc.cast(texts, _MILLISECONDS).cast(pa.int64()), _NEVER_MS).to_numpy()
    return millis


def _verdict_time(millis: Seconds) -> Seconds:
    return np.where(millis == _NEVER_MS, NEVER, millis // 1000)


def _flags(values: pa.ChunkedArray) -> Flags:
    flags: Flags = pc.fill_null(values, False).to_numpy()
    return flags
