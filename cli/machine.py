"""State machines: started, and asked what became of that."""

import getpass
import json
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

from cli.errors import CommandError
from cli.rollout_record import patiently
from cli.target import Target

EVERY_ON_LAPTOP, EVERY_ON_AWS = 1.0, 10.0
"""Seconds between looks at an execution."""
MOST_LOOKS = 4 * 86_400
SILENT = frozenset({"ChoiceStateEntered", "PassStateEntered", "SucceedStateEntered", "FailStateEntered"})
"""States that only lead on, or say in a word how it ended."""


class Step(NamedTuple):
    """Something that happened in an execution: when, seconds since 1970, and what, for people."""

    at: float
    sentence: str


@dataclass(frozen=True)
class Execution:
    """An execution as it stands.

    Args:
        status: as Step Functions has it.
        next: the word of its last answer; empty before its end.
        sentence: its last word, for people; empty when it has none.
    """

    status: str
    next: str = ""
    sentence: str = ""


def caller(target: Target) -> str:
    """Who asks: the caller's ARN, or on the laptop, where everybody has the same, the name of the user."""
    if not target.on_laptop:
        return str(target.client("sts").get_caller_identity()["Arn"])
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody on this machine"


def begin(target: Target, machine: str, kind: str, request: Mapping[str, Any]) -> tuple[str, str]:
    """Start a machine; name and ARN of the execution.

    Args:
        target: the stack.
        machine: output that holds its ARN.
        kind: what the execution's name begins with.
        request: its input.
    """
    # Named here, so that a call which is sent again after a lost answer starts nothing a second time.
    name = f"{kind}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
    answer = target.client("stepfunctions").start_execution(
        stateMachineArn=target.output(machine), name=name, input=json.dumps(request)
    )
    return name, str(answer["executionArn"])


def last_word(target: Target, machine: str) -> str:
    """What the newest execution came to, in its own words."""
    client, arn = target.client("stepfunctions"), target.output(machine)
    for each in client.list_executions(stateMachineArn=arn, maxResults=1)["executions"]:
        standing = look(target, each["executionArn"])
        return standing.sentence or f"execution {each['name']} is {standing.status.lower()}"
    return "nothing started the machine"


def look(target: Target, execution: str) -> Execution:
    """An execution as it stands; what was started a moment ago may not be known everywhere yet, and is running."""
    from botocore.exceptions import ClientError

    try:
        answer = target.client("stepfunctions").describe_execution(executionArn=execution)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ExecutionDoesNotExist":
            raise
        return Execution("RUNNING")
    told = json.loads(answer.get("output") or "{}").get("answer", {})
    return Execution(answer["status"], told.get("next", ""), answer.get("cause") or told.get("sentence", ""))


def pace(target: Target) -> float:
    """Seconds between looks."""
    return EVERY_ON_LAPTOP if target.on_laptop else EVERY_ON_AWS


def looks(target: Target, execution: str) -> Iterator[Execution]:
    """An execution at one look after the other, until it is over. Raises: CommandError when it never is."""
    every = pace(target)
    for _ in range(MOST_LOOKS):
        standing = patiently(partial(look, target, execution), every)
        yield standing
        if standing.status != "RUNNING":
            return
        time.sleep(every)
    raise CommandError(f"{execution} is still not over; it goes on without being watched.")


def entered(target: Target, execution: str) -> list[Step]:
    """States that an execution came to, each where it came to it first."""
    from botocore.exceptions import ClientError

    pages = target.client("stepfunctions").get_paginator("get_execution_history")
    first: dict[str, Step] = {}
    try:
        for page in pages.paginate(executionArn=execution, includeExecutionData=False):
            for event in page["events"]:
                if "stateEnteredEventDetails" in event and event["type"] not in SILENT:
                    name = event["stateEnteredEventDetails"]["name"]
                    first.setdefault(name, Step(event["timestamp"].timestamp(), name))
    except ClientError as error:
        if error.response["Error"]["Code"] != "ExecutionDoesNotExist":
            raise
    return list(first.values())
