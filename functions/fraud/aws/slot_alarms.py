"""The CloudWatch alarms that watch a slot: fit to guard a rollout, and which of them fired."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from fraud.analysis import FiredAlarm
from fraud.aws import traffic
from fraud.aws.calls import unavailable
from fraud.aws.endpoints import VARIANT
from fraud.errors import StoreUnavailable

KINDS = ("errors", "latency", "fallback", "block-rate")
ALARM, UNKNOWN = "ALARM", "INSUFFICIENT_DATA"
GONE = "it does not exist any more, and can guard nothing."
MOST_PAGES, PAGE = 20, 100
"""Of an alarm's history; CloudWatch gives no more than 100 changes at once."""

Described = Mapping[str, Any]


@dataclass(frozen=True)
class CloudWatchSlotAlarms:
    """Alarms named by slot and kind.

    Whether an alarm's actions are enabled does not matter: the events that stop a rollout are sent all the same, and
    each look reads state and history. INSUFFICIENT_DATA is what every alarm begins with; one that takes missing data
    for good leaves it at its first evaluation, so only others are held back by it.

    Args:
        client: CloudWatch.
        prefix: what all their names begin with.
        endpoints: name of each slot's endpoint.
        namespace: of the application's metrics.
    """

    client: Any
    prefix: str
    endpoints: Mapping[str, str]
    namespace: str

    def unfit(self, slot: str) -> Sequence[str]:
        """Why the slot's alarms cannot guard a rollout now, a sentence each.

        Raises:
            StoreUnavailable: no answer.
        """
        alarms = self._alarms(slot)
        missing = [name for name in self._names(slot) if name not in alarms]
        return [
            *(f"{name} does not exist: deploy the stack again." for name in missing),
            *(sentence for alarm in alarms.values() for sentence in self._hindrances(alarm, slot)),
        ]

    def fired(self, slot: str, since: float) -> Sequence[FiredAlarm]:
        """Alarms that are in ALARM, or were at any time since then, the earliest first; one that is gone counts too.

        Raises:
            StoreUnavailable: no answer.
        """
        # States before histories: what recovers in between is in its history by then.
        alarms = self._alarms(slot)
        gone = {name: FiredAlarm(name=name, at=since, reason=GONE) for name in self._names(slot) if name not in alarms}
        standing = {name: _firing(alarm) for name, alarm in alarms.items() if alarm["StateValue"] == ALARM}
        earlier = {name: first for name in self._names(slot) if (first := self._first(name, since)) is not None}
        return sorted((gone | standing | earlier).values(), key=lambda each: (each.at, each.name))

    def _names(self, slot: str) -> list[str]:
        return [f"{self.prefix}{slot}-{kind}" for kind in KINDS]

    def _alarms(self, slot: str) -> dict[str, Described]:
        with unavailable("DescribeAlarms"):
            answer = self.client.describe_alarms(AlarmNames=self._names(slot), AlarmTypes=["MetricAlarm"])
        return {each["AlarmName"]: each for each in answer["MetricAlarms"]}

    def _hindrances(self, alarm: Described, slot: str) -> Iterator[str]:
        name, state = alarm["AlarmName"], alarm["StateValue"]
        if state == ALARM:
            yield f"{name} is in ALARM: {_reason(alarm)}"
        if state == UNKNOWN and alarm.get("TreatMissingData") != "notBreaching":
            yield f"{name} has no data, and does not take that for good: deploy the stack again."
        if not self._watches(alarm, slot):
            yield f"{name} watches something else than slot {slot}: deploy the stack again."

    def _watches(self, alarm: Described, slot: str) -> bool:
        """Whether all that an alarm looks at is the slot's, with the dimensions that its data is published with."""
        of_slot = {
            "AWS/SageMaker": {"EndpointName": self.endpoints[slot], "VariantName": VARIANT},
            self.namespace: traffic.dimensions(slot),
        }
        metrics = list(_metrics(alarm))
        return bool(metrics) and all(of_slot.get(each["Namespace"]) == _dimensions(each) for each in metrics)

    def _first(self, name: str, since: float) -> FiredAlarm | None:
        """The first time in ALARM that an alarm's history tells of."""
        for item in self._history(name, since):
            change = msgspec.json.decode(item["HistoryData"])
            if change["newState"]["stateValue"] == ALARM:
                return FiredAlarm(name=name, at=item["Timestamp"].timestamp(), reason=_told(change["newState"]))
            if change["oldState"]["stateValue"] == ALARM:
                return FiredAlarm(name=name, at=since, reason=_told(change["oldState"]))
        return None

    def _history(self, name: str, since: float) -> Iterator[Described]:
        """Changes of an alarm's state, oldest first."""
        # Down to the second, because the times of changes may be.
        start = datetime.fromtimestamp(math.floor(since), UTC)
        request = {"AlarmName": name, "HistoryItemType": "StateUpdate", "StartDate": start, "MaxRecords": PAGE}
        for _ in range(MOST_PAGES):
            with unavailable("DescribeAlarmHistory"):
                answer = self.client.describe_alarm_history(**request, ScanBy="TimestampAscending")
            yield from answer["AlarmHistoryItems"]
            if "NextToken" not in answer:
                return
            request["NextToken"] = answer["NextToken"]
        raise StoreUnavailable(f"DescribeAlarmHistory: {name} changed more than {MOST_PAGES * PAGE} times")


def _metrics(alarm: Described) -> Iterator[Described]:
    """Every metric that an alarm looks at, by itself or in an expression."""
    if alarm.get("MetricName"):
        yield alarm
    for each in alarm.get("Metrics", []):
        if "MetricStat" in each:
            yield each["MetricStat"]["Metric"]


def _dimensions(metric: Described) -> dict[str, str]:
    return {each["Name"]: each["Value"] for each in metric.get("Dimensions", [])}


def _firing(alarm: Described) -> FiredAlarm:
    """An alarm that is in ALARM."""
    at = alarm.get("StateTransitionedTimestamp") or alarm["StateUpdatedTimestamp"]
    return FiredAlarm(name=alarm["AlarmName"], at=at.timestamp(), reason=_reason(alarm))


def _reason(alarm: Described) -> str:
    return str(alarm.get("StateReason") or "no reason was given.")


def _told(state: Described) -> str:
    return str(state.get("stateReason") or "no reason was given.")
