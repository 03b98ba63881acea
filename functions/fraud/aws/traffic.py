"""How many decisions there are, from the application's own metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fraud.aws.calls import unavailable
from fraud.decision import NO_SLOT
from fraud.errors import StoreUnavailable

SERVICE = "score_transactions"
PERIOD = 60
WINDOW = 15 * PERIOD
"""Seconds that are looked back upon."""
LEAST_SECONDS = 10
"""Of a minute that has just begun, for a first impression of its traffic."""
COMPLETE = "Complete"


def dimensions(slot: str) -> dict[str, str]:
    """Of the metrics that scoring publishes for a slot."""
    return {"service": SERVICE, "Slot": slot}


@dataclass(frozen=True)
class CloudWatchTraffic:
    """Decisions of every slot, and those without a model.

    Args:
        client: CloudWatch.
        namespace: of the application's metrics.
        clock: seconds since 1970.
    """

    client: Any
    namespace: str
    clock: Callable[[], float]

    def per_second(self) -> float:
        """Decisions a second over the full minutes of the last 15 since there were any; else in the minute under way.

        Raises:
            StoreUnavailable: no answer, or not all of it.
        """
        now = self.clock()
        minute = int(now) // PERIOD * PERIOD
        counts = self._counts(minute - WINDOW, now)
        full = [at for at, count in counts.items() if count and at < minute]
        if full:
            return sum(counts[at] for at in full) / (minute - min(full))
        return counts[minute] / max(now - minute, LEAST_SECONDS)

    def _counts(self, start: int, end: float) -> Counter[int]:
        """Decisions of each minute, by its start."""
        with unavailable("GetMetricData"):
            answer = self.client.get_metric_data(
                MetricDataQueries=[self._query(slot) for slot in ("a", "b", NO_SLOT)], StartTime=start, EndTime=end
            )
        results = answer["MetricDataResults"]
        if any(each["StatusCode"] != COMPLETE for each in results):
            raise StoreUnavailable("GetMetricData: the answer is not complete")
        counts: Counter[int] = Counter()
        for each in results:
            for at, value in zip(each["Timestamps"], each["Values"], strict=True):
                counts[int(at.timestamp())] += value
        return counts

    def _query(self, slot: str) -> dict[str, Any]:
        metric = {
            "Namespace": self.namespace,
            "MetricName": "Decisions",
            "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions(slot).items()],
        }
        return {"Id": f"slot_{slot}", "MetricStat": {"Metric": metric, "Period": PERIOD, "Stat": "Sum"}}
