"""CloudWatch metrics in the embedded metric format: a few lines a batch, whatever its size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from fraud.batch_report import BatchReport, Call
from fraud.decision import NO_SLOT, Action, Decision

ACTION_METRICS = {Action.APPROVE: "Approved", Action.REVIEW: "SentToReview", Action.BLOCK: "Blocked"}


def publish_scoring(report: BatchReport, seconds: float) -> None:
    """Metrics of a scored batch: per slot, and for the batch as a whole."""
    slots = {decision.slot or NO_SLOT for decision in report.decided} | {call.slot for call in report.calls}
    for slot in sorted(slots):
        _publish_slot(slot, report.decided, report.calls)
    metrics = EphemeralMetrics()
    # First, because the hundredth value flushes what was added so far: a line of the format carries no more.
    for latency in report.latencies:
        metrics.add_metric("DecisionLatency", MetricUnit.Milliseconds, round(latency * 1000, 3))
    metrics.add_metric("ScoringDuration", MetricUnit.Milliseconds, round(seconds * 1000, 3))
    metrics.add_metric("Repeated", MetricUnit.Count, report.repeated)
    metrics.add_metric("Quarantined", MetricUnit.Count, len(report.rejected))
    metrics.add_metric("ToBeDeliveredAgain", MetricUnit.Count, len(report.failed))
    metrics.add_metric("CancelledTransactions", MetricUnit.Count, report.cancelled)
    metrics.flush_metrics()


def _publish_slot(slot: str, decided: Iterable[Decision], calls: Iterable[Call]) -> None:
    """A decision counts for the slot its card was routed to, whoever answered in the end."""
    routed = [decision for decision in decided if (decision.slot or NO_SLOT) == slot]
    actions = Counter(decision.action for decision in routed)
    metrics = EphemeralMetrics()
    metrics.add_dimension("Slot", slot)
    metrics.add_metric("Decisions", MetricUnit.Count, len(routed))
    metrics.add_metric("Degraded", MetricUnit.Count, sum(decision.degraded for decision in routed))
    for action, name in ACTION_METRICS.items():
        metrics.add_metric(name, MetricUnit.Count, actions[action])
    for call in calls:
        if call.slot == slot:
            metrics.add_metric("ModelFailures", MetricUnit.Count, int(call.failed))
            metrics.add_metric("RowsUnanswered", MetricUnit.Count, call.unanswered)
            metrics.add_metric("ModelCallDuration", MetricUnit.Milliseconds, round(call.seconds * 1000, 3))
    metrics.flush_metrics()
