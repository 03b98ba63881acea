"""Model Monitor: definitions, schedules and their order, its refusal, and the application's own adapters against it."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fraud.aws.endpoints import SageMakerEndpoints
from fraud.aws.model_monitor import SageMakerModelMonitor
from fraud.deployment_ports import Capture, EndpointPlan, Hosting, Instance, Phase
from fraud.errors import ModelMonitorRefused
from fraud.monitoring_ports import SchedulePhase, SchedulePlan, ScheduleState
from local.sagemaker import monitoring
from local.sagemaker.api import ApiError, Document, Operation, answer, service_model
from local.sagemaker.endpoints import Endpoints, Variant
from local.sagemaker.monitoring import CLOSED, PENDING_SECONDS, JobDefinitions, MonitoringSchedules
from tests.local.checked import missing
from tests.local.conftest import STACK, Running, eventually, start
from tests.local.lab import Lab
from tests.local.workshop import PREFIX, ROLE, Refused

HOURLY = "cron(0 * ? * * *)"
KEY = "arn:aws:kms:us-east-1:000000000000:key/11111111-2222-3333-4444-555555555555"
REPORT = {"S3Output": {"S3Uri": "s3://archive/reports/", "LocalPath": "/opt/ml/processing/output"}}


def definition(name: str = "first", endpoint: str = "fraud-a") -> Document:
    machines = {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30}
    return {
        "JobDefinitionName": name,
        "DataQualityAppSpecification": {"ImageUri": "156813124566.dkr.ecr.us-east-1.amazonaws.com/analyzer"},
        "DataQualityJobInput": {"EndpointInput": {"EndpointName": endpoint, "LocalPath": "/opt/ml/processing/input"}},
        "DataQualityJobOutputConfig": {"MonitoringOutputs": [REPORT]},
        "JobResources": {"ClusterConfig": machines},
        "RoleArn": ROLE,
    }


def schedule(
    job: str = "first", name: str = "watch", expression: str = HOURLY, kind: str = "DataQuality", **times: str
) -> Document:
    config = {
        "ScheduleConfig": {"ScheduleExpression": expression, **times},
        "MonitoringJobDefinitionName": job,
        "MonitoringType": kind,
    }
    return {"MonitoringScheduleName": name, "MonitoringScheduleConfig": config}


class Monitor:
    """Model Monitor beside two endpoints that capture; its time passes only when told."""

    def __init__(self, *, is_open: bool = True) -> None:
        self.seconds = 0.0
        self.capturing = {"fraud-a", "fraud-b"}
        definitions = JobDefinitions(PREFIX, is_open)
        schedules = MonitoringSchedules(
            PREFIX, definitions, lambda name: name in self.capturing, is_open, lambda: self.seconds
        )
        self.require_unwatched = schedules.require_unwatched
        self.operations: dict[str, Operation] = definitions.operations() | schedules.operations()
        self.called: set[str] = set()

    def call(self, operation: str, **request: Any) -> Document:
        """Raises: Refused."""
        status, content = answer(f"SageMaker.{operation}", json.dumps(request).encode(), self.operations)
        answered: Document = json.loads(content)
        if status != 200:
            raise Refused(answered["__type"], answered["message"])
        assert list(missing(service_model("sagemaker").operation_model(operation).output_shape, answered)) == []
        self.called.add(operation)
        return answered

    def refusal(self, operation: str, **request: Any) -> str:
        """Code of the error that a call is answered with."""
        with pytest.raises(Refused) as refused:
            self.call(operation, **request)
        return str(refused.value.args[0])

    def define(self, name: str = "first", endpoint: str = "fraud-a") -> None:
        self.call("CreateDataQualityJobDefinition", **definition(name, endpoint))

    def schedule(self, **settings: Any) -> None:
        """Create a schedule, and let it come to rest."""
        self.call("CreateMonitoringSchedule", **schedule(**settings))
        self.rest()

    def rest(self) -> None:
        self.seconds += PENDING_SECONDS

    def status(self, name: str = "watch") -> str:
        return str(self.call("DescribeMonitoringSchedule", MonitoringScheduleName=name)["MonitoringScheduleStatus"])

    def definitions(self, **asked: Any) -> list[str]:
        found = self.call("ListDataQualityJobDefinitions", **asked)["JobDefinitionSummaries"]
        return [each["MonitoringJobDefinitionName"] for each in found]

    def schedules(self, **asked: Any) -> list[str]:
        found = self.call("ListMonitoringSchedules", **asked)["MonitoringScheduleSummaries"]
        return [each["MonitoringScheduleName"] for each in found]


@pytest.fixture
def monitor() -> Monitor:
    return Monitor()


@pytest.fixture
def watching() -> Monitor:
    """A schedule named `watch`, at rest, that runs the definition `first`."""
    monitor = Monitor()
    monitor.define()
    monitor.schedule()
    return monitor


# --- Definitions ------------------------------------------------------------------------------------------------------


def test_a_definition_is_described_as_it_was_created(monitor: Monitor) -> None:
    created = monitor.call("CreateDataQualityJobDefinition", **definition())
    described = monitor.call("DescribeDataQualityJobDefinition", JobDefinitionName="first")
    assert created == {"JobDefinitionArn": f"{PREFIX}:data-quality-job-definition/first"}
    assert described.pop("CreationTime") > 0
    assert described == definition() | created


def test_a_definition_never_changes(monitor: Monitor) -> None:
    monitor.define()
    assert monitor.refusal("CreateDataQualityJobDefinition", **definition(endpoint="fraud-b")) == "ResourceInUse"
    assert monitor.definitions(EndpointName="fraud-a") == ["first"]
    assert not [name for name in monitor.operations if name.startswith("UpdateDataQuality")]


@pytest.mark.parametrize(
    "changes",
    [
        {"DataQualityJobOutputConfig": {"MonitoringOutputs": [REPORT] * 2}},
        {"StoppingCondition": {"MaxRuntimeInSeconds": 86_401}},
    ],
)
def test_a_definition_is_checked_against_the_services_model(monitor: Monitor, changes: Document) -> None:
    assert monitor.refusal("CreateDataQualityJobDefinition", **definition() | changes) == "ValidationException"
    assert monitor.definitions() == []


@pytest.mark.parametrize("verb", ["Describe", "Delete"])
def test_a_definition_that_is_not_there_is_not_found(monitor: Monitor, verb: str) -> None:
    assert monitor.refusal(f"{verb}DataQualityJobDefinition", JobDefinitionName="first") == "ResourceNotFound"


def test_definitions_are_listed_by_endpoint_and_by_part_of_their_name(monitor: Monitor) -> None:
    for name, endpoint in (("one-a", "fraud-a"), ("two-a", "fraud-a"), ("one-b", "fraud-b")):
        monitor.define(name, endpoint)
    assert sorted(monitor.definitions()) == ["one-a", "one-b", "two-a"]
    assert sorted(monitor.definitions(EndpointName="fraud-a")) == ["one-a", "two-a"]
    assert sorted(monitor.definitions(NameContains="one")) == ["one-a", "one-b"]
    assert monitor.definitions(NameContains="one", EndpointName="fraud-b") == ["one-b"]


def test_definitions_are_listed_page_by_page(monitor: Monitor) -> None:
    for number in range(5):
        monitor.define(f"d{number}")
    asked: Document = {"SortBy": "Name", "SortOrder": "Ascending", "MaxResults": 2}
    found, tokens = [], 0
    while True:
        page = monitor.call("ListDataQualityJobDefinitions", **asked)
        found.append([each["MonitoringJobDefinitionName"] for each in page["JobDefinitionSummaries"]])
        if "NextToken" not in page:
            break
        asked["NextToken"], tokens = page["NextToken"], tokens + 1
    assert (found, tokens) == ([["d0", "d1"], ["d2", "d3"], ["d4"]], 2)


def test_a_definition_stays_while_a_schedule_uses_it(watching: Monitor) -> None:
    assert watching.refusal("DeleteDataQualityJobDefinition", JobDefinitionName="first") == "ValidationException"
    watching.call("DeleteMonitoringSchedule", MonitoringScheduleName="watch")
    assert watching.refusal("DeleteDataQualityJobDefinition", JobDefinitionName="first") == "ValidationException"
    watching.rest()
    watching.call("DeleteDataQualityJobDefinition", JobDefinitionName="first")
    assert watching.definitions() == []


# --- Schedules --------------------------------------------------------------------------------------------------------


def test_a_schedule_is_pending_first_and_then_scheduled(monitor: Monitor) -> None:
    monitor.define()
    created = monitor.call("CreateMonitoringSchedule", **schedule())
    assert created == {"MonitoringScheduleArn": f"{PREFIX}:monitoring-schedule/watch"}
    assert monitor.status() == "Pending"
    monitor.seconds += 0.9 * PENDING_SECONDS
    assert monitor.status() == "Pending"
    monitor.seconds += 0.1 * PENDING_SECONDS
    assert monitor.status() == "Scheduled"


def test_a_schedule_tells_what_it_runs_and_watches(watching: Monitor) -> None:
    described = watching.call("DescribeMonitoringSchedule", MonitoringScheduleName="watch")
    assert described["MonitoringScheduleConfig"] == schedule()["MonitoringScheduleConfig"]
    assert (described["EndpointName"], described["MonitoringType"]) == ("fraud-a", "DataQuality")
    assert described["LastModifiedTime"] >= described["CreationTime"]
    (summary,) = watching.call("ListMonitoringSchedules")["MonitoringScheduleSummaries"]
    assert (summary["MonitoringJobDefinitionName"], summary["EndpointName"]) == ("first", "fraud-a")


def test_a_schedule_is_stopped_and_started(watching: Monitor) -> None:
    for verb, status in (("Stop", "Stopped"), ("Start", "Scheduled")):
        watching.call(f"{verb}MonitoringSchedule", MonitoringScheduleName="watch")
        assert watching.status() == "Pending"
        watching.rest()
        assert watching.status() == status


@pytest.mark.parametrize("is_stopped", [False, True])
def test_a_schedule_that_is_updated_runs_the_other_definition_and_stays_stopped_if_it_was(
    watching: Monitor, is_stopped: bool
) -> None:
    if is_stopped:
        watching.call("StopMonitoringSchedule", MonitoringScheduleName="watch")
        watching.rest()
    watching.define("second", "fraud-b")
    watching.call("UpdateMonitoringSchedule", **schedule("second"))
    assert watching.status() == "Pending"
    watching.rest()
    assert watching.status() == ("Stopped" if is_stopped else "Scheduled")
    described = watching.call("DescribeMonitoringSchedule", MonitoringScheduleName="watch")
    assert described["MonitoringScheduleConfig"] == schedule("second")["MonitoringScheduleConfig"]
    assert described["EndpointName"] == "fraud-b"
    watching.call("DeleteDataQualityJobDefinition", JobDefinitionName="first")


def test_a_schedule_that_is_deleted_is_pending_first_and_then_gone(watching: Monitor) -> None:
    watching.call("DeleteMonitoringSchedule", MonitoringScheduleName="watch")
    assert watching.status() == "Pending"
    assert watching.refusal("CreateMonitoringSchedule", **schedule()) == "ResourceInUse"
    watching.rest()
    assert watching.schedules() == []
    watching.schedule()
    assert watching.status() == "Scheduled"


@pytest.mark.parametrize("change", ["Create", "Update", "Start", "Stop", "Delete"])
@pytest.mark.parametrize("refused", ["Update", "Start", "Stop", "Delete"])
def test_a_schedule_that_is_pending_is_not_changed(watching: Monitor, change: str, refused: str) -> None:
    name = "another" if change == "Create" else "watch"
    whole = ("Create", "Update")
    named: Document = {"MonitoringScheduleName": name}
    watching.call(f"{change}MonitoringSchedule", **(schedule(name=name) if change in whole else named))
    request = schedule(name=name) if refused in whole else named
    assert watching.refusal(f"{refused}MonitoringSchedule", **request) == "ValidationException"


@pytest.mark.parametrize("verb", ["Describe", "Update", "Start", "Stop", "Delete"])
def test_a_schedule_that_is_not_there_is_not_found(monitor: Monitor, verb: str) -> None:
    monitor.define()
    request = schedule() if verb == "Update" else {"MonitoringScheduleName": "watch"}
    assert monitor.refusal(f"{verb}MonitoringSchedule", **request) == "ResourceNotFound"


def test_a_schedule_of_the_same_name_is_in_use(watching: Monitor) -> None:
    assert watching.refusal("CreateMonitoringSchedule", **schedule()) == "ResourceInUse"


def test_a_schedule_of_no_definition_is_refused(monitor: Monitor) -> None:
    assert monitor.refusal("CreateMonitoringSchedule", **schedule("nothing")) == "ResourceNotFound"


@pytest.mark.parametrize("hours", ["*", "0", "00", "7", "07", "17", "23", "17/12", "0/2", "00/01", "0/24"])
def test_a_schedule_runs_at_times_that_model_monitor_takes(monitor: Monitor, hours: str) -> None:
    monitor.define()
    monitor.schedule(expression=f"cron(0 {hours} ? * * *)")
    assert monitor.status() == "Scheduled"


@pytest.mark.parametrize(
    "expression",
    [
        "rate(1 hour)", "cron(30 * ? * * *)", "cron(0 * * * ? *)", "cron(0 9-17 ? * * *)", "cron(0 9 ? * MON *)",
        "cron(0 24 ? * * *)", "cron(0 0/25 ? * * *)", "cron(0 0/0 ? * * *)", "cron(0 */2 ? * * *)", "cron(0 0/2 ? * *)",
    ],
)  # fmt: skip
def test_a_schedule_at_other_times_is_refused(monitor: Monitor, expression: str) -> None:
    monitor.define()
    assert monitor.refusal("CreateMonitoringSchedule", **schedule(expression=expression)) == "ValidationException"
    assert monitor.schedules() == []


def test_a_schedule_of_now_needs_its_window(monitor: Monitor) -> None:
    monitor.define()
    assert monitor.refusal("CreateMonitoringSchedule", **schedule(expression="NOW")) == "ValidationException"
    monitor.schedule(expression="NOW", DataAnalysisStartTime="-PT2H", DataAnalysisEndTime="-PT1H")
    assert monitor.status() == "Scheduled"


def test_a_schedule_of_another_kind_is_refused(monitor: Monitor) -> None:
    monitor.define()
    assert monitor.refusal("CreateMonitoringSchedule", **schedule(kind="ModelBias")) == "ValidationException"


def test_a_schedule_of_an_endpoint_without_capture_is_refused(watching: Monitor) -> None:
    watching.capturing.clear()
    assert watching.refusal("CreateMonitoringSchedule", **schedule(name="another")) == "ValidationException"
    daily = schedule(expression="cron(0 1 ? * * *)")
    assert watching.refusal("UpdateMonitoringSchedule", **daily) == "ValidationException"
    described = watching.call("DescribeMonitoringSchedule", MonitoringScheduleName="watch")
    # A refused update changed nothing.
    assert described["MonitoringScheduleConfig"] == schedule()["MonitoringScheduleConfig"]
    assert watching.status() == "Scheduled"


def test_schedules_are_listed_by_what_they_watch_run_and_come_to(watching: Monitor) -> None:
    watching.define("second", "fraud-b")
    watching.schedule(job="second", name="other")
    watching.call("StopMonitoringSchedule", MonitoringScheduleName="other")
    watching.rest()
    assert watching.schedules(MonitoringJobDefinitionName="second", EndpointName="fraud-a") == []
    assert sorted(watching.schedules()) == ["other", "watch"]
    assert watching.schedules(EndpointName="fraud-a") == ["watch"]
    assert watching.schedules(NameContains="oth") == ["other"]
    assert watching.schedules(StatusEquals="Stopped") == ["other"]
    assert watching.schedules(MonitoringJobDefinitionName="first") == ["watch"]
    assert watching.schedules(SortBy="Name", SortOrder="Ascending", MaxResults=1) == ["other"]


def test_an_endpoint_is_watched_until_its_schedule_is_gone(watching: Monitor) -> None:
    watching.require_unwatched("fraud-b")
    with pytest.raises(ApiError, match="monitoring schedule"):
        watching.require_unwatched("fraud-a")
    watching.call("DeleteMonitoringSchedule", MonitoringScheduleName="watch")
    with pytest.raises(ApiError, match="monitoring schedule"):
        watching.require_unwatched("fraud-a")
    watching.rest()
    watching.require_unwatched("fraud-a")


def test_schedules_never_run_on_the_laptop(watching: Monitor) -> None:
    runs = watching.call(
        "ListMonitoringExecutions", MonitoringScheduleName="watch", EndpointName="fraud-a", StatusEquals="Failed",
        MonitoringTypeEquals="DataQuality", MonitoringJobDefinitionName="first", SortBy="ScheduledTime",
        SortOrder="Descending", MaxResults=1,
    )  # fmt: skip
    assert runs == {"MonitoringExecutionSummaries": []}
    assert watching.refusal("ListMonitoringExecutions", ScheduleName="watch") == "ValidationException"


# --- An account that does not have it ---------------------------------------------------------------------------------


def test_where_it_is_closed_nothing_is_created_and_the_rest_answers() -> None:
    closed = Monitor(is_open=False)
    assert closed.refusal("CreateDataQualityJobDefinition", **definition()) == "AccessDeniedException"
    assert closed.refusal("CreateMonitoringSchedule", **schedule()) == "AccessDeniedException"
    assert (closed.definitions(), closed.schedules()) == ([], [])
    for operation in ("DescribeDataQualityJobDefinition", "DeleteDataQualityJobDefinition"):
        assert closed.refusal(operation, JobDefinitionName="first") == "ResourceNotFound"
    for operation in ("DescribeMonitoringSchedule", "DeleteMonitoringSchedule"):
        assert closed.refusal(operation, MonitoringScheduleName="watch") == "ResourceNotFound"
    assert closed.call("ListMonitoringExecutions") == {"MonitoringExecutionSummaries": []}


def kinds() -> dict[str, Document]:
    """What Model Monitor has besides data quality: a request to define a job of each kind."""
    plain = definition()
    same = {name: plain[name] for name in ("JobDefinitionName", "JobResources", "RoleArn")}
    output, endpoint = plain["DataQualityJobOutputConfig"], plain["DataQualityJobInput"]
    labelled = {**endpoint, "GroundTruthS3Input": {"S3Uri": "s3://archive/labels"}}
    analysis = {**plain["DataQualityAppSpecification"], "ConfigUri": "s3://archive/analysis.json"}
    judged = {**plain["DataQualityAppSpecification"], "ProblemType": "BinaryClassification"}
    parts = {
        "ModelQuality": (judged, labelled),
        "ModelBias": (analysis, labelled),
        "ModelExplainability": (analysis, endpoint),
    }
    return {
        kind: {**same, f"{kind}AppSpecification": job, f"{kind}JobInput": given, f"{kind}JobOutputConfig": output}
        for kind, (job, given) in parts.items()
    } | {"DataQuality": plain}


@pytest.mark.parametrize("code", ["AccessDeniedException", "ValidationException"])
@pytest.mark.parametrize("kind", ["DataQuality", "ModelBias", "ModelExplainability", "ModelQuality"])
def test_where_it_is_closed_definitions_of_every_kind_are_refused(
    kind: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitoring, "CLOSED_CODE", code)
    with pytest.raises(Refused) as refused:
        Monitor(is_open=False).call(f"Create{kind}JobDefinition", **kinds()[kind])
    assert refused.value.args == (code, CLOSED)


# --- On the running stack ---------------------------------------------------------------------------------------------


class Slot:
    """An endpoint that the application's own adapter made, and the plan of its schedule."""

    def __init__(self, stack: Running, outputs: dict[str, str]) -> None:
        self.lab = Lab(stack, outputs, set())
        self.client = stack.client("sagemaker")
        self.monitor = SageMakerModelMonitor(self.client)
        self.endpoints = SageMakerEndpoints(self.client, lambda _: None, self.monitor)
        archive = f"s3://{self.lab.bucket}/monitoring"
        self.plan = SchedulePlan(
            endpoint=self.lab.name,
            image="156813124566.dkr.ecr.us-east-1.amazonaws.com/sagemaker-model-monitor-analyzer",
            role=ROLE,
            statistics_uri=f"{archive}/first/statistics.json",
            constraints_uri=f"{archive}/first/constraints.json",
            preprocessor_uri=f"{archive}/first/capture_preprocessor.py",
            output_uri=f"{archive}/reports/",
            instance_type="ml.m5.large",
            key=KEY,
        )

    def stand(self, capture: bool = True) -> EndpointPlan:
        """Bring the endpoint up, as a deployment does; captures everything, or nothing."""
        package = self.lab.package(ModelApprovalStatus="Approved")
        kept = Capture(f"s3://{self.lab.bucket}/lab/{self.lab.name}/capture", 100, KEY) if capture else None
        plan = EndpointPlan(self.lab.name, package, 1, Instance("ml.m5.large"), Hosting(ROLE, capture=kept))
        self.endpoints.create(plan)
        state = eventually(self.at_rest)
        assert state.phase is Phase.IN_SERVICE, state
        return plan

    def at_rest(self) -> Any:
        state = self.endpoints.describe(self.lab.name)
        return state if state is None or state.phase is not Phase.CHANGING else None

    def settled(self, plan: SchedulePlan) -> ScheduleState:
        def look() -> ScheduleState | None:
            state = self.monitor.ensure(plan)
            return state if state.phase is not SchedulePhase.CHANGING else None

        state = eventually(look)
        assert state is not None
        return state

    def described(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.client.describe_monitoring_schedule(MonitoringScheduleName=self.plan.schedule)
        return answer

    def definitions(self) -> list[str]:
        found = self.client.list_data_quality_job_definitions(EndpointName=self.lab.name)["JobDefinitionSummaries"]
        return [each["MonitoringJobDefinitionName"] for each in found]

    def gone(self, describe: Callable[..., Any], **name: str) -> bool:
        with pytest.raises(ClientError, match="Could not find"):
            describe(**name)
        return True


SCHEDULED = ScheduleState(SchedulePhase.SCHEDULED, "Scheduled")


@pytest.fixture
def slot(stack: Running, outputs: dict[str, str]) -> Slot:
    return Slot(stack, outputs)


def test_the_applications_schedule_is_made_and_comes_to_rest(slot: Slot) -> None:
    slot.stand()
    assert slot.monitor.ensure(slot.plan) == ScheduleState(SchedulePhase.CHANGING, "Pending")
    assert slot.settled(slot.plan) == SCHEDULED
    described = slot.described()
    assert described["MonitoringScheduleConfig"]["MonitoringJobDefinitionName"] == slot.plan.definition
    assert described["MonitoringScheduleConfig"]["ScheduleConfig"] == {"ScheduleExpression": HOURLY}
    assert described["EndpointName"] == slot.lab.name
    made = slot.client.describe_data_quality_job_definition(JobDefinitionName=slot.plan.definition)
    assert made["DataQualityAppSpecification"]["RecordPreprocessorSourceUri"] == slot.plan.preprocessor_uri
    before = described["LastModifiedTime"]
    assert slot.monitor.ensure(slot.plan) == SCHEDULED
    assert slot.described()["LastModifiedTime"] == before
    assert slot.monitor.last_run(slot.lab.name) == ""


def test_another_plan_leads_the_applications_schedule_to_its_definition_and_removes_the_one_before(slot: Slot) -> None:
    slot.stand()
    slot.settled(slot.plan)
    other = replace(slot.plan, statistics_uri=f"s3://{slot.lab.bucket}/monitoring/second/statistics.json")
    assert slot.monitor.ensure(other).phase is SchedulePhase.CHANGING
    assert sorted(slot.definitions()) == sorted([slot.plan.definition, other.definition])
    assert slot.settled(other) == SCHEDULED
    assert slot.described()["MonitoringScheduleConfig"]["MonitoringJobDefinitionName"] == other.definition
    assert slot.definitions() == [other.definition]


def test_a_schedule_that_somebody_stopped_is_led_to_the_plan_and_started(slot: Slot) -> None:
    slot.stand()
    slot.settled(slot.plan)
    slot.client.stop_monitoring_schedule(MonitoringScheduleName=slot.plan.schedule)
    eventually(lambda: slot.described()["MonitoringScheduleStatus"] == "Stopped")
    other = replace(slot.plan, expression="cron(0 0 ? * * *)")
    assert slot.settled(other) == SCHEDULED
    assert slot.described()["MonitoringScheduleStatus"] == "Scheduled"


def test_clearing_removes_the_schedule_and_then_its_definitions(slot: Slot) -> None:
    slot.stand()
    slot.settled(slot.plan)
    assert eventually(lambda: slot.monitor.clear(slot.lab.name)) is True
    assert slot.gone(slot.client.describe_monitoring_schedule, MonitoringScheduleName=slot.plan.schedule)
    assert slot.definitions() == []
    # Everything may be made again.
    assert slot.settled(slot.plan) == SCHEDULED


def test_an_endpoint_is_removed_with_the_schedule_that_watches_it(slot: Slot) -> None:
    plan = slot.stand()
    slot.settled(slot.plan)
    with pytest.raises(ClientError, match="monitoring schedule"):
        slot.client.delete_endpoint(EndpointName=slot.lab.name)
    assert eventually(lambda: slot.endpoints.clear(slot.lab.name)) is True
    assert slot.definitions() == []
    assert slot.gone(slot.client.describe_endpoint, EndpointName=slot.lab.name)
    assert slot.gone(slot.client.describe_endpoint_config, EndpointConfigName=plan.name)
    assert slot.gone(slot.client.describe_model, ModelName=plan.name)


def test_an_endpoint_that_captures_nothing_gets_no_schedule(slot: Slot) -> None:
    slot.stand(capture=False)
    with pytest.raises(ModelMonitorRefused, match="data capture"):
        slot.settled(slot.plan)


def test_an_endpoint_that_is_going_gets_no_schedule(slot: Slot) -> None:
    slot.stand()
    slot.client.delete_endpoint(EndpointName=slot.lab.name)
    with pytest.raises(ModelMonitorRefused, match="does not exist"):
        slot.settled(slot.plan)


def test_an_endpoint_that_is_going_captures_no_more_though_its_model_still_stands() -> None:
    nothing: Any = None
    endpoints = Endpoints(PREFIX, nothing, nothing, nothing, nothing)
    variant = Variant("primary", {}, nothing, 1.0, {"EnableCapture": True})
    record = endpoints._records.add("fraud-a", {"EndpointStatus": "InService", "_variants": [variant]})
    assert endpoints.captures("fraud-a")
    record["EndpointStatus"] = "Deleting"
    assert not endpoints.captures("fraud-a")


def test_schedules_and_definitions_have_the_tags_of_their_creation(slot: Slot) -> None:
    slot.stand()
    name, tags = slot.lab.name, [{"Key": "purpose", "Value": "test"}]
    made = slot.client.create_data_quality_job_definition(**definition(name, name), Tags=tags)
    scheduled = slot.client.create_monitoring_schedule(**schedule(name, name), Tags=tags)
    for arn in (made["JobDefinitionArn"], scheduled["MonitoringScheduleArn"]):
        assert slot.client.list_tags(ResourceArn=arn)["Tags"] == tags


def test_a_definition_that_is_made_again_has_none_of_the_tags_it_had_before(slot: Slot) -> None:
    name = slot.lab.name
    first, second = [{"Key": "of", "Value": "first"}], [{"Key": "by", "Value": "second"}]
    slot.client.create_data_quality_job_definition(**definition(name, name), Tags=first)
    slot.client.delete_data_quality_job_definition(JobDefinitionName=name)
    made = slot.client.create_data_quality_job_definition(**definition(name, name), Tags=second)
    assert slot.client.list_tags(ResourceArn=made["JobDefinitionArn"])["Tags"] == second
    slot.client.add_tags(ResourceArn=made["JobDefinitionArn"], Tags=first)
    assert slot.client.list_tags(ResourceArn=made["JobDefinitionArn"])["Tags"] == [*second, *first]


@pytest.fixture(scope="module")
def closed() -> Iterator[Running]:
    running = start(STACK, "laptop-unwatched", "--without-model-monitor")
    yield running
    running.stop()


def test_a_stack_without_it_refuses_schedules_and_keeps_its_endpoints(closed: Running) -> None:
    slot = Slot(closed, closed.outputs)
    slot.stand()
    with pytest.raises(ModelMonitorRefused, match=CLOSED):
        slot.monitor.ensure(slot.plan)
    with pytest.raises(ClientError, match="AccessDeniedException"):
        slot.client.create_monitoring_schedule(**schedule(slot.plan.definition, slot.plan.schedule))
    assert slot.monitor.last_run(slot.lab.name) == ""
    assert slot.lab.invoke("1")["scores"] == [2.0]
    assert slot.monitor.clear(slot.lab.name) is True
    assert eventually(lambda: slot.endpoints.clear(slot.lab.name)) is True


def test_every_operation_answers_in_the_shape_of_the_services_model(watching: Monitor) -> None:
    named = {"MonitoringScheduleName": "watch"}
    watching.call("DescribeDataQualityJobDefinition", JobDefinitionName="first")
    watching.call("ListDataQualityJobDefinitions")
    watching.call("ListMonitoringSchedules")
    watching.call("ListMonitoringExecutions")
    watching.call("DescribeMonitoringSchedule", **named)
    for verb in ("Stop", "Start", "Update", "Delete"):
        watching.call(f"{verb}MonitoringSchedule", **(schedule() if verb == "Update" else named))
        watching.rest()
    watching.call("DeleteDataQualityJobDefinition", JobDefinitionName="first")
    assert watching.called == set(watching.operations)
