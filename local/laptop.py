"""The whole stack on this machine: serve() boots it, deploys the template, and takes everything down again."""

import asyncio
import gc
import os
import signal
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from local import pace
from local.children import Children
from local.delivery import Delivery
from local.deployment import deploy
from local.environments import Environments
from local.functions import Functions
from local.gateway import Gateway
from local.sagemaker.service import SageMaker


@dataclass(frozen=True, slots=True)
class Laptop:
    """A stack that is ready to be used."""

    url: str
    region: str
    stack_name: str
    outputs: dict[str, str]
    left_out: list[str]
    """Resources of the template that this machine cannot have, as `LogicalId (Type)`."""

    @property
    def endpoint_url(self) -> str:
        """The url, by the name AWS clients know it under."""
        return self.url


def serve(port: int, template: Path, stack_name: str, on_ready: Callable[[Laptop], None]) -> None:
    """Serve the template's stack on 127.0.0.1 until SIGINT or SIGTERM; port 0 takes a free one.

    Everything it writes lies in a temporary directory that is removed at the end, and no process it started stays.

    Raises: local.deployment.DeploymentFailed if the template cannot be deployed, OSError if the port is taken.
    """
    with tempfile.TemporaryDirectory(prefix="fraud-laptop-", ignore_cleanup_errors=True) as directory:
        children = Children()
        try:
            stack = _Stack(Gateway(port, _region(), Path(directory)), children, Path(directory))
            asyncio.run(stack.serve(template, stack_name, on_ready))
        finally:
            children.close()
            gc.freeze()


def _region() -> str:
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"


class _Stack:
    def __init__(self, gateway: Gateway, children: Children, directory: Path) -> None:
        self._gateway = gateway
        self._functions = Functions(gateway, Environments(children, gateway.location, directory))
        self._delivery = Delivery(gateway)
        self._sagemaker = SageMaker(gateway, children, directory)

    async def serve(self, template: Path, stack_name: str, on_ready: Callable[[Laptop], None]) -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        pace.install()
        self._functions.install()
        self._delivery.install()
        self._sagemaker.install()
        serving = asyncio.create_task(self._gateway.serve(stop))
        ready = asyncio.create_task(asyncio.to_thread(self._deploy, template, stack_name, on_ready))
        await asyncio.wait([serving, ready], return_when=asyncio.FIRST_COMPLETED)
        if ready.done() and ready.exception() is not None:
            stop.set()
        await serving
        self._functions.stop()
        if ready.done():
            ready.result()

    def _deploy(self, template: Path, stack_name: str, on_ready: Callable[[Laptop], None]) -> None:
        deployed = deploy(self._gateway, template, stack_name)
        # The stand-in is a large program: to collect it again and again would pause requests and delay the end.
        gc.freeze()
        on_ready(Laptop(self._gateway.url, self._gateway.region, stack_name, deployed.outputs, list(deployed.left_out)))
