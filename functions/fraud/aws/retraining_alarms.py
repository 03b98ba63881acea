"""The CloudWatch alarms that ask for a new model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fraud.aws.calls import unavailable
from fraud.errors import StoreUnavailable

MOST_PAGES, PAGE = 10, 100


@dataclass(frozen=True)
class CloudWatchRetrainingAlarms:
    """Alarms told by their names.

    Args:
        client: CloudWatch.
        prefix: what all their names begin with.
    """

    client: Any
    prefix: str

    def firing(self) -> Sequence[str]:
        """Names of those that are in ALARM, in order.

        Raises:
            StoreUnavailable: no answer.
        """
        return sorted(self._names())

    def _names(self) -> Iterator[str]:
        request = {"AlarmNamePrefix": self.prefix, "StateValue": "ALARM", "MaxRecords": PAGE}
        for _ in range(MOST_PAGES):
            with unavailable("DescribeAlarms"):
                # Without their types, only metric alarms are told of.
                answer = self.client.describe_alarms(**request, AlarmTypes=["MetricAlarm", "CompositeAlarm"])
            for alarms in (answer["MetricAlarms"], answer["CompositeAlarms"]):
                yield from (each["AlarmName"] for each in alarms)
            if "NextToken" not in answer:
                return
            request["NextToken"] = answer["NextToken"]
        raise StoreUnavailable(f"DescribeAlarms: more than {MOST_PAGES * PAGE} alarms are on")
