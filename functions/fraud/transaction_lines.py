"""What the log says of single transactions: of those that something went wrong with, each under `transaction_id`.

The good path writes one line a batch, whatever its size. Nothing of a payload but its id gets here, and no id that
looks like a card number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import msgspec

from fraud import card_numbers
from fraud.batch_report import BatchReport
from fraud.transaction import LARGEST_PAYLOAD, Identifier

MOST_LINES = 10
"""Of a kind, in one invocation: an outage of a model must not make the log the slowest part of a batch."""

Line = tuple[str, dict[str, Any]]
"""A message and its keys."""


class _Named(msgspec.Struct):
    transaction_id: Identifier


_decode = msgspec.json.Decoder(_Named).decode


def transaction_id(payload: bytes) -> str | None:
    """The id that a record names, be the rest of it as it may; None if it names none that may be logged."""
    if len(payload) > LARGEST_PAYLOAD:
        return None
    try:
        named = _decode(payload).transaction_id
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return None if card_numbers.contains(named) else named


def of_batch(report: BatchReport, refused: str) -> Iterator[Line]:
    """Lines about a scored batch; `refused` is the message for what cannot be accepted."""
    for message, found in ((refused, report.rejected), ("transaction not set aside", report.unstored)):
        for each in found[:MOST_LINES]:
            yield message, {"transaction_id": transaction_id(each.payload), "reason": each.reason}
    yield from told("transaction not decided", report.undecided)
    # Where no model serves yet, rules decide as they should.
    degraded = (each for each in report.decided if each.degraded and each.slot)
    for decision in islice(degraded, MOST_LINES):
        found_id = decision.accepted.transaction.transaction_id
        yield "transaction decided without its model", {"transaction_id": found_id, "slot": decision.slot}


def told(message: str, transaction_ids: Iterable[str | None]) -> Iterator[Line]:
    """The same message about the first of several transactions."""
    for each in islice(transaction_ids, MOST_LINES):
        yield message, {"transaction_id": each}
