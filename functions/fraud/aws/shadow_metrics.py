"""CloudWatch metrics of the shadow in the embedded metric format: one line a batch."""

from __future__ import annotations

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from fraud.shadow_ports import ShadowReport


def publish(report: ShadowReport) -> None:
    """Decisions that the challenger was to score, and those it did not; no line when there were none."""
    if not report.shadowed:
        return
    metrics = EphemeralMetrics()
    metrics.add_metric("Shadowed", MetricUnit.Count, report.shadowed)
    metrics.add_metric("ShadowFailures", MetricUnit.Count, report.unanswered)
    metrics.flush_metrics()
