"""CloudWatch metrics of a look, by its API: the look is hours from any log line of a transaction."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from fraud.aws.calls import unavailable
from fraud.monitoring_findings import Metric

MOST = 1_000
"""Metrics that one call takes."""


@dataclass(frozen=True)
class CloudWatchMonitoringMetrics:
    """Where alarms look.

    Args:
        client: CloudWatch.
        namespace: of the metrics.
    """

    client: Any
    namespace: str

    def publish(self, metrics: Iterable[Metric], at: float) -> None:
        """Publish values of a moment, seconds since 1970.

        Raises:
            StoreUnavailable: not known to be published; publishing again counts twice at most.
        """
        moment = datetime.fromtimestamp(at, UTC)
        data = (_datum(each, moment) for each in metrics)
        while chunk := list(islice(data, MOST)):
            with unavailable("PutMetricData"):
                self.client.put_metric_data(Namespace=self.namespace, MetricData=chunk)


def _datum(metric: Metric, moment: datetime) -> dict[str, Any]:
    dimensions = [{"Name": "Variant", "Value": metric.variant}] if metric.variant else []
    return {
        "MetricName": metric.name,
        "Value": metric.value,
        "Unit": metric.unit,
        "Timestamp": moment,
        "Dimensions": dimensions,
    }
