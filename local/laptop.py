"""The whole stack on this machine: serve() boots it, deploys the template, and takes everything down again."""

import asyncio
import gc
import os
import signal
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from local import calls, names, pace, schedules
from local.athena.queries import Queries
from local.children import Children
from local.cloudwatch import metrics
from local.cloudwatch.alarms import Alarms
from local.delivery import Delivery
from local.deployment import Request, deploy
from local.environments import Environments
from local.functions import Functions
from local.gateway import Gateway
from local.sagemaker.service import SageMaker
from local.state_machines import service as state_machines


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


def serve(
    port: int,
    template: Path,
    stack_name: str,
    on_ready: Callable[[Laptop], None],
    parameters: Mapping[str, str] | None = None,
    *,
    model_monitor: bool = True,
) -> None:
    """Serve the template's stack on 127.0.0.1 until SIGINT or SIGTERM; port 0 takes a free one.

    Parameters of the template that are not given keep their defaults. Without Model Monitor, SageMaker refuses it, as
    AWS does to new customers.

    Everything it writes lies in a temporary directory that is removed at the end, and no process it started stays.

    Raises: local.deployment.DeploymentFailed if the template cannot be deployed, OSError if the port is taken.
    """
    with tempfile.TemporaryDirectory(prefix="fraud-laptop-", ignore_cleanup_errors=True) as directory:
        children = Children()
        try:
            stack = _Stack(Gateway(port, _region(), Path(directory)), children, Path(directory), model_monitor)
            asyncio.run(stack.serve(Request(template, stack_name, parameters or {}), on_ready))
        finally:
            children.close()
            gc.freeze()


def _region() -> str:
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"


class _Stack:
    def __init__(self, gateway: Gateway, children: Children, directory: Path, model_monitor: bool) -> None:
        self._gateway = gateway
        self._queries = Queries(gateway)
        self._functions = Functions(gateway, Environments(children, gateway.location, directory))
        self._delivery = Delivery(gateway)
        self._sagemaker = SageMaker(gateway, children, directory, model_monitor=model_monitor)
        self._alarms = Alarms(gateway)

    async def serve(self, request: Request, on_ready: Callable[[Laptop], None]) -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        self._install()
        serving = asyncio.create_task(self._gateway.serve(stop))
        ready = asyncio.create_task(asyncio.to_thread(self._deploy, request, on_ready))
        await asyncio.wait([serving, ready], return_when=asyncio.FIRST_COMPLETED)
        if ready.done() and ready.exception() is not None:
            stop.set()
        await serving
        self._alarms.stop()
        self._functions.stop()
        if ready.done():
            ready.result()

    def _install(self) -> None:
        calls.install(self._gateway)
        names.install()
        pace.install()
        metrics.install()
        schedules.install()
        state_machines.install(self._gateway)
        for part in (self._functions, self._delivery, self._sagemaker, self._alarms, self._queries):
            part.install()

    def _deploy(self, request: Request, on_ready: Callable[[Laptop], None]) -> None:
        self._alarms.start()
        deployed = deploy(self._gateway, request)
        # The stand-in is a large program: to collect it again and again would pause requests and delay the end.
        gc.freeze()
        url, region = self._gateway.url, self._gateway.region
        on_ready(Laptop(url, region, request.stack_name, deployed.outputs, list(deployed.left_out)))
