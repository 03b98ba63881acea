"""Fraud of several kinds, laid over genuine spending.

The first three are those of the Fraud Detection Handbook (fraud-detection-handbook.github.io, chapter 3): amounts above
a threshold, compromised terminals, compromised cards. Card testing and account takeover add what only shows within
minutes or hours; gift-card runs are a pattern that appears with drift, unknown to a model trained before it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from model.population import COUNTRIES, Cards, Flags, Floats, Integers, Terminals, pick_abroad
from model.spending import DAY_MS, HOUR_MS, Payments

KINDS = (
    "genuine",
    "large_amount",
    "compromised_terminal",
    "compromised_card",
    "card_testing",
    "account_takeover",
    "gift_card_run",
)
_LARGE, _TERMINAL, _CARD, _TESTING, _TAKEOVER, _GIFT_CARDS = range(1, len(KINDS))

SHARES = (0.1, 0.24, 0.2, 0.28, 0.18)
"""How frauds divide among the kinds that are always there, in the order of `KINDS`."""

LARGE_AMOUNT = 22_000
TERMINAL_DAYS, CARD_DAYS = 28, 14
BURST_SIZES, TAKEOVER_SIZES = (12, 40), (4, 12)
_BURST_GAP_MS = 12_000.0
_TAKEOVER_GAP_MS = 25 * 60_000.0

Keep = Callable[[np.random.Generator, Integers], Integers]


def alter(rng: np.random.Generator, genuine: Payments, budget: int, days: int) -> Payments:
    """Turn some genuine payments into frauds of the Handbook's three kinds; `budget` is for all kinds together."""
    kind, amount = genuine.kind.copy(), genuine.amount.copy()
    terminals = _compromise(rng, genuine.terminal, genuine.at, TERMINAL_DAYS, days, round(budget * SHARES[1]), _every)
    kind[terminals] = _TERMINAL
    cards = _compromise(rng, genuine.card, genuine.at, CARD_DAYS, days, round(budget * SHARES[2]), _third)
    kind[cards] = _CARD
    amount[cards] *= 5
    large = rng.choice(len(genuine), round(budget * SHARES[0]), replace=False)
    kind[large] = _LARGE
    amount[large] = (LARGE_AMOUNT * (1 + rng.exponential(0.6, len(large)))).astype(np.int64)
    return Payments(genuine.at, genuine.card, genuine.terminal, amount, kind)


def run_card_testing(rng: np.random.Generator, cards: Cards, terminals: Terminals, budget: int, days: int) -> Payments:
    """Bursts of dozens of small amounts on one card, seconds apart, at one to three online shops."""
    sizes = rng.integers(*BURST_SIZES, round(budget * SHARES[3] / np.mean(BURST_SIZES)), endpoint=True)
    at, burst, _ = _sequences(rng, sizes, _BURST_GAP_MS, days)
    shops = rng.choice(np.flatnonzero(terminals.online), (len(sizes), 3))
    reach = rng.integers(1, 3, len(sizes), endpoint=True)
    terminal = shops[burst, (rng.random(len(at)) * reach[burst]).astype(np.int64)]
    card = rng.integers(0, len(cards.tokens), len(sizes))[burst]
    return Payments(at, card, terminal, rng.integers(50, 500, len(at)), _of_kind(_TESTING, len(at)))


def run_account_takeovers(
    rng: np.random.Generator, cards: Cards, terminals: Terminals, budget: int, days: int
) -> Payments:
    """Accounts used within hours in a country new to the card, for amounts that rise."""
    sizes = rng.integers(*TAKEOVER_SIZES, round(budget * SHARES[4] / np.mean(TAKEOVER_SIZES)), endpoint=True)
    at, which, step = _sequences(rng, sizes, _TAKEOVER_GAP_MS, days)
    victims = rng.integers(0, len(cards.tokens), len(sizes))
    country = (cards.country[victims] + rng.integers(1, len(COUNTRIES), len(sizes))) % len(COUNTRIES)
    terminal = pick_abroad(rng, country[which], terminals)
    amount = cards.mean_amount[victims][which] * 1.3**step * rng.uniform(0.8, 1.6, len(at))
    return Payments(at, victims[which], terminal, amount.astype(np.int64), _of_kind(_TAKEOVER, len(at)))


def run_gift_cards(rng: np.random.Generator, cards: Cards, terminals: Terminals, budget: int, days: int) -> Payments:
    """Round amounts at night at terminals near the card's home, once per card and night: ordinary velocity."""
    count = max(budget, 1)
    card = rng.integers(0, len(cards.tokens), count)
    at = rng.integers(0, days, count) * DAY_MS + (rng.uniform(1, 5, count) * HOUR_MS).astype(np.int64)
    amount = rng.choice([10_000, 15_000, 20_000], count)
    return Payments(at, card, cards.near[card, 0], amount, _of_kind(_GIFT_CARDS, count))


def _compromise(
    rng: np.random.Generator, entity: Integers, at: Integers, span: int, days: int, budget: int, keep: Keep
) -> Integers:
    """Rows of entities while each was compromised for `span` days; entities are drawn until the budget is used.

    One whose rows exceed what is left of the budget is passed over, so that no popular shop uses up a small one.
    """
    order = np.lexsort((at, entity))
    bounds = np.searchsorted(entity[order], np.arange(entity.max() + 2))
    found: list[Integers] = []
    left = budget
    candidates = rng.permutation(len(bounds) - 1)
    begins = (1 - span + _spread(rng, len(candidates)) * (days + span - 1)) * DAY_MS
    for which, begin in zip(candidates, begins, strict=True):
        rows = order[bounds[which] : bounds[which + 1]]
        rows = keep(rng, rows[_within(at[rows], begin, span)])
        if 0 < len(rows) <= left:
            found.append(rows)
            left -= len(rows)
        if left <= 0:
            break
    return np.concatenate(found) if found else np.empty(0, dtype=np.int64)


def _spread(rng: np.random.Generator, count: int) -> Floats:
    """Numbers in [0, 1) of which any run is even: a short simulation has its share of every kind in every week.

    Multiples of the golden ratio, from a random start.
    """
    spread: Floats = np.modf(rng.random() + np.arange(count) * 0.6180339887498949)[0]
    return spread


def _within(at: Integers, begin: float, span: int) -> Flags:
    return (at >= begin) & (at < begin + span * DAY_MS)


def _every(_: np.random.Generator, rows: Integers) -> Integers:
    return rows


def _third(rng: np.random.Generator, rows: Integers) -> Integers:
    return rows[rng.random(len(rows)) < 1 / 3]


def _sequences(
    rng: np.random.Generator, sizes: Integers, gap_ms: float, days: int
) -> tuple[Integers, Integers, Integers]:
    """Times of sequences that start anywhere, the sequence of each row, and the row's position in it."""
    which = np.repeat(np.arange(len(sizes)), sizes)
    first = np.cumsum(sizes) - sizes
    step = np.arange(len(which)) - first[which]
    elapsed = np.cumsum(rng.exponential(gap_ms, len(which)))
    start = _spread(rng, len(sizes)) * (days * DAY_MS - 12 * HOUR_MS)
    at = start[which] + elapsed - elapsed[first][which]
    return at.astype(np.int64), which, step


def _of_kind(kind: int, count: int) -> Integers:
    return np.full(count, kind, dtype=np.int64)
