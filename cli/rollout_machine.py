"""The state machine behind rollouts: started, and asked what became of that."""

import getpass
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from cli import console, rollout_record
from cli.errors import CommandError
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


@dataclass(frozen=True)
class Beginning:
    """What became of a start.

    Args:
        rollout_id: name of the execution.
        execution: its ARN.
        state: `begun`, `nothing` to roll out, or `pending` when nothing was heard yet.
        sentence: for people.
    """

    rollout_id: str
    execution: str
    state: str
    sentence: str


def caller(target: Target) -> str:
    """Who asks: the caller's ARN, or on the laptop, where everybody has the same, the name of the user."""
    if not target.on_laptop:
        return str(target.client("sts").get_caller_identity()["Arn"])
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody on this machine"


def begin(target: Target, request: Mapping[str, Any]) -> tuple[str, str]:
    """Start the state machine; name and ARN of the execution."""
    # Named here, so that a call which is sent again after a lost answer starts nothing a second time.
    name = f"rollout-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
    answer = target.client("stepfunctions").start_execution(
        stateMachineArn=target.output("RolloutMachineArn"), name=name, input=json.dumps(request)
    )
    return name, str(answer["executionArn"])


def await_beginning(target: Target, rollout_id: str, execution: str, longest: int) -> Beginning:
    """What became of it, once it is known or was given time enough. Raises: CommandError when it was refused."""
    with console.working("Waiting for the rollout to begin"):
        for _ in range(longest):
            found = rollout_record.patiently(partial(beginning_of, target, rollout_id, execution), 1)
            if found is not None:
                return found
            time.sleep(1)
    return Beginning(rollout_id, execution, "pending", "It did not begin yet: see `fraud rollout status` in a moment.")


def beginning_of(target: Target, rollout_id: str, execution: str) -> Beginning | None:
    """What became of it by now; None while that is open. Raises: CommandError when it was refused."""
    record = rollout_record.current(target)
    if record is not None and record.rollout_id == rollout_id:
        last = record.events[-1].sentence if record.events else "It is under way."
        return Beginning(rollout_id, execution, "begun", f"{last} {record.estimate}".strip())
    standing = look(target, execution)
    if standing.status == "RUNNING":
        return None
    if standing.status == "SUCCEEDED" and standing.next == "nothing":
        return Beginning(rollout_id, execution, "nothing", standing.sentence)
    raise CommandError(standing.sentence or f"The rollout ended at once: {standing.status.lower()}.")


def last_word(target: Target) -> str:
    """What the newest execution came to, in its own words."""
    client, machine = target.client("stepfunctions"), target.output("RolloutMachineArn")
    for each in client.list_executions(stateMachineArn=machine, maxResults=1)["executions"]:
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
