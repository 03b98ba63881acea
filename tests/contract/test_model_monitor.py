"""Schedules of Model Monitor: led to their plan one step at a time, in the order that the service insists on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError

from fraud.aws.model_monitor import LONGEST_REFUSAL, SageMakerModelMonitor
from fraud.errors import DeploymentInterrupted, ModelMonitorRefused
from fraud.monitoring_ports import ModelMonitor, SchedulePhase, SchedulePlan, ScheduleState
from tests.fakes.model_monitor_service import MonitoringService, Schedule, refused
from tests.fakes.monitoring import FakeModelMonitor, Scheduled, schedule

PLAN = schedule()
OTHER = replace(PLAN, statistics_uri="s3://archive/monitoring/baselines/second/baseline/statistics.json")
SLOT_B = replace(PLAN, endpoint="fraud-b")
NAME = PLAN.schedule
Answer = TypeVar("Answer")
CHANGING = ScheduleState(SchedulePhase.CHANGING, "Pending")
SCHEDULED = ScheduleState(SchedulePhase.SCHEDULED, "Scheduled")
CALLS = 24
"""What scheduling, scheduling otherwise and clearing asks of the service, where nothing befalls it."""
CLOSED = "Amazon SageMaker Model Monitor is closed to new customers"


@pytest.fixture
def service() -> MonitoringService:
    return MonitoringService({"fraud-a", "fraud-b"})


@pytest.fixture
def adapter(service: MonitoringService) -> Iterator[ModelMonitor]:
    client = boto3.client("sagemaker", region_name="eu-central-1")
    with service.answers(client):
        yield SageMakerModelMonitor(client)


class World:
    """Model Monitor, and what stands in it."""

    def __init__(self, monitor: ModelMonitor, service: MonitoringService) -> None:
        self.monitor = monitor
        self.service = service

    def schedules(self) -> dict[str, str]:
        """Definition that a schedule runs, by the endpoint that it watches."""
        if isinstance(self.monitor, FakeModelMonitor):
            return {name: each.plan.definition for name, each in self.monitor.standing.items()}
        found = [each.config["MonitoringJobDefinitionName"] for each in self.service.schedules.values()]
        return {self.service.endpoint_of(self.service.definitions[name]): name for name in found}

    def definitions(self) -> set[str]:
        if isinstance(self.monitor, FakeModelMonitor):
            return set().union(*self.monitor.definitions.values())
        return set(self.service.definitions)

    def is_refused(self, words: str) -> None:
        if isinstance(self.monitor, FakeModelMonitor):
            self.monitor.refusal = words
        self.service.refusal = refused("AccessDeniedException", words)

    def fails(self, endpoint: str, why: str) -> None:
        if isinstance(self.monitor, FakeModelMonitor):
            self.monitor.failures[endpoint] = why
        self.service.status, self.service.reason = "Failed", why

    def heals(self) -> None:
        if isinstance(self.monitor, FakeModelMonitor):
            self.monitor.failures.clear()
        self.service.status = "Scheduled"

    def settled(self, plan: SchedulePlan) -> ScheduleState:
        return settled(self.monitor, plan)


def settled(monitor: ModelMonitor, plan: SchedulePlan) -> ScheduleState:
    """How a schedule is once it is at rest."""
    return at_rest(lambda: monitor.ensure(plan), lambda state: state.phase is not SchedulePhase.CHANGING)


def cleared(monitor: ModelMonitor, endpoint: str) -> bool:
    return at_rest(lambda: monitor.clear(endpoint), bool)


def at_rest(call: Callable[[], Answer], is_over: Callable[[Answer], bool]) -> Answer:
    """The answer that is the last, of a call that is made again also where it is interrupted."""
    for _ in range(30):
        try:
            answer = call()
        except DeploymentInterrupted:
            continue
        if is_over(answer):
            return answer
    raise AssertionError("it never comes to rest")


@pytest.fixture(params=["memory", "aws"])
def world(request: pytest.FixtureRequest, service: MonitoringService) -> World:
    if request.param == "memory":
        return World(FakeModelMonitor(looks=1, lingering=1), service)
    return World(request.getfixturevalue("adapter"), service)


# --- Both -------------------------------------------------------------------------------------------------------------


def test_ensure_first_schedule_is_made_then_awaited_then_scheduled(world: World) -> None:
    assert [world.monitor.ensure(PLAN) for _ in range(4)] == [CHANGING, CHANGING, SCHEDULED, SCHEDULED]
    assert world.schedules() == {"fraud-a": PLAN.definition}
    assert world.definitions() == {PLAN.definition}


def test_ensure_another_plan_is_led_to_its_definition_and_the_one_before_goes_last(world: World) -> None:
    world.settled(PLAN)
    assert world.monitor.ensure(OTHER) == CHANGING
    assert world.definitions() == {PLAN.definition, OTHER.definition}
    assert world.settled(OTHER) == SCHEDULED
    assert world.schedules() == {"fraud-a": OTHER.definition}
    assert world.definitions() == {OTHER.definition}


def test_ensure_and_clear_leave_the_other_slot_alone(world: World) -> None:
    for plan in (PLAN, SLOT_B, OTHER):
        world.settled(plan)
    assert world.schedules() == {"fraud-a": OTHER.definition, "fraud-b": SLOT_B.definition}
    assert cleared(world.monitor, "fraud-a")
    assert world.schedules() == {"fraud-b": SLOT_B.definition}
    assert world.definitions() == {SLOT_B.definition}


def test_ensure_where_model_monitor_is_refused_says_so_in_the_services_words(world: World) -> None:
    world.is_refused(CLOSED)
    with pytest.raises(ModelMonitorRefused, match=CLOSED):
        world.monitor.ensure(PLAN)


def test_ensure_schedule_that_fails_says_why_and_begins_anew_when_asked_again(world: World) -> None:
    world.fails("fraud-a", "the role cannot be assumed")
    assert world.settled(PLAN) == ScheduleState(SchedulePhase.FAILED, "the role cannot be assumed")
    world.heals()
    assert world.settled(PLAN) == SCHEDULED


def test_clear_removes_schedule_and_definitions_and_is_not_over_at_once(world: World) -> None:
    world.settled(PLAN)
    assert [world.monitor.clear("fraud-a") for _ in range(3)] == [False, True, True]
    assert world.schedules() == {}
    assert world.definitions() == set()


def test_clear_where_nothing_is_is_over(world: World) -> None:
    assert world.monitor.clear("fraud-a") is True


def test_clear_then_ensure_schedules_again(world: World) -> None:
    world.settled(PLAN)
    assert cleared(world.monitor, "fraud-a")
    assert world.settled(PLAN) == SCHEDULED
    assert world.schedules() == {"fraud-a": PLAN.definition}


def test_clear_where_model_monitor_is_refused_has_nothing_to_do(world: World) -> None:
    world.is_refused(CLOSED)
    assert world.monitor.clear("fraud-a") is True


def test_last_run_before_the_first_is_empty(world: World) -> None:
    assert world.monitor.last_run("fraud-a") == ""
    world.settled(PLAN)
    assert world.monitor.last_run("fraud-a") == ""


def test_last_run_where_model_monitor_is_refused_says_so(world: World) -> None:
    world.is_refused(CLOSED)
    found = world.monitor.last_run("fraud-a")
    assert found.startswith("its runs cannot be told: ")
    assert found.endswith(CLOSED)


# --- What the service is asked for ------------------------------------------------------------------------------------


def test_ensure_and_clear_ask_for_nothing_out_of_order(adapter: ModelMonitor, service: MonitoringService) -> None:
    for plan in (PLAN, PLAN, OTHER):
        settled(adapter, plan)
    cleared(adapter, "fraud-a")
    assert service.refusals == []
    assert service.mutations == [
        "create_data_quality_job_definition",
        "create_monitoring_schedule",
        "create_data_quality_job_definition",
        "update_monitoring_schedule",
        "delete_data_quality_job_definition",
        "delete_monitoring_schedule",
        "delete_data_quality_job_definition",
    ]


def test_ensure_definition_says_what_is_held_against_what(adapter: ModelMonitor, service: MonitoringService) -> None:
    settled(adapter, PLAN)
    [definition] = service.definitions.values()
    definition.pop("JobDefinitionName")
    report = {"S3Uri": PLAN.output_uri, "LocalPath": "/opt/ml/processing/output", "S3UploadMode": "EndOfJob"}
    variables = {"publish_cloudwatch_metrics": "Disabled"}
    machines = {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30, "VolumeKmsKeyId": PLAN.key}
    assert definition == {
        "DataQualityBaselineConfig": {
            "ConstraintsResource": {"S3Uri": PLAN.constraints_uri},
            "StatisticsResource": {"S3Uri": PLAN.statistics_uri},
        },
        "DataQualityAppSpecification": {
            "ImageUri": PLAN.image,
            "RecordPreprocessorSourceUri": PLAN.preprocessor_uri,
            "Environment": variables,
        },
        "DataQualityJobInput": {
            "EndpointInput": {"EndpointName": "fraud-a", "LocalPath": "/opt/ml/processing/input/endpoint"}
        },
        "DataQualityJobOutputConfig": {"MonitoringOutputs": [{"S3Output": report}], "KmsKeyId": PLAN.key},
        "JobResources": {"ClusterConfig": machines},
        "RoleArn": PLAN.role,
        "StoppingCondition": {"MaxRuntimeInSeconds": 1_800},
    }


def test_ensure_schedule_runs_the_definition_by_the_hour(adapter: ModelMonitor, service: MonitoringService) -> None:
    settled(adapter, PLAN)
    assert service.schedules[NAME].config == {
        "ScheduleConfig": {"ScheduleExpression": "cron(0 * ? * * *)"},
        "MonitoringJobDefinitionName": PLAN.definition,
        "MonitoringType": "DataQuality",
    }


def test_ensure_machine_that_encrypts_its_own_disks_gets_no_key(
    adapter: ModelMonitor, service: MonitoringService
) -> None:
    settled(adapter, replace(PLAN, instance_type="ml.r5d.large"))
    [definition] = service.definitions.values()
    assert "VolumeKmsKeyId" not in definition["JobResources"]["ClusterConfig"]
    assert definition["DataQualityJobOutputConfig"]["KmsKeyId"] == PLAN.key


# --- What stands already ----------------------------------------------------------------------------------------------


def test_ensure_definition_that_stands_is_adopted(adapter: ModelMonitor, service: MonitoringService) -> None:
    settled(adapter, PLAN)
    service.schedules.clear()
    service.calls.clear()
    assert settled(adapter, PLAN) == SCHEDULED
    assert service.mutations == ["create_monitoring_schedule"]


@pytest.mark.parametrize("code", ["ResourceInUse", "ValidationException"])
def test_ensure_definition_that_somebody_makes_meanwhile_is_adopted(
    adapter: ModelMonitor, service: MonitoringService, code: str
) -> None:
    def befalls(when: str, operation: str) -> None:
        if (when, operation) == ("after", "create_data_quality_job_definition"):
            raise refused(code, "the definition exists")

    service.fault = befalls
    assert settled(adapter, PLAN) == SCHEDULED


def test_ensure_schedule_that_is_pending_is_left_alone(adapter: ModelMonitor, service: MonitoringService) -> None:
    settled(adapter, PLAN)
    service.schedules[NAME].left = 1
    service.calls.clear()
    assert adapter.ensure(OTHER) == CHANGING
    assert service.calls == ["describe_monitoring_schedule"]


def test_ensure_schedule_that_was_stopped_is_started(adapter: ModelMonitor, service: MonitoringService) -> None:
    settled(adapter, PLAN)
    service.schedules[NAME].status = "Stopped"
    assert settled(adapter, PLAN) == SCHEDULED
    assert service.mutations[-1] == "start_monitoring_schedule"


def test_ensure_schedule_that_was_stopped_with_another_plan_is_led_to_it_first(
    adapter: ModelMonitor, service: MonitoringService
) -> None:
    settled(adapter, PLAN)
    service.schedules[NAME].status = "Stopped"
    assert settled(adapter, OTHER) == SCHEDULED
    assert service.mutations[3:] == [
        "update_monitoring_schedule",
        "start_monitoring_schedule",
        "delete_data_quality_job_definition",
    ]


def test_ensure_schedule_whose_times_somebody_changed_is_set_right(
    adapter: ModelMonitor, service: MonitoringService
) -> None:
    settled(adapter, PLAN)
    config = service.schedules[NAME].config
    service.schedules[NAME].config = config | {"ScheduleConfig": {"ScheduleExpression": "cron(0 0 ? * * *)"}}
    assert settled(adapter, PLAN) == SCHEDULED
    assert service.schedules[NAME].config == config


def test_ensure_schedule_that_somebody_made_by_hand_is_led_to_the_plan(
    adapter: ModelMonitor, service: MonitoringService
) -> None:
    service.schedules[NAME] = Schedule({"MonitoringJobDefinitionName": "by-hand", "MonitoringType": "DataQuality"})
    assert settled(adapter, PLAN) == SCHEDULED
    assert service.schedules[NAME].config["MonitoringJobDefinitionName"] == PLAN.definition


def test_definitions_that_others_made_are_left_on_every_page(adapter: ModelMonitor, service: MonitoringService) -> None:
    foreign = (f"x{NAME}-1234567", f"{NAME}-123456789", f"{NAME}-1234567", SLOT_B.definition)
    job = {"EndpointInput": {"EndpointName": "fraud-a", "LocalPath": "/input"}}
    own = [f"{NAME}-{digit * 8}" for digit in "0123456789"]
    settled(adapter, PLAN)
    for name in (*foreign, *own):
        service.definitions[name] = {"DataQualityJobInput": job}
    service.page = 3
    assert settled(adapter, PLAN) == SCHEDULED
    assert set(service.definitions) == {*foreign, PLAN.definition}
    assert cleared(adapter, "fraud-a")
    assert set(service.definitions) == set(foreign)


def test_definition_that_is_still_held_keeps_no_schedule_from_being_told_of(
    adapter: ModelMonitor, service: MonitoringService
) -> None:
    settled(adapter, PLAN)
    service.schedules["another"] = Schedule({"MonitoringJobDefinitionName": PLAN.definition})
    assert settled(adapter, OTHER) == SCHEDULED
    assert set(service.definitions) == {PLAN.definition, OTHER.definition}
    service.schedules.pop("another")
    assert settled(adapter, OTHER) == SCHEDULED
    assert set(service.definitions) == {OTHER.definition}


# --- Refusals ---------------------------------------------------------------------------------------------------------

NOT_TO_BE_HAD = (
    "AccessDeniedException",
    "ResourceLimitExceeded",
    "UnknownOperationException",
    "UnrecognizedClientException",
    "ValidationException",
)


@pytest.mark.parametrize("code", NOT_TO_BE_HAD)
def test_ensure_every_refusal_is_told_in_the_services_words(
    adapter: ModelMonitor, service: MonitoringService, code: str
) -> None:
    service.refusal = refused(code, CLOSED)
    with pytest.raises(ModelMonitorRefused, match=f"^scheduling {NAME}: {code}: {CLOSED}$"):
        adapter.ensure(PLAN)


@pytest.mark.parametrize("code", NOT_TO_BE_HAD)
def test_clear_every_refusal_is_nothing_to_do(adapter: ModelMonitor, service: MonitoringService, code: str) -> None:
    service.refusal = refused(code, CLOSED)
    assert adapter.clear("fraud-a") is True


def test_ensure_refusal_of_many_words_is_cut(adapter: ModelMonitor, service: MonitoringService) -> None:
    service.refusal = refused("AccessDeniedException", "x" * 5_000)
    with pytest.raises(ModelMonitorRefused) as told:
        adapter.ensure(PLAN)
    assert len(str(told.value)) == LONGEST_REFUSAL == 300


def test_ensure_endpoint_that_captures_nothing_is_refused(adapter: ModelMonitor, service: MonitoringService) -> None:
    service.endpoints.clear()
    with pytest.raises(ModelMonitorRefused, match="the endpoint captures no data"):
        adapter.ensure(PLAN)
    assert service.schedules == {}


def refuses(service: MonitoringService, operation: str, times: int, message: str = "no") -> None:
    """Let an operation be refused so many times, without effect."""
    left = [times]

    def befalls(when: str, called: str) -> None:
        if (when, called) == ("before", operation) and left[0]:
            left[0] -= 1
            raise refused("ValidationException", message)

    service.fault = befalls


def test_ensure_definition_not_found_yet_by_the_schedule_is_tried_again(
    adapter: ModelMonitor, service: MonitoringService
) -> None:
    refuses(service, "create_monitoring_schedule", 1, "there is no such definition")
    assert adapter.ensure(PLAN) == ScheduleState(SchedulePhase.CHANGING, "there is no such definition")
    assert settled(adapter, PLAN) == SCHEDULED


@pytest.mark.parametrize(("first", "operation"), [((), "create"), ((OTHER,), "update")])
def test_ensure_change_that_is_refused_every_time_is_refused(
    adapter: ModelMonitor, service: MonitoringService, first: tuple[SchedulePlan, ...], operation: str
) -> None:
    for plan in first:
        settled(adapter, plan)
    refuses(service, f"{operation}_monitoring_schedule", 2, "the reason")
    assert adapter.ensure(PLAN).phase is SchedulePhase.CHANGING
    with pytest.raises(ModelMonitorRefused, match="the reason"):
        adapter.ensure(PLAN)


@pytest.mark.parametrize("status", ["Pending", "InProgress", "Stopping"])
def test_ensure_and_clear_while_a_run_is_not_over_wait_for_it(
    adapter: ModelMonitor, service: MonitoringService, status: str
) -> None:
    settled(adapter, PLAN)
    settled(adapter, OTHER)
    service.runs[NAME] = [{"MonitoringExecutionStatus": "Completed"}, {"MonitoringExecutionStatus": status}]
    changing = [adapter.ensure(PLAN) for _ in range(3)]
    assert changing == [ScheduleState(SchedulePhase.CHANGING, "a run is in progress")] * 3
    assert [adapter.clear("fraud-a") for _ in range(2)] == [False, False]
    assert service.schedules[NAME].config["MonitoringJobDefinitionName"] == OTHER.definition
    service.runs[NAME][-1]["MonitoringExecutionStatus"] = "CompletedWithViolations"
    assert settled(adapter, PLAN) == SCHEDULED
    assert cleared(adapter, "fraud-a")


def meanwhile(service: MonitoringService, operation: str, change: Callable[[], Any]) -> None:
    """Let something happen once, just before an operation."""
    changes = [change]

    def befalls(when: str, called: str) -> None:
        if (when, called) == ("before", operation) and changes:
            changes.pop()()

    service.fault = befalls


def pending(service: MonitoringService) -> None:
    service.schedules[NAME].left = 2


@pytest.mark.parametrize("change", [pending, lambda service: service.schedules.pop(NAME)], ids=["pending", "gone"])
def test_ensure_schedule_that_somebody_changes_meanwhile_is_looked_at_again(
    adapter: ModelMonitor, service: MonitoringService, change: Callable[[MonitoringService], Any]
) -> None:
    for plan in (OTHER, PLAN):
        settled(adapter, plan)
    service.schedules[NAME].status = "Stopped"
    meanwhile(service, "start_monitoring_schedule", lambda: change(service))
    assert adapter.ensure(PLAN).phase is SchedulePhase.CHANGING
    service.schedules.pop(NAME, None)
    assert settled(adapter, PLAN) == SCHEDULED


def test_ensure_schedule_that_somebody_makes_meanwhile_is_looked_at_again(
    adapter: ModelMonitor, service: MonitoringService
) -> None:
    settled(adapter, PLAN)
    standing = service.schedules.pop(NAME)
    meanwhile(service, "create_monitoring_schedule", lambda: service.schedules.update({NAME: standing}))
    assert adapter.ensure(PLAN).phase is SchedulePhase.CHANGING
    assert settled(adapter, PLAN) == SCHEDULED


# --- No answer --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalFailure", "ServiceUnavailable", "ConflictException"])
@pytest.mark.parametrize("call", ["ensure", "clear", "last_run"])
def test_call_that_is_not_answered_is_interrupted(
    adapter: ModelMonitor, service: MonitoringService, code: str, call: str
) -> None:
    service.refusal = refused(code, "later")
    with pytest.raises(DeploymentInterrupted, match=f"{code}: later"):
        getattr(adapter, call)(PLAN if call == "ensure" else "fraud-a")


def test_call_without_a_connection_is_interrupted(adapter: ModelMonitor, service: MonitoringService) -> None:
    def befalls(when: str, operation: str) -> None:
        raise EndpointConnectionError(endpoint_url="https://api.sagemaker")

    service.fault = befalls
    with pytest.raises(DeploymentInterrupted, match="scheduling fraud-a-data-quality"):
        adapter.ensure(PLAN)


def kills(service: MonitoringService, when: str, nth: int) -> None:
    """Let the nth operation from now on be interrupted, before or after its effect."""
    begin = len(service.calls)

    def befalls(at: str, operation: str) -> None:
        if at == when and len(service.calls) - begin == nth:
            raise refused("InternalFailure", "killed")

    service.fault = befalls


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("nth", range(1, CALLS + 1))
def test_killed_at_any_call_and_repeated_ends_as_if_it_were_not(
    adapter: ModelMonitor, service: MonitoringService, when: str, nth: int
) -> None:
    kills(service, when, nth)
    whole_life(adapter, service)


def test_killed_at_any_call_means_every_call_of_a_whole_life(adapter: ModelMonitor, service: MonitoringService) -> None:
    whole_life(adapter, service)
    assert len(service.calls) == CALLS


def whole_life(adapter: ModelMonitor, service: MonitoringService) -> None:
    """Schedule, schedule otherwise, and clear; each ends with exactly what it should."""
    for plan in (PLAN, OTHER):
        assert settled(adapter, plan) == SCHEDULED
        assert service.schedules[NAME].config["MonitoringJobDefinitionName"] == plan.definition
        assert set(service.definitions) == {plan.definition}
    assert cleared(adapter, "fraud-a")
    assert (service.schedules, service.definitions) == ({}, {})


# --- Runs -------------------------------------------------------------------------------------------------------------

WHEN = datetime(2025, 6, 15, 15, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"MonitoringExecutionStatus": "Completed"}, "found no violation"),
        ({"MonitoringExecutionStatus": "CompletedWithViolations"}, "found violations"),
        ({"MonitoringExecutionStatus": "Pending"}, "has not begun"),
        ({"MonitoringExecutionStatus": "InProgress"}, "is under way"),
        ({"MonitoringExecutionStatus": "Stopping"}, "is being stopped"),
        ({"MonitoringExecutionStatus": "Stopped"}, "was stopped"),
        ({"MonitoringExecutionStatus": "Failed", "FailureReason": "the image is gone"}, "failed: the image is gone"),
        ({"MonitoringExecutionStatus": "Failed"}, "failed: the service does not say why"),
        (
            {"MonitoringExecutionStatus": "Failed", "FailureReason": "No data found in the window"},
            "had nothing to look at, because nothing was captured: No data found in the window",
        ),
    ],
)
def test_last_run_is_the_newest_in_words(
    adapter: ModelMonitor, service: MonitoringService, told: dict[str, Any], words: str
) -> None:
    service.runs[NAME] = [{"MonitoringExecutionStatus": "Completed"}, told | {"ScheduledTime": WHEN}]
    assert adapter.last_run("fraud-a") == f"the run of 2025-06-15 15:00 UTC {words}"


@pytest.mark.parametrize("code", ["ResourceNotFound", "ValidationException"])
def test_last_run_of_a_schedule_that_is_not_there_is_empty(
    adapter: ModelMonitor, service: MonitoringService, code: str
) -> None:
    service.refusal = refused(code, "there is no such schedule")
    assert adapter.last_run("fraud-a") == ""


# --- In memory --------------------------------------------------------------------------------------------------------


def test_memory_takes_as_many_calls_as_told_and_raises_what_it_is_told() -> None:
    monitor = FakeModelMonitor(looks=2, lingering=2, interruptions=[DeploymentInterrupted("later")])
    with pytest.raises(DeploymentInterrupted, match="later"):
        monitor.ensure(PLAN)
    assert [monitor.ensure(PLAN).phase for _ in range(4)] == [SchedulePhase.CHANGING] * 3 + [SchedulePhase.SCHEDULED]
    assert monitor.standing == {"fraud-a": Scheduled(PLAN)}
    assert [monitor.clear("fraud-a") for _ in range(3)] == [False, False, True]
    assert (monitor.ensured, monitor.cleared) == ([PLAN] * 5, ["fraud-a"] * 3)
