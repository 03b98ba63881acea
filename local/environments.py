"""Warm execution environments of the functions, one process each, kept between invocations as Lambda keeps them."""

import json
import socket
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import frames
from local.children import Children, Location, clean_environment, end
from local.template import LAYERS_ROOT, in_layers

# Lambda allows an import ten seconds; two busy cores of a laptop are slower than that.
INIT_SECONDS = 60.0
_LOG_ROTATION_BYTES = 1 << 22


@dataclass(frozen=True, slots=True)
class Function:
    """What an execution environment is made of; two invocations share one only if all of it is equal."""

    name: str
    arn: str
    revision: str
    """Of its code and its layers: an update makes it another one."""
    role: str
    handler: str
    code: Path
    timeout: float
    memory: int
    log_group: str
    variables: tuple[tuple[str, str], ...]

    @classmethod
    def from_configuration(cls, configuration: Mapping[str, Any], code: Path, layer: Path | None = None) -> "Function":
        """From the answer of GetFunctionConfiguration, and the directories of its code and of its layer."""
        variables: Mapping[str, Any] = configuration.get("Environment", {}).get("Variables", {})
        return cls(
            name=configuration["FunctionName"],
            arn=configuration["FunctionArn"],
            revision=" ".join([configuration.get("CodeSha256", ""), *_layers(configuration)]),
            role=configuration["Role"].rpartition("/")[2],
            handler=configuration["Handler"],
            code=code,
            timeout=float(configuration.get("Timeout", 3)),
            memory=int(configuration.get("MemorySize", 128)),
            log_group=configuration["LoggingConfig"]["LogGroup"],
            # What a template's mapping says in figures is text to a function; CloudFormation makes it so on AWS.
            variables=tuple(sorted((name, _placed(str(value), layer)) for name, value in variables.items())),
        )


def _layers(configuration: Mapping[str, Any]) -> list[str]:
    return [each if isinstance(each, str) else each["Arn"] for each in configuration.get("Layers") or ()]


def _placed(value: str, layer: Path | None) -> str:
    """A variable's value; if it names a place in the layers, that place on this machine, whose /opt is not ours."""
    return str(layer / value[len(LAYERS_ROOT) + 1 :]) if layer is not None and in_layers(value) else value


@dataclass(frozen=True, slots=True)
class Invocation:
    """The outcome of one invocation: the handler's answer or Lambda's error document, and what was printed."""

    answer: Any
    log: str
    failed: bool


class Environments:
    """A pool of execution environments per function."""

    def __init__(self, children: Children, location: Location, directory: Path) -> None:
        self._children = children
        self._location = location
        self._directory = directory
        self._idle: dict[Function, list[_Environment]] = defaultdict(list)
        self._lock = threading.Lock()

    def invoke(self, function: Function, event: Any, request_id: str) -> Invocation:
        environment = self._acquire(function)
        invocation = environment.invoke(event, request_id)
        if environment.alive:
            with self._lock:
                self._idle[function].append(environment)
        return invocation

    def retain(self, arns: Collection[str]) -> None:
        """End what idles for functions that are not there any more."""
        self._retire(lambda function: function.arn not in arns)

    def _acquire(self, function: Function) -> "_Environment":
        # After an update nothing comes to the old code any more; what still runs ends by it.
        self._retire(lambda other: other.arn == function.arn and other != function)
        with self._lock:
            if self._idle[function]:
                return self._idle[function].pop()
        return _Environment(function, self._children, self._location, self._directory)

    def _retire(self, doomed: Callable[[Function], bool]) -> None:
        with self._lock:
            retired = [each for function in filter(doomed, list(self._idle)) for each in self._idle.pop(function)]
        for environment in retired:
            environment.end()


class _Environment:
    def __init__(self, function: Function, children: Children, location: Location, directory: Path) -> None:
        self._function = function
        self._log = (directory / f"{function.name}-{time.monotonic_ns()}.log").open("ab+")
        self._read = 0
        self._channel, theirs = socket.socketpair()
        with theirs:
            self._process: subprocess.Popen[bytes] = children.start(
                "local.worker",
                [str(theirs.fileno()), str(function.code), function.handler],
                _variables(function, location),
                self._log,
                [theirs.fileno()],
            )
        self._ready = False
        self.alive = True

    def invoke(self, event: Any, request_id: str) -> Invocation:
        """Run the handler once; an environment that timed out or died is not alive afterwards."""
        try:
            answer, failed = self._answered(event, request_id)
        except TimeoutError:
            answer, failed = self._timed_out(), True
        except (EOFError, OSError):
            answer, failed = self._exited(request_id), True
        return Invocation(answer, self._printed(), failed)

    def _answered(self, event: Any, request_id: str) -> tuple[Any, bool]:
        if not self._ready and (failure := self._initialise()) is not None:
            return failure, True
        timeout = self._function.timeout
        head = {"request_id": request_id, "function_arn": self._function.arn, "timeout": timeout}
        deadline = time.monotonic() + timeout
        self._channel.settimeout(timeout)
        self._channel.sendall(frames.pack(head, json.dumps(event).encode()))
        answer, body = frames.receive(self._channel, deadline)
        return (answer["error"], True) if "error" in answer else (json.loads(body), False)

    def _initialise(self) -> dict[str, Any] | None:
        first, _ = frames.receive(self._channel, time.monotonic() + INIT_SECONDS)
        self._ready = "error" not in first
        if self._ready:
            return None
        self._end()
        failure: dict[str, Any] = first["error"]
        return failure

    def _timed_out(self) -> dict[str, Any]:
        self._end()
        return {
            "errorType": "Sandbox.Timedout",
            "errorMessage": f"Task timed out after {self._function.timeout:.2f} seconds",
        }

    def _exited(self, request_id: str) -> dict[str, Any]:
        self._end()
        status = self._process.returncode
        reason = f"signal: {-status}" if status < 0 else f"exit status {status}"
        message = f"RequestId: {request_id} Error: Runtime exited with error: {reason}"
        return {"errorType": "Runtime.ExitError", "errorMessage": message}

    def end(self) -> None:
        """End it; nothing may be running in it."""
        self._end()
        self._log.close()

    def _end(self) -> None:
        self.alive = False
        self._channel.close()
        end(self._process)

    def _printed(self) -> str:
        self._log.seek(self._read)
        printed = self._log.read()
        self._read += len(printed)
        if not self.alive:
            self._log.close()
        elif self._read > _LOG_ROTATION_BYTES:
            self._log.truncate(0)
            self._read = 0
        return printed.decode(errors="replace").rstrip("\n")


def _variables(function: Function, location: Location) -> dict[str, str]:
    return {
        **clean_environment(location),
        # Lambda gives a function the credentials of its role; here they are the role's name.
        "AWS_ACCESS_KEY_ID": function.role,
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_LOG_GROUP_NAME": function.log_group,
        "AWS_LAMBDA_LOG_STREAM_NAME": f"local/[$LATEST]{time.monotonic_ns():x}",
        "LAMBDA_TASK_ROOT": str(function.code),
        **dict(function.variables),
    }
