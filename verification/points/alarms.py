"""Alarms with periods that are no divisor of a day."""

from __future__ import annotations

from verification.probe import Answer, Place, Probe, Term, confirmed, differs
from verification.sandbox import Sandbox

PERIOD = 25_200


def _ask_period(sandbox: Sandbox) -> Answer:
    name, cloudwatch = sandbox.name("alarm"), sandbox.client("cloudwatch")
    refusal = sandbox.make(
        "alarm",
        name,
        lambda: sandbox.refused(
            lambda: cloudwatch.put_metric_alarm(
                AlarmName=name,
                Namespace=f"FraudVerify/{sandbox.run}",
                MetricName="Violations",
                Statistic="Sum",
                Period=PERIOD,
                EvaluationPeriods=1,
                Threshold=0,
                ComparisonOperator="GreaterThanThreshold",
                TreatMissingData="notBreaching",
                Tags=sandbox.tags,
            )
        ),
    )
    if refusal is not None:
        return differs(refusal.text)
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return confirmed(f"accepted; its period is {alarm['Period']} s and its state {alarm['StateValue']}")


PROBES = (
    Probe(
        "alarm-period",
        "Does CloudWatch take an alarm with a period of seven hours?",
        "Any multiple of a minute up to a day is taken, so that an alarm of a six-hourly look has an hour to spare.",
        (Place("template.yaml", "Period: 25200"),),
        _ask_period,
        ("cloudwatch.put_metric_alarm", "cloudwatch.describe_alarms"),
        minutes=1,
        terms=(Term("cloudwatch_alarm", 1 / 730, hourly=True),),
    ),
)
