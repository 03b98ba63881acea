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
from model.examples import EVENT, Examples, Flags, Matrix, UnreadableRows
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
    "contract": pa.string(),
    "features": pa.map_(pa.string(), pa.float64()),
}
_NAMES = pa.array(features.NAMES)
_MILLISECONDS = pa.timestamp("ms", tz="UTC")
_NEVER_MS = NEVER // 1000 * 1000


class _Read(NamedTuple):
    """Some rows: their plain columns, their features, and which features each names."""

    table: pa.Table
    features: Matrix
    named: Flags


def read(folder: Path) -> Examples:
    """All rows of all files, each file Parquet whatever it is called.

    Raises:
        UnreadableRows: a column is missing.
    """
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith((".", "_")))
    parts = [part for path in files for part in _parts(path)] or [_nothing()]
    table = pa.concat_tables([part.table for part in parts])
    matrix, named = (np.concatenate([getattr(part, name) for part in parts]) for name in ("features", "named"))
    return _examples(table, matrix, named).ordered()


def flatten(maps: pa.MapArray) -> tuple[Matrix, Flags]:
    """Features by name as a matrix in the order of `fraud.features.NAMES`, and which of these are named at all.

    NaN stands where a name is missing or its value is null; other names are passed over.
    """
    matrix, named = _laid_out(maps)
    at_all: Flags = np.any(named, axis=0)
    return matrix, at_all


def readable(maps: pa.MapArray, contracts: pa.Array) -> Flags:
    """Which rows have features that mean what this code means by their names.

    A contract binds names to the version of their definition. It is computed again from what a row names, once for all
    rows that name the same under the same contract: an older table with fewer features is read; another definition of
    the same names, or a contract that says something else than the row holds, is not.

    Args:
        maps: features by name, null where none were recorded.
        contracts: `fraud.features.contract_hash` as it was recorded with each row.
    """
    _, rows, columns = _entries(maps)
    return _understood(maps, contracts, _named(len(maps), rows, columns))


def _understood(maps: pa.MapArray, contracts: pa.Array, named: Flags) -> Flags:
    packed = np.packbits(named, axis=1)
    buffers = [None, pa.py_buffer(packed)]
    sets = pa.FixedSizeBinaryArray.from_buffers(pa.binary(packed.shape[1]), len(packed), buffers).dictionary_encode()
    given = contracts.dictionary_encode(null_encoding="encode")
    pairs = given.indices.to_numpy().astype(np.int64) * len(sets.dictionary) + sets.indices.to_numpy()
    _, firsts, pair = np.unique(pairs, return_index=True, return_inverse=True)
    agree = [contracts[first].as_py() == _contract(named[first]) for first in firsts.tolist()]
    understood: Flags = np.array(agree, dtype=np.bool_)[pair] & maps.is_valid().to_numpy(zero_copy_only=False)
    return understood


def _contract(named: Flags) -> str:
    return features.contract_hash(name for name, is_named in zip(features.NAMES, named, strict=True) if is_named)


def _laid_out(maps: pa.MapArray) -> tuple[Matrix, Flags]:
    """Features as a matrix, and which of them each row names."""
    entries, rows, columns = _entries(maps)
    values = maps.items[entries].to_numpy(zero_copy_only=False)
    ours = columns >= 0
    matrix = np.full((len(maps), len(features.NAMES)), np.nan, dtype=np.float32)
    # A value beyond 32 bits becomes infinite, which the checks find.
    with np.errstate(over="ignore"):
        matrix[rows[ours], columns[ours]] = values[ours]
    return matrix, _named(len(maps), rows, columns)


def _entries(maps: pa.MapArray) -> tuple[slice, Seconds, Seconds]:
    """Where the entries of all rows lie, and for each its row and the position of its name."""
    offsets = maps.offsets.to_numpy()
    entries = slice(int(offsets[0]), int(offsets[-1]))
    return entries, np.repeat(np.arange(len(maps)), np.diff(offsets)), _positions(maps.keys[entries])


def _named(count: int, rows: Seconds, columns: Seconds) -> Flags:
    named = np.zeros((count, len(features.NAMES)), dtype=np.bool_)
    named[rows[columns >= 0], columns[columns >= 0]] = True
    return named


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
        raise UnreadableRows(f"{path.name} lacks {', '.join(missing)}")
    for batch in file.iter_batches(ROWS_AT_A_TIME, columns=list(_COLUMNS)):
        table = pa.table({name: batch[name].cast(kind) for name, kind in _COLUMNS.items() if name != "features"})
        maps = batch["features"]
        matrix, named = _laid_out(maps)
        understood = _understood(maps, batch["contract"].cast(pa.string()), named)
        # What means something else must not be taken for a value anywhere.
        matrix[~understood], named[~understood] = np.nan, False
        yield _Read(table.append_column("readable", pa.array(understood)), matrix, named)


def _nothing() -> _Read:
    empty = {name: pa.array([], kind) for name, kind in _COLUMNS.items() if name != "features"}
    nothing = np.empty((0, len(features.NAMES)), dtype=np.float32)
    table = pa.table({**empty, "readable": pa.array([], pa.bool_())})
    return _Read(table, nothing, ~np.isnan(nothing))


def _examples(table: pa.Table, matrix: Matrix, named: Flags) -> Examples:
    time = {name: _milliseconds(table[name]) for name in _TIMES}
    occurred, arrived = time["occurred_at"], time["arrived_at"]
    return Examples(
        events=table.select(list(EVENT)),
        at=np.where(occurred > arrived + CLOCK_TOLERANCE * 1000, arrived, occurred) // 1000,
        arrived_at=arrived // 1000,
        features=matrix,
        named=named,
        readable=_flags(table["readable"]),
        blocked=_flags(pc.equal(table["action"], "block")),
        judged=_flags(pc.is_valid(table["is_fraud"])),
        is_fraud=_flags(table["is_fraud"]),
        known_at=_verdict_time(time["known_at"]),
        first_fraud_at=_verdict_time(time["first_fraud_at"]),
    )


def _milliseconds(texts: pa.ChunkedArray) -> Seconds:
    millis: Seconds = pc.fill_null(pc.cast(texts, _MILLISECONDS).cast(pa.int64()), _NEVER_MS).to_numpy()
    return millis


def _verdict_time(millis: Seconds) -> Seconds:
    return np.where(millis == _NEVER_MS, NEVER, millis // 1000)


def _flags(values: pa.ChunkedArray) -> Flags:
    flags: Flags = pc.fill_null(values, False).to_numpy()
    return flags
