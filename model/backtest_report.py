"""What the report of a backtest shows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from model import backtest
from model.backtest import FoldResult
from model.folds import Protocol
from model.plots import Scored
from model.published import HANDBOOK
from model.report import ReportData, Table

_HIGHLIGHTS = ("average_precision", "auc", "card_precision_100", "recall_at_fpr_005", "cost", "ece")
_COMPARED = ("auc", "average_precision", "card_precision_100")
_COST_NOTE = (
    "Fraud value lost: share of the fraudulent value that passes when people review the {share:.1%} highest scores."
)
_PUBLISHED_NOTE = (
    "Published: mean of four later test weeks of the same simulated data, learned from 7 days "
    "(fraud-detection-handbook.github.io). On other data the comparison says nothing."
)


def report_data(
    source: str, results: Sequence[FoldResult], protocol: Protocol, review_share: float, *, is_handbook: bool
) -> ReportData:
    """All folds on one page; beside the published results where the data is the same."""
    mean = backtest.mean(results)
    return ReportData(
        title=f"Backtest of {source}",
        summary=_summary(protocol, results),
        highlights={backtest.METRICS_IN_WORDS[name]: mean[name] for name in _HIGHLIGHTS},
        parts=[Scored(_day(each.fold.test_from), each.is_fraud, each.scores) for each in results],
        tables=[_metrics(results, review_share), *([_published(mean)] if is_handbook else [])],
        importance=backtest.mean_importance(results),
    )


def _summary(protocol: Protocol, results: Sequence[FoldResult]) -> str:
    rows, frauds = sum(len(each.rows) for each in results), sum(int(each.is_fraud.sum()) for each in results)
    return (
        f"{protocol.folds} folds, a week apart: each learns from {protocol.train_days} days, waits "
        f"{protocol.delay_days} for their labels and is measured on the {protocol.test_days} that follow, from "
        f"{_day(results[0].fold.test_from)} to {_day(results[-1].fold.test_to - 1)}; {rows:,} transactions, "
        f"{frauds:,} frauds. Cards known to be defrauded leave the test."
    )


def _metrics(results: Sequence[FoldResult], review_share: float) -> Table:
    mean = backtest.mean(results)
    rows = [
        [_day(each.fold.test_from), *(each.metrics[name] for name in backtest.METRICS_IN_WORDS)] for each in results
    ]
    return Table(
        "Metrics by fold",
        ["test from", *backtest.METRICS_IN_WORDS.values()],
        [*rows, ["mean", *(mean[name] for name in backtest.METRICS_IN_WORDS)]],
        _COST_NOTE.format(share=review_share),
    )


def _published(mean: dict[str, float]) -> Table:
    ours = ["this backtest", *(mean[name] for name in _COMPARED)]
    rows = [[each.model, each.auc, each.average_precision, each.card_precision_100] for each in HANDBOOK]
    return Table(
        "Beside the published results",
        ["model", *(backtest.METRICS_IN_WORDS[name] for name in _COMPARED)],
        [ours, *rows],
        _PUBLISHED_NOTE,
    )


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
