"""Transactions with their outcomes as numpy columns, in the total order in which features are defined."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

NEVER = 2**62
"""When a fraud becomes known that nobody reports, and when a genuine transaction becomes known as fraud."""

Seconds = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class History:
    """One row per transaction, ordered by event time and then by identifier, which decides at the same instant.

    Args:
        transaction_ids: of the rows.
        at: event time, whole seconds since 1970.
        card, terminal: positions in `card_tokens` and `terminal_ids`.
        amount_minor: minor units of the currency.
        is_fraud: the outcome.
        known_at: when the fraud became known, whole seconds since 1970; never before `at`, NEVER without a verdict.
        card_tokens, terminal_ids: what the codes stand for.
    """

    transaction_ids: pa.Array
    at: Seconds
    card: Codes
    terminal: Codes
    amount_minor: npt.NDArray[np.int64]
    is_fraud: npt.NDArray[np.bool_]
    known_at: Seconds
    card_tokens: pa.Array
    terminal_ids: pa.Array

    def __len__(self) -> int:
        return len(self.at)

    @classmethod
    def from_table(cls, table: pa.Table, label_delay: timedelta) -> History:
        """Read a table of transaction events with `is_fraud`, in any order.

        Args:
            table: `transaction_id`, `occurred_at` (a timestamp), `card_token`, `terminal_id`, `amount_minor`,
                `is_fraud` and, if there is one, `labelled_at`: when the verdict was given, null where none was.
            label_delay: how long after the event a fraud becomes known where the table has no `labelled_at`.
        """
        ordered = table.take(_total_order(table))
        at = seconds(ordered["occurred_at"])
        is_fraud = ordered["is_fraud"].cast(pa.bool_()).to_numpy()
        card, terminal = _codes(ordered["card_token"]), _codes(ordered["terminal_id"])
        return cls(
            transaction_ids=ordered["transaction_id"].combine_chunks(),
            at=at,
            card=card.indices.to_numpy(),
            terminal=terminal.indices.to_numpy(),
            amount_minor=ordered["amount_minor"].cast(pa.int64()).to_numpy(),
            is_fraud=is_fraud,
            known_at=np.where(is_fraud, _known_at(ordered, at, label_delay), NEVER),
            card_tokens=card.dictionary,
            terminal_ids=terminal.dictionary,
        )


def _total_order(table: pa.Table) -> pa.Array:
    keys = [("occurred_at", "ascending"), ("transaction_id", "ascending")]
    return pc.sort_indices(table.select(["occurred_at", "transaction_id"]), sort_keys=keys)


def _codes(names: pa.ChunkedArray) -> pa.DictionaryArray:
    return names.combine_chunks().dictionary_encode()


def _known_at(ordered: pa.Table, at: Seconds, label_delay: timedelta) -> Seconds:
    if "labelled_at" not in ordered.column_names:
        return at + int(label_delay.total_seconds())
    verdict = ordered["labelled_at"]
    known: Seconds = np.where(verdict.is_valid().to_numpy(), seconds(pc.fill_null(verdict, 0)), NEVER)
    # A verdict that comes before its transaction waits for it.
    return np.maximum(known, at)


def seconds(times: pa.ChunkedArray) -> Seconds:
    """Whole seconds since 1970, as the event parser counts them."""
    micros = times.cast(pa.timestamp("us", tz=times.type.tz or str(UTC)), safe=False).cast(pa.int64()).to_numpy()
    whole: Seconds = micros // 1_000_000
    return whole
