"""Small state machines, run through plain clients."""

import json
import uuid
from typing import Any

from tests.local.conftest import Running, eventually

INVOKE = "arn:aws:states:::lambda:invoke"


def task(resource: str = INVOKE, parameters: Any = None, **fields: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": resource, "Parameters": parameters or {}, "End": True, **fields}


def caught(*names: str) -> list[dict[str, Any]]:
    return [{"ErrorEquals": list(names), "ResultPath": "$.error", "Next": "Caught"}]


class Machines:
    """Creates machines, and follows their executions."""

    def __init__(self, stack: Running, outputs: dict[str, str]) -> None:
        self.client = stack.client("stepfunctions")
        self._role = outputs["Role"]

    def create(self, states: dict[str, Any], **fields: Any) -> str:
        """A machine of these states, the first of which it starts at; `Caught` passes its input on."""
        states = {**states, "Caught": {"Type": "Pass", "End": True}}
        definition = json.dumps({"StartAt": next(iter(states)), "States": states, **fields})
        name = f"m{uuid.uuid4().hex}"
        answer = self.client.create_state_machine(name=name, definition=definition, roleArn=self._role)
        return str(answer["stateMachineArn"])

    def start(self, machine: str, given: Any = None) -> str:
        answer = self.client.start_execution(stateMachineArn=machine, input=json.dumps(given or {}))
        return str(answer["executionArn"])

    def ended(self, execution: str) -> dict[str, Any]:
        def look() -> dict[str, Any]:
            answer: dict[str, Any] = self.client.describe_execution(executionArn=execution)
            return answer if answer["status"] != "RUNNING" else {}

        return eventually(look)

    def run(self, states: dict[str, Any], given: Any = None, **fields: Any) -> dict[str, Any]:
        return self.ended(self.start(self.create(states, **fields), given))

    def output(self, states: dict[str, Any], given: Any = None) -> Any:
        execution = self.run(states, given)
        assert execution["status"] == "SUCCEEDED", execution
        return json.loads(execution["output"])

    def events(self, execution: str) -> list[dict[str, Any]]:
        pages = self.client.get_paginator("get_execution_history").paginate(executionArn=execution)
        return [event for page in pages for event in page["events"]]

    def kinds(self, execution: str) -> list[str]:
        return [event["type"] for event in self.events(execution)]
