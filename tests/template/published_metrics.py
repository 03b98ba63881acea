"""Every metric of ours, as the functions and a look publish it when there is something of each kind."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from functools import cache
from typing import Any, NamedTuple

import pytest

from fraud.answer import UNDECIDED, AnswerReport
from fraud.aws import metrics, shadow_metrics
from fraud.aws.monitoring_metrics import CloudWatchMonitoringMetrics
from fraud.batch_report import BatchReport, Call
from fraud.monitoring_findings import QUALITY, Findings, Labels, Parity, Variant
from fraud.monitoring_findings import metrics as metrics_of_a_look
from fraud.shadow_ports import ShadowReport
from tests.fakes.samples import decision

NAMESPACE = {"Fn::Sub": "FraudDetection/${AWS::StackName}"}
"""Of all of them, as the template has it."""
SLOTS = ("a", "b")


class Series(NamedTuple):
    """A metric's name with its dimensions and their values."""

    name: str
    dimensions: frozenset[tuple[str, str]]

    @property
    def label(self) -> str:
        """Its name, after the service whose it is."""
        return f"{dict(self.dimensions).get('service', '')} {self.name}".strip()


BATCH = BatchReport(
    decided=[decision(), *(decision(slot=slot) for slot in SLOTS)],
    latencies=[0.1],
    calls=[Call(slot, rows=1, unanswered=0, seconds=0.1) for slot in SLOTS],
)
"""One decision for each slot, and one for none."""
FOUND = Findings(
    schema_version=1,
    since="2025-06-15T00:00:00Z",
    until="2025-06-16T00:00:00Z",
    champion="a",
    rows=1,
    looked_at=0,
    findings=(),
    variants=(
        Variant(
            role="champion",
            model_package="a",
            rows=1,
            shares={},
            largest_psi=0.0,
            score_psi=0.0,
            quality=dict.fromkeys(QUALITY, 0.5),
        ),
    ),
    parity=Parity(cards=1, terminals=1, compared=1, mismatched=0, left_out=0),
    labels=Labels(
        by_source={}, disagreements=0, mature=0, unlabelled=0, unknown=0, immature=0, newest_known_at="", known_after={}
    ),
    champion_age_days=1.0,
)
"""A look that found something of each kind."""
PUBLISHING: Mapping[str, Callable[[], None]] = {
    "score_transactions": lambda: metrics.publish_scoring(BATCH, 0.1),
    "answer_transaction": lambda: metrics.publish_answers(AnswerReport([UNDECIDED], False, 0.1, BATCH)),
    "shadow_score": lambda: shadow_metrics.publish(ShadowReport(shadowed=1)),
}
"""Functions by the names of their services."""


@cache
def published() -> frozenset[Series]:
    return frozenset(of_functions()) | frozenset(of_a_look())


def of_functions() -> Iterator[Series]:
    lines = io.StringIO()
    with pytest.MonkeyPatch.context() as environment, redirect_stdout(lines):
        environment.setenv("POWERTOOLS_METRICS_NAMESPACE", "ours")
        for service, publish in PUBLISHING.items():
            environment.setenv("POWERTOOLS_SERVICE_NAME", service)
            publish()
    for line in lines.getvalue().splitlines():
        yield from embedded(json.loads(line))


def embedded(line: Mapping[str, Any]) -> Iterator[Series]:
    """The metrics of a line in the embedded format."""
    for directive in line["_aws"]["CloudWatchMetrics"]:
        for names in directive["Dimensions"]:
            dimensions = frozenset((name, line[name]) for name in names)
            yield from (Series(each["Name"], dimensions) for each in directive["Metrics"])


def of_a_look() -> Iterator[Series]:
    client = Recorded()
    CloudWatchMonitoringMetrics(client, "ours").publish(metrics_of_a_look(FOUND), 0.0)
    return map(series, client.data)


def series(metric: Mapping[str, Any]) -> Series:
    """What an alarm, or a call of CloudWatch, names."""
    dimensions = ((each["Name"], each["Value"]) for each in metric.get("Dimensions", ()))
    return Series(metric["MetricName"], frozenset(dimensions))


class Recorded:
    """CloudWatch that only keeps what it is told."""

    def __init__(self) -> None:
        self.data: list[Mapping[str, Any]] = []

    def put_metric_data(self, **call: Any) -> None:
        self.data += call["MetricData"]
