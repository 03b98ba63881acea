"""Rules on a bus of one's own, and where a bus sends what it can no longer encrypt."""

from __future__ import annotations

import json
from typing import Any

from verification.errors import TookTooLong
from verification.probe import Answer, Place, Probe, Term, confirmed, differs, inconclusive
from verification.sandbox import Sandbox
from verification.stages import make_key
from verification.template import template

SOURCE = "fraud.rollouts"
DETAIL_TYPE = "Model Promoted"
EVENTBRIDGE = "events.amazonaws.com"


def _make_queue(sandbox: Sandbox, what: str, source: str) -> tuple[str, str]:
    """A queue that EventBridge may send to for a source; URL and ARN."""
    name, sqs = sandbox.name(what), sandbox.client("sqs")
    arn = sandbox.arn("sqs", name)
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": EVENTBRIDGE},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": source}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    tags = {each["Key"]: each["Value"] for each in sandbox.tags}
    made = sandbox.make(
        "queue", name, lambda: sqs.create_queue(QueueName=name, Attributes={"Policy": policy}, tags=tags)
    )
    return made["QueueUrl"], arn


def _announce(sandbox: Sandbox, bus: str) -> str:
    """Put the event of a promotion on a bus; what EventBridge said of it."""
    entry = {
        "EventBusName": bus,
        "Source": SOURCE,
        "DetailType": DETAIL_TYPE,
        "Detail": json.dumps({"endpoint": sandbox.run}),
    }
    answer = sandbox.client("events").put_events(Entries=[entry])
    (result,) = answer["Entries"]
    return f"{result.get('ErrorCode', 'accepted')} {result.get('ErrorMessage', '')}".strip()


def _received(sandbox: Sandbox, url: str, what: str, minutes: float) -> dict[str, Any]:
    """The first message in a queue. Raises: TookTooLong."""

    def look() -> dict[str, Any] | None:
        answer = sandbox.client("sqs").receive_message(
            QueueUrl=url, WaitTimeSeconds=1, MessageAttributeNames=["All"], MaxNumberOfMessages=1
        )
        return next(iter(answer.get("Messages", [])), None)

    return sandbox.until(what, look, minutes)


def _ask_rule(sandbox: Sandbox) -> Answer:
    bus, rule, events = sandbox.name("bus"), sandbox.name("rule"), sandbox.client("events")
    url, queue = _make_queue(sandbox, "events", sandbox.arn("events", f"rule/{bus}/{rule}"))
    sandbox.make("bus", bus, lambda: events.create_event_bus(Name=bus, Tags=sandbox.tags))
    pattern = template()["Resources"]["MonitoringPromotionRule"]["Properties"]["EventPattern"]
    events.put_rule(Name=rule, EventBusName=bus, EventPattern=json.dumps(pattern), Tags=sandbox.tags)
    events.put_targets(Rule=rule, EventBusName=bus, Targets=[{"Id": "queue", "Arn": queue}])
    sandbox.sleep(60)
    said = _announce(sandbox, bus)
    try:
        message = _received(sandbox, url, "the event arrives", 3)
    except TookTooLong as error:
        return differs(f"PutEvents: {said}; {error}")
    return confirmed(f"PutEvents: {said}; delivered as {json.loads(message['Body'])['detail-type']!r}")


def _ask_dead_letter(sandbox: Sandbox) -> Answer:
    """Take the bus its key, and see whether the event lies in the queue."""
    bus, events = sandbox.name("sealed-bus"), sandbox.client("events")
    url, queue = _make_queue(sandbox, "dead", sandbox.arn("events", f"event-bus/{bus}"))
    key = make_key(sandbox, "bus-key", [EVENTBRIDGE])
    sandbox.make(
        "bus",
        bus,
        lambda: events.create_event_bus(
            Name=bus, KmsKeyIdentifier=key, DeadLetterConfig={"Arn": queue}, Tags=sandbox.tags
        ),
    )
    events.put_rule(Name=sandbox.name("rule"), EventBusName=bus, EventPattern=json.dumps({"source": [SOURCE]}))
    target = {"Id": "queue", "Arn": queue}
    events.put_targets(Rule=sandbox.name("rule"), EventBusName=bus, Targets=[target])
    sandbox.client("kms").disable_key(KeyId=key)
    sandbox.sleep(360)
    said = _announce(sandbox, bus)
    try:
        message = _received(sandbox, url, "the event lies in the queue of dead letters", 5)
    except TookTooLong as error:
        return inconclusive(f"PutEvents with a key that is disabled: {said}; {error}")
    attributes = message.get("MessageAttributes", {})
    reason = {name: each.get("StringValue", "") for name, each in attributes.items()}
    return confirmed(f"PutEvents with a key that is disabled: {said}; dead letter {json.dumps(reason, sort_keys=True)}")


_CALLS = (
    "sqs.create_queue",
    "sqs.receive_message",
    "events.create_event_bus",
    "events.put_rule",
    "events.put_targets",
    "events.put_events",
)

PROBES = (
    Probe(
        "promotion-rule",
        "Does a rule on a bus of one's own match the event of a promotion?",
        "The rule's pattern stands for the event that the rollout announces, and its source is the rule's ARN.",
        (
            Place("template.yaml", "MonitoringPromotionRule:"),
            Place("functions/fraud/aws/announcements.py", DETAIL_TYPE),
        ),
        _ask_rule,
        _CALLS,
        minutes=5,
        terms=(Term("eventbridge_event", 1), Term("sqs_request", 40)),
    ),
    Probe(
        "dead-letter",
        "Does a queue's policy with the bus as aws:SourceArn let in what the bus cannot encrypt?",
        "EventBridge sends such events to the queue under the ARN of the bus.",
        (Place("template.yaml", "EventBridgeSendsTheEventsOfThisBus"),),
        _ask_dead_letter,
        (*_CALLS, "kms.create_key", "kms.disable_key"),
        minutes=13,
        terms=(
            Term("kms_key", 1 / 730, hourly=True),
            Term("eventbridge_event", 1),
            Term("sqs_request", 40),
        ),
    ),
)
