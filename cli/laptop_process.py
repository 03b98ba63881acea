"""Starts `fraud up` as a process of its own and ends it again."""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cli import console
from cli.errors import CommandError
from cli.target import LOCAL_FILE, Target, resolve, running_laptop

LOG = LOCAL_FILE.with_name("up.log")
LONGEST_START, LONGEST_STOP = 60.0, 20.0
LOG_LINES_SHOWN = 5


@contextmanager
def laptop(template: Path, parameters: Mapping[str, str] | None = None) -> Iterator[Target]:
    """The stack on this machine: the one that runs in this directory, else one that ends with the block.

    `parameters` are those of the template, for a stack that is started.
    """
    if running_laptop() is not None:
        yield resolve()
        return
    process = _start(template, parameters or {})
    try:
        with console.working("Starting the stack"):
            _wait_until_ready(process)
        yield resolve()
    finally:
        _stop(process)


def _start(template: Path, parameters: Mapping[str, str]) -> subprocess.Popen[bytes]:
    LOG.parent.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "cli.main", "up", "--port", "0", "--template", str(template)]
    command += [word for name, value in parameters.items() for word in ("--parameter", f"{name}={value}")]
    with LOG.open("wb") as log:
        # A session of its own: Ctrl-C reaches this process alone, which then ends the stack in good order.
        return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)  # noqa: S603


def _wait_until_ready(process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + LONGEST_START
    while (running_laptop() or {}).get("pid") != process.pid:
        if process.poll() is not None or time.monotonic() > deadline:
            last = " | ".join(LOG.read_text().splitlines()[-LOG_LINES_SHOWN:])
            raise CommandError(f"The stack did not start; {LOG} ends with: {last}")
        time.sleep(0.1)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(LONGEST_STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
