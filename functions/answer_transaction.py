"""Lambda: answer a request with the decisions on its transactions, behind a function URL."""

from __future__ import annotations

import base64
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from fraud import bootstrap, transaction_lines

logger = Logger()
answering = cache(bootstrap.answering)
RETRY_AFTER = {503: {"Retry-After": "1"}}
"""Seconds after which asking again is worth it; it is safe at any time."""


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Decide every transaction of the body, or say what stands in the way."""
    logger.set_correlation_id(event["requestContext"]["requestId"])
    use_case, publish = answering()
    report = use_case.answer(_body(event), event["requestContext"]["timeEpoch"] / 1000)
    publish(report)
    logger.info("request answered", extra=report.summary())
    for message, keys in transaction_lines.of_batch(report.batch, "transaction refused"):
        logger.warning(message, extra=keys)
    headers = {"Content-Type": "application/json"} | RETRY_AFTER.get(report.status, {})
    return {"statusCode": report.status, "headers": headers, "body": report.body()}


def _body(event: dict[str, Any]) -> bytes:
    """As it was posted; nothing, where nothing was."""
    body: str = event.get("body") or ""
    return base64.b64decode(body) if event.get("isBase64Encoded") else body.encode(errors="surrogatepass")
