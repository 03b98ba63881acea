"""The entities whose history features are read from, their shapes and their keys."""

from __future__ import annotations

from typing import Protocol

from fraud import windows
from fraud.windows import EntityState, Level, Shape

MINUTE, HOUR, DAY = 60, 3600, 86400
MONTH = 30 * DAY

CARD = Shape(
    # One tile more than the longest window of the level: a window reads back from the event, which may be late.
    levels=(Level(5 * MINUTE, 3 * 12 + 1), Level(HOUR, 48 + 1), Level(DAY, 30 + 1), Level(MONTH, 4 + 1)),
    sums=("count", "amount", "amount_squared", "unusual", "unusual_amount"),
)
MINUTES, HOURS, DAYS, MONTHS = range(4)

TERMINAL = Shape(levels=(Level(DAY, 36 + 2),), sums=("count", "frauds", "ordinary_frauds"))
TERMINAL_DAYS = 0

LARGEST_SQUARED_AMOUNT = 10**8
"""Amounts above this many major units count as this many in the sum of squares, which then fits 64 bits."""


class Verdict(Protocol):
    """What a terminal learns of a label: `known_at` in seconds since 1970."""

    @property
    def is_fraud(self) -> bool: ...
    @property
    def known_at(self) -> int: ...


def card_key(card_token: str) -> str:
    """Key of a card's state."""
    return f"card#{card_token}"


def terminal_key(terminal_id: str) -> str:
    """Key of a terminal's state."""
    return f"terminal#{terminal_id}"


def early_label_key(transaction_id: str) -> str:
    """Key under which a label waits for its transaction."""
    return f"label#{transaction_id}"


def spend(card: EntityState, at: int, amount_minor: int, *, unusual: bool = False) -> EntityState:
    """The card after one transaction; `unusual` when the amount was far above the card's mean at that time."""
    major = min(amount_minor // 100, LARGEST_SQUARED_AMOUNT)
    apart = (1, amount_minor) if unusual else (0, 0)
    return windows.add(card, CARD, at, (1, amount_minor, major * major, *apart))


def visit(terminal: EntityState, at: int, transactions: int = 1) -> EntityState:
    """The terminal after transactions of one day."""
    return windows.add(terminal, TERMINAL, at, (transactions, 0, 0))


def report_fraud(terminal: EntityState, known_at: int, frauds: int = 1, *, ordinary: bool = False) -> EntityState:
    """The terminal after a fraud became known; -1 takes a withdrawn label back.

    Frauds count on the day they became known, not the day they happened: so a window holds only what was known then.
    `ordinary` frauds have an amount that is usual for their card: they speak of the terminal rather than of the card.
    """
    return windows.add(terminal, TERMINAL, known_at, (0, frauds, frauds if ordinary else 0))


def change_verdict(terminal: EntityState, before: Verdict | None, after: Verdict, *, ordinary: bool) -> EntityState:
    """The terminal after a verdict took the place of another: what the former added is taken back."""
    if before is not None and before.is_fraud:
        terminal = report_fraud(terminal, before.known_at, -1, ordinary=ordinary)
    return report_fraud(terminal, after.known_at, ordinary=ordinary) if after.is_fraud else terminal
