"""What the jobs run, as a Lambda layer brings it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fraud import job_source

CORE = Path(__file__).parents[1]
"""The package `fraud`, as this function runs it: what a model learns from is computed by the code that serves it."""


@dataclass(frozen=True)
class LayerSource:
    """The package `model` in a directory, and the package `fraud` that runs here.

    Args:
        model: directory with the content of `model/`.
    """

    model: Path

    def archive(self) -> bytes:
        """The source archive, the same bytes for the same code."""
        return job_source.build(self.model, CORE)

    def query(self, name: str) -> str:
        """The text of a query, its placeholders not filled in: `training_set` or `monitored_window`."""
        return (self.model / "sql" / f"{name}.sql").read_text(encoding="utf-8")
