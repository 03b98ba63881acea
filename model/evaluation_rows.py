"""The rows a candidate is measured on: features, outcomes, and what segments and groups are told by."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from model.weighted_metrics import Outcomes

DAY = 86_400
COLUMNS = ("is_fraud", "occurred_at", "transaction_id", "card_token", "amount_minor", "channel", "country")
"""Read always, beside the features of the contracts and the fields of which fairness is looked at."""


class UnusableRows(ValueError):
    """There is nothing to measure on, or it cannot be told what."""


def read(directory: Path, fields: Sequence[str]) -> pa.Table:
    """All Parquet files below a directory, in the order of time.

    Raises:
        UnusableRows: no file, a column is missing, or there are not both frauds and genuine transactions.
    """
    paths = sorted(directory.rglob("*.parquet"))
    if not paths:
        raise UnusableRows(f"{directory} holds no Parquet file")
    table = pa.concat_tables([pq.read_table(path) for path in paths], promote_options="permissive")
    missing = [name for name in dict.fromkeys((*COLUMNS, *fields)) if name not in table.column_names]
    if missing:
        raise UnusableRows(f"the rows lack {', '.join(missing)}")
    _require_both_kinds(table)
    return table.sort_by([("occurred_at", "ascending"), ("transaction_id", "ascending")])


def outcomes(rows: pa.Table) -> Outcomes:
    """What became of rows; days are counted from the first."""
    cards = rows["card_token"].combine_chunks().dictionary_encode()
    at = rows["occurred_at"].to_numpy()
    return Outcomes(
        is_fraud=rows["is_fraud"].to_numpy() > 0,
        card=cards.indices.to_numpy().astype(np.int64),
        cards=len(cards.dictionary),
        day=(at - at[0]) // DAY,
        amount=rows["amount_minor"].to_numpy(),
    )


def when(seconds: int) -> str:
    """A moment, RFC 3339."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def _require_both_kinds(table: pa.Table) -> None:
    frauds = pc.sum(table["is_fraud"].cast(pa.int64())).as_py() or 0
    if frauds in (0, table.num_rows):
        raise UnusableRows(f"{table.num_rows:,} rows and {frauds:,} frauds to measure on; both kinds are needed")
