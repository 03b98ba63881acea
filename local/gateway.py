"""The AWS stand-in underneath, MiniStack: the only module that imports it, pins its version and binds its port.

It is young and its insides move daily. Everything that reaches into them goes through service() and core() below,
and nothing runs unless the version is the one those reaches were written against.
"""

import asyncio
import contextvars
import importlib
import importlib.metadata
import logging
import os
import socket
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from local.children import Location

VERSION = "1.5.33"
ACCOUNT = "000000000000"
_Result = TypeVar("_Result")


def service(name: str) -> Any:
    """A module of the stand-in that emulates one service."""
    return _module(f"ministack.services.{name}")


def core(name: str) -> Any:
    return _module(f"ministack.core.{name}")


def _module(name: str) -> Any:
    return importlib.import_module(name)


class _Ended(Exception):
    """The server asked the application to shut down."""


class Gateway:
    """One listening socket on the loopback interface, and the services behind it."""

    def __init__(self, port: int, region: str, directory: Path) -> None:
        _require_version()
        # From here on a client may connect; it waits for its answer until the services have started.
        self._socket = socket.create_server(("127.0.0.1", port), backlog=256)
        self.region = region
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.location = Location(self.url, region, ACCOUNT)
        self._loop: asyncio.AbstractEventLoop | None = None
        self.at_end: Callable[[], None] = lambda: None
        os.environ.update(_settings(self.port, region, directory))
        self.app = _module("ministack.app")
        # At start it removes containers it takes for its own; containers of this machine are none of our business.
        self.app._docker_socket_present = lambda: False

    async def serve(self, stop: asyncio.Event) -> None:
        from hypercorn.asyncio import serve
        from hypercorn.config import Config

        core("hypercorn_compat").install()
        configuration = Config()
        configuration.bind = [f"fd://{self._socket.detach()}"]
        configuration.keep_alive_timeout = 75
        configuration.graceful_timeout = 0.5
        configuration.loglevel = "WARNING"
        self._loop = asyncio.get_running_loop()
        await serve(self._application, configuration, shutdown_trigger=stop.wait)
        self.at_end()

    async def _application(self, scope: Any, receive: Any, send: Any) -> None:
        """The stand-in without its own ending, which imports for seconds what it never used, to shut that down."""

        async def until_shutdown() -> Any:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                raise _Ended
            return message

        try:
            await self.app.app(scope, until_shutdown if scope["type"] == "lifespan" else receive, send)
        except _Ended:
            await send({"type": "lifespan.shutdown.complete"})

    def call(self, work: Coroutine[Any, Any, _Result], timeout: float | None = 30) -> _Result:
        """Run a coroutine of the stand-in on its own loop, from a thread of ours."""
        if self._loop is None:
            raise RuntimeError("the gateway is not serving")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout)

    def scoped(self, work: Callable[[], _Result]) -> _Result:
        """Run work as a request of the stack's account in the stack's region would run."""
        return contextvars.copy_context().run(self._in_scope, work)

    def _in_scope(self, work: Callable[[], _Result]) -> _Result:
        responses = core("responses")
        responses._request_account_id.set(ACCOUNT)
        responses._request_region.set(self.region)
        return work()


def _require_version() -> None:
    installed = importlib.metadata.version("ministack")
    if installed != VERSION:
        raise RuntimeError(f"the laptop stack is written for ministack {VERSION}, but {installed} is installed")


def _settings(port: int, region: str, directory: Path) -> dict[str, str]:
    """Settings the stand-in reads at import. Its own default binds every interface; we bind, it does not."""
    logging.getLogger("hypercorn.error").setLevel(logging.ERROR)
    return {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_REGION": region,
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_HOST": "127.0.0.1",
        "LOG_LEVEL": os.environ.get("LOCAL_LOG_LEVEL", "ERROR"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "PERSIST_STATE": "0",
        "S3_PERSIST": "0",
        "STATE_DIR": str(directory / "state"),
        "S3_DATA_DIR": str(directory / "s3"),
    }
