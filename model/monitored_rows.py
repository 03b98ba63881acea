"""What arrived around a window, as the query of monitoring wrote it, laid out as arrays."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fraud import features
from model import served
from model.examples import EVENT, Flags, Matrix
from model.history import NEVER, Seconds

Floats = npt.NDArray[np.float64]
Words = npt.NDArray[np.int8]
ACTIONS = ("approve", "review", "block")
NO_VERDICT = -1


@dataclass(frozen=True, slots=True)
class Rows:
    """One row per transaction, ordered by event time and then by identifier; times are whole seconds since 1970.

    Args:
        events: the columns of `examples.EVENT`, null where there was none.
        at: event time, the arrival where the event claims to lie ahead of it.
        arrived_at: when it came in.
        in_window: whether it arrived in the window.
        features: in the order of `fraud.features.NAMES`; NaN where not known, and outside of the window.
        readable: whether features were recorded that mean what this code means by them.
        action: position in `ACTIONS`.
        score: of the model; NaN without one.
        propensity: probability with which policy gave the action that it gave; 1 without randomisation.
        package: position in `packages` of the model that scored it; -1 without one.
        packages: ARNs.
        degraded: whether the model that should have answered did not.
        judged: whether a verdict stands.
        is_fraud: that verdict; False without.
        known_at: when it became known, `history.NEVER` without.
        first_fraud_at: when a verdict first said fraud; NEVER without.
        review: what reviewers said: 1 fraud, 0 genuine, `NO_VERDICT`.
        chargeback: what chargebacks said, alike.
    """

    events: pa.Table
    at: Seconds
    arrived_at: Seconds
    in_window: Flags
    features: Matrix
    readable: Flags
    action: Words
    score: Floats
    propensity: Floats
    package: npt.NDArray[np.int32]
    packages: tuple[str, ...]
    degraded: Flags
    judged: Flags
    is_fraud: Flags
    known_at: Seconds
    first_fraud_at: Seconds
    review: Words
    chargeback: Words

    def __len__(self) -> int:
        return len(self.at)


TIMES = ("occurred_at", "arrived_at", "known_at", "first_fraud_at")
COLUMNS = {
    **EVENT,
    **dict.fromkeys(TIMES, pa.string()),
    "action": pa.string(),
    "score": pa.float64(),
    "propensity": pa.float64(),
    "model_package": pa.string(),
    "degraded": pa.bool_(),
    "contract": pa.string(),
    "is_fraud": pa.bool_(),
    "review_is_fraud": pa.bool_(),
    "chargeback_is_fraud": pa.bool_(),
}
"""What the query gives beside the features."""
FEATURES = pa.map_(pa.string(), pa.float64())
ROWS_AT_A_TIME = 65_536
MOST_OF_ALL = 6_000_000
"""Rows that are kept, those before the window included: they take a kilobyte each while they are put in order."""
CARD_BUCKETS = 10_000
_MILLISECONDS = pa.timestamp("ms", tz="UTC")
_NEVER_MS = NEVER // 1000 * 1000


class _Batch(NamedTuple):
    """Some rows: their columns but the features, which of them lie in the window, and these rows' features."""

    table: pa.Table
    in_window: Flags
    features: Matrix
    readable: Flags


def read(folder: Path, since: float, until: float, most_rows: int) -> tuple[Rows, int]:
    """The rows to look at, and how many arrived in the window.

    Where more did than may be looked at, some cards are, all their rows or none: chosen by hash, so that the next look
    takes the same.

    Args:
        folder: of Parquet files, whatever they are called.
        since: begin of the window, seconds since 1970; what arrived at that very moment is not part of it.
        until: its end, which is.
        most_rows: of the window that are looked at, about.

    Raises:
        ValueError: a column is missing, or a file is none.
    """
    window = (round(since * 1000), round(until * 1000))
    arrived, total = _count(folder, window)
    kept = min(1.0, most_rows / max(arrived, 1), MOST_OF_ALL / max(total, 1))
    batches = [each for path in files(folder) for each in _batches(path, window, kept)]
    return _rows(batches or [_nothing()]), arrived


def nothing() -> Rows:
    """No rows."""
    return _rows([_nothing()])


def files(folder: Path) -> list[Path]:
    """What a query left in a folder."""
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith((".", "_"))]


def milliseconds(texts: pa.ChunkedArray) -> Seconds:
    """Times as text in milliseconds since 1970; what is null becomes never."""
    millis: Seconds = pc.fill_null(pc.cast(texts, _MILLISECONDS).cast(pa.int64()), _NEVER_MS).to_numpy()
    return millis


def _count(folder: Path, window: tuple[int, int]) -> tuple[int, int]:
    """Rows of the window, and of all."""
    arrived = total = 0
    for path in files(folder):
        for batch in _file(path).iter_batches(ROWS_AT_A_TIME, columns=["arrived_at"]):
            total += len(batch)
            arrived += int(_within(milliseconds(batch["arrived_at"].cast(pa.string())), window).sum())
    return arrived, total


def _within(millis: Seconds, window: tuple[int, int]) -> Flags:
    inside: Flags = (millis > window[0]) & (millis <= window[1])
    return inside


def _file(path: Path) -> pq.ParquetFile:
    try:
        columns = pq.ParquetFile(path).schema
        # What the group of a map is called is its writer's choice.
        paths = [columns.column(i).path for i in range(len(columns))]
        keys = [each for each in paths if each.startswith("features.") and each.endswith(".key")]
        file = pq.ParquetFile(path, read_dictionary=keys)
    except (pa.ArrowInvalid, OSError) as error:
        raise ValueError(f"{path.name} is not Parquet: {error}") from error
    if missing := sorted({*COLUMNS, "features"} - set(file.schema_arrow.names)):
        raise ValueError(f"{path.name} lacks {', '.join(missing)}")
    return file


def _batches(path: Path, window: tuple[int, int], kept: float) -> Iterator[_Batch]:
    for batch in _file(path).iter_batches(ROWS_AT_A_TIME, columns=[*COLUMNS, "features"]):
        chosen = batch if kept >= 1 else batch.filter(pa.array(_chosen(batch["card_token"], kept)))
        table = pa.table({name: chosen[name].cast(kind) for name, kind in COLUMNS.items()})
        in_window = _within(milliseconds(table["arrived_at"]), window)
        maps = chosen["features"].filter(pa.array(in_window))
        contracts = chosen["contract"].cast(pa.string()).filter(pa.array(in_window))
        yield _Batch(table, in_window, served.flatten(maps)[0], served.readable(maps, contracts))


def _chosen(cards: pa.Array, kept: float) -> Flags:
    """Whether a card is looked at."""
    distinct = cards.cast(pa.string()).dictionary_encode()
    hashed = [zlib.crc32(card.encode()) % CARD_BUCKETS for card in distinct.dictionary.to_pylist()]
    of_card = np.array(hashed, dtype=np.int64) < kept * CARD_BUCKETS
    chosen: Flags = of_card[distinct.indices.to_numpy()]
    return chosen


def _nothing() -> _Batch:
    none = np.zeros(0, dtype=np.bool_)
    width = len(features.NAMES)
    table = pa.table({name: pa.array([], kind) for name, kind in COLUMNS.items()})
    return _Batch(table, none, np.empty((0, width), dtype=np.float32), none)


def _rows(batches: list[_Batch]) -> Rows:
    table = pa.concat_tables([each.table for each in batches])
    in_window = np.concatenate([each.in_window for each in batches])
    occurred, arrived = milliseconds(table["occurred_at"]), milliseconds(table["arrived_at"])
    at = np.where(occurred > arrived + served.CLOCK_TOLERANCE * 1000, arrived, occurred) // 1000
    keys = pa.table({"at": at, "transaction_id": table["transaction_id"]})
    order = pc.sort_indices(keys, sort_keys=[("at", "ascending"), ("transaction_id", "ascending")])
    places = order.to_numpy()
    # Where each row of the window went.
    place_of = np.empty(len(places), dtype=np.int64)
    place_of[places] = np.arange(len(places))
    matrix = np.full((len(places), len(features.NAMES)), np.nan, dtype=np.float32)
    readable = np.zeros(len(places), dtype=np.bool_)
    inside = place_of[in_window]
    matrix[inside] = np.concatenate([each.features for each in batches])
    readable[inside] = np.concatenate([each.readable for each in batches])
    return _laid_out(table.take(order), at[places], in_window[places], matrix, readable)


def _laid_out(table: pa.Table, at: Seconds, in_window: Flags, matrix: Matrix, readable: Flags) -> Rows:
    packages = table["model_package"].combine_chunks().dictionary_encode()
    return Rows(
        events=table.select(list(EVENT)),
        at=at,
        arrived_at=milliseconds(table["arrived_at"]) // 1000,
        in_window=in_window,
        features=matrix,
        readable=readable,
        action=_words(pc.index_in(table["action"], value_set=pa.array(ACTIONS))),
        score=pc.fill_null(table["score"], np.nan).to_numpy(),
        propensity=pc.fill_null(table["propensity"], 1.0).to_numpy(),
        package=pc.fill_null(packages.indices, -1).to_numpy().astype(np.int32),
        packages=tuple(packages.dictionary.to_pylist()),
        degraded=_flags(table["degraded"]),
        judged=_flags(pc.is_valid(table["is_fraud"])),
        is_fraud=_flags(table["is_fraud"]),
        known_at=_verdict_time(table["known_at"]),
        first_fraud_at=_verdict_time(table["first_fraud_at"]),
        review=_words(table["review_is_fraud"].cast(pa.int8())),
        chargeback=_words(table["chargeback_is_fraud"].cast(pa.int8())),
    )


def _verdict_time(texts: pa.ChunkedArray) -> Seconds:
    millis = milliseconds(texts)
    return np.where(millis == _NEVER_MS, NEVER, millis // 1000)


def _flags(values: pa.ChunkedArray) -> Flags:
    flags: Flags = pc.fill_null(values, False).to_numpy()
    return flags


def _words(values: pa.ChunkedArray) -> Words:
    """Small numbers; -1 where there is none."""
    words: Words = pc.fill_null(values.cast(pa.int8()), -1).to_numpy()
    return words
