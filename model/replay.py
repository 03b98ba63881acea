"""What another policy would have decided: archived decisions, decided again with other rules, thresholds or scores.

Everything is decided by the code that serves, on the features that were served. What could not be known is not
guessed: outcomes count only where they are settled, and a transaction that was blocked without a verdict has none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fraud import features, policy
from fraud.decision import Action, Score
from fraud.policy import Policy
from fraud.routing import ServedModel
from fraud.transaction import SCHEMA_VERSION, Transaction
from model import served
from model.boosting import Flags, Matrix, Scores

ACTIONS = tuple(str(action) for action in Action)
TEXT = ("transaction_id", "card_token", "terminal_id", "currency", "channel", "country", "merchant_category")
BANDS = {"below 10": 1_000, "10 to 50": 5_000, "50 to 100": 10_000, "100 to 250": 25_000, "250 and more": None}
"""Amounts in major units of a currency with two decimals → where the next band begins, minor units."""
ROWS_AT_A_TIME = 2_000
DAY = 86_400

Codes = npt.NDArray[np.int64]
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Decided:
    """Archived decisions, one row per transaction.

    Args:
        events: the fields of the transaction.
        at: event time, seconds since 1970.
        features: in the order of `fraud.features.NAMES`, NaN where not known.
        scores: as they were; NaN where no model answered.
        packages: ARN of the package that scored; empty where none did.
        actions: as decided, an index into `ACTIONS`.
        is_fraud: the verdict; False without one.
        settled: whether the outcome is known: judged, or old enough and not blocked.
        unreadable: decisions left out because code with another table of features made them.
    """

    events: pa.Table
    at: Codes
    features: Matrix
    scores: Scores
    packages: list[str]
    actions: Codes
    is_fraud: Flags
    settled: Flags
    unreadable: int = 0

    def __len__(self) -> int:
        return len(self.at)

    @property
    def amounts(self) -> Codes:
        """Minor units."""
        amounts: Codes = self.events["amount_minor"].to_numpy()
        return amounts


@dataclass(frozen=True, slots=True)
class Result:
    """What a policy came to.

    Args:
        transactions: decided a day, mean, as everything by the day.
        reviews, blocks: a day.
        frauds, frauds_caught: with a settled outcome, and those of them that were reviewed or blocked.
        value_caught: share of the settled fraudulent value that was reviewed or blocked, 0 to 1; None without frauds.
        false_alerts: genuine transactions reviewed or blocked, a day, of the settled.
        precision: share of frauds among the settled that were reviewed or blocked; None without any.
    """

    transactions: float
    reviews: float
    blocks: float
    frauds: int
    frauds_caught: int
    value_caught: float | None
    false_alerts: float
    precision: float | None


def read(folder: Path, settled_before: int) -> Decided:
    """What the query of the archive wrote.

    Args:
        folder: of its Parquet files.
        settled_before: what happened later and has no verdict is open, seconds since 1970.
    """
    table = pa.concat_tables([pq.read_table(path) for path in sorted(folder.iterdir()) if path.is_file()])
    recorded = len(table)
    table = table.filter(_readable(table))
    matrix, _ = served.flatten(table["features"].combine_chunks())
    at = pc.cast(table["occurred_at"], pa.timestamp("ms", tz="UTC")).cast(pa.int64()).to_numpy() // 1000
    actions = pc.index_in(table["action"], value_set=pa.array(ACTIONS)).to_numpy()
    judged = pc.is_valid(table["is_fraud"]).to_numpy()
    return Decided(
        events=table.select([*TEXT, "amount_minor"]),
        at=at,
        features=matrix,
        scores=pc.fill_null(table["score"], np.nan).to_numpy(),
        packages=pc.fill_null(table["model_package"], "").to_pylist(),
        actions=actions,
        is_fraud=pc.fill_null(table["is_fraud"], False).to_numpy(),
        settled=judged | ((at <= settled_before) & (actions != ACTIONS.index("block"))),
        unreadable=recorded - len(table),
    )


def _readable(table: pa.Table) -> pa.Array:
    return pa.array(served.readable(table["features"].combine_chunks(), table["contract"].combine_chunks()))


def replay(
    rows: Decided,
    rules: Policy,
    scores: Scores,
    models: Mapping[str, ServedModel],
    packages: list[str],
    progress: Progress | None = None,
) -> Codes:
    """The action of every row, an index into `ACTIONS`.

    Args:
        rows: what is decided again.
        rules: rules and lists.
        scores: of the rows; NaN where no model answers.
        models: thresholds by package.
        packages: which package scores each row.
        progress: called with the rows done, now and then.
    """
    actions = np.empty(len(rows), dtype=np.int64)
    for number, transaction in enumerate(_transactions(rows)):
        score = None if np.isnan(scores[number]) else Score(float(scores[number]))
        row = _Row(rows.features[number])
        verdict = policy.decide(rules, transaction, row, score, models.get(packages[number]))
        actions[number] = ACTIONS.index(str(verdict.action))
        if progress is not None and ((number + 1) % ROWS_AT_A_TIME == 0 or number + 1 == len(rows)):
            progress(number + 1)
    return actions


def measure(rows: Decided, actions: Codes, which: Flags | None = None) -> Result:
    """What actions came to, on all rows or on some."""
    chosen = np.ones(len(rows), dtype=np.bool_) if which is None else which
    days = max((int(rows.at.max()) - int(rows.at.min())) / DAY, 1.0) if len(rows) else 1.0
    alerted = actions != ACTIONS.index("approve")
    fraud, genuine = chosen & rows.settled & rows.is_fraud, chosen & rows.settled & ~rows.is_fraud
    value, hit = rows.amounts[fraud], alerted[fraud]
    false_alerts = int((genuine & alerted).sum())
    known = int(hit.sum()) + false_alerts
    return Result(
        transactions=float(chosen.sum()) / days,
        reviews=float((chosen & (actions == ACTIONS.index("review"))).sum()) / days,
        blocks=float((chosen & (actions == ACTIONS.index("block"))).sum()) / days,
        frauds=int(fraud.sum()),
        frauds_caught=int(hit.sum()),
        value_caught=float(value[hit].sum() / value.sum()) if len(value) else None,
        false_alerts=false_alerts / days,
        precision=float(hit.sum()) / known if known else None,
    )


def moves(before: Codes, after: Codes) -> dict[str, dict[str, int]]:
    """How many rows went from each action to each."""
    counts = np.zeros((len(ACTIONS), len(ACTIONS)), dtype=np.int64)
    np.add.at(counts, (before, after), 1)
    return {was: dict(zip(ACTIONS, counts[i].tolist(), strict=True)) for i, was in enumerate(ACTIONS)}


def segments(rows: Decided) -> Iterator[tuple[str, str, Flags]]:
    """Parts of the rows: what they have in common, its value, and which they are."""
    for by in ("channel", "country"):
        names = pc.fill_null(rows.events[by], "unknown")
        for value in sorted(pc.unique(names).to_pylist()):
            yield by, value, pc.equal(names, value).to_numpy()
    least = 0
    for name, end in BANDS.items():
        yield "amount", name, (rows.amounts >= least) & (rows.amounts < (end or np.inf))
        least = end or 0


def _transactions(rows: Decided) -> Iterator[Transaction]:
    """Without checking them again: they were when they came."""
    start = 0
    for batch in rows.events.to_batches(ROWS_AT_A_TIME):
        for offset, event in enumerate(batch.to_pylist()):
            at = datetime.fromtimestamp(int(rows.at[start + offset]), UTC)
            yield Transaction(schema_version=SCHEMA_VERSION, occurred_at=at, **event)
        start += batch.num_rows


class _Row(Mapping[str, "float | None"]):
    """Features of one row by name, looked up only where a rule asks."""

    def __init__(self, values: npt.NDArray[np.float32]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> float | None:
        value = float(self._values[_POSITION[name]])
        return None if np.isnan(value) else value

    def __contains__(self, name: object) -> bool:
        return name in _POSITION

    def __iter__(self) -> Iterator[str]:
        return iter(features.NAMES)

    def __len__(self) -> int:
        return len(features.NAMES)


_POSITION = {name: position for position, name in enumerate(features.NAMES)}
