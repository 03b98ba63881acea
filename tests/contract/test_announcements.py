"""Subscribers hear what became of a rollout, in the same event whoever puts it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest

from fraud.aws.announcements import EventBridgeAnnouncements
from fraud.errors import StoreUnavailable
from fraud.rollout import Stage
from fraud.rollout_ports import Announcements
from tests.fakes.rollouts import EXECUTION, RecordingAnnouncements, rollout
from tests.fakes.scripted_client import answering, refusal
from tests.state_machines.committed import STATES

ANSWER = {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}
WORDS = {"Model Promoted": "promoted", "Rollout Rolled Back": "rolled_back"}
ANNOUNCING = [
    ("Announce the promotion", Stage.PROMOTED),
    ("Announce the rollback", Stage.ROLLED_BACK),
]


@pytest.fixture
def put() -> list[dict[str, Any]]:
    """Entries that were put, one call each."""
    return []


@pytest.fixture
def adapter(put: list[dict[str, Any]]) -> Iterator[Announcements]:
    def put_events(**asked: Any) -> dict[str, Any]:
        [entry] = asked["Entries"]
        put.append(entry)
        return ANSWER

    client = boto3.client("events")
    with answering(client, PutEvents=put_events):
        yield EventBridgeAnnouncements(client, "fraud")


Told = tuple[Announcements, Callable[[], list[tuple[str, str, str]]]]


def heard(entry: dict[str, Any]) -> tuple[str, str, str]:
    """Rollout, what became of it, and the sentence."""
    detail = json.loads(entry["Detail"])
    return detail["rollout_id"], WORDS[entry["DetailType"]], detail["sentence"]


@pytest.fixture(params=["memory", "aws"])
def told(request: pytest.FixtureRequest, adapter: Announcements, put: list[dict[str, Any]]) -> Told:
    """Announcements, and what was heard of them."""
    if request.param == "aws":
        return adapter, lambda: [heard(each) for each in put]
    recording = RecordingAnnouncements()
    return recording, lambda: recording.made


def test_announce_is_heard_every_time(told: Told) -> None:
    announcements, made = told
    announcements.announce(rollout(stage=Stage.PROMOTED), "Version 2 serves.")
    announcements.announce(rollout(stage=Stage.ROLLED_BACK), "Größer als 1 %.")
    announcements.announce(rollout(stage=Stage.ROLLED_BACK), "Größer als 1 %.")
    back = ("first", "rolled_back", "Größer als 1 %.")
    assert made() == [("first", "promoted", "Version 2 serves."), back, back]


def test_announce_puts_one_entry_with_all_that_subscribers_know(
    adapter: Announcements, put: list[dict[str, Any]]
) -> None:
    decided = rollout(stage=Stage.PROMOTED)
    adapter.announce(decided, "Version 2 serves.")
    [entry] = put
    assert json.loads(entry.pop("Detail")) == {
        "rollout_id": "first",
        "execution": EXECUTION,
        "sentence": "Version 2 serves.",
        "model_package_arn": decided.candidate.model_package,
    }
    assert entry == {"EventBusName": "fraud", "Source": "fraud.rollouts", "DetailType": "Model Promoted"}


@pytest.mark.parametrize(("state", "stage"), ANNOUNCING)
def test_announce_puts_the_event_that_the_machine_puts(
    adapter: Announcements, put: list[dict[str, Any]], state: str, stage: Stage
) -> None:
    """A subscriber cannot tell who put it."""
    adapter.announce(rollout(stage=stage), "So it is.")
    [entry], [of_machine] = put, STATES[state]["Parameters"]["Entries"]
    assert (entry["Source"], entry["DetailType"]) == (of_machine["Source"], of_machine["DetailType"])
    assert json.loads(entry["Detail"]).keys() == {each.removesuffix(".$") for each in of_machine["Detail"]}


def refuse(**asked: Any) -> dict[str, Any]:
    raise refusal("AccessDeniedException")


def refuse_the_entry(**asked: Any) -> dict[str, Any]:
    """EventBridge answers a call whose entries it did not take like any other."""
    return {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure"}]}


@pytest.mark.parametrize(
    ("answer", "words"), [(refuse, "PutEvents: AccessDeniedException"), (refuse_the_entry, "the entry was refused")]
)
def test_announce_not_taken_is_unavailable(answer: Callable[..., dict[str, Any]], words: str) -> None:
    client = boto3.client("events")
    with answering(client, PutEvents=answer), pytest.raises(StoreUnavailable, match=words):
        EventBridgeAnnouncements(client, "fraud").announce(rollout(stage=Stage.PROMOTED), "Version 2 serves.")
