"""Child processes: each leads its own process group, holds the lifeline, and is ended with everything it started."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
_GRACE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Location:
    """Where the services of this laptop are."""

    endpoint_url: str
    region: str
    account: str


def clean_environment(location: Location) -> dict[str, str]:
    """What runs on AWS sees of the machine: the installed packages and its own services.

    Nothing of the caller's environment is passed on: no profile, proxy or credentials file could be meant for it.
    """
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "HOME": "/nonexistent",
        "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry.endswith("site-packages")),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": location.endpoint_url,
        "AWS_REGION": location.region,
        "AWS_DEFAULT_REGION": location.region,
        "AWS_ACCESS_KEY_ID": location.account,
        "AWS_SECRET_ACCESS_KEY": "local",
    }


class Children:
    """Starts Python modules of this package as processes and ends them all in close()."""

    def __init__(self) -> None:
        self._lifeline, self._held = os.pipe()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._closed = False

    def start(
        self,
        module: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        output: IO[bytes],
        descriptors: Sequence[int] = (),
    ) -> subprocess.Popen[bytes]:
        """Run `python -m module <lifeline> arguments...` with stdout and stderr appended to output."""
        with self._lock:
            if self._closed:
                raise RuntimeError("the laptop is stopping: no new processes")
            self._forget_ended()
            child = subprocess.Popen(
                [sys.executable, "-u", "-m", module, str(self._lifeline), *arguments],
                cwd=ROOT,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(self._lifeline, *descriptors),
                start_new_session=True,
            )
            self._running.add(child)
        return child

    def close(self) -> None:
        """End every child: SIGTERM, a shared grace period, SIGKILL for its whole group."""
        with self._lock:
            self._closed = True
            children = list(self._running)
        for child in children:
            signal_group(child, signal.SIGTERM)
        for child in children:
            _wait(child)
        os.close(self._held)
        os.close(self._lifeline)

    def _forget_ended(self) -> None:
        self._running = {child for child in self._running if child.poll() is None}


def end(child: subprocess.Popen[bytes]) -> None:
    """Kill a child and everything it started, now, and collect it."""
    signal_group(child, signal.SIGKILL)
    child.wait()


def signal_group(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, number)


def _wait(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(_GRACE_SECONDS)
    end(child)
