"""Runs first in every Python of a job's container, which finds nothing of this repository and, isolated, no network.

On AWS the image holds only what is installed in it. Here a container is a process of this environment, where the
repository is installed in place; what a job runs must come from its source archive. Isolation is for noticing what
would fail on AWS, not for keeping anybody in: only Python is held.
"""

import os
import sys
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[3]
_OURS = (_ROOT, _ROOT / "functions")
_RESOLVING = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")
_SENDING = ("socket.connect", "socket.sendto", "socket.sendmsg")


def refuse_network(event: str, arguments: tuple[Any, ...]) -> None:
    """What the kernel answers where there is no network: names are not resolved, hosts are unreachable.

    The container's own loopback is refused too: here it is the laptop's, where its services listen.
    """
    if event in _RESOLVING:
        import socket

        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution: the job is isolated")
    if event in _SENDING:
        import errno
        import socket

        if arguments[0].family in (socket.AF_INET, socket.AF_INET6):
            raise OSError(errno.ENETUNREACH, "Network is unreachable: the job is isolated")


sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() not in _OURS]
if os.environ.get("LAPTOP_NETWORK_ISOLATION"):
    sys.addaudithook(refuse_network)
