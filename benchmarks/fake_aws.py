"""The fake AWS in a process of its own: the laptop's gateway and its SageMaker, without streams and functions."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from local import lifeline, pace
from local.children import ROOT, Children
from local.gateway import Gateway
from local.sagemaker.service import SageMaker

REGION = "eu-central-1"
_GRACE_SECONDS = 15


class DidNotStart(Exception):
    """The fake AWS ended before it served."""


@contextmanager
def running() -> Iterator[Callable[[], str]]:
    """Start it on a free port of 127.0.0.1 and end it, with everything it started; gives what waits for its URL."""
    lifeline_end, held = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.fake_aws", str(lifeline_end)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        pass_fds=(lifeline_end,),
        start_new_session=True,
        text=True,
    )
    try:
        yield partial(_url, process)
    finally:
        process.terminate()
        process.wait(_GRACE_SECONDS)
        os.close(held)
        os.close(lifeline_end)


def _url(process: subprocess.Popen[str]) -> str:
    """The URL, once it listens. Raises: DidNotStart; its error is on stderr."""
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    if not url:
        raise DidNotStart
    return url


def main(arguments: list[str]) -> None:
    lifeline.watch(int(arguments[0]))
    with tempfile.TemporaryDirectory(prefix="fraud-benchmark-", ignore_cleanup_errors=True) as directory:
        children = Children()
        try:
            asyncio.run(_serve(children, Path(directory)))
        finally:
            children.close()


async def _serve(children: Children, directory: Path) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    gateway = Gateway(0, REGION, directory)
    pace.install()
    SageMaker(gateway, children, directory).install()
    print(gateway.url, flush=True)
    await gateway.serve(stop)


if __name__ == "__main__":
    main(sys.argv[1:])
