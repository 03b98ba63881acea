"""Training sets from the archive of events: features that did not exist when a decision was made, filled in since.

The archive repeats what was delivered twice, holds decisions and verdicts as they were written, and knows nothing of
features that came later. Its events, folded again, give them: a new feature can be trained on at once, past included.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from fraud.transaction import FROM_THE_FUTURE
from model import dataset
from model.dataset import MATURITY, Dataset, Progress

Document = Mapping[str, Any]

TIME = pa.timestamp("ms", tz="UTC")
EVENT = {
    "transaction_id": pa.string(),
    "card_token": pa.string(),
    "terminal_id": pa.string(),
    "amount_minor": pa.int64(),
}
VERDICT = {"transaction_id": pa.string(), "is_fraud": pa.bool_(), "source": pa.string()}


def backfill(
    decisions: Iterable[Document],
    verdicts: Iterable[Document],
    as_of: datetime,
    maturity: timedelta = MATURITY,
    progress: Progress | None = None,
) -> Dataset:
    """Every feature of today's table for every archived decision.

    Args:
        decisions: what `decisions/` in the archive holds, in any order, repetitions included.
        verdicts: what `labels/` holds, likewise.
        as_of: verdicts that were given later are not looked at.
        maturity: age at which the outcome of a transaction is settled.
        progress: called now and then.
    """
    return dataset.assemble(transactions(decisions), labels(verdicts), as_of, maturity, progress)


def transactions(decisions: Iterable[Document]) -> pa.Table:
    """The events behind decisions, each once; one from the future counts at its arrival, as it did when it came."""
    once = list({each["transaction_id"]: each for each in decisions}.values())
    return pa.table({**_columns(once, EVENT), "occurred_at": _times(map(_event_time, once))})


def labels(verdicts: Iterable[Document]) -> pa.Table:
    """Verdicts as events; repetitions do no harm."""
    given = list(verdicts)
    return pa.table({**_columns(given, VERDICT), "labelled_at": _times(each["labelled_at"] for each in given)})


def _columns(documents: Sequence[Document], types: Mapping[str, pa.DataType]) -> dict[str, pa.Array]:
    return {name: pa.array([each[name] for each in documents], type_) for name, type_ in types.items()}


def _event_time(decision: Document) -> str:
    time: str = decision["arrived_at" if FROM_THE_FUTURE in decision.get("flags", ()) else "occurred_at"]
    return time


def _times(texts: Iterable[str]) -> pa.Array:
    return pc.cast(pa.array(texts, pa.string()), TIME)
