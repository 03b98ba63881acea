"""Who spends and where: the cards and terminals of a simulated payments market.

Each country is a square with its own terminals and cards; a card pays mostly at the terminals nearest to its home and
at a few favourite online shops. Attributes are columns over the index of a card or a terminal.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

COUNTRIES = ("DE", "FR", "NL", "ES")
_COUNTRY_SHARES = (0.4, 0.3, 0.2, 0.1)

# Merchant category codes of ISO 18245: groceries, fuel, restaurants, pharmacies, electronics, clothing, travel.
CATEGORIES = ("5411", "5541", "5812", "5912", "5732", "5651", "4722", "5816")
ONLINE_CATEGORIES = (4, 5, 6, 7)
_CATEGORY_SHARES = (0.34, 0.16, 0.2, 0.1, 0.06, 0.1, 0.04)
CATEGORY_SPEND = np.array([0.9, 1.0, 0.9, 0.7, 1.5, 1.3, 1.7, 0.6])
"""Mean amount in a category over the card's mean."""

NEAR, FAVOURITES = 12, 6
_CARDS_AT_A_TIME = 512


@dataclass(frozen=True, slots=True)
class Terminals:
    """Where cards are used.

    Args:
        online: the shop has no place; cards of all countries use it.
        category: position in `CATEGORIES`.
        country: position in `COUNTRIES`.
        pool: physical terminals ordered by country.
        pool_bounds: where each country starts in `pool`, and where the last ends.
    """

    ids: list[str]
    online: Flags
    category: Integers
    country: Integers
    place: Floats
    pool: Integers
    pool_bounds: Integers


@dataclass(frozen=True, slots=True)
class Cards:
    """Who pays: one profile per card.

    Args:
        mean_amount: minor units.
        rate: transactions a day.
        peak_hour: the hour of the day around which the card is used, UTC.
        online_share: share of its transactions that are online.
        near: physical terminals by distance from home, one row per card.
        favourites: online shops by preference, one row per card.
        trip: begin and end in days of a journey, and the country travelled to.
    """

    tokens: list[str]
    country: Integers
    mean_amount: Floats
    rate: Floats
    peak_hour: Floats
    online_share: Floats
    near: Integers
    favourites: Integers
    trip: tuple[Floats, Floats, Integers]


def open_terminals(rng: np.random.Generator, count: int, online_share: float = 0.15) -> Terminals:
    """Terminals of all countries; every country has some physical and there is always an online shop."""
    online = np.arange(count) < max(1, round(count * online_share))
    country = rng.choice(len(COUNTRIES), count, p=_COUNTRY_SHARES)
    physical = np.flatnonzero(~online)
    country[physical[: len(COUNTRIES)]] = np.arange(len(COUNTRIES))
    category = rng.choice(len(_CATEGORY_SHARES), count, p=_CATEGORY_SHARES)
    category[online] = rng.choice(ONLINE_CATEGORIES, int(online.sum()))
    pool = physical[np.argsort(country[physical], kind="stable")]
    bounds = np.searchsorted(country[pool], np.arange(len(COUNTRIES) + 1))
    ids = [f"T{number:06d}" for number in rng.permutation(count)]
    return Terminals(ids, online, category, country, rng.random((count, 2)), pool, bounds)


def issue_cards(
    rng: np.random.Generator, count: int, transactions_per_day: float, days: int, terminals: Terminals
) -> Cards:
    """Cards with their habits; `transactions_per_day` is the mean over cards."""
    country = rng.choice(len(COUNTRIES), count, p=_COUNTRY_SHARES)
    begin = rng.uniform(-7, 120.0 + days, count)
    return Cards(
        tokens=_tokens(rng.bytes(32), count),
        country=country,
        mean_amount=rng.uniform(500, 9000, count),
        rate=rng.gamma(2.0, transactions_per_day / 2, count),
        peak_hour=rng.normal(14, 3, count),
        online_share=rng.beta(2, 6, count),
        near=_nearest(country, rng.random((count, 2)), terminals),
        favourites=_favourites(rng, count, np.flatnonzero(terminals.online)),
        trip=(begin, begin + rng.uniform(3, 9, count), (country + rng.integers(1, len(COUNTRIES), count)) % 4),
    )


def pick_abroad(rng: np.random.Generator, country: Integers, terminals: Terminals) -> Integers:
    """One physical terminal in each given country, any of them alike."""
    first, end = terminals.pool_bounds[country], terminals.pool_bounds[country + 1]
    return terminals.pool[first + (rng.random(len(country)) * (end - first)).astype(np.int64)]


def _tokens(key: bytes, count: int) -> list[str]:
    return [hashlib.blake2b(b"card %d" % n, key=key, digest_size=16).hexdigest() for n in range(count)]


def _nearest(country: Integers, homes: Floats, terminals: Terminals) -> Integers:
    near = np.empty((len(country), NEAR), dtype=np.int64)
    for which in range(len(COUNTRIES)):
        pool = terminals.pool[terminals.pool_bounds[which] : terminals.pool_bounds[which + 1]]
        residents = np.flatnonzero(country == which)
        for start in range(0, len(residents), _CARDS_AT_A_TIME):
            some = residents[start : start + _CARDS_AT_A_TIME]
            near[some] = _nearest_in(pool, homes[some], terminals.place)
    return near


def _nearest_in(pool: Integers, homes: Floats, place: Floats) -> Integers:
    distance = np.square(homes[:, None, :] - place[pool][None, :, :]).sum(axis=2)
    order = np.argsort(distance, axis=1, kind="stable")[:, :NEAR]
    return np.resize(pool[order].T, (NEAR, len(homes))).T  # repeats them where a country has fewer than NEAR


def _favourites(rng: np.random.Generator, count: int, shops: Integers) -> Integers:
    popularity = 1.0 / np.arange(3, len(shops) + 3)
    return rng.choice(shops, (count, FAVOURITES), p=popularity / popularity.sum())
