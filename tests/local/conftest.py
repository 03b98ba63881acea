"""One stack for the whole session, in a process of its own as users have it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import boto3
import pytest

ROOT = Path(__file__).resolve().parents[2]
STACK = Path(__file__).parent / "stack" / "template.yaml"
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Running:
    """A stack that is being served."""

    process: subprocess.Popen[str]
    announcement: str
    url: str
    stack_name: str

    def client(self, service: Any) -> Any:
        return SESSION.client(service, endpoint_url=self.url)

    @property
    def outputs(self) -> dict[str, str]:
        stack = self.client("cloudformation").describe_stacks(StackName=self.stack_name)["Stacks"][0]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        with self.process:  # closes the pipe
            return self.process.wait(10)


SESSION = boto3.Session("testing", "testing", region_name="us-east-1")


def start(template: Path, stack_name: str, *switches: str, **parameters: str) -> Running:
    # Compiled once and kept: the stand-in is large, and every start would compile it anew.
    unwanted = ("AWS_", "PYTHONDONTWRITEBYTECODE")
    variables = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    command = [sys.executable, "-m", "local", "--port", "0", "--template", str(template), "--stack-name", stack_name]
    command += [*switches, *(f"--parameter={name}={value}" for name, value in parameters.items())]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=variables,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    announcement = process.stdout.readline()
    words = announcement.split()
    assert "at" in words, f"the stack did not start: {announcement}"
    return Running(process, announcement, words[words.index("at") + 1], stack_name)


@pytest.fixture(scope="session")
def stack() -> Iterator[Running]:
    running = start(STACK, "laptop-tests")
    yield running
    running.stop()


@pytest.fixture(scope="session")
def outputs(stack: Running) -> dict[str, str]:
    return stack.outputs


def eventually(look: Callable[[], _Result], seconds: float = 15.0) -> _Result:
    """What look() finds, as soon as it finds something."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"nothing after {seconds} s: {found!r}"
        time.sleep(0.05)
    return found
