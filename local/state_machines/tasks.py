"""Task states: attempts under Retry and Catch, time limits, task tokens, and the errors of what they call.

The stand-in retries without a cap or jitter of the definition's, gives every attempt the same token, waits for an
answer although the function that was to ask for it failed, and lets States.ALL catch what nothing catches on AWS.
"""

import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from local.gateway import service
from local.state_machines.jobs import KINDS, Jobs
from local.state_machines.runs import current
from local.state_machines.tokens import Tokens

_LONGEST_RETRY_PAUSE_SECONDS = 60.0
_TOKEN = ".waitForTaskToken"  # noqa: S105 - a suffix of resources
State = Mapping[str, Any]
Step = tuple[Any, str | None]
"""A state's output, and the next state."""


class Tasks:
    """Puts itself where the stand-in's engine performs tasks."""

    def __init__(self, tokens: Tokens, jobs: Jobs) -> None:
        self._engine = service("stepfunctions")
        self._tokens = tokens
        self._jobs = jobs
        # Jitter needs no secrecy.
        self._random = random.Random()

    def install(self) -> None:
        self._engine._execute_task = self._execute
        self._engine._with_retry_and_catch = self._with_retry_and_catch
        self._engine._error_matches = _matches
        self._engine._call_lambda = self._call_function
        self._engine._SERVICE_DISPATCH["arn:aws:states:::events:putEvents"] = self._put_events

    def _execute(self, state: State, given: Any, execution: dict[str, Any], context: dict[str, Any]) -> Step:
        return self._with_retry_and_catch(
            state, given, context, lambda: self._attempt(state, given, execution, context)
        )

    def _with_retry_and_catch(
        self, state: State, given: Any, context: dict[str, Any], attempt: Callable[[], Step]
    ) -> Step:
        """The engine's contract for tasks, and for Parallel and Map as a whole."""
        entered, counts = context["State"], dict[int, int]()
        while True:
            context["State"] = {**entered, "RetryCount": sum(counts.values())}
            try:
                return attempt()
            except self._engine._ExecutionError as error:
                retrier, index = self._engine._find_matching_retrier(state.get("Retry", []), error.error, counts)
                if retrier is None:
                    return self._caught(state, given, context, error)
                self._engine._scaled_sleep(pause_seconds(retrier, counts.get(index, 0), self._random))
                counts[index] = counts.get(index, 0) + 1

    def _caught(self, state: State, given: Any, context: dict[str, Any], error: Any) -> Step:
        catcher = self._engine._find_matching_catcher(state.get("Catch", []), error.error)
        if catcher is None:
            raise error
        language = self._engine._state_query_language(state, context)
        told = {"Error": error.error, "Cause": error.cause}
        return self._engine._apply_catcher(catcher, given, context, language, told), catcher["Next"]

    def _attempt(self, state: State, given: Any, execution: dict[str, Any], context: dict[str, Any]) -> Step:
        resource, note = state["Resource"], self._engine._add_event
        token, answer = self._tokens.issue() if resource.endswith(_TOKEN) else (None, None)
        if token:
            context["Task"] = {"Token": token}
        try:
            parameters = self._parameters(state, given, context)
            note(execution, "TaskScheduled", _details("Scheduled", resource, parameters=json.dumps(parameters)))
            note(execution, "TaskStarted", _details("Started", resource))
            result = self._performed(state, given, context, parameters, answer)
        except self._engine._ExecutionError as error:
            kind = "TimedOut" if error.error == "States.Timeout" else "Failed"
            note(execution, f"Task{kind}", _details(kind, resource, error=error.error, cause=error.cause))
            raise
        finally:
            if token:
                self._tokens.close(token)
        note(execution, "TaskSucceeded", _details("Succeeded", resource, output=json.dumps(result)))
        return self._output(state, given, context, result), self._engine._next_or_end(state)

    def _parameters(self, state: State, given: Any, context: dict[str, Any]) -> Any:
        engine = self._engine
        if engine._state_query_language(state, context) == "JSONata":
            return engine._apply_jsonata_arguments(state, given, context)
        return engine._apply_parameters(state, engine._apply_input_path(state, given, context), context)

    def _output(self, state: State, given: Any, context: dict[str, Any], result: Any) -> Any:
        engine = self._engine
        if engine._state_query_language(state, context) == "JSONata":
            output = engine._apply_jsonata_output(state, given, context, result=result, default=result)
            engine._apply_state_assign(state, given, context, result=result)
            return output
        selected = engine._apply_result_selector(state, result)
        return engine._apply_output_path(state, engine._apply_result_path(state, given, selected), context)

    def _performed(self, state: State, given: Any, context: dict[str, Any], parameters: Any, answer: Any) -> Any:
        """The result of the call or, of one with a token, the answer that comes for it; of a job, its end."""
        seconds = self._time_limit(state, given, context)
        deadline = time.monotonic() + seconds if seconds is not None else None
        resource, run = state["Resource"].removesuffix(_TOKEN), current()
        try:
            if resource in KINDS:
                return self._jobs.perform(KINDS[resource], parameters, seconds, _submitted(resource))
            result = run.call(lambda: self._engine._invoke_resource(resource, parameters), seconds)
            return result if answer is None else run.wait(answer, deadline and max(0.0, deadline - time.monotonic()))
        except TimeoutError as error:
            raise self._engine._ExecutionError("States.Timeout", "") from error

    def _time_limit(self, state: State, given: Any, context: dict[str, Any]) -> float | None:
        if "TimeoutSecondsPath" in state:
            return float(self._engine._resolve_path_or_ctx(state["TimeoutSecondsPath"], given, context))
        return float(state["TimeoutSeconds"]) if "TimeoutSeconds" in state else None

    def _call_function(self, reference: str, event: Any) -> Any:
        """A function's answer; the stand-in parses text that looks like JSON, and takes being throttled for one.

        Raises: the engine's error, named by the type of the exception that the handler raised.
        """
        functions, failure = service("lambda_svc"), self._engine._ExecutionError
        function, configuration, name = functions._get_func_record_for_ref(reference)
        if not function or not configuration:
            raise failure("Lambda.ResourceNotFoundException", f"Function not found: {name}")
        record = functions._execution_record_for_config(function, configuration)
        result = functions._execute_function_with_config_scope(record, event)
        if result.get("throttle"):
            raise failure("Lambda.TooManyRequestsException", json.dumps(result["body"]))
        if result.get("error"):
            raise failure(result["body"].get("errorType", "Lambda.Unknown"), json.dumps(result["body"]))
        return result.get("body")

    def _put_events(self, resource: str, parameters: dict[str, Any]) -> Any:
        """events:putEvents: the execution is among an event's resources, and an event refused is a task failed."""
        execution = current().execution
        sources = [execution["executionArn"], execution["stateMachineArn"]]
        entries = [{**each, "Resources": [*each.get("Resources", ()), *sources]} for each in parameters["Entries"]]
        _, _, body = service("eventbridge")._put_events({"Entries": entries})
        answer = json.loads(body)
        if answer.get("FailedEntryCount", 1):
            raise self._engine._ExecutionError("EventBridge.FailedEntry", json.dumps(answer))
        return answer


def pause_seconds(retrier: Mapping[str, Any], count: int, source: random.Random) -> float:
    """How long to wait before the next attempt, after so many retries."""
    seconds = float(retrier.get("IntervalSeconds", 1)) * float(retrier.get("BackoffRate", 2.0)) ** count
    seconds = min(seconds, float(retrier.get("MaxDelaySeconds", seconds)), _LONGEST_RETRY_PAUSE_SECONDS)
    return source.uniform(0.0, seconds) if retrier.get("JitterStrategy") == "FULL" else seconds


def _details(kind: str, resource: str, **more: str) -> dict[str, Any]:
    family = resource.removeprefix("arn:aws:states:::").partition(":")[0]
    described = {"resourceType": family, "resource": resource.rpartition(":")[2], **more}
    return {f"task{kind}EventDetails": described}


def _submitted(resource: str) -> Callable[[str], None]:
    """What notes in the history that a job was started."""

    def note(answer: str) -> None:
        details = _details("Submitted", resource, output=answer)
        service("stepfunctions")._add_event(current().execution, "TaskSubmitted", details)

    return note


def _matches(names: Sequence[str], error: str) -> bool:
    """Whether a Retry or Catch for these names takes an error; two errors end an execution whatever it catches."""
    if error == "States.Runtime":
        return False
    if error in names:
        return True
    if error == "States.DataLimitExceeded":
        return False
    return "States.ALL" in names or ("States.TaskFailed" in names and error != "States.Timeout")
