"""Simulated payments: seeded, drawn at once and cut by time into a history to learn from and a future to stream."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from model import fraudsters, population, spending
from model.population import Cards, Flags, Integers, Terminals
from model.spending import DAY_MS, HOUR_MS, Payments

SCHEMA_VERSION = 1
CURRENCY = "EUR"
_CONTACTLESS_BELOW = 5_000
_ROWS_AT_A_TIME = 8192
_TIMESTAMP = pa.timestamp("ms", tz="UTC")


@dataclass(frozen=True, slots=True)
class Drift:
    """What changes from a day on.

    Args:
        from_day: first day of the change, counted from the start.
        amount_scale: every amount is multiplied by it.
        new_pattern: a kind of fraud appears that was never seen before, as frequent as a third of all other fraud.
        vanishing_field: an optional field of the transaction that is no longer sent.
    """

    from_day: int
    amount_scale: float = 1.0
    new_pattern: bool = False
    vanishing_field: str | None = None


@dataclass(frozen=True, slots=True)
class SimulationConfig:
    """Size and habits of the simulated market; about `cards * days * transactions_per_day` rows.

    Args:
        fraud_rate: share of transactions that are fraud, about.
        transactions_per_day: of one card, mean over cards.
        review_share: share of frauds that an investigator finds within hours; the others are charged back.
        genuine_review_share: share of genuine transactions that an investigator clears.
        chargeback_days: shortest and longest delay of a chargeback.
        review_hours: shortest and longest delay of a review.
    """

    seed: int = 7
    start: datetime = datetime(2026, 1, 5, tzinfo=UTC)
    days: int = 45
    cards: int = 1500
    terminals: int = 2000
    transactions_per_day: float = 1.4
    fraud_rate: float = 0.01
    review_share: float = 0.3
    genuine_review_share: float = 0.005
    chargeback_days: tuple[float, float] = (1, 7)
    review_hours: tuple[float, float] = (1, 12)
    drift: Drift | None = None


@dataclass(frozen=True, slots=True)
class Simulation:
    """Transactions by event time and labels by the time they became known.

    Args:
        transactions: columns of the transaction event, `is_fraud` and, for analysis only, `fraud_kind`.
        labels: columns of the label event.
    """

    transactions: pa.Table
    labels: pa.Table = field(repr=False)

    def cut(self, at: datetime) -> tuple[Simulation, Simulation]:
        """What had happened and was known before `at`, and what came after."""
        happened = pc.less(self.transactions["occurred_at"], pa.scalar(at, _TIMESTAMP))
        known = pc.less(self.labels["labelled_at"], pa.scalar(at, _TIMESTAMP))
        before = Simulation(self.transactions.filter(happened), self.labels.filter(known))
        after = Simulation(self.transactions.filter(pc.invert(happened)), self.labels.filter(pc.invert(known)))
        return before, after


def simulate(config: SimulationConfig) -> Simulation:
    """Draw a whole market; the same configuration always gives the same rows.

    Drift has its own stream of random numbers: what lies before its first day is the same with it and without.
    """
    people, habits, crime, drifting, naming, labelling = np.random.default_rng(config.seed).spawn(6)
    terminals = population.open_terminals(people, config.terminals)
    cards = population.issue_cards(people, config.cards, config.transactions_per_day, config.days, terminals)
    genuine = spending.spend(habits, cards, terminals, config.days, config.start.weekday())
    payments = _defraud(crime, drifting, config, cards, terminals, genuine)
    transactions = _transactions(naming, config, cards, terminals, payments)
    return Simulation(transactions, _labels(labelling, config, payments, transactions))


def transaction_events(transactions: pa.Table) -> Iterator[dict[str, object]]:
    """Each transaction as the event a producer puts on the stream; absent fields are left out."""
    names = [name for name in transactions.column_names if name not in ("is_fraud", "fraud_kind")]
    return _events(transactions.select(names), "occurred_at")


def label_events(labels: pa.Table) -> Iterator[dict[str, object]]:
    """Each label as the message that is sent to the queue."""
    return _events(labels, "labelled_at")


def _events(table: pa.Table, time_column: str) -> Iterator[dict[str, object]]:
    for batch in table.to_batches(_ROWS_AT_A_TIME):
        columns = {name: batch.column(name) for name in table.column_names}
        times = np.datetime_as_string(columns[time_column].to_numpy(zero_copy_only=False), unit="ms")
        plain = [time + "Z" for time in times.tolist()]
        lists = [plain if name == time_column else column.to_pylist() for name, column in columns.items()]
        for row in zip(*lists, strict=True):
            event = dict(zip(columns, row, strict=True))
            yield {"schema_version": SCHEMA_VERSION, **{k: v for k, v in event.items() if v is not None}}


def _defraud(
    crime: np.random.Generator,
    drifting: np.random.Generator,
    config: SimulationConfig,
    cards: Cards,
    terminals: Terminals,
    genuine: Payments,
) -> Payments:
    # A rate is a share of all rows, and two kinds add rows of their own.
    added = config.fraud_rate * (fraudsters.SHARES[3] + fraudsters.SHARES[4])
    budget = round(len(genuine) * config.fraud_rate / (1 - added))
    parts = [
        fraudsters.alter(crime, genuine, budget, config.days),
        fraudsters.run_card_testing(crime, cards, terminals, budget, config.days),
        fraudsters.run_account_takeovers(crime, cards, terminals, budget, config.days),
    ]
    if config.drift is None:
        return spending.concatenate(parts)
    return _apply(config.drift, drifting, config, cards, terminals, parts, budget)


def _apply(
    drift: Drift,
    rng: np.random.Generator,
    config: SimulationConfig,
    cards: Cards,
    terminals: Terminals,
    parts: list[Payments],
    budget: int,
) -> Payments:
    days_left = config.days - drift.from_day
    if drift.new_pattern and days_left > 0:
        fresh = fraudsters.run_gift_cards(rng, cards, terminals, budget * days_left // (3 * config.days), days_left)
        shifted = fresh.at + drift.from_day * DAY_MS
        parts = [*parts, Payments(shifted, fresh.card, fresh.terminal, fresh.amount, fresh.kind)]
    rows = spending.concatenate(parts)
    scale = np.where(_drifted(drift, rows.at), drift.amount_scale, 1.0)
    return Payments(rows.at, rows.card, rows.terminal, np.maximum(rows.amount * scale, 1).astype(np.int64), rows.kind)


def _drifted(drift: Drift, at: Integers) -> Flags:
    return at >= drift.from_day * DAY_MS


def _transactions(
    rng: np.random.Generator, config: SimulationConfig, cards: Cards, terminals: Terminals, payments: Payments
) -> pa.Table:
    online, cheap = terminals.online[payments.terminal], payments.amount < _CONTACTLESS_BELOW
    columns = {
        "transaction_id": pa.array(_identifiers(rng, len(payments))),
        "occurred_at": _timestamps(config.start, payments.at),
        "card_token": pa.array(cards.tokens).take(pa.array(payments.card)),
        "terminal_id": pa.array(terminals.ids).take(pa.array(payments.terminal)),
        "amount_minor": pa.array(payments.amount),
        "currency": pa.repeat(CURRENCY, len(payments)),
        "channel": pa.array(np.where(online, "ecommerce", np.where(cheap, "contactless", "chip"))),
        "merchant_category": _named(population.CATEGORIES, terminals.category[payments.terminal]),
        "country": _named(population.COUNTRIES, terminals.country[payments.terminal]),
        "is_fraud": pa.array(payments.kind > 0),
        "fraud_kind": _named(fraudsters.KINDS, payments.kind),
    }
    if config.drift is not None and config.drift.vanishing_field is not None:
        name = config.drift.vanishing_field
        gone = pa.array(_drifted(config.drift, payments.at))
        columns[name] = pc.if_else(gone, pa.scalar(None, columns[name].type), columns[name])
    return pa.table(columns)


def _labels(rng: np.random.Generator, config: SimulationConfig, payments: Payments, transactions: pa.Table) -> pa.Table:
    fraud = payments.kind > 0
    choice, soon, late = rng.spawn(3)
    reviewed = choice.random(len(payments)) < np.where(fraud, config.review_share, config.genuine_review_share)
    delay = np.where(
        reviewed,
        soon.uniform(*config.review_hours, len(payments)) * HOUR_MS,
        late.uniform(*config.chargeback_days, len(payments)) * DAY_MS,
    ).astype(np.int64)
    rows = np.flatnonzero(fraud | reviewed)
    rows = rows[np.argsort((payments.at + delay)[rows], kind="stable")]
    return pa.table(
        {
            "transaction_id": transactions["transaction_id"].take(pa.array(rows)),
            "is_fraud": pa.array(fraud[rows]),
            "source": pa.array(np.where(reviewed[rows], "review", "chargeback")),
            "labelled_at": _timestamps(config.start, (payments.at + delay)[rows]),
        }
    )


def _identifiers(rng: np.random.Generator, count: int) -> list[str]:
    digits = rng.bytes(16 * count).hex()
    return [digits[start : start + 32] for start in range(0, 32 * count, 32)]


def _timestamps(start: datetime, elapsed_ms: Integers) -> pa.Array:
    origin = (start - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    return pa.array(elapsed_ms + origin).cast(_TIMESTAMP)


def _named(names: tuple[str, ...], positions: Integers) -> pa.Array:
    return pa.array(names).take(pa.array(positions))
