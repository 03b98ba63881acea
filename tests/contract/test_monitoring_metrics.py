"""What is published where alarms look: names, moments, dimensions, and never more than a call takes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ReadTimeoutError

from fraud import monitoring_findings
from fraud.aws.monitoring_metrics import CloudWatchMonitoringMetrics
from fraud.errors import StoreUnavailable
from fraud.monitoring_findings import Metric
from fraud.monitoring_ports import MonitoringMetrics
from tests.fakes.monitoring import RecordingMetrics, findings_document
from tests.fakes.samples import NOW
from tests.fakes.scripted_client import answering, refusal

MOMENT = datetime.fromtimestamp(NOW, UTC)
Asked = list[dict[str, Any]]


@pytest.fixture
def asked() -> Asked:
    """What CloudWatch was sent, a mapping for each call."""
    return []


@pytest.fixture
def adapter(asked: Asked) -> Iterator[MonitoringMetrics]:
    client = boto3.client("cloudwatch")

    def put(**given: Any) -> dict[str, Any]:
        asked.append(given)
        return {}

    with answering(client, PutMetricData=put):
        yield CloudWatchMonitoringMetrics(client, "fraud")


@pytest.fixture(params=["memory", "aws"])
def metrics(request: pytest.FixtureRequest) -> MonitoringMetrics:
    if request.param == "memory":
        return RecordingMetrics()
    adapter: MonitoringMetrics = request.getfixturevalue("adapter")
    return adapter


def published(metrics: MonitoringMetrics, asked: Asked) -> list[tuple[Metric, float]]:
    """What arrived, as it was told."""
    if isinstance(metrics, RecordingMetrics):
        return metrics.published
    return [(_metric(each), each["Timestamp"].timestamp()) for call in asked for each in call["MetricData"]]


def _metric(datum: dict[str, Any]) -> Metric:
    variant = "".join(each["Value"] for each in datum["Dimensions"])
    return Metric(datum["MetricName"], datum["Value"], datum["Unit"], variant)


def test_publish_every_value_arrives_with_its_moment(metrics: MonitoringMetrics, asked: Asked) -> None:
    values = list(monitoring_findings.metrics(monitoring_findings.parse(findings_document())))
    metrics.publish(iter(values), NOW + 0.25)
    assert published(metrics, asked) == [(each, NOW + 0.25) for each in values]
    assert len(values) > 6


def test_publish_nothing_publishes_nothing(metrics: MonitoringMetrics, asked: Asked) -> None:
    metrics.publish([], NOW)
    assert published(metrics, asked) == []
    assert asked == []


def test_publish_variant_is_a_dimension_where_there_is_one(adapter: MonitoringMetrics, asked: Asked) -> None:
    adapter.publish([Metric("DriftViolations", 0, "Count"), Metric("ScorePsi", 0.01, "None", "champion")], NOW)
    assert asked == [
        {
            "Namespace": "fraud",
            "MetricData": [
                {
                    "MetricName": "DriftViolations",
                    "Value": 0,
                    "Unit": "Count",
                    "Timestamp": MOMENT,
                    "Dimensions": [],
                },
                {
                    "MetricName": "ScorePsi",
                    "Value": 0.01,
                    "Unit": "None",
                    "Timestamp": MOMENT,
                    "Dimensions": [{"Name": "Variant", "Value": "champion"}],
                },
            ],
        }
    ]


@pytest.mark.parametrize(("count", "calls"), [(1_000, [1_000]), (1_001, [1_000, 1]), (2_005, [1_000, 1_000, 5])])
def test_publish_more_than_a_call_takes_is_split(
    adapter: MonitoringMetrics, asked: Asked, count: int, calls: list[int]
) -> None:
    adapter.publish((Metric(f"M{number}", number, "Count") for number in range(count)), NOW)
    assert [len(call["MetricData"]) for call in asked] == calls
    assert [each["Value"] for call in asked for each in call["MetricData"]] == list(range(count))


def test_publish_refused_is_unavailable() -> None:
    client = boto3.client("cloudwatch")

    def refuse(**_: Any) -> dict[str, Any]:
        raise refusal("Throttling")

    with answering(client, PutMetricData=refuse), pytest.raises(StoreUnavailable, match=r"^PutMetricData: Throttling$"):
        CloudWatchMonitoringMetrics(client, "fraud").publish([Metric("M", 1, "Count")], NOW)


def test_publish_not_answered_is_unavailable() -> None:
    class Client:
        def put_metric_data(self, **request: Any) -> None:
            raise ReadTimeoutError(endpoint_url="https://example.com")

    with pytest.raises(StoreUnavailable, match=r"^PutMetricData: ReadTimeoutError$"):
        CloudWatchMonitoringMetrics(Client(), "fraud").publish([Metric("M", 1, "Count")], NOW)


def test_recording_metrics_tell_the_last_value_by_name_and_variant() -> None:
    metrics = RecordingMetrics()
    metrics.publish([Metric("DriftViolations", 3, "Count"), Metric("ScorePsi", 0.5, "None", "challenger")], NOW)
    metrics.publish([Metric("DriftViolations", 0, "Count")], NOW + 1)
    assert metrics.values == {"DriftViolations": 0, "ScorePsi challenger": 0.5}
