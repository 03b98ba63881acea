"""A pipe that every child process holds, so that none outlives the laptop, however the laptop ends.

PR_SET_PDEATHSIG would tie a child to the thread that forked it; end-of-file on a pipe is tied to the process,
and works where there is no prctl.
"""

import os
import signal
import threading
from typing import NoReturn


def watch(descriptor: int) -> None:
    """End this process, and the group it leads, when the other end of the pipe closes."""
    threading.Thread(target=_end_at_eof, args=(descriptor,), name="lifeline", daemon=True).start()


def _end_at_eof(descriptor: int) -> NoReturn:
    while os.read(descriptor, 1):
        pass
    if os.getpgid(0) == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)
