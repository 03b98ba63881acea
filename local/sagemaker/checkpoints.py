"""A training job's checkpoints: restored from S3 before its container starts, and copied there while it runs."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

from botocore.exceptions import BotoCoreError

from local.sagemaker.artefacts import Artefacts
from local.sagemaker.jobs import address, files

_SECONDS_BETWEEN_COPIES = 1.0
Stamp = tuple[int, int]
"""Time of the last change in nanoseconds, and size in bytes."""


class Checkpoints:
    """A directory that follows an S3 prefix; what is removed from the directory stays in S3."""

    def __init__(self, artefacts: Artefacts, uri: str, directory: Path) -> None:
        self._artefacts = artefacts
        self._uri = uri
        self._directory = directory
        self._copied: dict[Path, Stamp] = {}

    def restore(self) -> None:
        """Bring what earlier containers, or jobs, left."""
        self._directory.mkdir(parents=True, exist_ok=True)
        self._artefacts.download(self._uri, self._directory)
        self._copied = {path: _stamp(path) for path in files(self._directory)}

    @contextlib.contextmanager
    def copied(self) -> Iterator[None]:
        """Copy what changes while the block runs, and what has changed at its end."""
        ended = threading.Event()
        thread = threading.Thread(target=self._copy_until, args=(ended,), name="checkpoints", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            self._copy()

    def _copy_until(self, ended: threading.Event) -> None:
        while not ended.wait(_SECONDS_BETWEEN_COPIES):
            # A file may go while it is copied; what fails for long fails at the end too, where it is told.
            with contextlib.suppress(OSError, BotoCoreError, self._artefacts.errors):
                self._copy()

    def _copy(self) -> None:
        for path in files(self._directory):
            stamp = _stamp(path)
            if self._copied.get(path) != stamp:
                self._artefacts.write(address(self._uri, self._directory, path), path.read_bytes())
                self._copied[path] = stamp


def _stamp(path: Path) -> Stamp:
    status = path.stat()
    return status.st_mtime_ns, status.st_size
