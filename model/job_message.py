"""What a processing job says when it ends; `DescribeProcessingJob` has it as the exit message."""

from __future__ import annotations

from pathlib import Path

LONGEST = 1024
"""Bytes that SageMaker keeps."""


def leave(base: Path, sentence: str) -> None:
    """Write it where the container's platform looks; elsewhere there is nowhere to write.

    Args:
        base: `/opt/ml/processing` in a container.
        sentence: what is said.
    """
    folder = base.resolve().parent / "output"
    if folder.is_dir():
        # What the cut leaves of a character is no text, and would be refused.
        text = sentence.encode()[:LONGEST].decode(errors="ignore")
        (folder / "message").write_text(text, encoding="utf-8")
