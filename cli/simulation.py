"""Simulated payments sized for the command line."""

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cli.errors import CommandError

if TYPE_CHECKING:
    from model.simulator import Simulation

DAYS = 14
PER_DAY = 1.4
MARGIN = 1.1


def market(transactions: int, seed: int, until: datetime | None = None, days: int = DAYS) -> "Simulation":
    """A simulated market whose history ends at `until` and holds at least so many transactions."""
    from model.simulator import SimulationConfig, simulate

    cards = max(20, math.ceil(transactions * MARGIN / (days * PER_DAY)))
    start = (until or datetime.now(UTC)).replace(microsecond=0) - timedelta(days=days)
    size = SimulationConfig(
        seed=seed, start=start, days=days, cards=cards, terminals=2 * cards, transactions_per_day=PER_DAY
    )
    return simulate(size)


def last_transactions(simulation: "Simulation", count: int) -> "Simulation":
    """Only the last `count` transactions, and the labels of those. Raises: CommandError."""
    import pyarrow.compute as compute

    from model.simulator import Simulation

    drawn = len(simulation.transactions)
    if drawn < count:
        raise CommandError(f"The simulation drew only {drawn:,} transactions; ask for fewer or take another --seed.")
    transactions = simulation.transactions.slice(drawn - count)
    labelled = compute.is_in(simulation.labels["transaction_id"], transactions["transaction_id"].combine_chunks())
    return Simulation(transactions, simulation.labels.filter(labelled))


def save(simulation: "Simulation", path: Path) -> None:
    """Write the transactions, with what they truly were, to Parquet."""
    import pyarrow.parquet as parquet

    parquet.write_table(simulation.transactions, path)
