"""Model Monitor: definitions of data-quality jobs, and schedules that name them.

The container that does the work can be had on AWS only, so that schedules are kept, come to rest as AWS's do, and never
run: ListMonitoringExecutions is empty.
"""

import re
import time
from collections.abc import Callable, Iterable
from typing import Any

from local.sagemaker.api import ApiError, Document, Operation
from local.sagemaker.records import Records, now, page

PENDING_SECONDS = 0.3
"""How long a change takes; on AWS some seconds to minutes."""
CLOSED = "Amazon SageMaker Model Monitor is closed to new customers."
CLOSED_CODE = "AccessDeniedException"
"""AWS documents no code for it; ValidationException is as likely."""
_OTHER_KINDS = ("ModelBias", "ModelExplainability", "ModelQuality")
_EVERY = r"(0?[1-9]|1\d|2[0-4])"
_HOUR = r"([01]?\d|2[0-3])"
_EXPRESSION = re.compile(rf"cron\(0 (\*|{_HOUR}(/{_EVERY})?) \? \* \* \*\)|NOW")
"""https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ScheduleConfig.html"""


class JobDefinitions:
    """CreateDataQualityJobDefinition and its relatives; a definition never changes."""

    def __init__(self, prefix: str, is_open: bool) -> None:
        self._records = Records("data quality job definition", prefix)
        self._is_open = is_open
        self.is_used: Callable[[str], bool] = lambda _: False
        """Whether a schedule names a definition."""

    def operations(self) -> dict[str, Operation]:
        # Where it is closed, kinds that the laptop does not have are refused like those that it has.
        closed = () if self._is_open else _OTHER_KINDS
        return {
            "CreateDataQualityJobDefinition": self.create,
            "DescribeDataQualityJobDefinition": lambda request: self.get(request["JobDefinitionName"]),
            "ListDataQualityJobDefinitions": self.page,
            "DeleteDataQualityJobDefinition": self.delete,
            **{f"Create{kind}JobDefinition": self.create for kind in closed},
        }

    def create(self, request: Document) -> Document:
        require_open(self._is_open)
        name = request["JobDefinitionName"]
        arn = self._records.arn(f"data-quality-job-definition/{name}")
        try:
            return self._records.add(name, {**request, "JobDefinitionArn": arn, "CreationTime": now()})
        except ApiError as error:
            raise ApiError(str(error), "ResourceInUse") from error

    def get(self, name: str) -> Document:
        return found(self._records, name)

    def page(self, request: Document) -> Document:
        summaries = [
            {
                "MonitoringJobDefinitionName": each["JobDefinitionName"],
                "MonitoringJobDefinitionArn": each["JobDefinitionArn"],
                "CreationTime": each["CreationTime"],
                "EndpointName": endpoint_of(each),
            }
            for each in self._records.all()
        ]
        kept = matching(summaries, request, "EndpointName")
        return page(kept, request, "JobDefinitionSummaries", "MonitoringJobDefinitionName")

    def delete(self, request: Document) -> Document:
        name = request["JobDefinitionName"]
        self.get(name)
        if self.is_used(name):
            raise ApiError(f"Cannot delete the job definition {name}: a monitoring schedule uses it.")
        return self._records.remove(name)


class MonitoringSchedules:
    """CreateMonitoringSchedule and its relatives."""

    def __init__(
        self, prefix: str, definitions: JobDefinitions, captures: Callable[[str], bool], is_open: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        """Captures says whether an endpoint is there and captures data; the clock counts seconds."""
        self._records = Records("monitoring schedule", prefix)
        self._definitions = definitions
        self._captures = captures
        self._is_open = is_open
        self._clock = clock
        definitions.is_used = lambda name: any(each["MonitoringJobDefinitionName"] == name for each in self._all())

    def operations(self) -> dict[str, Operation]:
        return {
            "CreateMonitoringSchedule": self.create,
            "DescribeMonitoringSchedule": lambda request: self.get(request["MonitoringScheduleName"]),
            "ListMonitoringSchedules": self.page,
            "UpdateMonitoringSchedule": self.update,
            "StartMonitoringSchedule": lambda request: self._move(request, "Scheduled"),
            "StopMonitoringSchedule": lambda request: self._move(request, "Stopped"),
            "DeleteMonitoringSchedule": self.delete,
            "ListMonitoringExecutions": lambda request: {"MonitoringExecutionSummaries": []},
        }

    def create(self, request: Document) -> Document:
        require_open(self._is_open)
        name = request["MonitoringScheduleName"]
        arn = self._records.arn(f"monitoring-schedule/{name}")
        made = {**request, **self._led(request), "MonitoringScheduleArn": arn, "CreationTime": now()}
        self._all()
        try:
            return self._changing(self._records.add(name, made), "Scheduled")
        except ApiError as error:
            raise ApiError(str(error), "ResourceInUse") from error

    def get(self, name: str) -> Document:
        self._all()
        return found(self._records, name)

    def page(self, request: Document) -> Document:
        kept = matching(self._all(), request, "EndpointName", "MonitoringJobDefinitionName")
        member, status = "MonitoringScheduleSummaries", "MonitoringScheduleStatus"
        return page(kept, request, member, "MonitoringScheduleName", status)

    def update(self, request: Document) -> Document:
        schedule = self._at_rest(request["MonitoringScheduleName"])
        schedule.update(self._led(request))
        # One that was stopped stays so: whoever relies on it has to start it.
        return self._changing(schedule, schedule["MonitoringScheduleStatus"])

    def delete(self, request: Document) -> Document:
        self._changing(self._at_rest(request["MonitoringScheduleName"]), "")
        return {}

    def require_unwatched(self, endpoint: str) -> None:
        """Raises: ApiError if a schedule watches an endpoint."""
        if any(each["EndpointName"] == endpoint for each in self._all()):
            raise ApiError(f'Cannot delete endpoint "{endpoint}": a monitoring schedule is attached to it.')

    def _led(self, request: Document) -> Document:
        """What becomes of a schedule that has the request's configuration. Raises: ApiError."""
        config = request["MonitoringScheduleConfig"]
        if "MonitoringJobDefinitionName" not in config or config.get("MonitoringType") != "DataQuality":
            raise ApiError("The laptop's schedules name a definition of a DataQuality job.")
        times = config.get("ScheduleConfig", {})
        expression = times.get("ScheduleExpression", "")
        if _EXPRESSION.fullmatch(expression) is None:
            raise ApiError(f"The schedule expression {expression} is not of a form that Model Monitor takes.")
        if expression == "NOW" and not {"DataAnalysisStartTime", "DataAnalysisEndTime"} <= times.keys():
            raise ApiError("NOW needs DataAnalysisStartTime and DataAnalysisEndTime.")
        name = config["MonitoringJobDefinitionName"]
        endpoint = endpoint_of(self._definitions.get(name))
        if not self._captures(endpoint):
            raise ApiError(f'Endpoint "{endpoint}" does not exist, or has no data capture enabled.')
        led = {"EndpointName": endpoint, "MonitoringJobDefinitionName": name, "MonitoringType": "DataQuality"}
        return {"MonitoringScheduleConfig": config, **led}

    def _move(self, request: Document, status: str) -> Document:
        self._changing(self._at_rest(request["MonitoringScheduleName"]), status)
        return {}

    def _at_rest(self, name: str) -> Document:
        schedule = self.get(name)
        if schedule["MonitoringScheduleStatus"] == "Pending":
            raise ApiError(f"The monitoring schedule {name} is being changed: its status is Pending.")
        return schedule

    def _changing(self, schedule: Document, status: str) -> Document:
        """Let it come to a status after a while, or go where that is empty."""
        rest = (self._clock() + PENDING_SECONDS, status)
        schedule.update(MonitoringScheduleStatus="Pending", LastModifiedTime=now(), _rest=rest)
        return schedule

    def _all(self) -> list[Document]:
        """All schedules, as they are by now."""
        for schedule in self._records.all():
            at, status = schedule.get("_rest", (float("inf"), ""))
            if self._clock() < at:
                continue
            del schedule["_rest"]
            if status:
                schedule["MonitoringScheduleStatus"] = status
            else:
                self._records.remove(schedule["MonitoringScheduleName"])
        return self._records.all()


def require_open(is_open: bool) -> None:
    """Raises: ApiError where Model Monitor is closed."""
    if not is_open:
        raise ApiError(CLOSED, CLOSED_CODE)


def found(records: Records, name: str) -> Document:
    """A record. Raises: ApiError, as these operations say that there is none."""
    try:
        return records.get(name)
    except ApiError as error:
        raise ApiError(str(error), "ResourceNotFound") from error


def matching(documents: Iterable[Document], request: Document, *members: str) -> list[Document]:
    """Those that have what a request names of these members."""
    return [each for each in documents if all(request.get(name) in (None, each[name]) for name in members)]


def endpoint_of(definition: Document) -> str:
    """What a definition is about; empty for a batch transform."""
    given: dict[str, Any] = definition["DataQualityJobInput"].get("EndpointInput", {})
    return str(given.get("EndpointName", ""))
