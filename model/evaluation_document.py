"""`evaluation.json` as plain values; `fraud.evaluation` reads it and says what follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from model import evaluation_rows, metrics, segments, train
from model.boosting import Scores
from model.comparison import Compared
from model.metrics import Flags
from model.packaged import Packaged
from model.segments import Part
from model.weighted_metrics import Measure, Outcomes

NAME = "evaluation.json"
SCHEMA_VERSION = 1
AT_THRESHOLDS = ("block_precision", "block_recall", "alert_precision", "alert_recall", "review_share")


@dataclass(frozen=True, slots=True)
class Contender:
    """One model and what it says of the rows.

    Args:
        model_package: ARN; empty for the candidate, which has none yet.
        package: loaded.
        scores: of the rows.
    """

    model_package: str
    package: Packaged
    scores: Scores


@dataclass(frozen=True, slots=True)
class Contest:
    """All that was found.

    Args:
        source: where the rows come from.
        rows: that were measured on.
        outcomes: theirs.
        parts: of the rows.
        fairness: fields whose groups are looked at.
        candidate, champion: who was measured.
        compared: the one against the other; None without a champion.
    """

    source: str
    rows: pa.Table
    outcomes: Outcomes
    parts: Sequence[Part]
    fairness: Sequence[str]
    candidate: Contender
    champion: Contender | None
    compared: Compared | None

    @property
    def review_share(self) -> float:
        """The candidate's, at which the cost of both is measured."""
        return self.candidate.package.review_share


def describe(contest: Contest) -> dict[str, Any]:
    """The document, schema version 1."""
    compared = contest.compared
    return {
        "schema_version": SCHEMA_VERSION,
        "source": contest.source,
        **_about(contest.rows, contest.outcomes),
        "candidate": _candidate(contest),
        "champion": _champion(contest),
        "gains": {name: gain._asdict() for name, gain in compared.gains.items()} if compared else {},
        "segments": [_segment(contest, part) for part in contest.parts],
        "groups": _groups(contest),
    }


def _about(rows: pa.Table, outcomes: Outcomes) -> dict[str, object]:
    return {
        "rows": len(outcomes),
        "frauds": int(outcomes.is_fraud.sum()),
        "cards": outcomes.cards,
        "first_at": evaluation_rows.when(rows["occurred_at"][0].as_py()),
        "last_at": evaluation_rows.when(rows["occurred_at"][-1].as_py()),
    }


def _candidate(contest: Contest) -> dict[str, object]:
    if contest.compared:
        measured = contest.compared.second
    else:
        measure = Measure(contest.outcomes, contest.candidate.scores, contest.review_share)
        measured = measure(np.ones(contest.outcomes.cards))
    return _measured(contest.candidate, measured, contest.outcomes.is_fraud)


def _champion(contest: Contest) -> dict[str, object] | None:
    if contest.champion is None or contest.compared is None:
        return None
    return _measured(contest.champion, contest.compared.first, contest.outcomes.is_fraud)


def _measured(contender: Contender, measured: dict[str, float], is_fraud: Flags) -> dict[str, object]:
    own = train.measure(contender.scores, is_fraud, contender.package.thresholds)
    return {
        "model_package": contender.model_package,
        "model_sha256": contender.package.sha256,
        "metrics": measured | {name: own[name] for name in AT_THRESHOLDS},
    }


def _segment(contest: Contest, part: Part) -> dict[str, object]:
    compared, is_fraud = contest.compared, contest.outcomes.is_fraud[part.rows]
    gain = compared.parts.get(part.name) if compared else None
    return {
        "by": part.by,
        "value": part.value,
        "rows": len(is_fraud),
        "frauds": int(is_fraud.sum()),
        "candidate": _average_precision(is_fraud, contest.candidate.scores[part.rows]),
        "champion": _average_precision(is_fraud, contest.champion.scores[part.rows]) if contest.champion else None,
        "gain": gain._asdict() if gain else None,
    }


def _average_precision(is_fraud: Flags, scores: Scores) -> float | None:
    both_kinds = is_fraud.any() and not is_fraud.all()
    return metrics.average_precision(metrics.rank(is_fraud, scores)) if both_kinds else None


def _groups(contest: Contest) -> list[dict[str, object]]:
    alerted = contest.candidate.scores >= contest.candidate.package.thresholds.review
    groups = segments.fairness(contest.rows, contest.fairness, contest.outcomes.is_fraud, alerted)
    return [asdict(group) for group in groups]
