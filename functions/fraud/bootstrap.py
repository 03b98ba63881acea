"""The only place where adapters are constructed: settings in, use-cases out."""

from __future__ import annotations

import os
import random
import secrets
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
from fraud.settings import DeploymentSettings, LabellingSettings, ProjectionSettings, ScoringSettings

if TYPE_CHECKING:
    from fraud.services.deployment import Deployment

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
    scorer = SageMakerScorer(boto3.client("sagemaker-runtime", config=CALLS))
    models = Models(scorer, time.monotonic)
    use_case = Scoring(
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
    return use_case, metrics.publish_scoring


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


CONTROL = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 5})
"""For people and state machines, who wait; never for a transaction."""


def deployment(
    session: boto3.Session,
    names: DeploymentSettings,
    endpoint_url: str | None = None,
    progress: Callable[[str], None] = lambda sentence: None,
) -> Deployment:
    """The use-case that registers models and puts them in service, for the command line and the rollout.

        deployed = bootstrap.deployment(session, DeploymentSettings(...), endpoint_url, progress=print)
        arn = deployed.register(Path("model.tar.gz").read_bytes(), approved=True)
        routing = deployed.bootstrap_champion(arn, Instance("ml.m5.large"))

    `Instance` is in `fraud.deployment_ports`. What goes wrong is raised as a `FraudError` whose text is a sentence for
    the operator; after a `Retryable` one the same call goes on from where it stopped.

    Args:
        session: credentials and region.
        names: outputs of the stack.
        endpoint_url: of the laptop's stack; None on AWS.
        progress: told one sentence at every step, and at every look while an endpoint comes up.
    """
    # Only here, so that functions which score transactions do not load it at their cold start.
    from fraud.aws.endpoints import SageMakerEndpoints
    from fraud.aws.package_store import S3PackageStore
    from fraud.aws.registry import SageMakerRegistry
    from fraud.aws.routing_store import DynamoRoutingStore
    from fraud.deployment_ports import Hosting
    from fraud.services.deployment import Deployment
    from fraud.services.packages import Packages

    dynamodb = session.client("dynamodb", endpoint_url=endpoint_url, config=CONTROL)
    runtime = session.client("sagemaker-runtime", endpoint_url=endpoint_url, config=CALLS)
    s3 = session.client("s3", endpoint_url=endpoint_url, config=CONTROL)
    sagemaker = session.client("sagemaker", endpoint_url=endpoint_url, config=CONTROL)
    return Deployment(
        packages=Packages(
            SageMakerRegistry(sagemaker, names.model_package_group, names.model_image),
            S3PackageStore(s3, names.model_bucket),
        ),
        endpoints=SageMakerEndpoints(sagemaker, time.sleep),
        routing=DynamoRoutingStore(dynamodb, names.rollout_table),
        scorer=SageMakerScorer(runtime),
        slots={"a": names.endpoint_slot_a, "b": names.endpoint_slot_b},
        hosting=Hosting(names.execution_role, names.volume_key),
        monotonic=time.monotonic,
        sleep=time.sleep,
        new_salt=lambda: secrets.token_hex(16),
        progress=progress,
    )
