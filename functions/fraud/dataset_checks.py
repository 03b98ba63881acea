"""What the examination of a data set found, `checks.json`, and whether a model may be learned from it.

The job `examine` writes it; the state machine asks what follows.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Literal

import msgspec

from fraud.errors import InvalidEvidence

DOCUMENT = "checks.json"
LARGEST_DOCUMENT = 1024 * 1024


class Outcome(StrEnum):
    """What a check says, the worst last."""

    PASSED = "passed"
    NOT_ENOUGH = "not_enough"
    UNFIT = "unfit"


WORST_LAST = tuple(Outcome)


class Check(msgspec.Struct, frozen=True):
    """One check.

    Args:
        name: of it.
        outcome: `not_enough` asks for patience, `unfit` for a person.
        sentence: what was found, and what is allowed.
        observed: the number it rests on; None where there is none.
        limit: what it was held against.
        details: what helps to find the cause, a transaction's identifier among them; neither logged nor told.
    """

    name: str
    outcome: Outcome
    sentence: str
    observed: float | None = None
    limit: float | None = None
    details: dict[str, str] = {}


class Part(msgspec.Struct, frozen=True):
    """Rows that are learned from, or measured on.

    Args:
        rows: transactions.
        frauds: of them.
        first_at, last_at: event time of the first and the last, RFC 3339; empty without rows.
    """

    rows: int
    frauds: int
    first_at: str = ""
    last_at: str = ""


class Checks(msgspec.Struct, frozen=True):
    """`checks.json`, schema version 1.

    Args:
        source: where the rows come from: `archive`, `history` or `simulator`.
        rows: transactions read, each once.
        learning: what is learned from.
        evaluation: what is measured on.
        gap_days: days between the two.
        left_out: rows that neither has, by the reason.
        checks: all of them, in the order they were made.
    """

    schema_version: Literal[1]
    source: Literal["archive", "history", "simulator"]
    rows: int
    learning: Part
    evaluation: Part
    gap_days: float
    left_out: dict[str, int]
    checks: tuple[Check, ...]


def parse(text: bytes) -> Checks:
    """Raises: InvalidEvidence: it is not what `examine` writes."""
    try:
        return msgspec.json.decode(text, type=Checks)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidEvidence(f"{DOCUMENT} cannot be read: {error}") from error


def outcome(found: Checks) -> Outcome:
    """The worst of all checks; none at all are unfit."""
    return max((each.outcome for each in found.checks), key=WORST_LAST.index, default=Outcome.UNFIT)


def told(found: Checks) -> str:
    """What follows, in words: the reasons against it, or what there is to learn from."""
    if reasons := " ".join(_reasons(found)):
        return reasons
    learning, evaluation = found.learning, found.evaluation
    return (
        f"{learning.rows:,} transactions with {learning.frauds:,} frauds to learn from, "
        f"{evaluation.rows:,} with {evaluation.frauds:,} to measure on."
    )


def _reasons(found: Checks) -> Iterator[str]:
    worst = outcome(found)
    if not found.checks:
        yield "Nothing was checked."
    yield from (each.sentence for each in found.checks if each.outcome is worst and worst is not Outcome.PASSED)
