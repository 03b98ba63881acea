"""People on call are told, in the words that SNS takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest

from fraud.aws.bell import SnsBell
from fraud.errors import StoreUnavailable
from fraud.rollout_ports import Bell
from tests.fakes.rollouts import RecordingBell
from tests.fakes.scripted_client import answering, refusal

TOPIC = "arn:aws:sns:eu-central-1:123456789012:alarms"


@pytest.fixture
def published() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def adapter(published: list[dict[str, Any]]) -> Iterator[Bell]:
    def publish(**asked: Any) -> dict[str, Any]:
        published.append(asked)
        return {"MessageId": str(len(published))}

    client = boto3.client("sns")
    with answering(client, Publish=publish):
        yield SnsBell(client, TOPIC)


Rung = tuple[Bell, Callable[[], list[tuple[str, str]]]]


@pytest.fixture(params=["memory", "aws"])
def rung(request: pytest.FixtureRequest, adapter: Bell, published: list[dict[str, Any]]) -> Rung:
    """A bell, and what was heard of it."""
    if request.param == "aws":
        return adapter, lambda: [(each["Subject"], each["Message"]) for each in published]
    recording = RecordingBell()
    return recording, lambda: recording.rung


def test_ring_is_heard_every_time(rung: Rung) -> None:
    bell, heard = rung
    bell.ring("A rollout asks", "May it?\n\nLook – with `fraud rollout status`.")
    bell.ring("Again", "Well?")
    assert heard() == [("A rollout asks", "May it?\n\nLook – with `fraud rollout status`."), ("Again", "Well?")]


def test_ring_goes_to_the_topic(adapter: Bell, published: list[dict[str, Any]]) -> None:
    adapter.ring("subject", "message")
    assert published == [{"TopicArn": TOPIC, "Subject": "subject", "Message": "message"}]


@pytest.mark.parametrize(
    ("subject", "line"),
    [
        ("Größe – 1 %", "Gr??e ? 1 %"),
        ("two\nlines\tand more ", "two lines and more"),
        ("x" * 101, "x" * 100),
        ("ä" * 200, "?" * 100),
    ],
)
def test_ring_subject_is_one_short_line_of_ascii(
    adapter: Bell, published: list[dict[str, Any]], subject: str, line: str
) -> None:
    adapter.ring(subject, "message")
    assert published[0]["Subject"] == line


def test_ring_message_too_long_is_cut_rather_than_not_told(adapter: Bell, published: list[dict[str, Any]]) -> None:
    adapter.ring("subject", "🔔" * 70_000)
    assert len(published[0]["Message"].encode()) <= 262_144


def test_ring_not_taken_is_unavailable() -> None:
    def refuse(**asked: Any) -> dict[str, Any]:
        raise refusal("AuthorizationError")

    client = boto3.client("sns")
    with answering(client, Publish=refuse), pytest.raises(StoreUnavailable, match="Publish: AuthorizationError"):
        SnsBell(client, TOPIC).ring("subject", "message")
