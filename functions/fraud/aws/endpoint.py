"""Scores from a SageMaker endpoint: CSV rows in, JSON out, one InvokeEndpoint for all rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from fraud.aws.calls import failure, unavailable
from fraud.decision import Score
from fraud.errors import ModelUnavailable
from fraud.routing import ServedModel

MOST_CAUSES = 3


class _Answer(msgspec.Struct):
    """The response of `model/inference.py`: per row a score or null, and the causes as (feature, contribution)."""

    scores: list[float | None]
    reasons: list[list[tuple[str, float]] | None]


_decode = msgspec.json.Decoder(_Answer).decode


@dataclass(frozen=True)
class SageMakerScorer:
    """Asks an endpoint; timeouts and attempts are the client's.

    Args:
        client: sagemaker-runtime.
    """

    client: Any

    def score(self, model: ServedModel, rows: Sequence[Sequence[float | None]]) -> list[Score | None]:
        """One answer per row, in order; None for a row the model could not read.

        Raises:
            ModelUnavailable: no answer in time, or an answer that cannot be believed as a whole.
        """
        with unavailable("InvokeEndpoint", ModelUnavailable):
            answer = self.client.invoke_endpoint(
                EndpointName=model.endpoint, ContentType="text/csv", Accept="application/json", Body=to_csv(rows)
            )
            body = answer["Body"].read()
        return from_json(body, len(rows))


def to_csv(rows: Sequence[Sequence[float | None]]) -> bytes:
    """Rows without a header; an empty field is a missing value; no newline at the end."""
    return "\n".join(",".join("" if value is None else repr(value) for value in row) for row in rows).encode()


def from_json(body: bytes, count: int) -> list[Score | None]:
    """Check an answer.

    Raises:
        ModelUnavailable: not the documented shape, not one entry per row, or a score outside 0 to 1.
    """
    try:
        answer = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise failure("InvokeEndpoint", "the answer is not of the documented shape", ModelUnavailable) from None
    if len(answer.scores) != count or len(answer.reasons) != count:
        raise failure("InvokeEndpoint", "the answer has another number of rows than the request", ModelUnavailable)
    if not all(score is None or 0.0 <= score <= 1.0 for score in answer.scores):
        raise failure("InvokeEndpoint", "a score lies outside 0 to 1", ModelUnavailable)
    return [_score(value, causes or []) for value, causes in zip(answer.scores, answer.reasons, strict=True)]


def _score(value: float | None, causes: Sequence[tuple[str, float]]) -> Score | None:
    return None if value is None else Score(value, tuple(name for name, _ in causes[:MOST_CAUSES]))
