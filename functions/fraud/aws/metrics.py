"""CloudWatch metrics in the embedded metric format: a few lines a batch, whatever its size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from fraud.answer import AnswerReport, Outcome
from fraud.batch_report import BatchReport, Call
from fraud.decision import NO_SLOT, Action, Decision

SCORING = "score_transactions"
"""The service under which slots are counted, whoever was asked: alarms and gates of a rollout watch one series."""
ACTION_METRICS = {Action.APPROVE: "Approved", Action.REVIEW: "SentToReview", Action.BLOCK: "Blocked"}


def publish_scoring(report: BatchReport, seconds: float) -> None:
    """Metrics of a scored batch: per slot, and for the batch as a whole."""
    _publish_slots(report)
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


def publish_answers(report: AnswerReport) -> None:
    """Metrics of a synchronous request; its latency is the caller's and no `DecisionLatency`, which streams have."""
    _publish_slots(report.batch)
    outcomes = Counter(answer.outcome for answer in report.answers)
    metrics = EphemeralMetrics()
    metrics.add_metric("RequestLatency", MetricUnit.Milliseconds, round(report.seconds * 1000, 3))
    metrics.add_metric("Answered", MetricUnit.Count, outcomes[Outcome.DECIDED])
    metrics.add_metric("Refused", MetricUnit.Count, outcomes[Outcome.REFUSED])
    metrics.add_metric("Conflicts", MetricUnit.Count, outcomes[Outcome.CONFLICT])
    metrics.add_metric("Undecided", MetricUnit.Count, outcomes[Outcome.UNDECIDED])
    metrics.add_metric("Repeated", MetricUnit.Count, report.batch.repeated)
    metrics.add_metric("CancelledTransactions", MetricUnit.Count, report.batch.cancelled)
    metrics.flush_metrics()


def _publish_slots(report: BatchReport) -> None:
    slots = {decision.slot or NO_SLOT for decision in report.decided} | {call.slot for call in report.calls}
    for slot in sorted(slots):
        _publish_slot(slot, report.decided, report.calls)


def _publish_slot(slot: str, decided: Iterable[Decision], calls: Iterable[Call]) -> None:
    """A decision counts for the slot its card was routed to, whoever answered in the end."""
    routed = [decision for decision in decided if (decision.slot or NO_SLOT) == slot]
    actions = Counter(decision.action for decision in routed)
    metrics = EphemeralMetrics(service=SCORING)
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
