"""A simulated market as a look at its last day reads it: a quiet one, in which tests plant what may happen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fraud import features
from model import baseline, distributions, monitored_rows
from model.baseline_document import Baseline
from model.examples import EVENT, Matrix, rfc3339
from model.history import NEVER
from model.limits import Limits
from model.monitored_rows import Rows
from model.monitoring_context import Context
from tests.model.served_market import DAY, as_maps, as_text, market

CHAMPION = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/fraud/7"
CHALLENGER = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/fraud/8"
CONTRACT = features.contract_hash(features.NAMES)
TRAINED_DAYS, DAYS = 20, 34
"""Days that the champion learned from, and days of all; the archive begins with both."""
THRESHOLDS = {"review": 0.97, "block": 0.995}
LIMITS = Limits(
    fewest_rows=200,
    fewest_frauds=20,
    alpha=0.001,
    least_psi=0.1,
    least_ks=0.1,
    least_share=0.05,
    least_ratio=1.5,
    least_volume=0.5,
    quality_loss=0.1,
    bias_gap=0.1,
    fairness=("country",),
    most_parity_mismatches=0.01,
    parity_entities=50,
    maturity=7 * DAY,
    quality=7 * DAY,
    stale=90 * DAY,
    freshest_label=14 * DAY,
)


@dataclass(frozen=True)
class Seen:
    """What a look has at hand.

    Args:
        table: as the query gives it, ordered by time.
        matrix: features of its rows.
        at: event time, and time of arrival, of its rows.
        as_of: end of the window, which is a day long.
        document: what of `package.json` a baseline reads.
    """

    table: pa.Table
    matrix: Matrix
    at: np.ndarray
    as_of: int
    document: Mapping[str, Any]

    @property
    def in_window(self) -> np.ndarray:
        return self.at > self.as_of - DAY

    def with_columns(self, **columns: Any) -> Seen:
        table = self.table
        for name, values in columns.items():
            table = table.set_column(table.column_names.index(name), name, values)
        return replace(self, table=table)

    def with_features(self, matrix: Matrix) -> Seen:
        return replace(self.with_columns(features=as_maps(matrix)), matrix=matrix)

    def changed(self, name: str, change: Any) -> Seen:
        """With the values of some features changed in the window."""
        matrix = self.matrix.copy()
        for column, each in enumerate(features.NAMES):
            if name in each:
                matrix[self.in_window, column] = change(matrix[self.in_window, column])
        return self.with_features(matrix)

    def where(self, chosen: np.ndarray) -> Seen:
        rows = pa.array(chosen)
        return replace(self, table=self.table.filter(rows), matrix=self.matrix[chosen], at=self.at[chosen])

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        # Athena names its files without an ending.
        pq.write_table(self.table, folder / "20260301_000000_00001_abcde")

    def read(self, folder: Path, most_rows: int = 1_000_000) -> tuple[Rows, int]:
        self.write(folder)
        return monitored_rows.read(folder, self.as_of - DAY, self.as_of, most_rows)

    def context(self, baseline: Baseline, **given: Any) -> Context:
        plain = {"since": self.as_of - DAY, "until": self.as_of, "champion": CHAMPION, "challenger": ""}
        return Context(**{**plain, "baseline": baseline, "limits": LIMITS, **given})


@cache
def seen(seed: int = 7, cards: int = 1000) -> Seen:
    """A quiet market: the champion scored everything, and nothing changed."""
    at_hand = market(DAYS, seed, cards)
    rows, matrix = at_hand.archived, at_hand.served()
    at = at_hand.history.at[rows]
    scores = _scores(matrix, np.random.default_rng(seed))
    count = len(at)
    fraud = at_hand.history.is_fraud[rows]
    judged = at_hand.judged[rows]
    verdict = pa.array(fraud, mask=~judged)
    action = np.where(
        scores >= THRESHOLDS["block"], "block", np.where(scores >= THRESHOLDS["review"], "review", "approve")
    )
    columns = {
        **{name: at_hand.events[name].filter(pa.array(rows)) for name in EVENT},
        "occurred_at": as_text(at),
        "arrived_at": as_text(at),
        "known_at": as_text(np.where(judged, at_hand.verdict_at[rows], NEVER)),
        "first_fraud_at": as_text(at_hand.history.known_at[rows]),
        "action": pa.array(action),
        "score": pa.array(scores),
        "propensity": pa.nulls(count, pa.float64()),
        "model_package": pa.repeat(CHAMPION, count),
        "slot": pa.repeat("a", count),
        "degraded": pa.repeat(False, count),
        "contract": pa.repeat(CONTRACT, count),
        "is_fraud": verdict,
        "review_is_fraud": pa.nulls(count, pa.bool_()),
        "chargeback_is_fraud": verdict,
        "features": as_maps(matrix),
    }
    return Seen(pa.table(columns), matrix, at, at_hand.as_of, _document(matrix, at, scores))


def _scores(matrix: Matrix, rng: np.random.Generator) -> np.ndarray:
    """Larger for larger amounts, as a model that sees nothing else would have it."""
    amount = matrix[:, features.NAMES.index("transaction_amount")].astype(np.float64)
    raw = np.log(amount) - 9 + rng.normal(0, 1, len(amount))
    return np.round(1 / (1 + np.exp(-raw)), 6)


def _document(matrix: Matrix, at: np.ndarray, scores: np.ndarray) -> dict[str, Any]:
    learned = at < at[0] + TRAINED_DAYS * DAY
    return {
        "baseline": distributions.baseline(features.NAMES, matrix[learned], at[learned]),
        "scores": distributions.histogram(scores[learned], at[learned]),
        "thresholds": THRESHOLDS,
        "training": {
            "rows": int(learned.sum()),
            "first_at": rfc3339(int(at[learned][0])),
            "last_at": rfc3339(int(at[learned][-1])),
            "metrics": {},
        },
    }


@cache
def reference(seed: int = 7, cards: int = 1000) -> Baseline:
    """The baseline of a market, made when its window begins."""
    quiet = seen(seed, cards)
    before = quiet.where(~quiet.in_window)
    rows = _rows(before)
    return baseline.describe(quiet.document, rows, len(rows), CHAMPION, quiet.as_of - DAY)


def _rows(given: Seen) -> Rows:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        given.write(Path(folder))
        return monitored_rows.read(Path(folder), 0.0, given.as_of, 10_000_000)[0]
