"""What runs create, written down before it is created, so that nothing is lost when one ends too early."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from verification.errors import Refused

LARGEST = 4 * 1024 * 1024
"""Bytes of a ledger; thousands of runs."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that may stand in an account.

    Args:
        kind: as `verification.kinds` has it.
        name: by which it is found, though its id may be AWS's.
        account: its id.
        region: its name.
    """

    kind: str
    name: str
    account: str
    region: str


@dataclass(frozen=True, slots=True)
class Ledger:
    """A file of lines in JSON, only ever added to.

    Args:
        path: the file; made when first written.
    """

    path: Path

    def creating(self, entry: Entry) -> None:
        """To be called before the creation is asked for."""
        self._append({"event": "creating", **asdict(entry)})

    def removed(self, entry: Entry) -> None:
        """To be called when it is known to be gone."""
        self._append({"event": "removed", **asdict(entry)})

    def standing(self) -> list[Entry]:
        """What may still stand, in the order of creation.

        Raises:
            Refused: the file cannot be a ledger.
        """
        found: dict[Entry, None] = {}
        for line in self._lines():
            event, entry = _parsed(line)
            if event == "creating":
                found[entry] = None
            else:
                found.pop(entry, None)
        return list(found)

    def _lines(self) -> list[str]:
        if not self.path.exists():
            return []
        if self.path.stat().st_size > LARGEST:
            raise Refused(f"{self.path} is too large for a ledger: move it away, once nothing of it stands")
        *lines, _ = self.path.read_text(encoding="utf-8").split("\n")
        # A line without its end was being written when the process died: its creation was not asked for yet.
        return [line for line in lines if line]

    def _append(self, line: dict[str, str]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a+b") as file:
            _end_torn_line(file.fileno())
            file.write(json.dumps(line).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())


def _parsed(line: str) -> tuple[str, Entry]:
    document = json.loads(line)
    return document.pop("event"), Entry(**document)


def _end_torn_line(descriptor: int) -> None:
    """Cut off what a process that died left of a line."""
    size = os.fstat(descriptor).st_size
    start = max(0, size - 4096)
    tail = os.pread(descriptor, size - start, start)
    os.ftruncate(descriptor, start + tail.rfind(b"\n") + 1)
