"""The endpoint's script: a fixed linear score, the same for all that are compared, in the contract of the real one.

It runs in the serving container and imports nothing but the standard library. The benchmark measures who asks, not who
answers.
"""

import json
from pathlib import Path
from typing import Any

Row = list[float | None]


def model_fn(directory: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((Path(directory) / "weights.json").read_text())
    return document


def transform_fn(model: dict[str, Any], body: str, content_type: str, accept: str) -> tuple[str, str]:
    """Scores of CSV rows, with reasons at and above the review threshold."""
    rows = [[float(field) if field else None for field in line.split(",")] for line in body.split("\n")]
    scores = [_score(model["weights"], row) for row in rows]
    reasons = [
        _reasons(model, row) if score >= model["review"] else None for row, score in zip(rows, scores, strict=True)
    ]
    return json.dumps({"scores": scores, "reasons": reasons}), accept


def _score(weights: list[float], row: Row) -> float:
    score = sum(weight * value for weight, value in zip(weights, row, strict=True) if weight and value)
    return min(max(score, 0.0), 1.0)


def _reasons(model: dict[str, Any], row: Row) -> list[tuple[str, float]]:
    columns = zip(model["names"], model["weights"], row, strict=True)
    parts = [(name, weight * (value or 0.0)) for name, weight, value in columns]
    return sorted(parts, key=lambda part: -part[1])[:3]
