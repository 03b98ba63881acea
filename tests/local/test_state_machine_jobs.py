"""Tasks that start a job and wait for it, on the running stack: results, errors, and jobs that outlive no execution."""

import json
import time
import uuid
from typing import Any

import pytest

from local.state_machines.jobs import KINDS, error_name
from tests.local.archives import TRAIN, tar_gz
from tests.local.conftest import Running, eventually
from tests.local.lake import Lake
from tests.local.machines import Machines, caught, task

TRAINING = "arn:aws:states:::sagemaker:createTrainingJob.sync"
PROCESSING = "arn:aws:states:::sagemaker:createProcessingJob.sync"
QUERY = "arn:aws:states:::athena:startQueryExecution.sync"
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.2-0"
CLUSTER = {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 5}
ENDLESS = "SELECT sum(a.range * b.range) AS total FROM range(10000000) a, range(10000000) b"


@pytest.fixture
def machines(stack: Running, outputs: dict[str, str]) -> Machines:
    return Machines(stack, outputs)


class Shop:
    """Requests for jobs of this test's own, as a definition has them, and what became of these."""

    def __init__(self, stack: Running, outputs: dict[str, str]) -> None:
        self._s3, self._sagemaker = stack.client("s3"), stack.client("sagemaker")
        self._athena = stack.client("athena")
        self._bucket, self._role, self._group = outputs["Lake"], outputs["Role"], outputs["WorkGroup"]
        self.name = f"j{uuid.uuid4().hex}"

    def training(self, **hyperparameters: str) -> dict[str, Any]:
        source, data = self._put("train.tar.gz", tar_gz(train_py=TRAIN)), self._put("rows/part/data.csv", b"1,2")
        channel = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": data.removesuffix("part/data.csv")}}
        return {
            "TrainingJobName": self.name,
            "RoleArn": self._role,
            "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
            "HyperParameters": {
                "sagemaker_program": "train.py",
                "sagemaker_submit_directory": source,
                **hyperparameters,
            },
            "InputDataConfig": [{"ChannelName": "train", "DataSource": channel}],
            "OutputDataConfig": {"S3OutputPath": f"s3://{self._bucket}/{self.name}/model"},
            "ResourceConfig": CLUSTER,
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        }

    def processing(self, command: str) -> dict[str, Any]:
        return {
            "ProcessingJobName": self.name,
            "RoleArn": self._role,
            "AppSpecification": {"ImageUri": IMAGE, "ContainerEntrypoint": ["bash", "-c", command]},
            "ProcessingResources": {"ClusterConfig": CLUSTER},
        }

    def query(self, text: str) -> dict[str, Any]:
        return {"QueryString": text, "WorkGroup": self._group}

    def status(self, kind: str) -> str:
        """Of the training or processing job."""
        describe = getattr(self._sagemaker, f"describe_{kind.lower()}_job")
        return str(describe(**{f"{kind}JobName": self.name})[f"{kind}JobStatus"])

    def state(self, query_id: str) -> str:
        execution = self._athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
        return str(execution["Status"]["State"])

    def _put(self, key: str, body: bytes) -> str:
        self._s3.put_object(Bucket=self._bucket, Key=f"{self.name}/{key}", Body=body)
        return f"s3://{self._bucket}/{self.name}/{key}"


@pytest.fixture
def shop(stack: Running, outputs: dict[str, str]) -> Shop:
    return Shop(stack, outputs)


def submitted(machines: Machines, execution: str) -> dict[str, Any]:
    """The answer of the call that started a job, as soon as the history tells it."""

    def look() -> list[dict[str, Any]]:
        return [event for event in machines.events(execution) if event["type"] == "TaskSubmitted"]

    answer: dict[str, Any] = json.loads(eventually(look)[0]["taskSubmittedEventDetails"]["output"])
    return answer


def recent(milliseconds: Any) -> bool:
    return isinstance(milliseconds, int) and abs(milliseconds / 1000 - time.time()) < 120


# --- Results --------------------------------------------------------------------------------------------------------


def test_a_training_job_ends_in_its_description(machines: Machines, shop: Shop) -> None:
    job = machines.output({"Train": task(TRAINING, shop.training(depth="3"))})
    assert (job["TrainingJobName"], job["TrainingJobStatus"]) == (shop.name, "Completed")
    assert job["ModelArtifacts"]["S3ModelArtifacts"].endswith(f"{shop.name}/output/model.tar.gz")
    assert job["HyperParameters"]["depth"] == "3"
    assert recent(job["CreationTime"]) and recent(job["SecondaryStatusTransitions"][0]["StartTime"])


def test_a_processing_job_ends_in_its_description(machines: Machines, shop: Shop) -> None:
    job = machines.output({"Examine": task(PROCESSING, shop.processing("echo examined > /opt/ml/output/message"))})
    assert (job["ProcessingJobName"], job["ProcessingJobStatus"]) == (shop.name, "Completed")
    assert job["ExitMessage"].strip() == "examined" and recent(job["ProcessingEndTime"])


def test_a_query_ends_in_its_execution(machines: Machines, shop: Shop) -> None:
    answer = machines.output({"Ask": task(QUERY, shop.query("SELECT 1 AS one"))})
    execution = answer["QueryExecution"]
    assert execution["Status"]["State"] == "SUCCEEDED" and recent(execution["Status"]["SubmissionDateTime"])
    assert "CompletionDateTime" in execution["Status"]


def test_the_history_tells_that_the_job_was_started(machines: Machines, shop: Shop) -> None:
    execution = machines.start(machines.create({"Ask": task(QUERY, shop.query("SELECT 1"))}))
    query = submitted(machines, execution)["QueryExecutionId"]
    machines.ended(execution)
    kinds = machines.kinds(execution)
    assert kinds[kinds.index("TaskScheduled") :][:4] == [
        "TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded",
    ]  # fmt: skip
    assert shop.state(query) == "SUCCEEDED"


# --- Errors ---------------------------------------------------------------------------------------------------------


def test_a_job_that_fails_is_a_task_failed_with_its_description_as_the_cause(machines: Machines, shop: Shop) -> None:
    failing = task(TRAINING, shop.training(fail=""), Catch=caught("States.TaskFailed"))
    error = machines.output({"Train": failing})["error"]
    job = json.loads(error["Cause"])
    assert error["Error"] == "States.TaskFailed"
    assert job["TrainingJobStatus"] == "Failed" and job["FailureReason"].startswith("AlgorithmError")


def test_a_processing_job_that_fails_is_a_task_failed(machines: Machines, shop: Shop) -> None:
    execution = machines.run({"Examine": task(PROCESSING, shop.processing("exit 3"))})
    assert (execution["status"], execution["error"]) == ("FAILED", "States.TaskFailed")
    assert json.loads(execution["cause"])["ProcessingJobStatus"] == "Failed"


def test_a_query_that_fails_is_a_task_failed(machines: Machines, shop: Shop) -> None:
    failing = task(QUERY, shop.query("SELECT no FROM nowhere"), Catch=caught("States.TaskFailed"))
    error = machines.output({"Ask": failing})["error"]
    status = json.loads(error["Cause"])["QueryExecution"]["Status"]
    assert (error["Error"], status["State"]) == ("States.TaskFailed", "FAILED")
    assert "nowhere" in status["StateChangeReason"]


def test_a_job_that_somebody_stops_is_a_task_failed(machines: Machines, shop: Shop, stack: Running) -> None:
    execution = machines.start(machines.create({"Examine": task(PROCESSING, shop.processing("sleep 60"))}))
    submitted(machines, execution)
    stack.client("sagemaker").stop_processing_job(ProcessingJobName=shop.name)
    ended = machines.ended(execution)
    assert ended["error"] == "States.TaskFailed"
    assert json.loads(ended["cause"])["ProcessingJobStatus"] == "Stopped"


def test_a_job_name_that_exists_is_an_error_of_its_own_and_leaves_the_job_alone(machines: Machines, shop: Shop) -> None:
    states = {"Examine": task(PROCESSING, shop.processing("true"), Catch=caught("SageMaker.ResourceInUseException"))}
    assert "error" not in machines.output(states)
    error = machines.output(states)["error"]
    assert error["Error"] == "SageMaker.ResourceInUseException"
    assert "(Service: AmazonSageMaker; Status Code: 400; Error Code: ResourceInUse; Request ID: " in error["Cause"]
    assert shop.status("Processing") == "Completed"


def test_another_refusal_is_the_services_general_error(machines: Machines, shop: Shop) -> None:
    request = {**shop.training(), "TrainingJobName": "not_a_name"}
    states = {"Train": task(TRAINING, request, Catch=caught("SageMaker.AmazonSageMakerException"))}
    assert "Error Code: ValidationException" in machines.output(states)["error"]["Cause"]


@pytest.mark.parametrize(
    ("resource", "code", "expected"),
    [
        (TRAINING, "ResourceInUse", "SageMaker.ResourceInUseException"),
        (TRAINING, "ResourceLimitExceeded", "SageMaker.ResourceLimitExceededException"),
        (TRAINING, "ThrottlingException", "SageMaker.AmazonSageMakerException"),
        (QUERY, "TooManyRequestsException", "Athena.TooManyRequestsException"),
        (QUERY, "ThrottlingException", "Athena.AmazonAthenaException"),
    ],
)
def test_errors_have_the_names_that_step_functions_gives_them(resource: str, code: str, expected: str) -> None:
    assert error_name(KINDS[resource], code) == expected


def test_a_refused_query_is_named_by_its_exception(machines: Machines, shop: Shop) -> None:
    request = {**shop.query("SELECT 1"), "WorkGroup": "nobodys"}
    states = {"Ask": task(QUERY, request, Catch=caught("Athena.InvalidRequestException"))}
    assert "not found" in machines.output(states)["error"]["Cause"]


# --- Ends -----------------------------------------------------------------------------------------------------------


def test_a_task_that_takes_too_long_stops_its_job(machines: Machines, shop: Shop) -> None:
    waiting = task(PROCESSING, shop.processing("sleep 60"), TimeoutSeconds=1, Catch=caught("States.Timeout"))
    assert machines.output({"Examine": waiting})["error"]["Error"] == "States.Timeout"
    eventually(lambda: shop.status("Processing") == "Stopped")


def test_an_execution_that_is_stopped_ends_at_once_and_stops_its_job(machines: Machines, shop: Shop) -> None:
    execution = machines.start(machines.create({"Train": task(TRAINING, shop.training(wait=""))}))
    submitted(machines, execution)
    machines.client.stop_execution(executionArn=execution)
    assert machines.ended(execution)["status"] == "ABORTED"
    eventually(lambda: shop.status("Training") == "Stopped")


def test_an_execution_that_is_stopped_cancels_its_query(machines: Machines, shop: Shop) -> None:
    execution = machines.start(machines.create({"Ask": task(QUERY, shop.query(ENDLESS))}))
    query = submitted(machines, execution)["QueryExecutionId"]
    machines.client.stop_execution(executionArn=execution)
    eventually(lambda: shop.state(query) == "CANCELLED")


def test_a_machines_query_unloads_what_a_path_names(
    machines: Machines, shop: Shop, stack: Running, outputs: dict[str, str]
) -> None:
    lake = Lake(stack, outputs)
    lake.table({"id": "string", "features": "map<string,double>"})
    lake.put("a.gz", {"id": "a", "features": {"x": 1}})
    query = f"UNLOAD (SELECT * FROM rows) TO 's3://{lake.bucket}/{lake.prefix}-out/' WITH (format = 'PARQUET')"
    parameters = {
        "QueryString.$": "$.query",
        "WorkGroup": outputs["WorkGroup"],
        "QueryExecutionContext": {"Database": lake.database},
    }
    assembled = task(QUERY, parameters, ResultPath=None)
    assert machines.output({"Assemble": assembled}, {"query": query}) == {"query": query}
    assert lake.parquet(f"{lake.prefix}-out/").to_pylist() == [{"id": "a", "features": [("x", 1.0)]}]
