"""Answers in the shape of `model/inference.py`: probes ask about the platform, not about a model."""

import json


def model_fn(model_dir: str) -> str:
    return model_dir


def input_fn(body: str | bytes, content_type: str) -> int:
    """Rows of a request, as it is read for the project's own model."""
    text = body.decode() if isinstance(body, bytes) else body
    return len(text.splitlines())


def predict_fn(rows: int, model: str) -> dict[str, list[object]]:
    return {"scores": [0.5] * rows, "reasons": [None] * rows}


def output_fn(prediction: dict[str, list[object]], accept: str) -> tuple[str, str]:
    return json.dumps(prediction), "application/json"
