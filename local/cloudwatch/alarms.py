"""Alarms: evaluated every second, their changes of state recorded, announced on the default bus and paged.

The stand-in ignores dimensions, metric math and how to treat missing data, and announces nothing.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from local.cloudwatch import evaluation
from local.cloudwatch.evaluation import ALARM, Definition, InvalidAlarm
from local.gateway import Gateway, service

_LOOK_SECONDS = 1.0
_log = logging.getLogger(__name__)

Alarm = dict[str, Any]
"""The stand-in's record: PutMetricAlarm's members, and the state."""


class Alarms:
    """Evaluates the stand-in's alarms on a thread of its own."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._stopped = threading.Event()
        self._definitions: dict[str, tuple[Alarm, Definition]] = {}
        self._held: dict[str, float] = {}
        self._told: dict[str, dict[str, Any]] = {}
        # A request and the thread may look at the same alarm; one of them moves it.
        self._turn = threading.RLock()

    def install(self) -> None:
        stand_in = service("cloudwatch")
        stand_in._evaluate_alarm = lambda alarm: None
        stand_in._evaluate_all_alarms = lambda: None
        stand_in._record_history = _record_history
        stand_in._put_metric_alarm = self._accepting(stand_in._put_metric_alarm)
        stand_in.cloudformation_put_metric_alarm = self._evaluated(stand_in.cloudformation_put_metric_alarm)
        stand_in._set_alarm_state = self._holding(stand_in._set_alarm_state)
        stand_in._dispatch_alarm_actions = self._announced(stand_in._dispatch_alarm_actions)
        provisioners = service("cloudformation.provisioners")
        provisioners._cw_metric_alarm_record = _with_metrics(provisioners._cw_metric_alarm_record)

    def start(self) -> None:
        threading.Thread(target=self._gateway.scoped, args=(self._run,), name="alarms", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(_LOOK_SECONDS):
            for alarm in service("cloudwatch")._alarms.values():
                try:
                    self._evaluate(alarm)
                except Exception:  # noqa: BLE001 - the thread must live, for the other alarms
                    _log.exception("alarm %s", alarm["AlarmName"])

    def _evaluate(self, alarm: Alarm) -> None:
        definition, now = self._definition(alarm), time.time()
        datapoints = definition.datapoints(now)
        with self._turn:
            new = evaluation.state(definition, datapoints, alarm["StateValue"])
            if new == alarm["StateValue"] or (new != ALARM and now < self._held.get(alarm["AlarmName"], 0.0)):
                return
            self._move(alarm, new, evaluation.reason(definition, datapoints, new), _facts(definition, datapoints, now))

    def _definition(self, alarm: Alarm) -> Definition:
        """The alarm's definition, parsed once for each record; a changed alarm has a new one."""
        kept = self._definitions.get(alarm["AlarmName"])
        if kept is None or kept[0] is not alarm:
            kept = self._definitions[alarm["AlarmName"]] = (alarm, evaluation.parse(alarm))
        return kept[1]

    def _move(self, alarm: Alarm, new: str, reason: str, facts: dict[str, Any]) -> None:
        stand_in, old = service("cloudwatch"), alarm["StateValue"]
        now = time.time()
        alarm.update(
            StateValue=new,
            StateReason=reason,
            StateReasonData=json.dumps(facts),
            StateUpdatedTimestamp=now,
            StateTransitionedTimestamp=now,
        )
        stand_in._record_history(alarm["AlarmName"], old, new, reason, reason_data=facts)
        stand_in._dispatch_alarm_actions(alarm, old, new, reason)
        stand_in._evaluate_parent_alarms(alarm)

    def _accepting(self, put: Callable[..., Any]) -> Callable[..., Any]:
        """PutMetricAlarm with metric math, and without what the laptop could never evaluate."""

        def put_alarm(params: Any, request: Mapping[str, Any], is_cbor: bool, is_json: bool = False) -> Any:
            stand_in = service("cloudwatch")
            if not (is_cbor or is_json):  # the older protocol knows no metric math, and its request stands in params
                return put(params, request, is_cbor, is_json)
            try:
                evaluation.parse({"Statistic": "Average", **request})
            except InvalidAlarm as error:
                return stand_in._error("ValidationError", str(error), 400, use_json=is_json, use_cbor=is_cbor)
            answer = put(params, request, is_cbor, is_json)
            if answer[0] < 300:
                alarm = stand_in._alarms[request["AlarmName"]]
                _complete(alarm, list(request.get("Metrics") or ()))
                self._evaluate(alarm)
            return answer

        return put_alarm

    def _evaluated(self, put: Callable[[Alarm], None]) -> Callable[[Alarm], None]:
        def put_alarm(alarm: Alarm) -> None:
            put(alarm)
            self._evaluate(alarm)

        return put_alarm

    def _holding(self, change: Callable[..., Any]) -> Callable[..., Any]:
        """SetAlarmState, whose state lasts for a period unless the alarm fires: CloudWatch looks no sooner."""

        def set_state(params: Any, request: Mapping[str, Any], *protocol: bool) -> Any:
            name = request.get("AlarmName", "")
            alarm = service("cloudwatch")._alarms.get(name)
            with self._turn:
                if alarm is not None:
                    self._held[name] = time.time() + self._definition(alarm).period
                    alarm.pop("StateReasonData", None)
                return change(params, request, *protocol)

        return set_state

    def _announced(self, act: Callable[[Alarm, str, str, str], None]) -> Callable[[Alarm, str, str, str], None]:
        """The alarm's actions, and the event of its change before them."""

        def dispatch(alarm: Alarm, old: str, new: str, reason: str) -> None:
            before = self._told.get(alarm["AlarmName"], {"value": old})
            after = self._told[alarm["AlarmName"]] = _state(alarm)
            _put_event(alarm, {**before, "value": old}, after)
            act(alarm, old, new, reason)

        return dispatch


def _with_metrics(record: Callable[[str, dict[str, Any]], Alarm]) -> Callable[[str, dict[str, Any]], Alarm]:
    """CloudFormation's alarm, which the stand-in refuses if it has metric math."""

    def with_metrics(name: str, properties: dict[str, Any]) -> Alarm:
        given = properties.get("Metrics") or []
        placeholders = {"Metrics": None, "MetricName": "-", "Namespace": "-"} if given else {}
        alarm = record(name, {**properties, **placeholders})
        _complete(alarm, [_typed(each) for each in given])
        evaluation.parse(alarm)
        return alarm

    return with_metrics


def _complete(alarm: Alarm, given: list[dict[str, Any]]) -> None:
    """Give the record what the stand-in drops, and take from it what the alarm does not have."""
    if given:
        alarm["Metrics"] = given
        for name in ("MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Period", "Dimensions", "Unit"):
            alarm.pop(name, None)
    elif alarm.get("ExtendedStatistic"):
        alarm.pop("Statistic", None)
    for name in [name for name, value in alarm.items() if value is None]:
        del alarm[name]


def _typed(query: Mapping[str, Any]) -> dict[str, Any]:
    """A query of a template, whose numbers and truth values may be text."""
    typed = {**query, "ReturnData": str(query.get("ReturnData", True)).lower() == "true"}
    if "MetricStat" in query:
        typed["MetricStat"] = {**query["MetricStat"], "Period": int(query["MetricStat"]["Period"])}
    return typed


def _record_history(
    name: str, old: str, new: str, reason: str, alarm_type: str = "MetricAlarm", reason_data: Any = None
) -> None:
    """An entry of the history; the stand-in's own tells no milliseconds, by which a short alarm can be missed."""
    after = {"stateValue": new, "stateReason": reason} | ({"stateReasonData": reason_data} if reason_data else {})
    entry = {
        "AlarmName": name,
        "AlarmType": alarm_type,
        "Timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "HistoryItemType": "StateUpdate",
        "HistorySummary": f"Alarm updated from {old} to {new}",
        "HistoryData": json.dumps({"version": "1.0", "oldState": {"stateValue": old}, "newState": after}),
    }
    service("cloudwatch")._history_entries().append(entry)


def _facts(definition: Definition, datapoints: list[float | None], now: float) -> dict[str, Any]:
    """CloudWatch's StateReasonData."""
    facts = {
        "version": "1.0",
        "queryDate": _moment(now),
        "startDate": _moment(now - definition.period * definition.periods),
        "statistic": definition.statistic,
        "period": definition.period,
        "recentDatapoints": [value for value in reversed(datapoints) if value is not None],
        "threshold": definition.threshold,
    }
    return {name: value for name, value in facts.items() if value is not None}


def _put_event(alarm: Alarm, before: dict[str, Any], after: dict[str, Any]) -> None:
    detail = {
        "alarmName": alarm["AlarmName"],
        "configuration": _configuration(alarm),
        "previousState": before,
        "state": after,
    }
    entry = {
        "Source": "aws.cloudwatch",
        "DetailType": "CloudWatch Alarm State Change",
        "Resources": [alarm["AlarmArn"]],
        "Detail": json.dumps(detail),
    }
    service("eventbridge")._put_events({"Entries": [entry]}, allow_aws_source=True)


def _state(alarm: Alarm) -> dict[str, Any]:
    told = {
        "value": alarm["StateValue"],
        "reason": alarm["StateReason"],
        "reasonData": alarm.get("StateReasonData"),
        "timestamp": _moment(alarm.get("StateUpdatedTimestamp", time.time())),
    }
    return {name: value for name, value in told.items() if value is not None}


def _configuration(alarm: Alarm) -> dict[str, Any]:
    described = {"description": alarm["AlarmDescription"]} if alarm.get("AlarmDescription") else {}
    if "AlarmRule" in alarm:
        return {**described, "alarmRule": alarm["AlarmRule"]}
    queries = alarm.get("Metrics") or [{**evaluation.single_metric(alarm), "ReturnData": True}]
    return {**described, "metrics": [_told_query(query) for query in queries]}


def _told_query(query: Mapping[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {"id": query["Id"], "returnData": query.get("ReturnData", True)}
    if "Expression" in query:
        return {**told, "expression": query["Expression"], "label": query.get("Label", query["Id"])}
    stat = query["MetricStat"]
    metric = {
        "namespace": stat["Metric"]["Namespace"],
        "name": stat["Metric"]["MetricName"],
        "dimensions": {each["Name"]: each["Value"] for each in stat["Metric"].get("Dimensions") or ()},
    }
    return {**told, "metricStat": {"metric": metric, "period": stat["Period"], "stat": stat["Stat"]}}


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "+0000")
