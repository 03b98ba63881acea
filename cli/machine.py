"""State machines: started, and asked what became of that."""

import getpass
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cli.target import Target


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
