"""Model Monitor as SageMaker's API tells of it, with the order of changes that it insists on.

Changes of schedules are under way for a while, and refused while one is, or while a run is not over; definitions are
held by the schedules that name them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from tests.fakes.samples import NOW
from tests.fakes.scripted_client import answering

ARN = "arn:aws:sagemaker:eu-central-1:123456789012"
MOMENT = datetime.fromtimestamp(NOW, UTC)
NAME = "MonitoringScheduleName"
DEFINITION = "JobDefinitionName"
NOT_OVER = ("Pending", "InProgress", "Stopping")


def refused(code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "Operation")


def invalid(message: str) -> ClientError:
    return refused("ValidationException", message)


@dataclass
class Schedule:
    """A schedule as it stands.

    Args:
        config: what it runs.
        status: that it comes to.
        left: looks that still find it on its way.
        going: whether it is on its way out.
    """

    config: dict[str, Any]
    status: str = "Scheduled"
    left: int = 0
    going: bool = False


@dataclass
class MonitoringService:
    """Schedules, definitions and runs.

    Args:
        endpoints: that capture data.
        looks: how many find a schedule still on its way after a change.
        status: that schedules come to.
        reason: why, for one that fails.
        refusal: raised by every operation.
        fault: called with each operation, before and after its effect; raises what befalls it.
        page: definitions on a page.
        schedules: by name.
        definitions: by name: what they were created with.
        runs: of schedules, the newest last: fields of their summaries.
        calls: operations that were asked for, in order.
        refusals: what was refused because of its order.
    """

    endpoints: set[str]
    looks: int = 1
    status: str = "Scheduled"
    reason: str = ""
    refusal: ClientError | None = None
    fault: Callable[[str, str], None] = lambda when, operation: None
    page: int = 100
    schedules: dict[str, Schedule] = field(default_factory=dict)
    definitions: dict[str, dict[str, Any]] = field(default_factory=dict)
    runs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)

    @contextmanager
    def answers(self, client: Any) -> Iterator[None]:
        """Let a client's operations on schedules and definitions come here."""
        operations = (
            self.describe_monitoring_schedule, self.create_monitoring_schedule, self.update_monitoring_schedule,
            self.start_monitoring_schedule, self.delete_monitoring_schedule, self.list_monitoring_executions,
            self.describe_data_quality_job_definition, self.create_data_quality_job_definition,
            self.delete_data_quality_job_definition, self.list_data_quality_job_definitions,
        )  # fmt: skip
        named = {each.__name__.title().replace("_", ""): self._around(each) for each in operations}
        with answering(client, **named):
            yield

    def _around(self, operation: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
        def answer(**asked: Any) -> dict[str, Any]:
            self.calls.append(operation.__name__)
            if self.refusal is not None:
                raise self.refusal
            self.fault("before", operation.__name__)
            told = operation(**asked)
            self.fault("after", operation.__name__)
            return told

        return answer

    @property
    def mutations(self) -> list[str]:
        """Operations that change something, in order."""
        return [each for each in self.calls if not each.startswith(("describe", "list"))]

    # --- Schedules ----------------------------------------------------------------------------------------------------

    def describe_monitoring_schedule(self, **asked: Any) -> dict[str, Any]:
        name = asked[NAME]
        standing = self._schedule(name)
        on_its_way = standing.left > 0
        standing.left -= on_its_way
        told = {"MonitoringScheduleArn": f"{ARN}:monitoring-schedule/{name}", NAME: name}
        told |= {"CreationTime": MOMENT, "LastModifiedTime": MOMENT, "MonitoringScheduleConfig": standing.config}
        told["MonitoringScheduleStatus"] = "Pending" if on_its_way else standing.status
        return told | ({"FailureReason": self.reason} if standing.status == "Failed" and not on_its_way else {})

    def create_monitoring_schedule(self, MonitoringScheduleConfig: dict[str, Any], **asked: Any) -> dict[str, Any]:  # noqa: N803
        if asked[NAME] in self.schedules:
            raise self._out_of_order("ResourceInUse", "the schedule exists")
        self._check(MonitoringScheduleConfig)
        self.schedules[asked[NAME]] = Schedule(MonitoringScheduleConfig, self.status, self.looks)
        return {"MonitoringScheduleArn": f"{ARN}:monitoring-schedule/{asked[NAME]}"}

    def update_monitoring_schedule(self, MonitoringScheduleConfig: dict[str, Any], **asked: Any) -> dict[str, Any]:  # noqa: N803
        standing = self._at_rest(asked[NAME])
        self._check(MonitoringScheduleConfig)
        stays = standing.status == "Stopped"
        standing.config, standing.left = MonitoringScheduleConfig, self.looks
        standing.status = "Stopped" if stays else self.status
        return {"MonitoringScheduleArn": f"{ARN}:monitoring-schedule/{asked[NAME]}"}

    def start_monitoring_schedule(self, **asked: Any) -> dict[str, Any]:
        standing = self._at_rest(asked[NAME])
        if standing.status != "Stopped":
            raise self._out_of_order("ValidationException", "the schedule is not stopped")
        standing.status, standing.left = self.status, self.looks
        return {}

    def delete_monitoring_schedule(self, **asked: Any) -> dict[str, Any]:
        standing = self._at_rest(asked[NAME])
        standing.going, standing.left = True, self.looks
        if not self.looks:
            del self.schedules[asked[NAME]]
        return {}

    def list_monitoring_executions(
        self,
        SortBy: str,  # noqa: N803
        SortOrder: str,  # noqa: N803
        MaxResults: int,  # noqa: N803
        **asked: Any,
    ) -> dict[str, Any]:
        assert (SortBy, SortOrder) == ("ScheduledTime", "Descending")
        times = {NAME: asked[NAME], "ScheduledTime": MOMENT, "CreationTime": MOMENT, "LastModifiedTime": MOMENT}
        found = [times | each for each in reversed(self.runs.get(asked[NAME], []))]
        return {"MonitoringExecutionSummaries": found[:MaxResults]}

    def _schedule(self, name: str) -> Schedule:
        standing = self.schedules.get(name)
        if standing is not None and standing.going and standing.left <= 0:
            del self.schedules[name]
            standing = None
        if standing is None:
            raise refused("ResourceNotFound", "there is no such schedule")
        return standing

    def _at_rest(self, name: str) -> Schedule:
        standing = self._schedule(name)
        if standing.left > 0:
            raise self._out_of_order("ValidationException", "the schedule is pending")
        if any(each["MonitoringExecutionStatus"] in NOT_OVER for each in self.runs.get(name, [])):
            raise self._out_of_order("ValidationException", "a run is in progress")
        return standing

    def _check(self, config: dict[str, Any]) -> None:
        assert config["MonitoringType"] == "DataQuality"
        if config["MonitoringJobDefinitionName"] not in self.definitions:
            raise self._out_of_order("ValidationException", "there is no such definition")

    def _out_of_order(self, code: str, message: str) -> ClientError:
        self.refusals.append(f"{self.calls[-1]}: {message}")
        return refused(code, message)

    # --- Definitions --------------------------------------------------------------------------------------------------

    def describe_data_quality_job_definition(self, **asked: Any) -> dict[str, Any]:
        if asked[DEFINITION] not in self.definitions:
            raise refused("ResourceNotFound", "there is no such definition")
        arn = f"{ARN}:data-quality-job-definition/{asked[DEFINITION]}"
        return {"JobDefinitionArn": arn, "CreationTime": MOMENT} | self.definitions[asked[DEFINITION]]

    def create_data_quality_job_definition(self, **asked: Any) -> dict[str, Any]:
        if asked[DEFINITION] in self.definitions:
            raise self._out_of_order("ResourceInUse", "the definition exists")
        if self.endpoint_of(asked) not in self.endpoints:
            raise invalid("the endpoint captures no data")
        self.definitions[asked[DEFINITION]] = asked
        return {"JobDefinitionArn": f"{ARN}:data-quality-job-definition/{asked[DEFINITION]}"}

    def delete_data_quality_job_definition(self, **asked: Any) -> dict[str, Any]:
        held = (each.config["MonitoringJobDefinitionName"] for each in self.schedules.values())
        if asked[DEFINITION] in held:
            raise self._out_of_order("ValidationException", "a schedule holds the definition")
        if self.definitions.pop(asked[DEFINITION], None) is None:
            raise refused("ResourceNotFound", "there is no such definition")
        return {}

    def list_data_quality_job_definitions(
        self,
        EndpointName: str,  # noqa: N803
        NameContains: str,  # noqa: N803
        MaxResults: int,  # noqa: N803
        NextToken: str = "0",  # noqa: N803
    ) -> dict[str, Any]:
        assert MaxResults <= 100
        found = sorted(
            name
            for name, each in self.definitions.items()
            if NameContains in name and self.endpoint_of(each) == EndpointName
        )
        start, end = int(NextToken), int(NextToken) + self.page
        summaries = [
            {
                "MonitoringJobDefinitionName": name,
                "MonitoringJobDefinitionArn": f"{ARN}:data-quality-job-definition/{name}",
                "CreationTime": MOMENT,
                "EndpointName": EndpointName,
            }
            for name in found[start:end]
        ]
        return {"JobDefinitionSummaries": summaries} | ({"NextToken": str(end)} if end < len(found) else {})

    @staticmethod
    def endpoint_of(definition: dict[str, Any]) -> str:
        return str(definition["DataQualityJobInput"]["EndpointInput"]["EndpointName"])
