"""Examples where nothing was served yet: past or simulated transactions, with the features they would have had."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from model import offline_features
from model.examples import EVENT, Examples, Flags, UnreadableRows
from model.history import NEVER, History, Seconds, seconds
from model.simulator import Simulation, SimulationConfig, simulate

SIMULATED_DAYS = 45
SIMULATED_CARDS = 950
"""About 60,000 transactions."""

_NEEDED = ("transaction_id", "occurred_at", "card_token", "terminal_id", "amount_minor", "is_fraud")
_ORDER = [("occurred_at", "ascending"), ("transaction_id", "ascending")]
_TIME = pa.timestamp("us", tz="UTC")
_AS_TEXT = {name: pa.string() for name, kind in EVENT.items() if kind == pa.string()}
_TEXT_COLUMNS = {**_AS_TEXT, "occurred_at": pa.string(), "labelled_at": pa.string()}
# Only what is empty is null: NA is a country.
_CSV = pa.csv.ConvertOptions(column_types=_TEXT_COLUMNS, strings_can_be_null=True, null_values=[""])


def read(folder: Path, as_of: int, label_delay: int) -> Examples:
    """Past transactions from Parquet or CSV files, with what was known of them at a moment.

    Args:
        folder: of the files: the columns of the transaction event, `is_fraud` and, if there is one, `labelled_at`.
        as_of: what happened or became known later is left out, seconds since 1970.
        label_delay: how long after the event an outcome became known where there is no `labelled_at`, seconds.

    Raises:
        UnreadableRows: no file, or a column is missing.
    """
    paths = [path for path in sorted(folder.rglob("*.*")) if path.suffix in (".parquet", ".csv")]
    if not paths:
        raise UnreadableRows("the history holds no file whose name ends with .parquet or .csv")
    table = pa.concat_tables(map(_read_file, paths), promote_options="default")
    known_at = seconds(table["occurred_at"]) + label_delay
    if "labelled_at" in table.column_names:
        given = table["labelled_at"]
        known_at = np.where(pc.is_valid(given).to_numpy(), seconds(pc.fill_null(given, 0)), NEVER)
    return _computed(table, known_at, as_of)


def simulated(as_of: int) -> Examples:
    """A simulated market of the last weeks, and the verdicts on it so far."""
    moment = datetime.fromtimestamp(as_of, UTC)
    # Days of the simulator begin at midnight.
    start = moment.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=SIMULATED_DAYS)
    market, _ = simulate(SimulationConfig(start=start, days=SIMULATED_DAYS + 1, cards=SIMULATED_CARDS)).cut(moment)
    table, known_at = _with_verdicts(market)
    return _computed(table, known_at, as_of)


def _with_verdicts(market: Simulation) -> tuple[pa.Table, Seconds]:
    transactions, labels = market.transactions, market.labels
    verdict = pc.index_in(transactions["transaction_id"], value_set=labels["transaction_id"])
    given = seconds(labels["labelled_at"])[pc.fill_null(verdict, 0).to_numpy()]
    place = transactions.column_names.index("is_fraud")
    table = transactions.set_column(place, "is_fraud", labels["is_fraud"].take(verdict))
    return table, np.where(pc.is_valid(verdict).to_numpy(), given, NEVER)


def _read_file(path: Path) -> pa.Table:
    table = pa.csv.read_csv(path, convert_options=_CSV) if path.suffix == ".csv" else pq.read_table(path)
    if missing := sorted(set(_NEEDED) - set(table.column_names)):
        raise UnreadableRows(f"{path.name} lacks {', '.join(missing)}")
    columns = {name: table[name].cast(kind) for name, kind in EVENT.items() if name in table.column_names}
    columns["is_fraud"] = table["is_fraud"].cast(pa.bool_())
    times = [name for name in ("occurred_at", "labelled_at") if name in table.column_names]
    return pa.table(columns | {name: table[name].cast(_TIME) for name in times})


def _computed(table: pa.Table, known_at: Seconds, as_of: int) -> Examples:
    """Rows up to a moment with their features, each verdict counting from when it was known."""
    happened = seconds(table["occurred_at"]) <= as_of
    table = table.append_column("known_at", pa.array(known_at)).filter(pa.array(happened)).sort_by(_ORDER)
    at, given = seconds(table["occurred_at"]), table["known_at"].to_numpy()
    judged: Flags = pc.is_valid(table["is_fraud"]).to_numpy() & (given <= as_of)
    is_fraud = judged & pc.fill_null(table["is_fraud"], False).to_numpy()
    known = np.where(judged, np.maximum(given, at), NEVER)
    matrix = offline_features.compute(_history(table, is_fraud, known))
    return Examples(
        events=_events(table),
        at=at,
        arrived_at=at,
        features=matrix,
        named=np.ones(matrix.shape, dtype=np.bool_),
        readable=np.ones(len(at), dtype=np.bool_),
        blocked=np.zeros(len(at), dtype=np.bool_),
        judged=judged,
        is_fraud=is_fraud,
        known_at=known,
        first_fraud_at=np.where(is_fraud, known, NEVER),
    ).ordered()


def _history(table: pa.Table, is_fraud: Flags, known_at: Seconds) -> History:
    """The rows, which stand in the order of a history, with the frauds that are known."""
    columns = {name: table[name] for name in _NEEDED} | {"is_fraud": pa.array(is_fraud)}
    history = History.from_table(pa.table(columns), timedelta())
    return replace(history, known_at=np.where(is_fraud, known_at, NEVER))


def _events(table: pa.Table) -> pa.Table:
    """The columns of the event, null where there is none."""
    rows = table.num_rows
    return pa.table({n: table[n] if n in table.column_names else pa.nulls(rows, kind) for n, kind in EVENT.items()})
