"""CloudWatch's embedded metric format: metrics that ride in a function's log lines."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Metric:
    """One data point."""

    namespace: str
    name: str
    value: float
    unit: str
    dimensions: tuple[tuple[str, str], ...]


def metrics(log: str) -> Iterator[Metric]:
    """Every data point in a function's output; lines that are no valid EMF documents are just log lines."""
    for line in log.splitlines():
        if line.startswith("{") and '"_aws"' in line:
            yield from _document_metrics(line)


def _document_metrics(line: str) -> Iterator[Metric]:
    try:
        document = json.loads(line)
        directives = document["_aws"]["CloudWatchMetrics"]
    except (ValueError, KeyError, TypeError):
        return
    for directive in directives:
        for names in directive.get("Dimensions") or [[]]:
            yield from _directive_metrics(document, directive, names)


def _directive_metrics(document: dict[str, Any], directive: dict[str, Any], names: list[str]) -> Iterator[Metric]:
    dimensions = tuple((name, str(document.get(name, ""))) for name in names)
    for definition in directive.get("Metrics", ()):
        values = document.get(definition["Name"], [])
        for value in values if isinstance(values, list) else [values]:
            unit = definition.get("Unit", "None")
            yield Metric(directive["Namespace"], definition["Name"], float(value), unit, dimensions)
