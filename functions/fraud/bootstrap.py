"""The only place where adapters are constructed: settings in, use-cases out."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from fraud import policy, settings
from fraud.aws.batch_get import BatchGet
from fraud.aws.decision_log import DynamoDecisionLog
from fraud.aws.endpoint import SageMakerScorer
from fraud.aws.event_bus import EventBridgeBus
from fraud.aws.firehose import FirehoseArchive
from fraud.aws.label_store import DynamoLabelStore
from fraud.aws.projection_store import DynamoProjectionStore
from fraud.aws.quarantine import S3Quarantine
from fraud.aws.state_reader import DynamoStateReader, DynamoTerminalReader
from fraud.ports import Quarantine
from fraud.services.assessment import Assessment
from fraud.services.labelling import Labelling
from fraud.services.models import Models
from fraud.services.projection import Projection
from fraud.services.scoring import LONGEST_COMMIT, Scoring
from fraud.settings import LabellingSettings, ProjectionSettings, ScoringSettings

STORE = Config(connect_timeout=0.5, read_timeout=1.0, retries={"mode": "standard", "total_max_attempts": 2})
"""botocore's own defaults are 60 s and would outlive the invocation."""
ENDPOINT = Config(connect_timeout=0.5, read_timeout=1.0, retries={"mode": "standard", "total_max_attempts": 2})
CALL_BUDGET = 2 * (0.5 + 1.0) + 0.5
"""The longest an InvokeEndpoint with these timeouts can take, back-off included, seconds."""
CALLERS = 4
"""Calls of one kind that run at once for one batch."""
POLICY = Path(__file__).parent.parent / "policy.json"


def scoring(env: Mapping[str, str] = os.environ) -> Scoring:
    """The use-case behind `score_transactions`.

    Raises:
        InvalidSettings: a variable is missing or malformed.
        InvalidPolicy: the policy document is malformed.
    """
    names = settings.from_env(ScoringSettings, env)
    dynamodb = boto3.client("dynamodb", config=STORE)
    scorer = SageMakerScorer(boto3.client("sagemaker-runtime", config=ENDPOINT))
    models = Models(scorer, time.monotonic, CALL_BUDGET, LONGEST_COMMIT)
    return Scoring(
        state=DynamoStateReader(_batch_get(dynamodb), names.entity_table, names.rollout_table, time.time),
        assessment=Assessment(models, policy.load(POLICY.read_bytes()), time.time),
        decisions=DynamoDecisionLog(
            dynamodb,
            names.entity_table,
            names.decision_table,
            names.decision_retention_days,
            names.entity_retention_days,
            time.time,
        ),
        quarantine=_quarantine(names.quarantine_bucket),
        pause=pause,
    )


def projection(env: Mapping[str, str] = os.environ) -> Projection:
    """The use-case behind `project_decisions`.

    Raises:
        InvalidSettings: a variable is missing or malformed.
    """
    names = settings.from_env(ProjectionSettings, env)
    dynamodb, firehose = boto3.client("dynamodb", config=STORE), boto3.client("firehose", config=STORE)
    store = DynamoProjectionStore(
        dynamodb, names.entity_table, names.decision_table, names.rollout_table, names.entity_retention_days, time.time
    )
    return Projection(
        archive=FirehoseArchive(firehose, names.decision_archive_stream, pause),
        bus=EventBridgeBus(boto3.client("events", config=STORE), names.event_bus, ThreadPoolExecutor(CALLERS), pause),
        terminals=DynamoTerminalReader(_batch_get(dynamodb), names.entity_table, time.time),
        store=store,
        labelling=_labelling(names, dynamodb, firehose),
        pause=pause,
    )


def labelling(env: Mapping[str, str] = os.environ) -> tuple[Labelling, Quarantine]:
    """The use-case behind `record_labels`, and where it sets aside what is no label.

    Raises:
        InvalidSettings: a variable is missing or malformed.
    """
    names = settings.from_env(LabellingSettings, env)
    dynamodb, firehose = boto3.client("dynamodb", config=STORE), boto3.client("firehose", config=STORE)
    return _labelling(names, dynamodb, firehose), _quarantine(names.quarantine_bucket)


def _labelling(names: ProjectionSettings | LabellingSettings, dynamodb: Any, firehose: Any) -> Labelling:
    reads = _batch_get(dynamodb)
    return Labelling(
        store=DynamoLabelStore(
            dynamodb, reads, names.entity_table, names.decision_table, names.entity_retention_days, time.time
        ),
        terminals=DynamoTerminalReader(reads, names.entity_table, time.time),
        archive=FirehoseArchive(firehose, names.label_archive_stream, pause),
        pause=pause,
    )


def _batch_get(dynamodb: Any) -> BatchGet:
    return BatchGet(dynamodb, ThreadPoolExecutor(CALLERS), pause)


def _quarantine(bucket: str) -> Quarantine:
    return S3Quarantine(boto3.client("s3", config=STORE), bucket)


def pause(attempt: int) -> None:
    """Wait before another attempt: full jitter, 20 ms doubled each time."""
    time.sleep(random.uniform(0.0, 0.02 * 2**attempt))
