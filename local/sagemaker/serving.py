"""One serving process of an endpoint's variant: started in a thread, asked from the gateway's event loop."""

import asyncio
import contextlib
import socket
import time
from pathlib import Path
from typing import Any

from local import frames
from local.children import Children, Location, clean_environment, end
from local.sagemaker.artefacts import Artefacts
from local.sagemaker.models import ContainerSpec

RESPONSE_SECONDS = 60.0
_START_SECONDS = 240.0


class ContainerFailed(Exception):
    """The serving container did not start."""


class ContainerTimedOut(Exception):
    """The container did not answer in the minute a real-time endpoint gives it."""


class Serving:
    """A container that has loaded its model; it answers one request after the other."""

    def __init__(
        self, spec: ContainerSpec, base: Path, children: Children, artefacts: Artefacts, location: Location
    ) -> None:
        """Start a container for the model.

        Raises: ContainerFailed, with the script's error.
        """
        self._spec = spec
        self._children = children
        self._base = base
        self._location = location
        artefacts.extract(spec.data_url, base / "model")
        self._environment = self._prepared(artefacts)
        self._lock = asyncio.Lock()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._start()

    async def invoke(self, head: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        """Raises: ContainerTimedOut; ConnectionError when the container died. It is started anew after either."""
        async with self._lock:
            try:
                return await asyncio.wait_for(self._exchange(head, body), RESPONSE_SECONDS)
            except TimeoutError as error:
                await self._restart()
                raise ContainerTimedOut from error
            except (OSError, asyncio.IncompleteReadError) as error:
                await self._restart()
                raise ConnectionError("the container died") from error

    def close(self) -> None:
        end(self._process)
        self._channel.close()

    def _prepared(self, artefacts: Artefacts) -> dict[str, str]:
        environment = {
            "OMP_NUM_THREADS": "1",
            "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/code",
            **dict(self._spec.environment),
        }
        directory = environment["SAGEMAKER_SUBMIT_DIRECTORY"]
        if directory.startswith("s3://"):
            artefacts.extract(directory, self._base / "code")
            directory = "/opt/ml/code"
        environment["SAGEMAKER_SUBMIT_DIRECTORY"] = directory.replace("/opt/ml", str(self._base), 1)
        return {**clean_environment(self._location), **environment, "SAGEMAKER_BASE_DIR": str(self._base)}

    def _start(self) -> None:
        self._channel, theirs = socket.socketpair()
        with theirs, (self._base / "container.log").open("ab") as log:
            arguments = [str(theirs.fileno()), str(self._base)]
            self._process = self._children.start(
                "local.sagemaker.container", arguments, self._environment, log, [theirs.fileno()]
            )
        try:
            first, _ = frames.receive(self._channel, time.monotonic() + _START_SECONDS)
        except (TimeoutError, EOFError) as error:
            first = {"error": f"the container gave no sign of life: {error!r}"}
        if "error" in first:
            self.close()
            raise ContainerFailed(first["error"])

    async def _exchange(self, head: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        if self._streams is None:
            self._channel.setblocking(False)
            self._streams = await asyncio.open_connection(sock=self._channel)
        reader, writer = self._streams
        writer.write(frames.pack(head, body))
        await writer.drain()
        return await frames.read(reader)

    async def _restart(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None
        await asyncio.to_thread(end, self._process)
        # If it does not come up, the next request finds it dead and tries again.
        with contextlib.suppress(ContainerFailed):
            await asyncio.to_thread(self._start)
