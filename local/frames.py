"""Length-prefixed messages over a stream socket: a JSON head and an opaque body."""

import asyncio
import json
import socket
import struct
import time
from typing import Any

HEAD = struct.Struct(">II")


def pack(head: Any, body: bytes = b"") -> bytes:
    encoded = json.dumps(head, separators=(",", ":")).encode()
    return HEAD.pack(len(encoded), len(body)) + encoded + body


def receive(channel: socket.socket, deadline: float | None = None) -> tuple[Any, bytes]:
    """Read one message; deadline is on time.monotonic().

    Raises: TimeoutError past the deadline, EOFError when the other side has gone.
    """
    head, body = HEAD.unpack(_exactly(channel, HEAD.size, deadline))
    return json.loads(_exactly(channel, head, deadline)), _exactly(channel, body, deadline)


async def read(stream: asyncio.StreamReader) -> tuple[Any, bytes]:
    """Read one message.

    Raises: asyncio.IncompleteReadError when the other side has gone.
    """
    head, body = HEAD.unpack(await stream.readexactly(HEAD.size))
    return json.loads(await stream.readexactly(head)), await stream.readexactly(body)


def _exactly(channel: socket.socket, size: int, deadline: float | None) -> bytes:
    received = bytearray()
    while len(received) < size:
        channel.settimeout(_remaining(deadline))
        chunk = channel.recv(min(size - len(received), 1 << 20))
        if not chunk:
            raise EOFError("the other side closed the channel")
        received += chunk
    return bytes(received)


def _remaining(deadline: float | None) -> float | None:
    if deadline is None:
        return None
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
