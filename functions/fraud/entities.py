"""The entities whose history features are read from, their shapes and their keys."""

from __future__ import annotations

from fraud import windows
from fraud.windows import EntityState, Level, Shape

MINUTE, HOUR, DAY = 60, 3600, 86400

CARD = Shape(
    # One tile more than the longest window of the level: a window reads back from the event, which may be late.
    levels=(Level(5 * MINUTE, 3 * 12 + 1), Level(HOUR, 48 + 1), Level(DAY, 30 + 1)),
    sums=("count", "amount", "amount_squared"),
)
MINUTES, HOURS, DAYS = range(3)

TERMINAL = Shape(levels=(Level(DAY, 30 + 2),), sums=("count", "frauds"))
TERMINAL_DAYS = 0

LARGEST_SQUARED_AMOUNT = 10**8
"""Amounts above this many major units count as this many in the sum of squares, which then fits 64 bits."""


def card_key(card_token: str) -> str:
    """Key of a card's state."""
    return f"card#{card_token}"


def terminal_key(terminal_id: str) -> str:
    """Key of a terminal's state."""
    return f"terminal#{terminal_id}"


def early_label_key(transaction_id: str) -> str:
    """Key under which a label waits for its transaction."""
    return f"label#{transaction_id}"


def spend(card: EntityState, at: int, amount_minor: int) -> EntityState:
    """The card after one transaction."""
    major = min(amount_minor // 100, LARGEST_SQUARED_AMOUNT)
    return windows.add(card, CARD, at, (1, amount_minor, major * major))


def visit(terminal: EntityState, at: int, transactions: int = 1) -> EntityState:
    """The terminal after transactions of one day."""
    return windows.add(terminal, TERMINAL, at, (transactions, 0))


def report_fraud(terminal: EntityState, known_at: int, frauds: int = 1) -> EntityState:
    """The terminal after a fraud became known; -1 takes a withdrawn label back.

    Frauds count on the day they became known, not the day they happened: so a window holds only what was known then.
    """
    return windows.add(terminal, TERMINAL, known_at, (0, frauds))
