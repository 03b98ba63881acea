"""The only place where adapters are constructed: settings in, use-cases out."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from fraud import deadline, policy, settings
from fraud.aws import decision_items, metrics
from fraud.aws.batch_get import BatchGet
from fraud.aws.decision_log import DynamoDecisionLog
from fraud.aws.dynamodb import Item
from fraud.aws.endpoint import SageMakerScorer
from fraud.aws.event_bus import EventBridgeBus
from fraud.aws.firehose import FirehoseArchive
from fraud.aws.label_store import DynamoLabelStore
from fraud.aws.projection_store import DynamoProjectionStore
from fraud.aws.quarantine import S3Quarantine
from fraud.aws.state_reader import DynamoStateReader, DynamoTerminalReader
from fraud.batch_report import BatchReport
from fraud.ports import Quarantine, Recorded
from fraud.services.assessment import Assessment
from fraud.services.labelling import Labelling
from fraud.services.models import Models
from fraud.services.projection import Projection
from fraud.services.scoring import Scoring
from fraud.settings import (
    AnsweringSettings,
    LabellingSettings,
    ProjectionSettings,
    ScoringSettings,
    ShadowSettings,
)

if TYPE_CHECKING:
    from fraud.answer import AnswerReport
    from fraud.services.answering import Answering
    from fraud.services.shadow import Shadowing
    from fraud.shadow_ports import ShadowReport

CALLS = Config(
    connect_timeout=deadline.CONNECT_TIMEOUT,
    read_timeout=deadline.READ_TIMEOUT,
    retries={"mode": "standard", "total_max_attempts": deadline.ATTEMPTS},
    # A quarter of the handler's CPU; our items are typed, and AWS checks them again.
    parameter_validation=False,
)
"""botocore's own timeouts are 60 s and would outlive the invocation."""
CALLERS = 4
"""Calls of one kind that run at once for one batch."""
POLICY = Path(__file__).parent.parent / "policy.json"


def scoring(env: Mapping[str, str] = os.environ) -> tuple[Scoring, Callable[[BatchReport, float], None]]:
    """The use-case behind `score_transactions`, and what publishes its metrics.

    Raises:
        InvalidSettings: a variable is missing or malformed.
        InvalidPolicy: the policy document is malformed.
    """
    names = settings.from_env(ScoringSettings, env)
    dynamodb = boto3.client("dynamodb", config=CALLS)
    use_case = _scoring(names, dynamodb, CALLS, _quarantine(names.quarantine_bucket))
    return use_case, metrics.publish_scoring


def answering(env: Mapping[str, str] = os.environ) -> tuple[Answering, Callable[[AnswerReport], None]]:
    """The use-case behind `answer_transaction`, and what publishes its metrics.

    Raises:
        InvalidSettings: a variable is missing or malformed.
        InvalidPolicy: the policy document is malformed.
    """
    # Only here, so that functions which read streams do not load it at their cold start.
    from fraud.aws.verdict_reader import DynamoVerdictReader
    from fraud.services.answering import Answering, Refusals

    names = settings.from_env(AnsweringSettings, env)
    budget = names.answer_budget_ms / 1000
    calls = _calls_within(budget)
    dynamodb = boto3.client("dynamodb", config=calls)
    use_case = Answering(
        scoring=_scoring(names, dynamodb, calls, Refusals()),
        verdicts=DynamoVerdictReader(_batch_get(dynamodb), names.decision_table),
        budget=budget,
        clock=time.time,
        monotonic=time.monotonic,
    )
    return use_case, metrics.publish_answers


def projection(env: Mapping[str, str] = os.environ) -> tuple[Projection, Callable[[Item, str], Recorded]]:
    """The use-case behind `project_decisions`, and what reads an image of the table's stream for it.

    Raises:
        InvalidSettings: a variable is missing or malformed.
    """
    names = settings.from_env(ProjectionSettings, env)
    dynamodb, firehose = boto3.client("dynamodb", config=CALLS), boto3.client("firehose", config=CALLS)
    store = DynamoProjectionStore(
        dynamodb, names.entity_table, names.decision_table, names.rollout_table, names.entity_retention_days, time.time
    )
    use_case = Projection(
        archive=FirehoseArchive(firehose, names.decision_archive_stream, pause),
        bus=EventBridgeBus(boto3.client("events", config=CALLS), names.event_bus, ThreadPoolExecutor(CALLERS), pause),
        terminals=DynamoTerminalReader(_batch_get(dynamodb), names.entity_table, time.time),
        store=store,
        labelling=_labelling(names, dynamodb, firehose),
        pause=pause,
    )
    return use_case, decision_items.decode


def labelling(env: Mapping[str, str] = os.environ) -> tuple[Labelling, Quarantine]:
    """The use-case behind `record_labels`, and where it sets aside what is no label.

    Raises:
        InvalidSettings: a variable is missing or malformed.
    """
    names = settings.from_env(LabellingSettings, env)
    dynamodb, firehose = boto3.client("dynamodb", config=CALLS), boto3.client("firehose", config=CALLS)
    return _labelling(names, dynamodb, firehose), _quarantine(names.quarantine_bucket)


def shadow(
    env: Mapping[str, str] = os.environ,
) -> tuple[Shadowing, Callable[[Item, str], Recorded], Callable[[ShadowReport], None]]:
    """The use-case behind `shadow_score`, what reads an image of the table's stream, and what publishes its metrics.

    Raises:
        InvalidSettings: a variable is missing or malformed.
        InvalidPolicy: the policy document is malformed.
    """
    # Only here, so that functions which score transactions do not load it at their cold start.
    from fraud.aws import shadow_metrics
    from fraud.aws.routing_store import DynamoRoutingStore
    from fraud.aws.shadow_store import DynamoShadowStore
    from fraud.services.shadow import Shadowing

    table = settings.from_env(ShadowSettings, env).rollout_table
    dynamodb = boto3.client("dynamodb", config=CALLS)
    use_case = Shadowing(
        routing=DynamoRoutingStore(dynamodb, table),
        scorer=SageMakerScorer(boto3.client("sagemaker-runtime", config=CALLS)),
        policy=policy.load(POLICY.read_bytes()),
        store=DynamoShadowStore(dynamodb, table, time.time),
        transaction_of=decision_items.transaction_of,
        monotonic=time.monotonic,
        pause=pause,
    )
    return use_case, decision_items.decode, shadow_metrics.publish


def _scoring(
    names: ScoringSettings | AnsweringSettings, dynamodb: Any, calls: Config, quarantine: Quarantine
) -> Scoring:
    models = Models(SageMakerScorer(boto3.client("sagemaker-runtime", config=calls)), time.monotonic)
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
        quarantine=quarantine,
        pause=pause,
    )


def _calls_within(budget: float) -> Config:
    """Calls of which three in a row end within so many seconds."""
    return CALLS.merge(
        Config(
            connect_timeout=budget * deadline.CONNECT_SHARE,
            read_timeout=budget * deadline.READ_SHARE,
            retries={"mode": "standard", "total_max_attempts": 1},
        )
    )


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
    return S3Quarantine(boto3.client("s3", config=CALLS), bucket)


def pause(attempt: int) -> None:
    """Wait before another attempt: full jitter, 20 ms doubled each time."""
    time.sleep(random.uniform(0.0, 0.02 * 2**attempt))
