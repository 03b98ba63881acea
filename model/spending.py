"""Genuine spending: when, where and how much each card of a population pays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from model.population import (
    CATEGORY_SPEND,
    FAVOURITES,
    NEAR,
    Cards,
    Flags,
    Floats,
    Integers,
    Terminals,
    pick_abroad,
)

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
_HOURS_AROUND_PEAK = 3.5
_AMOUNT_SPREAD = 0.45
_WEEKEND_RATE = 1.25
_SMALLEST = 50


@dataclass(frozen=True, slots=True)
class Payments:
    """Transactions as columns.

    Args:
        at: milliseconds since the simulation began.
        card: index of the card.
        terminal: index of the terminal.
        amount: minor units.
        kind: position in `model.fraudsters.KINDS`; 0 is genuine.
    """

    at: Integers
    card: Integers
    terminal: Integers
    amount: Integers
    kind: Integers

    def __len__(self) -> int:
        return len(self.at)


def concatenate(parts: list[Payments]) -> Payments:
    """All parts in the order of their time."""
    columns = [
        np.concatenate([getattr(part, name) for part in parts]) for name in ("at", "card", "terminal", "amount", "kind")
    ]
    order = np.argsort(columns[0], kind="stable")
    return Payments(*(column[order] for column in columns))


def spend(rng: np.random.Generator, cards: Cards, terminals: Terminals, days: int, first_weekday: int) -> Payments:
    """The genuine transactions of all cards; `first_weekday` of day 0, Monday = 0."""
    card, day = _visits(rng, cards.rate, days, first_weekday)
    hour = rng.normal(cards.peak_hour[card], _HOURS_AROUND_PEAK) % 24
    at = day * DAY_MS + (hour * HOUR_MS).astype(np.int64)
    terminal = _places(rng, cards, terminals, card, at / DAY_MS)
    mean = cards.mean_amount[card] * CATEGORY_SPEND[terminals.category[terminal]]
    return Payments(at, card, terminal, _amounts(rng, mean), np.zeros(len(at), dtype=np.int64))


def _visits(rng: np.random.Generator, rate: Floats, days: int, first_weekday: int) -> tuple[Integers, Integers]:
    weekend = (np.arange(days) + first_weekday) % 7 >= 5
    expected = rate[:, None] * np.where(weekend, _WEEKEND_RATE, 1.0)[None, :]
    counts = rng.poisson(expected).ravel()
    cell = np.repeat(np.arange(len(counts)), counts)
    return cell // days, cell % days


def _places(rng: np.random.Generator, cards: Cards, terminals: Terminals, card: Integers, day: Floats) -> Integers:
    preference = rng.random(len(card)) ** 2  # the nearest and dearest most often
    near = cards.near[card, (preference * NEAR).astype(np.int64)]
    shops = cards.favourites[card, (preference * FAVOURITES).astype(np.int64)]
    begin, end, country = cards.trip
    away: Flags = (day >= begin[card]) & (day < end[card])
    abroad = pick_abroad(rng, country[card], terminals)
    online = rng.random(len(card)) < cards.online_share[card]
    return np.where(online, shops, np.where(away, abroad, near))


def _amounts(rng: np.random.Generator, mean: Floats) -> Integers:
    drawn = mean * rng.lognormal(-(_AMOUNT_SPREAD**2) / 2, _AMOUNT_SPREAD, len(mean))
    return np.maximum(drawn, _SMALLEST).astype(np.int64)
