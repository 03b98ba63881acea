"""Executions under way: they end at once when they are stopped or their time is over, and nothing of them runs on.

The stand-in lets a stopped execution sleep, call and retry to the end of its state, and may then say that it failed.
"""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, InvalidStateError
from contextvars import ContextVar, copy_context
from typing import Any, TypeVar

from local.gateway import service

PAYLOAD_BYTES = 262_144
MOST_EVENTS = 25_000

Execution = dict[str, Any]
"""The stand-in's record of an execution."""
_Result = TypeVar("_Result")
_current: ContextVar["Run"] = ContextVar("run")


class Run:
    """What one execution waits for."""

    def __init__(self, execution: Execution) -> None:
        self.execution = execution
        self._waiting: set[Future[Any]] = set()
        self._ended = False
        self._lock = threading.Lock()

    def wait(self, future: "Future[_Result]", seconds: float | None) -> _Result:
        """The result of the future.

        Raises: TimeoutError if it takes longer, the engine's error if the execution ends before.
        """
        with self._lock:
            if self._ended:
                raise _over()
            self._waiting.add(future)
        try:
            return future.result(seconds)
        finally:
            self._waiting.discard(future)

    def call(self, work: Callable[[], _Result], seconds: float | None) -> _Result:
        """Do work on a thread of its own; it goes on, but nobody listens, when the wait for it ends before.

        Raises: as wait() does.
        """
        future: Future[_Result] = Future()
        arguments = (_settle, future, work)
        threading.Thread(target=copy_context().run, args=arguments, name="task", daemon=True).start()
        return self.wait(future, seconds)

    def pause(self, seconds: float) -> None:
        nothing: Future[None] = Future()
        with contextlib.suppress(TimeoutError):
            self.wait(nothing, seconds)

    def end(self) -> None:
        """Let everything that waits fail now."""
        with self._lock:
            self._ended = True
            waiting = list(self._waiting)
        for future in waiting:
            settle(future, error=_over())


def current() -> Run:
    """The run that this thread works for."""
    return _current.get()


def settle(future: "Future[Any]", result: Any = None, error: BaseException | None = None) -> None:
    """Give a future its outcome, unless it has one."""
    with contextlib.suppress(InvalidStateError):
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)


def _settle(future: "Future[_Result]", work: Callable[[], _Result]) -> None:
    try:
        settle(future, work())
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the waiting thread's to handle
        settle(future, error=error)


def _over() -> Exception:
    """No Retry or Catch takes it, and no state follows it."""
    error: Exception = service("stepfunctions")._ExecutionError("States.Runtime", "The execution has ended.")
    return error


class Runs:
    """Puts itself where the stand-in's executions begin, wait and end."""

    def __init__(self) -> None:
        self._engine = service("stepfunctions")
        self._runs: dict[str, Run] = {}

    def install(self) -> None:
        engine = self._engine
        engine._run_execution = self._running(engine._run_execution)
        engine._stop_execution = self._stopping(engine._stop_execution)
        engine._start_execution = _refusing_large_input(engine._start_execution)
        engine._fail_execution = self._fail
        engine._add_event = self._checked(engine._add_event)
        engine._emit_execution_status_event = _announce
        engine._scaled_sleep = lambda seconds: current().pause(seconds * engine._SFN_WAIT_SCALE)

    def _running(self, execute: Callable[[str], None]) -> Callable[[str], None]:
        def run(arn: str) -> None:
            execution = self._engine._executions.get(arn)
            if execution is None:
                return
            self._runs[arn] = Run(execution)
            _current.set(self._runs[arn])
            try:
                with self._time_limit(execution):
                    execute(arn)
            finally:
                self._runs.pop(arn).end()

        return run

    @contextlib.contextmanager
    def _time_limit(self, execution: Execution) -> Iterator[None]:
        """The machine's TimeoutSeconds, which the stand-in does not know."""
        seconds = self._seconds(execution)
        if seconds is None:
            yield
            return
        context = copy_context()
        timer = threading.Timer(seconds, lambda: context.run(self._time_out, execution))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _seconds(self, execution: Execution) -> float | None:
        machine = self._engine._state_machines.get(execution["stateMachineArn"], {})
        try:
            seconds = json.loads(machine.get("definition", "{}")).get("TimeoutSeconds")
        except ValueError:  # the engine will say so
            return None
        return None if seconds is None else float(seconds)

    def _stopping(self, stop: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
        def stop_execution(request: dict[str, Any]) -> Any:
            answer = stop(request)
            run = self._runs.get(request.get("executionArn", ""))
            if run is not None and run.execution["status"] != "RUNNING":
                run.end()
            return answer

        return stop_execution

    def _time_out(self, execution: Execution) -> None:
        self._finish(execution, "TIMED_OUT", "States.Timeout", None)
        if (run := self._runs.get(execution["executionArn"])) is not None:
            run.end()

    def _fail(self, execution: Execution, error: str, cause: str) -> None:
        self._finish(execution, "FAILED", error, cause)

    def _finish(self, execution: Execution, status: str, error: str, cause: str | None) -> None:
        """An end other than success; the first one counts."""
        if execution["status"] != "RUNNING":
            return
        execution.update(status=status, error=error, cause=cause, stopDate=self._engine.now_iso())
        kind = "".join(word.capitalize() for word in status.split("_"))
        told = {"error": error} if cause is None else {"error": error, "cause": cause}
        details = {f"execution{kind}EventDetails": told}
        self._engine._add_event(execution, f"Execution{kind}", details)
        _announce(execution)

    def _checked(self, add: Callable[..., Any]) -> Callable[..., Any]:
        """Every step of an execution is an event: here it learns that it has ended, or that it has grown too large."""

        def add_event(execution: Execution, kind: str, details: dict[str, Any] | None = None) -> Any:
            if not kind.startswith("Execution"):
                self._require(execution, kind, details or {})
            return add(execution, kind, details)

        return add_event

    def _require(self, execution: Execution, kind: str, details: dict[str, Any]) -> None:
        if execution["status"] != "RUNNING":
            raise _over()
        if len(execution["events"]) >= MOST_EVENTS:
            message = f"The execution reached the maximum number of history events ({MOST_EVENTS})."
            raise self._engine._ExecutionError("States.Runtime", message)
        for detail in details.values():
            if any(_too_large(detail.get(name)) for name in ("input", "output", "parameters")):
                message = f"{kind}: a payload exceeds the maximum number of bytes service limit."
                raise self._engine._ExecutionError("States.DataLimitExceeded", message)


def _too_large(payload: str | None) -> bool:
    if payload is None or len(payload) * 4 <= PAYLOAD_BYTES:
        return False
    return len(payload.encode()) > PAYLOAD_BYTES


def _refusing_large_input(start: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
    def start_execution(request: dict[str, Any]) -> Any:
        if _too_large(request.get("input")):
            message = f"Value at 'input' failed to satisfy constraint: at most {PAYLOAD_BYTES} bytes"
            return service("stepfunctions").error_response_json("ValidationException", message, 400)
        return start(request)

    return start_execution


def _announce(execution: Execution) -> None:
    """The event of a change of status; the stand-in's own has the error and cause of failures only."""
    if execution.get("sync"):
        return
    entry = {
        "Source": "aws.states",
        "DetailType": "Step Functions Execution Status Change",
        "Resources": [execution["executionArn"]],
        "Detail": json.dumps(_detail(execution)),
    }
    service("eventbridge")._put_events({"Entries": [entry]}, allow_aws_source=True)


def _detail(execution: Execution) -> dict[str, Any]:
    moment = service("stepfunctions")._iso_to_epoch_ms
    succeeded, again = execution["status"] == "SUCCEEDED", execution["status"] in ("FAILED", "TIMED_OUT", "ABORTED")
    return {
        **{name: execution[name] for name in ("executionArn", "stateMachineArn", "name", "status", "input")},
        "startDate": moment(execution["startDate"]),
        "stopDate": moment(execution["stopDate"]),
        "output": execution["output"] if succeeded else None,
        "inputDetails": {"included": True},
        "outputDetails": {"included": True} if succeeded else None,
        "error": execution.get("error"),
        "cause": execution.get("cause"),
        "stateMachineVersionArn": None,
        "stateMachineAliasArn": None,
        "redriveCount": 0,
        "redriveDate": None,
        "redriveStatus": "REDRIVABLE" if again else "NOT_REDRIVABLE",
        "redriveStatusReason": None,
    }
