"""Alarms on the running stack: what they look at, what they tell, and whom."""

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.conftest import Running, eventually
from tests.local.inbox import Inbox


class Watch:
    """Alarms on metrics of this test's own."""

    def __init__(self, stack: Running) -> None:
        self.client = stack.client("cloudwatch")
        self.name = f"a{uuid.uuid4().hex}"
        self._events = stack.client("events")

    def put(self, alarm: str = "", **changes: Any) -> str:
        settings = {
            "Namespace": self.name,
            "MetricName": "Errors",
            "Dimensions": [{"Name": "Slot", "Value": "a"}],
            "Statistic": "Sum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "ComparisonOperator": "GreaterThanThreshold",
            "Threshold": 5.0,
            "TreatMissingData": "notBreaching",
            **changes,
        }
        if settings["Statistic"].startswith("p"):
            settings["ExtendedStatistic"] = settings.pop("Statistic")
        name = f"{self.name}{alarm}"
        self.client.put_metric_alarm(AlarmName=name, **settings)
        return name

    def measure(self, *values: float, metric: str = "Errors", slot: str = "a") -> None:
        dimensions = [{"Name": "Slot", "Value": slot}] if slot else []
        data = {"MetricName": metric, "Dimensions": dimensions, "Values": list(values), "Counts": [1.0] * len(values)}
        self.client.put_metric_data(Namespace=self.name, MetricData=[data])

    def alarm(self, name: str = "") -> dict[str, Any]:
        (found,) = self.client.describe_alarms(AlarmNames=[name or self.name])["MetricAlarms"]
        return dict(found)

    def reaches(self, state: str, name: str = "") -> None:
        eventually(lambda: self.alarm(name)["StateValue"] == state)

    def announced(self, inbox: Inbox) -> None:
        """Let the alarms of this test be announced in an inbox."""
        pattern = {"source": ["aws.cloudwatch"], "detail": {"alarmName": [{"prefix": self.name}]}}
        self._events.put_rule(Name=self.name, EventPattern=json.dumps(pattern))
        self._events.put_targets(Rule=self.name, Targets=[{"Id": "inbox", "Arn": inbox.arn}])


@pytest.fixture
def watch(stack: Running) -> Watch:
    return Watch(stack)


@pytest.fixture
def inbox(stack: Running) -> Inbox:
    return Inbox(stack)


def test_an_alarm_sees_its_own_dimensions_alone(watch: Watch) -> None:
    watch.put(TreatMissingData="missing")
    watch.put("-b", Dimensions=[{"Name": "Slot", "Value": "b"}], TreatMissingData="missing")
    watch.put("-none", Dimensions=[], TreatMissingData="missing")
    watch.measure(6.0)
    watch.reaches("ALARM")
    others = [watch.alarm(f"{watch.name}{suffix}")["StateValue"] for suffix in ("-b", "-none")]
    assert others == ["INSUFFICIENT_DATA", "INSUFFICIENT_DATA"]


def test_a_silent_metric_is_no_alarm_where_missing_data_does_not_breach(watch: Watch) -> None:
    watch.put()
    assert watch.alarm()["StateValue"] == "OK"
    assert "1 missing datapoint was treated as [NonBreaching]" in watch.alarm()["StateReason"]
    watch.put("-silence", TreatMissingData="breaching")
    assert watch.alarm(f"{watch.name}-silence")["StateValue"] == "ALARM"


def test_an_alarm_may_look_at_a_percentile(watch: Watch) -> None:
    for limit in (90, 200):
        watch.put(f"-{limit}", MetricName="Latency", Statistic="p99", Threshold=limit)
    watch.measure(*[10.0] * 98, 100.0, 500.0, metric="Latency")
    watch.reaches("ALARM", f"{watch.name}-90")
    assert watch.alarm(f"{watch.name}-200")["StateValue"] == "OK"


def ratio(name: str, expression: str) -> list[dict[str, Any]]:
    def stat(metric: str) -> dict[str, Any]:
        dimensions = [{"Name": "Slot", "Value": "a"}]
        described = {"Namespace": name, "MetricName": metric, "Dimensions": dimensions}
        return {
            "Id": metric.lower(),
            "ReturnData": False,
            "MetricStat": {"Metric": described, "Period": 60, "Stat": "Sum"},
        }

    return [{"Id": "rate", "Expression": expression}, stat("Decisions"), stat("Blocked")]


def put_ratio(watch: Watch, expression: str = "IF(decisions >= 10, 100 * blocked / decisions, 0)") -> None:
    watch.client.put_metric_alarm(
        AlarmName=watch.name,
        Metrics=ratio(watch.name, expression),
        EvaluationPeriods=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        Threshold=50,
        TreatMissingData="notBreaching",
    )


def test_an_alarm_may_look_at_what_is_calculated_from_metrics(watch: Watch) -> None:
    put_ratio(watch)
    watch.measure(2.0, metric="Blocked")
    watch.measure(4.0, metric="Decisions")
    assert watch.alarm()["StateValue"] == "OK"
    watch.measure(4.0, metric="Blocked")
    watch.measure(6.0, metric="Decisions")
    watch.reaches("ALARM")
    assert watch.alarm()["Metrics"][0]["Expression"].startswith("IF(")
    assert "MetricName" not in watch.alarm()


@pytest.mark.parametrize("expression", ["blocked.__class__", "blocked / others", "SEARCH('x', 'Sum')", "blocked /"])
def test_an_expression_that_could_never_be_calculated_is_refused(watch: Watch, expression: str) -> None:
    with pytest.raises(ClientError, match="Error in expression 'rate'"):
        put_ratio(watch, expression)
    assert watch.client.describe_alarms(AlarmNames=[watch.name])["MetricAlarms"] == []


def test_a_change_is_announced_as_cloudwatch_does(watch: Watch, inbox: Inbox) -> None:
    watch.put(AlarmDescription="Errors of a slot.")
    watch.announced(inbox)
    watch.measure(6.0)
    (event,) = inbox.messages(1)
    detail = event["detail"]
    assert (event["source"], event["detail-type"]) == ("aws.cloudwatch", "CloudWatch Alarm State Change")
    assert event["resources"] == [watch.alarm()["AlarmArn"]]
    assert (detail["alarmName"], detail["state"]["value"], detail["previousState"]["value"]) == (
        watch.name,
        "ALARM",
        "OK",
    )
    assert json.loads(detail["state"]["reasonData"])["recentDatapoints"] == [6.0]
    assert detail["configuration"]["description"] == "Errors of a slot."
    (metric,) = detail["configuration"]["metrics"]
    described = {"namespace": watch.name, "name": "Errors", "dimensions": {"Slot": "a"}}
    assert metric["metricStat"] == {"metric": described, "period": 60, "stat": "Sum"}


def test_a_calculated_alarm_is_announced_with_its_expression(watch: Watch, inbox: Inbox) -> None:
    put_ratio(watch)
    watch.announced(inbox)
    watch.client.set_alarm_state(AlarmName=watch.name, StateValue="ALARM", StateReason="a drill")
    (event,) = inbox.messages(1)
    rate, decisions, _ = event["detail"]["configuration"]["metrics"]
    assert rate["expression"].startswith("IF(") and rate["returnData"]
    assert decisions["metricStat"]["metric"]["dimensions"] == {"Slot": "a"} and not decisions["returnData"]


def test_a_state_set_by_hand_is_announced_and_lasts(watch: Watch, inbox: Inbox) -> None:
    watch.put()
    watch.announced(inbox)
    watch.client.set_alarm_state(AlarmName=watch.name, StateValue="ALARM", StateReason="a drill")
    (event,) = inbox.messages(1)
    assert event["detail"]["state"]["reason"] == "a drill"
    watch.put("-later", Dimensions=[{"Name": "Slot", "Value": "b"}])
    watch.measure(6.0, slot="b")
    watch.reaches("ALARM", f"{watch.name}-later")  # so every alarm was looked at meanwhile
    assert (watch.alarm()["StateValue"], watch.alarm()["StateReason"]) == ("ALARM", "a drill")


def test_an_alarm_that_fires_does_so_although_its_state_was_set_by_hand(watch: Watch) -> None:
    watch.put()
    watch.client.set_alarm_state(AlarmName=watch.name, StateValue="OK", StateReason="a drill")
    watch.measure(6.0)
    watch.reaches("ALARM")


def test_the_history_tells_each_change_even_of_this_very_second(watch: Watch) -> None:
    watch.put()
    before = datetime.now(UTC)
    for state in ("ALARM", "OK"):
        watch.client.set_alarm_state(AlarmName=watch.name, StateValue=state, StateReason="a drill")
    items = watch.client.describe_alarm_history(
        AlarmName=watch.name, HistoryItemType="StateUpdate", StartDate=before, ScanBy="TimestampAscending"
    )["AlarmHistoryItems"]
    data = [json.loads(item["HistoryData"]) for item in items]
    assert [(d["oldState"]["stateValue"], d["newState"]["stateValue"]) for d in data] == [
        ("OK", "ALARM"),
        ("ALARM", "OK"),
    ]


@pytest.fixture
def pages(stack: Running, inbox: Inbox) -> str:
    """A topic that delivers to the inbox."""
    sns = stack.client("sns")
    topic: str = sns.create_topic(Name=f"t{uuid.uuid4().hex}")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=inbox.arn)
    return topic


def test_an_alarm_pages_while_its_actions_are_enabled(watch: Watch, inbox: Inbox, pages: str) -> None:
    watch.put(AlarmActions=[pages])
    watch.client.disable_alarm_actions(AlarmNames=[watch.name])
    set_state: Callable[..., Any] = watch.client.set_alarm_state
    set_state(AlarmName=watch.name, StateValue="ALARM", StateReason="unheard")
    set_state(AlarmName=watch.name, StateValue="OK", StateReason="no action of it")
    watch.client.enable_alarm_actions(AlarmNames=[watch.name])
    set_state(AlarmName=watch.name, StateValue="ALARM", StateReason="heard")
    (page,) = inbox.messages(1)
    message = json.loads(page["Message"])
    assert (message["AlarmName"], message["NewStateReason"]) == (watch.name, "heard")


def test_alarms_of_the_template_fire(stack: Running, outputs: dict[str, str], inbox: Inbox) -> None:
    stack.client("sns").subscribe(TopicArn=outputs["Pages"], Protocol="sqs", Endpoint=inbox.arn)
    cloudwatch = stack.client("cloudwatch")
    dimensions = [{"Name": "Slot", "Value": "a"}]
    data = [
        {"MetricName": name, "Dimensions": dimensions, "Value": value}
        for name, value in (("Latency", 700), ("Decisions", 20), ("Blocked", 3))
    ]
    cloudwatch.put_metric_data(Namespace="Alarming", MetricData=data)
    names = [outputs["SlowAlarm"], outputs["RateAlarm"]]

    def states() -> list[str]:
        alarms = cloudwatch.describe_alarms(AlarmNames=names)["MetricAlarms"]
        return [alarm["StateValue"] for alarm in alarms]

    eventually(lambda: states() == ["ALARM", "ALARM"])
    (page,) = inbox.messages(1)
    assert json.loads(page["Message"])["AlarmName"] == outputs["SlowAlarm"]


def statistics(watch: Watch, **query: Any) -> list[float]:
    points = watch.client.get_metric_statistics(
        Namespace=watch.name,
        MetricName="Errors",
        StartTime=datetime.now(UTC),
        EndTime=datetime.now(UTC) + timedelta(minutes=1),
        Period=60,
        Statistics=["Sum"],
        **query,
    )["Datapoints"]
    return [point["Sum"] for point in points]


def test_metric_statistics_are_those_of_exactly_the_dimensions(watch: Watch) -> None:
    for slot, value in (("a", 1.0), ("b", 2.0), ("", 4.0)):
        watch.measure(value, slot=slot)
    assert sum(statistics(watch, Dimensions=[{"Name": "Slot", "Value": "a"}])) == 1.0
    assert sum(statistics(watch)) == 4.0


def test_metric_data_are_those_of_exactly_the_dimensions(watch: Watch) -> None:
    for slot, value in (("a", 1.0), ("b", 2.0), ("", 4.0)):
        watch.measure(value, slot=slot)

    def query(slot: str) -> dict[str, Any]:
        dimensions = [{"Name": "Slot", "Value": slot}] if slot else []
        metric = {"Namespace": watch.name, "MetricName": "Errors", "Dimensions": dimensions}
        return {"Id": f"s{slot}", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}

    results = watch.client.get_metric_data(
        MetricDataQueries=[query("a"), query("b"), query("")],
        StartTime=datetime.now(UTC) - timedelta(minutes=1),
        EndTime=datetime.now(UTC) + timedelta(minutes=1),
    )["MetricDataResults"]
    assert [sum(result["Values"]) for result in results] == [1.0, 2.0, 4.0]
