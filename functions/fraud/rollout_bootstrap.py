"""Constructs what a rollout works with; apart from `bootstrap`, so that scoring does not load it at its start."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

import boto3
import msgspec

from fraud import rollout_plan, settings
from fraud.aws import endpoints
from fraud.aws.announcements import EventBridgeAnnouncements
from fraud.aws.bell import SnsBell
from fraud.aws.callbacks import StepFunctionsCallbacks
from fraud.aws.control_plane import CONTROL
from fraud.aws.endpoint import SageMakerScorer
from fraud.aws.endpoints import SageMakerEndpoints
from fraud.aws.model_monitor import SageMakerModelMonitor
from fraud.aws.observations import DynamoObservations
from fraud.aws.package_store import S3PackageStore
from fraud.aws.registry import SageMakerRegistry
from fraud.aws.rollout_store import DynamoRolloutStore
from fraud.aws.routing_store import DynamoRoutingStore
from fraud.aws.scaling import ApplicationAutoScaling
from fraud.aws.slot_alarms import CloudWatchSlotAlarms
from fraud.aws.traffic import CloudWatchTraffic
from fraud.bootstrap import CALLS
from fraud.deployment_ports import Capture, Hosting
from fraud.errors import InvalidPlan, InvalidSettings
from fraud.rollout_plan import serverless_memory
from fraud.services.aborting import Aborting
from fraud.services.challenger import Challenger
from fraud.services.judging import Judging
from fraud.services.packages import Packages
from fraud.services.rollback import Rollback
from fraud.services.rollout_records import RolloutRecords
from fraud.services.rollout_start import RolloutStart
from fraud.services.shifting import Shifting
from fraud.services.slots import Slots
from fraud.services.steering import Steering
from fraud.settings import (
    AbortSettings,
    DeploySettings,
    JudgeSettings,
    PrepareSettings,
    RegistrySettings,
    SteerSettings,
    TrafficSettings,
)


def rollout_start(env: Mapping[str, str] = os.environ) -> RolloutStart:
    """The use-case behind `prepare_rollout`.

    Raises:
        InvalidSettings: a variable is missing or malformed.
    """
    names = settings.from_env(PrepareSettings, env)
    slots = {"a": names.endpoint_slot_a, "b": names.endpoint_slot_b}
    namespace, cloudwatch = names.powertools_metrics_namespace, _client("cloudwatch")
    registry = SageMakerRegistry(_client("sagemaker"), names.model_package_group, names.model_image)
    return RolloutStart(
        records=_records(names.rollout_table),
        routing=_routing(names.rollout_table),
        registry=registry,
        packages=Packages(registry, S3PackageStore(_client("s3"), names.model_bucket)),
        alarms=CloudWatchSlotAlarms(cloudwatch, names.alarm_prefix, slots, namespace),
        traffic=CloudWatchTraffic(cloudwatch, namespace, time.time),
        rollback=_rollback(names.rollout_table),
        slots=slots,
        default_plan=_plan("ROLLOUT_PLAN", names.rollout_plan),
        profile_plan=_plan("PROFILE_PLAN", names.profile_plan),
    )


def challenger(env: Mapping[str, str] = os.environ) -> Challenger:
    """The use-case behind `deploy_challenger`.

    Raises:
        InvalidSettings: a variable is missing or malformed.
    """
    names = settings.from_env(DeploySettings, env)
    sagemaker = _client("sagemaker")
    registry = SageMakerRegistry(sagemaker, names.model_package_group, names.model_image)
    return Challenger(
        records=_records(names.rollout_table),
        packages=Packages(registry, S3PackageStore(_client("s3"), names.model_bucket)),
        endpoints=_endpoints(sagemaker, _scaling()),
        slots=_slots(names, sagemaker),
        scorer=_scorer(),
        hosting=partial(_hosting, names),
        sleep=time.sleep,
    )


def shifting(env: Mapping[str, str] = os.environ) -> Shifting:
    """The use-case behind `shift_traffic`.

    Raises:
        InvalidSettings: a variable is missing or malformed.
    """
    names = settings.from_env(TrafficSettings, env)
    return Shifting(
        records=_records(names.rollout_table),
        routing=_routing(names.rollout_table),
        rollback=_rollback(names.rollout_table),
        new_salt=partial(secrets.token_hex, 16),
    )


def judging(env: Mapping[str, str] = os.environ) -> Judging:
    """The use-case behind `judge_rollout`.

    Raises:
        InvalidSettings: a variable is missing or malformed.
    """
    names = settings.from_env(JudgeSettings, env)
    slots = {"a": names.endpoint_slot_a, "b": names.endpoint_slot_b}
    return Judging(
        records=_records(names.rollout_table),
        observations=DynamoObservations(_client("dynamodb"), names.rollout_table),
        alarms=CloudWatchSlotAlarms(
            _client("cloudwatch"), names.alarm_prefix, slots, names.powertools_metrics_namespace
        ),
    )


def steering(env: Mapping[str, str] = os.environ) -> Steering:
    """The use-case behind `steer_rollout`.

    Raises:
        InvalidSettings: a variable is missing or malformed.
    """
    names = settings.from_env(SteerSettings, env)
    return Steering(
        records=_records(names.rollout_table),
        rollback=_rollback(names.rollout_table),
        callbacks=StepFunctionsCallbacks(_client("stepfunctions")),
        bell=SnsBell(_client("sns"), names.alarm_topic),
    )


def aborting(env: Mapping[str, str] = os.environ) -> tuple[Aborting, str]:
    """The use-case behind `abort_rollout`, and what the names of the slots' alarms begin with.

    Raises:
        InvalidSettings: a variable is missing or malformed.
    """
    names = settings.from_env(AbortSettings, env)
    use_case = Aborting(
        rollback=_rollback(names.rollout_table),
        callbacks=StepFunctionsCallbacks(_client("stepfunctions")),
        slots=_slots(names, _client("sagemaker")),
        bell=SnsBell(_client("sns"), names.alarm_topic),
        announcements=EventBridgeAnnouncements(_client("events"), names.event_bus),
    )
    return use_case, names.alarm_prefix


def packages(session: boto3.Session, names: RegistrySettings, endpoint_url: str | None = None) -> Packages:
    """The use-case that registers models, for the command line.

    Args:
        session: credentials and region.
        names: outputs of the stack.
        endpoint_url: of the laptop's stack; None on AWS.
    """
    sagemaker = session.client("sagemaker", endpoint_url=endpoint_url, config=CONTROL)
    s3 = session.client("s3", endpoint_url=endpoint_url, config=CONTROL)
    registry = SageMakerRegistry(sagemaker, names.model_package_group, names.model_image)
    return Packages(registry, S3PackageStore(s3, names.model_bucket))


def _client(service: Any) -> Any:
    return boto3.client(service, config=CONTROL)


def _scorer() -> SageMakerScorer:
    return SageMakerScorer(boto3.client("sagemaker-runtime", config=CALLS))


def _records(table: str) -> RolloutRecords:
    return RolloutRecords(DynamoRolloutStore(_client("dynamodb"), table), time.time)


def _routing(table: str) -> DynamoRoutingStore:
    return DynamoRoutingStore(_client("dynamodb"), table)


def _rollback(table: str) -> Rollback:
    dynamodb = _client("dynamodb")
    return Rollback(
        store=DynamoRolloutStore(dynamodb, table),
        routing=DynamoRoutingStore(dynamodb, table),
        observations=DynamoObservations(dynamodb, table),
        scorer=_scorer(),
        clock=time.time,
        sleep=time.sleep,
    )


def _slots(names: DeploySettings | AbortSettings, sagemaker: Any) -> Slots:
    endpoint_names = {"a": names.endpoint_slot_a, "b": names.endpoint_slot_b}
    scaling, routing = _scaling(), _routing(names.rollout_table)
    return Slots(_endpoints(sagemaker, scaling), routing, endpoint_names, scaling, names.most_instances)


def _scaling() -> ApplicationAutoScaling:
    return ApplicationAutoScaling(_client("application-autoscaling"))


def _endpoints(sagemaker: Any, scaling: ApplicationAutoScaling) -> SageMakerEndpoints:
    return SageMakerEndpoints(sagemaker, time.sleep, SageMakerModelMonitor(sagemaker), scaling)


def _plan(variable: str, text: str) -> dict[str, Any]:
    """Fails here, at the start, rather than in the middle of somebody's rollout."""
    try:
        plan: dict[str, Any] = msgspec.json.decode(text, type=dict[str, Any])
        rollout_plan.parse(plan)
    except (msgspec.DecodeError, InvalidPlan) as error:
        raise InvalidSettings(f"{variable} is no plan: {error}") from error
    return plan


def _hosting(names: DeploySettings, instance_type: str) -> Hosting:
    percentage = names.capture_percentage
    captures = percentage and serverless_memory(instance_type) is None
    capture = Capture(names.capture_uri, percentage, names.volume_key) if captures else None
    return Hosting(names.execution_role, endpoints.volume_key(instance_type, names.volume_key), capture)
