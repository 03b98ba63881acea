"""What starts a machine by itself: the schedules of the template, and alarms by way of a rule."""

import json
import uuid
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from local import schedules
from local.gateway import service
from tests.local.conftest import Running, eventually
from tests.local.machines import Machines

MACHINE = "arn:aws:states:us-east-1:000000000000:stateMachine:retraining"
NOON = 1_767_614_400.0
"""A Monday, 2026-01-05."""
DAY = 86_400.0


class Clock:
    """The stand-in's scheduler in this process, at times of our choosing, and the executions it starts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._scheduler, engine = service("scheduler"), service("stepfunctions")
        self._scheduler.reset()
        self._scheduler._schedule_last_fired.clear()
        self._now = NOON
        monkeypatch.setattr(self._scheduler, "time", SimpleNamespace(time=lambda: self._now))
        monkeypatch.setattr(engine, "_resolve_state_machine_arn", lambda arn: {"stateMachineArn": arn})
        monkeypatch.setattr(engine, "_start_execution", self._note)
        self.started: list[tuple[str, Any]] = []

    def create(self, expression: str, **changes: Any) -> str:
        given = json.dumps({"trigger": "schedule"})
        properties = {
            "Name": "clock",
            "ScheduleExpression": expression,
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": {"Arn": MACHINE, "RoleArn": "arn:aws:iam::000000000000:role/clock", "Input": given},
            **changes,
        }
        name, _ = schedules.create("Clock", properties, "stack")
        self.passes(0)
        return name

    def passes(self, seconds: float) -> None:
        self._now += seconds
        self._scheduler._tick_schedules()

    def _note(self, request: dict[str, Any]) -> None:
        self.started.append((request["stateMachineArn"], json.loads(request["input"])))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    yield Clock(monkeypatch)
    service("scheduler").reset()


@pytest.mark.parametrize("expression", ["rate(1 day)", "cron(30 12 ? * MON-FRI *)", "cron(0 3 * * ? *)"])
def test_a_schedule_starts_its_machine_with_its_input_when_it_is_due(clock: Clock, expression: str) -> None:
    clock.create(expression)
    clock.passes(600)
    assert clock.started == []
    clock.passes(DAY)
    assert clock.started == [(MACHINE, {"trigger": "schedule"})]


def test_a_disabled_schedule_starts_nothing(clock: Clock) -> None:
    clock.create("rate(1 day)", State="DISABLED")
    clock.passes(3 * DAY)
    assert clock.started == []


def test_a_schedule_starts_nothing_before_its_first_day_and_after_its_last(clock: Clock) -> None:
    clock.create("rate(1 day)", StartDate="2026-01-08T00:00:00Z", EndDate="2026-01-10T00:00:00Z")
    counts = []
    for _ in range(8):
        clock.passes(DAY)
        counts.append(len(clock.started))
    assert counts == [0, 0, 1, 2, 2, 2, 2, 2]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"ScheduleExpression": "cron(0 3 * * SUN *)"}, "Invalid Schedule Expression"),
        ({"ScheduleExpression": "every day"}, "Invalid Schedule Expression"),
        ({"ScheduleExpressionTimezone": "Europe/Zurich"}, "keep UTC"),
        ({"GroupName": "nobodys"}, "group nobodys does not exist"),
    ],
)
def test_a_schedule_that_would_not_fire_as_it_says_is_refused(
    clock: Clock, changes: dict[str, str], named: str
) -> None:
    with pytest.raises(ValueError, match=named):
        clock.create("cron(0 3 ? * SUN *)", **changes)


def test_a_schedule_of_the_template_is_there_whole(stack: Running, outputs: dict[str, str]) -> None:
    schedule = stack.client("scheduler").get_schedule(Name=outputs["Clock"])
    assert (schedule["State"], schedule["ScheduleExpression"]) == ("DISABLED", "cron(0 3 ? * SUN *)")
    assert schedule["StartDate"].year == 2030
    assert schedule["Target"]["Arn"] == outputs["Machine"]
    assert json.loads(schedule["Target"]["Input"])["trigger"] == "schedule"


def test_an_alarm_starts_a_machine_with_what_the_rule_makes_of_it(stack: Running, outputs: dict[str, str]) -> None:
    machines, events, cloudwatch = Machines(stack, outputs), stack.client("events"), stack.client("cloudwatch")
    machine, name = machines.create({"Done": {"Type": "Succeed"}}), f"a{uuid.uuid4().hex}"
    pattern = {
        "source": ["aws.cloudwatch"],
        "detail-type": ["CloudWatch Alarm State Change"],
        "detail": {"alarmName": [{"prefix": f"{name}-retrain-"}], "state": {"value": ["ALARM"]}},
    }
    transformer = {
        "InputPathsMap": {"alarm": "$.detail.alarmName"},
        "InputTemplate": '{"trigger": "alarm", "alarm": <alarm>}',
    }
    target = {"Id": "machine", "Arn": machine, "RoleArn": outputs["Role"], "InputTransformer": transformer}
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[target])
    for alarm in (f"{name}-retrain-drift", f"{name}-other"):
        cloudwatch.put_metric_alarm(
            AlarmName=alarm, Namespace=name, MetricName="Drift", Statistic="Maximum", Period=60, EvaluationPeriods=1,
            ComparisonOperator="GreaterThanThreshold", Threshold=0.2, TreatMissingData="notBreaching",
        )  # fmt: skip
    cloudwatch.put_metric_data(Namespace=name, MetricData=[{"MetricName": "Drift", "Value": 0.5}])
    (started,) = eventually(lambda: machines.client.list_executions(stateMachineArn=machine)["executions"])
    given = machines.client.describe_execution(executionArn=started["executionArn"])["input"]
    assert json.loads(given) == {"trigger": "alarm", "alarm": f"{name}-retrain-drift"}
