"""The only place where adapters are constructed: settings in, use-cases out."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
from botocore.config import Config

from fraud import policy, settings
from fraud.aws.decision_log import DynamoDecisionLog
from fraud.aws.endpoint import SageMakerScorer
from fraud.aws.quarantine import S3Quarantine
from fraud.aws.state_reader import DynamoStateReader
from fraud.services.assessment import Assessment
from fraud.services.models import Models
from fraud.services.scoring import LONGEST_COMMIT, Scoring
from fraud.settings import ScoringSettings

STORE = Config(connect_timeout=0.5, read_timeout=1.0, retries={"mode": "standard", "total_max_attempts": 2})
"""botocore's own defaults are 60 s and would outlive the invocation."""
ENDPOINT = Config(connect_timeout=0.5, read_timeout=1.0, retries={"mode": "standard", "total_max_attempts": 2})
CALL_BUDGET = 2 * (0.5 + 1.0) + 0.5
"""The longest an InvokeEndpoint with these timeouts can take, back-off included, seconds."""
READERS = 4
"""Reads of one batch that run at once: 400 keys."""
POLICY = Path(__file__).parent.parent / "policy.json"


def scoring(env: Mapping[str, str] = os.environ) -> Scoring:
    """The use-case behind `score_transactions`.

    Raises:
        InvalidSettings: a variable is missing or malformed.
        InvalidPolicy: the policy document is malformed.
    """
    names = settings.from_env(ScoringSettings, env)
    dynamodb = boto3.client("dynamodb", config=STORE)
    models = Models(
        SageMakerScorer(boto3.client("sagemaker-runtime", config=ENDPOINT)), time.monotonic, CALL_BUDGET, LONGEST_COMMIT
    )
    return Scoring(
        state=DynamoStateReader(
            dynamodb, names.entity_table, names.rollout_table, ThreadPoolExecutor(READERS), time.time, pause
        ),
        assessment=Assessment(models, policy.load(POLICY.read_bytes()), time.time),
        decisions=DynamoDecisionLog(
            dynamodb,
            names.entity_table,
            names.decision_table,
            names.decision_retention_days,
            names.entity_retention_days,
            time.time,
        ),
        quarantine=S3Quarantine(boto3.client("s3", config=STORE), names.quarantine_bucket),
        pause=pause,
    )


def pause(attempt: int) -> None:
    """Wait before another attempt: full jitter, 20 ms doubled each time."""
    time.sleep(random.uniform(0.0, 0.02 * 2**attempt))
