"""Whether each built function answers its first call, and those that decide commit a decision.

`python -m checks.first_calls .aws-sam/build` deploys the template on this machine, as `fraud up` does, and calls each
handler as it was built, in an interpreter that has nothing else, with the environment that the stack gives it.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3

from checks.artefact import INTERPRETER, OPT, Built, built
from checks.translation import TEMPLATE
from local.laptop import Laptop, serve

EVENTS = TEMPLATE.parent / "tests" / "events"
INVOKED = Path(__file__).with_name("invoked.py")
SECONDS = 60
"""That a call may take, on a busy machine."""
EXECUTION = "arn:aws:states:us-east-1:000000000000:execution:first:call"

DECIDING = ("score_transactions", "answer_transaction")
OF_FILES = {
    "abort_rollout": "eventbridge_execution",
    "project_decisions": "dynamodb_decisions",
    "record_labels": "sqs_labels",
    "shadow_score": "dynamodb_decisions",
}
TASKS = {
    "deploy_challenger": "remove",
    "finish_retraining": "release",
    "inspect_job": "look",
    "judge_retraining": "data",
    "judge_rollout": "judge",
    "judge_window": "choose_window",
    "prepare_retraining": "lock",
    "prepare_rollout": "check",
    "refresh_monitoring": "lock",
    "shift_traffic": "release",
    "steer_rollout": "ask",
}
"""The first thing that a machine, or a person, asks of a function."""
JOB = {"job": "training", "run": {"training_name": "never-started"}}
REFUSED = {"steer_rollout": "RolloutSuperseded"}
"""Errors that are answers: a rollout that is not under way has nothing to ask."""


def event(module: str) -> dict[str, Any]:
    """The first call of a function; transactions are named after it, so that each commits its own.

    Raises:
        KeyError: nobody has said what it is.
    """
    if module == "score_transactions":
        records = _read("kinesis_transactions")
        for each in records["Records"]:
            data = json.loads(base64.b64decode(each["kinesis"]["data"])) | {"transaction_id": module}
            each["kinesis"]["data"] = base64.b64encode(json.dumps(data).encode()).decode()
        return records
    if module == "answer_transaction":
        request = _read("function_url_request")
        return request | {"body": json.dumps(json.loads(request["body"]) | {"transaction_id": module})}
    if module in OF_FILES:
        return _read(OF_FILES[module])
    return {"task": TASKS[module], "execution": EXECUTION, "execution_name": "call", **JOB}


def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def call(function: Built, variables: Mapping[str, str]) -> str:
    """What is wrong with the function's answer to its first call; nothing, if it answers."""
    module = function.handler.partition(".")[0]
    done = subprocess.run(
        [*INTERPRETER, INVOKED, function.handler, *function.path],
        input=json.dumps(event(module)),
        env=dict(variables),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    if done.returncode:
        return f"{module}: {done.stderr}"
    said = json.loads(done.stdout.splitlines()[-1])
    return "" if said.get("error") == REFUSED.get(module) else f"{module}: {said}"


def environments(stack: Laptop, functions: Iterable[Built]) -> dict[str, dict[str, str]]:
    """The environment of each function in a stack, by its logical id; /opt is where its last layer is."""
    client = _client(stack, "lambda")
    resources = _client(stack, "cloudformation").describe_stack_resources(StackName=stack.stack_name)["StackResources"]
    names = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in resources}
    found = {}
    for each in functions:
        given = client.get_function_configuration(FunctionName=names[each.name])["Environment"]["Variables"]
        # The stand-in keeps what a mapping says in figures; on AWS it is text.
        placed = {name: str(each.layers[-1] if value == OPT else value) for name, value in given.items()}
        found[each.name] = placed | _machine(stack)
    return found


def _machine(stack: Laptop) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": stack.url,
        "AWS_REGION": stack.region,
        "AWS_DEFAULT_REGION": stack.region,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _client(stack: Laptop, service: Any) -> Any:
    session = boto3.Session("testing", "testing", region_name=stack.region)
    return session.client(service, endpoint_url=stack.url)


def uncommitted(stack: Laptop) -> list[str]:
    """A line for each deciding function of which no decision was committed."""
    dynamodb, table = _client(stack, "dynamodb"), stack.outputs["DecisionTableName"]
    keys = {each: {"transaction_id": {"S": each}} for each in DECIDING}
    return [
        f"{each}: committed no decision"
        for each, key in keys.items()
        if "Item" not in dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)
    ]


def wrong(stack: Laptop, functions: list[Built]) -> list[str]:
    """All that keeps the check from passing."""
    given = environments(stack, functions)
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda each: call(each, given[each.name]), functions))
    return [*filter(None, answers), *uncommitted(stack)]


def main(directory: Path) -> int:
    functions = built(directory)
    said = ["the stack did not come up"]

    def ask(stack: Laptop) -> None:
        try:
            said[:] = wrong(stack, functions)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    serve(0, TEMPLATE, "fraud-first-calls", ask)
    print(f"{len(functions)} answer, {len(DECIDING)} of them with a decision" if not said else "\n".join(said))
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
