"""An account in memory: remembers what stands, answers by script, checks every call by botocore's own model."""

import functools
import io
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.model import ServiceModel
from botocore.session import get_session
from botocore.validate import ParamValidator

ACCOUNT, REGION = "123456789012", "us-east-1"
NOW = datetime(2026, 1, 2, 3, tzinfo=UTC)
CREATES = {
    "athena.create_work_group": ("work_group", "Name"),
    "cloudwatch.put_metric_alarm": ("alarm", "AlarmName"),
    "dynamodb.create_table": ("table", "TableName"),
    "events.create_event_bus": ("bus", "Name"),
    "glue.create_database": ("database", "DatabaseInput"),
    "iam.create_role": ("role", "RoleName"),
    "kinesis.create_stream": ("stream", "StreamName"),
    "kms.create_key": ("key", "Description"),
    "lambda.create_event_source_mapping": ("mappings", "FunctionName"),
    "lambda.create_function": ("function", "FunctionName"),
    "s3.create_bucket": ("bucket", "Bucket"),
    "sagemaker.create_data_quality_job_definition": ("definition", "JobDefinitionName"),
    "sagemaker.create_endpoint": ("endpoint", "EndpointName"),
    "sagemaker.create_endpoint_config": ("endpoint_config", "EndpointConfigName"),
    "sagemaker.create_model": ("model", "ModelName"),
    "sagemaker.create_monitoring_schedule": ("schedule", "MonitoringScheduleName"),
    "sagemaker.create_processing_job": ("processing_job", "ProcessingJobName"),
    "sagemaker.create_training_job": ("training_job", "TrainingJobName"),
    "sqs.create_queue": ("queue", "QueueName"),
    "stepfunctions.create_state_machine": ("machine", "name"),
}
DELETES = {
    "athena.delete_work_group": ("work_group", "WorkGroup"),
    "glue.delete_database": ("database", "Name"),
    "dynamodb.delete_table": ("table", "TableName"),
    "events.delete_event_bus": ("bus", "Name"),
    "iam.delete_role": ("role", "RoleName"),
    "kinesis.delete_stream": ("stream", "StreamName"),
    "kms.schedule_key_deletion": ("key", "KeyId"),
    "lambda.delete_event_source_mapping": ("mappings", "UUID"),
    "lambda.delete_function": ("function", "FunctionName"),
    "logs.delete_log_group": ("log_group", "logGroupName"),
    "logs.delete_log_stream": ("log_streams", "logStreamName"),
    "s3.delete_bucket": ("bucket", "Bucket"),
    "sagemaker.delete_data_quality_job_definition": ("definition", "JobDefinitionName"),
    "sagemaker.delete_endpoint": ("endpoint", "EndpointName"),
    "sagemaker.delete_endpoint_config": ("endpoint_config", "EndpointConfigName"),
    "sagemaker.delete_model": ("model", "ModelName"),
    "sagemaker.delete_monitoring_schedule": ("schedule", "MonitoringScheduleName"),
    "sagemaker.stop_processing_job": ("processing_job", "ProcessingJobName"),
    "sagemaker.stop_training_job": ("training_job", "TrainingJobName"),
    "sqs.delete_queue": ("queue", "QueueUrl"),
    "stepfunctions.delete_state_machine": ("machine", "stateMachineArn"),
}
DESCRIBES = {
    "athena.get_work_group": ("work_group", "WorkGroup", "InvalidRequestException"),
    "glue.get_database": ("database", "Name", "EntityNotFoundException"),
    "dynamodb.describe_table": ("table", "TableName", "ResourceNotFoundException"),
    "events.describe_event_bus": ("bus", "Name", "ResourceNotFoundException"),
    "iam.get_role": ("role", "RoleName", "NoSuchEntity"),
    "kinesis.describe_stream": ("stream", "StreamName", "ResourceNotFoundException"),
    "lambda.get_function": ("function", "FunctionName", "ResourceNotFoundException"),
    "s3.head_bucket": ("bucket", "Bucket", "404"),
    "sagemaker.describe_data_quality_job_definition": ("definition", "JobDefinitionName", "ResourceNotFound"),
    "sagemaker.describe_endpoint": ("endpoint", "EndpointName", "ValidationException"),
    "sagemaker.describe_endpoint_config": ("endpoint_config", "EndpointConfigName", "ValidationException"),
    "sagemaker.describe_model": ("model", "ModelName", "ValidationException"),
    "sagemaker.describe_monitoring_schedule": ("schedule", "MonitoringScheduleName", "ResourceNotFound"),
    "sqs.get_queue_url": ("queue", "QueueName", "AWS.SimpleQueueService.NonExistentQueue"),
    "stepfunctions.describe_state_machine": ("machine", "stateMachineArn", "StateMachineDoesNotExist"),
}

Params = Mapping[str, Any]
Answer = Any


class Interrupted(BaseException):
    """The process died."""


def refusal(code: str, message: str = "refused", status: int = 400) -> ClientError:
    """An error as AWS answers it."""
    response = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "Operation")  # type: ignore[arg-type]


@functools.cache
def model(service: str) -> tuple[ServiceModel, Mapping[str, str]]:
    """Botocore's model of a service, and its operations by the names of a client's methods."""
    found = get_session().get_service_model(service)
    return found, {xform_name(name): name for name in found.operation_names}


def check(service: str, operation: str, params: Params) -> None:
    """Raise if botocore would."""
    found, names = model(service)
    report = ParamValidator().validate(params, found.operation_model(names[operation]).input_shape)
    assert not report.has_errors(), f"{service}.{operation}: {report.generate_report()}"


class Account:
    """AWS, as far as probes see it.

    Args:
        script: answers to calls by `service.operation`, in the place of the usual ones: values, errors or functions.
        checks: whether parameters are checked by the model.
    """

    region = REGION

    def __init__(self, script: Mapping[str, Answer] | None = None, *, checks: bool = True) -> None:
        self.script = dict(script or {})
        self.checks = checks
        self.standing: set[tuple[str, str]] = set()
        self.calls: list[str] = []
        self.ends = True
        self.dies_at: int | None = None
        self.dies_after = False
        self.fails_at: int | None = None
        self._looked_at: set[str] = set()
        self.names: dict[str, str] = {}

    def client(self, service: str) -> "Client":
        return Client(self, service)

    def under(self, credentials: Params) -> "Account":
        return self

    def call(self, service: str, operation: str, params: Params) -> Answer:
        name = f"{service}.{operation}"
        at = len(self.calls)
        self.calls.append(name)
        if self.checks:
            check(service, operation, params)
        if at == self.dies_at and not self.dies_after:
            raise Interrupted
        if at == self.fails_at:
            raise refusal("ThrottlingException", "Rate exceeded")
        try:
            return self._answer(name, params)
        finally:
            if at == self.dies_at:
                raise Interrupted

    def _answer(self, name: str, params: Params) -> Answer:
        scripted = self._said(self.script.get(name), params)
        if scripted is not None:
            return scripted
        if name in CREATES:
            self._create(*CREATES[name], params)
        if name in DELETES:
            self._delete(*DELETES[name], params)
        if name in DESCRIBES:
            kind, parameter, code = DESCRIBES[name]
            if (kind, self._name(params[parameter])) not in self.standing:
                raise refusal(code, "Could not find it.")
        return self._said(USUAL.get(name, {}), params)

    def _said(self, answer: Answer, params: Params) -> Answer:
        answer = answer(self, params) if callable(answer) else answer
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _create(self, kind: str, parameter: str, params: Params) -> None:
        given = params[parameter]
        name = given["Name"] if isinstance(given, Mapping) else given
        self.standing.add((kind, name))
        # What services open by themselves.
        if kind == "endpoint":
            self.standing.add(("log_group", f"/aws/sagemaker/Endpoints/{name}"))
        if kind == "function":
            self.standing.add(("log_group", f"/aws/lambda/{name}"))
        if kind.endswith("_job"):
            self.standing.add(("log_streams", f"{name}/algo-1"))
        if kind == "schedule" and not name.endswith("-hourly"):
            self.standing |= {("processing_job", f"run-of-{name}"), ("log_streams", f"run-of-{name}/algo-1")}

    def _delete(self, kind: str, parameter: str, params: Params) -> None:
        name = self._name(params[parameter])
        if (kind, name) not in self.standing:
            raise refusal("ValidationException", "Could not find it.")
        self.standing.remove((kind, name))

    def _name(self, given: str) -> str:
        """Machines go by their ARNs, queues by their URLs."""
        is_whole = given.startswith(("arn:aws:states", "https:"))
        return given.rpartition(":")[2].rpartition("/")[2] if is_whole else given.rstrip("#")

    def of(self, kind: str) -> list[str]:
        return sorted(name for each, name in self.standing if each == kind)

    def job(self, member: str, name: str) -> dict[str, Any]:
        """A job runs when first looked at and has ended when looked at again."""
        kind = f"{member.removesuffix('Job').lower()}_job"
        if self.ends and name in self._looked_at:
            self.standing.discard((kind, name))
        self._looked_at.add(name)
        status = "InProgress" if (kind, name) in self.standing else "Completed"
        outputs = [{"S3Output": {"S3Uri": "s3://bucket/reports"}}]
        return {f"{member}Status": status, "ProcessingOutputConfig": {"Outputs": outputs}}


class Client:
    """A client whose methods are the account's."""

    def __init__(self, account: Account, service: str) -> None:
        self._account, self._service = account, service

    def __getattr__(self, operation: str) -> Callable[..., Answer]:
        assert operation in model(self._service)[1] or not self._account.checks, operation
        return lambda **params: self._account.call(self._service, operation, params)

    def get_paginator(self, operation: str) -> "Pages":
        return Pages(getattr(self, operation))


class Pages:
    """One page."""

    def __init__(self, call: Callable[..., Answer]) -> None:
        self._call = call

    def paginate(self, **params: Any) -> Iterator[Answer]:
        yield self._call(**params)


def body(content: object) -> dict[str, Any]:
    """An answer with a body that is read."""
    return {"Body": io.BytesIO(json.dumps(content).encode())}


def _objects(account: Account, params: Params) -> Answer:
    bucket, prefix = params["Bucket"], params.get("Prefix", "")
    if not prefix:
        return {}
    endpoint = prefix.split("/")[1] if prefix.startswith("capture/") else ""
    run = bucket.removesuffix("-files")
    reports = f"reports/{run}-endpoint/{run}-once/2026/01/02/03/statistics.json"
    captures = [f"capture/{endpoint}/{each}/2026/01/02/03/00-00.jsonl" for each in ("primary", "shadow")]
    return {"Contents": [{"Key": key} for key in (captures if endpoint else [reports])]}


LIBRARIES = {
    "current": {"xgboost": "3.2.0", "numpy": "2.1.0", "pyarrow": "22.0.0", "scikit-learn": "1.8.0"},
    "old": {"xgboost": "1.7.4"},
}
KEY_ARN = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/"


def _object(account: Account, params: Params) -> Answer:
    key = params["Key"]
    if key.startswith("looks/"):
        return body({"python": "3.12.1", "libraries": LIBRARIES[key.split("/")[1]], "bytes": 30 * 1024**3})
    record = {
        "captureData": {"endpointInput": {"encoding": "CSV"}},
        "eventMetadata": {"eventId": "1", "customAttributes": ["trace=1"]},
    }
    ours = next(each for each in account.of("key") if each.endswith("-key") and "bus" not in each)
    return body(record) | {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": f"{KEY_ARN}{ours}"}


def _metrics(account: Account, params: Params) -> Answer:
    if params["Namespace"] == "AWS/SageMaker":
        endpoint = params["Dimensions"][0]["Value"]
        variants = ("primary", "shadow")
        return {"Metrics": [dimensions(EndpointName=endpoint, VariantName=each) for each in variants]}
    if params["Namespace"] == "AWS/Lambda":
        return {"Metrics": [dimensions(EventSourceMappingUUID=each) for each in account.of("mappings")]}
    if params["Namespace"] == "aws/sagemaker/Endpoints/data-metrics":
        return {"Metrics": [dimensions(Endpoint=each, MonitoringSchedule="any") for each in account.of("endpoint")]}
    return {"Metrics": []}


def dimensions(**named: str) -> dict[str, Any]:
    return {"Dimensions": [{"Name": name, "Value": value} for name, value in named.items()]}


def _runs(account: Account, params: Params) -> Answer:
    schedule = params["MonitoringScheduleName"]
    if ("schedule", schedule) not in account.standing:
        return {"MonitoringExecutionSummaries": []}
    name = f"run-of-{schedule}"
    is_running = ("processing_job", name) in account.standing
    if is_running and schedule.endswith("-once") and account.ends:
        account.standing.discard(("processing_job", name))
    status = "InProgress" if is_running else "Completed"
    arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:processing-job/{name}"
    return {"MonitoringExecutionSummaries": [{"MonitoringExecutionStatus": status, "ProcessingJobArn": arn}]}


def _delete_schedule(account: Account, params: Params) -> Answer:
    if ("processing_job", f"run-of-{params['MonitoringScheduleName']}") in account.standing:
        return refusal("ValidationException", "Cannot delete a schedule with in-progress executions")
    return None


def _delete_endpoint(account: Account, params: Params) -> Answer:
    """Refused while a schedule stands, and right after an update."""
    if account.of("schedule") and params["EndpointName"].endswith("-endpoint"):
        return refusal("ValidationException", "it is watched")
    if account.names.pop("updating", None):
        return refusal("ValidationException", "Cannot update in-progress endpoint")
    return None


def _update_endpoint(account: Account, params: Params) -> Answer:
    config = params["EndpointConfigName"]
    if config.endswith("-config-2") and "sh-" not in config:
        account.names["updating"] = config
        return {"EndpointArn": "arn"}
    return refusal("ValidationException", "Cannot update in-progress endpoint")


def _invoke(account: Account, params: Params) -> Answer:
    if len(params["Body"]) > 6 * 1024 * 1024:
        return refusal("ValidationError", "too large", 413)
    return body({})


def _create_config(account: Account, params: Params) -> Answer:
    is_serverless = "ServerlessConfig" in params["ProductionVariants"][0]
    refused = refusal("ValidationException", "KmsKeyId is not supported")
    return refused if is_serverless and "KmsKeyId" in params else None


def _transaction(account: Account, params: Params) -> Answer:
    keys = [each["Put"]["Item"]["pk"]["S"] for each in params["TransactItems"]]
    return {} if all(key.startswith("card#") for key in keys) else refusal("AccessDeniedException", "not authorized")


def _execution(account: Account, params: Params) -> Answer:
    error = "SageMaker.AmazonSageMakerException" if params["executionArn"] == "job" else "SageMaker.SageMakerException"
    return {"status": "FAILED", "error": error, "cause": "no"}


def _rules(account: Account, params: Params) -> Answer:
    return {"Rules": [{"Name": "rule"}]}


def _streams(account: Account, params: Params) -> Answer:
    streams = [each for each in account.of("log_streams") if each.startswith(params["logStreamNamePrefix"])]
    return {"logStreams": [{"logStreamName": each} for each in streams]}


def uuid_of(function: str) -> str:
    """As long as an id of an event source is."""
    return function.ljust(36, "#")


def _keys(account: Account, params: Params) -> Answer:
    return {"Keys": [{"KeyId": each} for each in account.of("key")]}


USUAL: Mapping[str, Answer] = {
    "athena.get_query_execution": {"QueryExecution": {"Status": {"State": "SUCCEEDED"}}},
    "athena.start_query_execution": {"QueryExecutionId": "1"},
    "cloudformation.describe_stacks": {"Stacks": []},
    "cloudwatch.describe_alarms": lambda account, params: {
        "MetricAlarms": [{"Period": 25200, "StateValue": "OK"} for each in account.of("alarm")]
    },
    "cloudwatch.delete_alarms": lambda account, params: account.standing.difference_update(
        ("alarm", each) for each in params["AlarmNames"]
    ),
    "cloudwatch.list_metrics": _metrics,
    "dynamodb.describe_table": {"Table": {"TableStatus": "ACTIVE"}},
    "dynamodb.transact_write_items": _transaction,
    "events.list_rules": _rules,
    "events.list_targets_by_rule": {"Targets": [{"Id": "queue"}]},
    "events.put_events": {"Entries": [{}]},
    "iam.create_role": lambda account, params: {"Role": {"Arn": f"arn:aws:iam::{ACCOUNT}:role/{params['RoleName']}"}},
    "iam.list_role_policies": {"PolicyNames": ["probe"]},
    "kinesis.describe_stream": {
        "StreamDescription": {"StreamStatus": "ACTIVE", "StreamARN": f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/s"}
    },
    "kms.create_key": lambda account, params: {"KeyMetadata": {"Arn": f"{KEY_ARN}{params['Description']}"}},
    "kms.describe_key": lambda account, params: {
        "KeyMetadata": {"Description": params["KeyId"], "KeyState": "Enabled"}
    },
    "kms.list_keys": _keys,
    "lambda.create_event_source_mapping": lambda account, params: {"UUID": uuid_of(params["FunctionName"])},
    "lambda.list_event_source_mappings": lambda account, params: {
        "EventSourceMappings": [
            {"UUID": uuid_of(each)} for each in account.of("mappings") if each == params["FunctionName"]
        ]
    },
    "logs.describe_log_groups": lambda account, params: {
        "logGroups": [{"logGroupName": each} for each in account.of("log_group")]
    },
    "logs.describe_log_streams": _streams,
    "logs.get_log_events": {"events": [{"message": "Collecting setuptools"}]},
    "s3.get_object": _object,
    "s3.list_objects_v2": _objects,
    "sagemaker-runtime.invoke_endpoint": _invoke,
    "sagemaker.describe_endpoint": {"EndpointStatus": "InService", "EndpointConfigName": "config"},
    "sagemaker.describe_monitoring_schedule": {"MonitoringScheduleStatus": "Scheduled"},
    "sagemaker.describe_processing_job": lambda account, params: account.job(
        "ProcessingJob", params["ProcessingJobName"]
    ),
    "sagemaker.describe_training_job": lambda account, params: account.job("TrainingJob", params["TrainingJobName"]),
    "sagemaker.list_monitoring_executions": _runs,
    "sqs.create_queue": lambda account, params: {"QueueUrl": f"https://sqs/{params['QueueName']}"},
    "sqs.get_queue_url": lambda account, params: {"QueueUrl": f"https://sqs/{params['QueueName']}"},
    "sqs.receive_message": {"Messages": [{"Body": json.dumps({"detail-type": "Model Promoted"})}]},
    "stepfunctions.describe_execution": _execution,
    "stepfunctions.start_execution": lambda account, params: {"executionArn": json.loads(params["input"])["of"]},
    "sts.assume_role": {"Credentials": {"AccessKeyId": "a", "SecretAccessKey": "s", "SessionToken": "t"}},
    "sts.get_caller_identity": {"Account": ACCOUNT, "Arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/r/me"},
}
DEFAULT_SCRIPT: Mapping[str, Answer] = {
    "sagemaker.create_endpoint_config": _create_config,
    "sagemaker.delete_endpoint": _delete_endpoint,
    "sagemaker.delete_monitoring_schedule": _delete_schedule,
    "sagemaker.update_endpoint": _update_endpoint,
}
