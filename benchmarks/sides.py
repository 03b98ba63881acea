"""What is compared: the application's handler and the alternative in two ways of writing, each on tables of its own."""

from __future__ import annotations

import contextlib
import io
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

from benchmarks import per_record
from benchmarks.per_record import PerRecord, Write
from benchmarks.stack import RETENTION_DAYS, Tables
from fraud import bootstrap, policy
from fraud.aws.endpoint import SageMakerScorer
from fraud.routing import ServedModel

Handler = Callable[[dict[str, Any], Any], Mapping[str, Any]]

OURS = "score_transactions"
ALTERNATIVES: Mapping[str, Write] = {
    "per record, two puts": per_record.in_two_puts,
    "per record, transaction": per_record.in_one_transaction,
}
_TIMEOUT_SECONDS = 60.0


class Context:
    """What Lambda passes beside the event."""

    function_name = "benchmark"
    memory_limit_in_mb = 1769
    invoked_function_arn = "arn:aws:lambda:eu-central-1:000000000000:function:benchmark"
    aws_request_id = "00000000-0000-0000-0000-000000000000"

    def __init__(self) -> None:
        self._deadline = time.monotonic() + _TIMEOUT_SECONDS

    def get_remaining_time_in_millis(self) -> int:
        return int((self._deadline - time.monotonic()) * 1000)


@dataclass(frozen=True, slots=True)
class Side:
    """A handler and the tables it writes."""

    name: str
    handler: Handler
    tables: Tables


def ours(tables: Tables) -> Side:
    """The Lambda function as it ships, its environment set before it is loaded."""
    os.environ.update(
        ENTITY_TABLE=tables.entity,
        DECISION_TABLE=tables.decision,
        ROLLOUT_TABLE=tables.rollout,
        QUARANTINE_BUCKET="quarantine",
        DECISION_RETENTION_DAYS=str(RETENTION_DAYS),
        ENTITY_RETENTION_DAYS=str(RETENTION_DAYS),
        POWERTOOLS_SERVICE_NAME="score_transactions",
        POWERTOOLS_METRICS_NAMESPACE="FraudDetection",
        POWERTOOLS_LOG_LEVEL="INFO",
    )
    # Its logger keeps the standard output of the time it is made.
    with contextlib.redirect_stdout(io.StringIO()):
        import score_transactions

    return Side(OURS, score_transactions.handler, tables)


def alternative(name: str, tables: Tables, model: ServedModel, threads: int) -> Side:
    """The alternative with a connection for every thread; time-outs and retries as ours."""
    pool = Config(max_pool_connections=threads)
    function = PerRecord(
        client=boto3.client("dynamodb", config=bootstrap.CALLS.merge(pool)),
        scorer=SageMakerScorer(boto3.client("sagemaker-runtime", config=bootstrap.CALLS.merge(pool))),
        tables=tables,
        model=model,
        policy=policy.load(bootstrap.POLICY.read_bytes()),
        executor=ThreadPoolExecutor(threads),
        write=ALTERNATIVES[name],
    )
    return Side(name, function.handler, tables)
