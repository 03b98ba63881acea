"""Runs a state machine in process, on moto's interpreter of the States Language, without waiting for anything.

    engine = Engine(definition, {"arn:…:function:check": lambda event: {"next": "roll_out", …}})
    run = engine.run({"started_by": "a test"})
    assert (run.status, run.states[-1]) == ("SUCCEEDED", "Promoted")

It is stricter than moto where AWS is: `States.Runtime`, which moto lets a Catch take and AWS does not, fails the test.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, lru_cache, partial
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock, patch

import boto3
from botocore.exceptions import ClientError
from jsonpath_ng.ext.parser import parse
from moto import mock_aws
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_events,
    state_task_service_sfn,
    state_task_service_sns,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_callback import (
    StateTaskServiceCallback,
)
from moto.stepfunctions.parser.asl.component.state.state import CommonStateField
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import WaitFunction
from moto.stepfunctions.parser.asl.eval.callback.callback import (
    CallbackOutcome,
    CallbackOutcomeFailure,
    CallbackOutcomeSuccess,
)
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.utils import json_path
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker

from tests.state_machines import jobs
from tests.state_machines.jobs import Job

REGION = "eu-central-1"
ROLE = "arn:aws:iam::123456789012:role/machine"

Function = Callable[[dict[str, Any]], Any]
"""A Lambda function: from its event to its answer. What it raises becomes an error of that name."""


@dataclass(frozen=True)
class Refusal:
    """The answer of somebody who does not go on: SendTaskFailure."""

    error: str
    cause: str = ""


Answer = Mapping[str, Any] | Refusal | None
"""What comes of a task token: a task's output, a failure, or nothing in time."""


@dataclass
class Run:
    """What came of an execution.

    Args:
        status: `SUCCEEDED`, `FAILED`, `TIMED_OUT` or `ABORTED`.
        error: its name; empty without one.
        cause: why; empty without an error.
        states: names of the states entered, in order.
        waits: seconds of its Wait states, in order.
        calls: of other services than Lambda, in order, and the parameters: `sns:publish`, `events:putEvents` or
            `states:startExecution`.
        jobs: that were to be started, in order, retries included: the resource and the parameters.
        invocations: events of the functions, in order, retries included, with the functions' ARNs.
        history: the events of its history.
    """

    status: str = ""
    error: str = ""
    cause: str = ""
    states: list[str] = field(default_factory=list)
    waits: list[int] = field(default_factory=list)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    jobs: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    invocations: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)

    def published(self) -> list[tuple[str, str]]:
        """Subject and text of the messages sent."""
        return [(each["Subject"], each["Message"]) for name, each in self.calls if name == "sns:publish"]

    def events(self) -> list[dict[str, Any]]:
        """Entries put on an event bus, their details decoded."""
        entries = [entry for name, each in self.calls if name == "events:putEvents" for entry in each["Entries"]]
        return [{**entry, "Detail": json.loads(entry["Detail"])} for entry in entries]


@dataclass
class Engine:
    """Runs executions of one machine, one after another.

    Args:
        definition: in the States Language, its placeholders filled in.
        functions: Lambda functions by their ARN.
        jobs: by their resources, for example `sagemaker:createTrainingJob.sync`.
        on_wait: called with the seconds of a Wait state in the place of waiting, and with the seconds that a token was
            waited for in vain; lets a clock advance.
        on_token: called with a task's token and its timeout in seconds, once the task's function has it.
        failing: calls of other services that are refused, for example `sns:publish`.
        machine: its name.
        name: of the next execution.
        most_states: entered at most; an execution that goes in circles fails the test.
    """

    definition: str
    functions: Mapping[str, Function]
    jobs: Mapping[str, Job] = field(default_factory=dict)
    on_wait: Callable[[int], object] = lambda _: None
    on_token: Callable[[str, int], Answer] = lambda *_: None
    failing: Collection[str] = ()
    machine: str = "rollout"
    name: str = "rollout-1"
    most_states: int = 1_000
    _run: Run = field(default_factory=Run)
    _stop: tuple[str, bool, int] | None = None
    _environment: Any = None

    def stop_at(self, state: str, *, before: bool, visit: int = 1) -> None:
        """Let the next run be stopped, as StopExecution does: nothing of it runs later.

        Args:
            state: name of the state.
            before: whether as it is entered; else right after it, or its function, took effect.
            visit: which of the times that it is entered; 1 is the first.
        """
        self._stop = (state, before, visit)

    def run(self, given: Any = None) -> Run:
        """Run an execution to its end; without an input it gets `{}`.

        Raises:
            AssertionError: something happened in it that no Catch takes on AWS.
        """
        self._run = Run()
        settings: Any = {"stepfunctions": {"execute_state_machine": True}}
        with mock_aws(config=settings), self._nothing_waits():
            self._execute(_client(), {} if given is None else given)
        self._stop = None
        fatal = [each for each in self._run.history if "States.Runtime" in json.dumps(each, default=str)]
        assert self._stopped() or not fatal, f"no Catch takes States.Runtime on AWS: {fatal[0]}"
        return self._run

    def _execute(self, client: Any, given: Any) -> None:
        machine = client.create_state_machine(name=self.machine, definition=self.definition, roleArn=ROLE)
        arn = machine["stateMachineArn"]
        begun = client.start_execution(stateMachineArn=arn, name=self.name, input=json.dumps(given))
        ended = client.describe_execution(executionArn=begun["executionArn"])
        if not self._stopped():  # else the interpreter may have taken the stop for a failure
            self._run.status = ended["status"]
            self._run.error, self._run.cause = ended.get("error", ""), ended.get("cause", "")
        # Read here, because asking for it takes longer than the execution.
        self._run.history = self._environment.event_manager.get_event_history()
        client.delete_state_machine(stateMachineArn=arn)

    @contextmanager
    def _nothing_waits(self) -> Iterator[None]:
        """What of moto waits, or reaches for another service, is replaced."""
        evaluate = CommonStateField._eval_body
        with ExitStack() as stack:
            for module in (
                lambda_eval_utils,
                state_task_service_events,
                state_task_service_sfn,
                state_task_service_sns,
            ):
                stack.enter_context(patch.object(module, "boto_client_for", self._services))
            for owner, name, replacement in (
                (retrier_decl, "time", Mock()),
                (AmazonStateLanguageParser, "parse", staticmethod(_parse_definition)),
                (json_path, "parse", _parse_path),
                (ExecutionWorker, "start", lambda worker: worker._execution_logic()),
                (WaitFunction, "_wait_interval", lambda _, env, wait_seconds: self._wait(wait_seconds)),
                *jobs.replacements(self._do),
                (StateTaskServiceCallback, "_wait_for_task_token_timeout", lambda _, *waiting: self._answer(*waiting)),
                (CommonStateField, "_eval_body", lambda state, env: self._enter(state, env, evaluate)),
            ):
                stack.enter_context(patch.object(owner, name, replacement))
            yield

    def _services(self, **_: Any) -> SimpleNamespace:
        calls = {"publish": "sns:publish", "put_events": "events:putEvents", "start_execution": "states:startExecution"}
        return SimpleNamespace(
            invoke=self._invoke, **{method: partial(self._call, name) for method, name in calls.items()}
        )

    def _enter(self, state: CommonStateField, env: Any, evaluate: Callable[..., None]) -> None:
        if len(self._run.states) == self.most_states:
            raise RuntimeError(f"more than {self.most_states} states were entered")
        self._run.states.append(state.name)
        self._environment = env
        if self._stops(before=True):
            return self._halt()
        evaluate(state, env)
        return self._halt() if self._stops(before=False) else None

    def _stops(self, *, before: bool) -> bool:
        states = self._run.states
        return self._stop == (states[-1], before, states.count(states[-1]))

    def _halt(self) -> None:
        self._run.status = "ABORTED"
        self._environment.set_stop(stop_date=datetime.now(UTC), cause="stopped by the test", error="Stopped")

    def _stopped(self) -> bool:
        return self._run.status == "ABORTED"

    def _wait(self, seconds: int) -> None:
        self._run.waits.append(seconds)
        self.on_wait(seconds)

    def _invoke(self, FunctionName: str, Payload: bytes, **_: Any) -> dict[str, Any]:  # noqa: N803
        event = json.loads(Payload)
        self._run.invocations.append((FunctionName, event))
        function = self.functions[FunctionName]
        try:
            return _response(function(event))
        except Exception as error:  # noqa: BLE001
            return _response({"errorType": type(error).__name__, "errorMessage": str(error)}, FunctionError="Unhandled")
        except BaseException as error:  # noqa: BLE001
            return _response({"errorType": "Runtime.ExitError", "errorMessage": str(error)}, FunctionError="Unhandled")
        finally:
            if self._stops(before=False):
                self._halt()

    def _do(self, resource: str, parameters: dict[str, Any]) -> Any:
        self._run.jobs.append((resource, parameters))
        try:
            return self.jobs[resource](parameters)
        finally:
            if self._stops(before=False):
                self._halt()

    def _call(self, name: str, **parameters: Any) -> dict[str, Any]:
        if name not in self.failing:
            self._run.calls.append((name, parameters))
            return {}
        if name == "events:putEvents":
            return {"FailedEntryCount": 1}
        metadata: Any = {"HTTPStatusCode": 500, "RequestId": "1"}
        raise ClientError({"Error": {"Code": "InternalError", "Message": name}, "ResponseMetadata": metadata}, name)

    def _answer(self, timeout_seconds: int, endpoint: Any) -> CallbackOutcome | None:
        """What is answered with a token; nothing at all when the time is over."""
        if self._stopped():
            return None
        answer = self.on_token(endpoint.callback_id, timeout_seconds)
        if answer is None:
            self.on_wait(timeout_seconds)
            return None
        if isinstance(answer, Refusal):
            return CallbackOutcomeFailure(endpoint.callback_id, error=answer.error, cause=answer.cause)
        return CallbackOutcomeSuccess(endpoint.callback_id, output=json.dumps(answer))


def _response(payload: Any, **fields: Any) -> dict[str, Any]:
    return {"StatusCode": 200, "Payload": io.BytesIO(json.dumps(payload).encode()), **fields}


@cache
def _client() -> Any:
    return boto3.client("stepfunctions", region_name=REGION)


# The interpreter keeps nothing of an execution in what it parsed, and parsing is most of its time.
_parse_definition = lru_cache(maxsize=4)(AmazonStateLanguageParser.parse)
_parse_path = lru_cache(maxsize=256)(parse)
