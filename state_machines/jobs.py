"""What a retraining has others do: a query of Athena's, and three jobs of SageMaker's.

All that differs between runs stands in `$.answer.run`. The SDK's own steps for jobs are not used: they drop the network
isolation, the environment and the checkpoints without a word, and take no path for most of the rest.
"""

from __future__ import annotations

from typing import Any

from stepfunctions.steps.states import State

from state_machines.phases import HOUR
from state_machines.steps import Retry, Task, retry

# Above what the job or the query allows itself, so that its own limit ends it and says so. See `retraining_plan`.
QUERY_TIMEOUT = HOUR
"""Seconds; Athena ends a query after half an hour unless asked otherwise."""
PROCESSING_TIMEOUT = 26 * HOUR
"""Seconds; a job runs for a day at most, and its machine has to be found and made ready."""
TRAINING_TIMEOUT = 50 * HOUR
"""Seconds; a training that is interrupted takes two days at most, its waiting included."""

QUERY_THROTTLED = retry(
    "Athena.AmazonAthenaException", "Athena.TooManyRequestsException", "Athena.ThrottlingException", attempts=8
)
JOB_THROTTLED = retry(
    "SageMaker.AmazonSageMakerException", "SageMaker.ThrottlingException", "ThrottlingException", attempts=8
)
NO_MACHINE = retry(
    "SageMaker.ResourceLimitExceededException",
    "SageMaker.ResourceLimitExceeded",
    attempts=10,
    first_seconds=60,
    longest_seconds=600,
)
"""An hour and a quarter at most, until others' jobs have left one."""
# A job that failed is in no retry: started again it would meet its own name.
JOB_RETRIES: tuple[Retry, ...] = (JOB_THROTTLED, NO_MACHINE)

IMAGE = "${ModelImageUri}"
ROLE = "${RetrainingJobRoleArn}"
KEY = "${DataKeyArn}"
DISK_GIB = 30
INPUT = "/opt/ml/processing/input"
MEASURED = (
    "average_precision",
    "auc",
    "ece",
    "block_precision",
    "block_recall",
    "alert_precision",
    "alert_recall",
    "review_share",
    "fraud_share",
)
"""What `model/train.py` prints, for the job's description and CloudWatch."""


def query(state_id: str, on_error: State) -> Task:
    """The statement of the run; a start that is repeated meets its own, because it bears the execution's mark."""
    return Task(
        state_id,
        resource="arn:aws:states:::athena:startQueryExecution.sync",
        parameters={
            "QueryString.$": "$.answer.run.query",
            "ClientRequestToken.$": "States.Hash($$.Execution.Id, 'SHA-256')",
            "QueryExecutionContext": {"Database": "${QueryDatabase}"},
            "WorkGroup": "${QueryWorkGroup}",
        },
        result_path=None,
        timeout=QUERY_TIMEOUT,
        retries=(QUERY_THROTTLED,),
        on_error=on_error,
        comment="Unloads served features and matured verdicts from the archive.",
    )


def examine(state_id: str, on_error: State) -> Task:
    return _processing(
        state_id,
        "examine",
        on_error,
        inputs={"source": "source_uri", "data": "data_uri"},
        output="examined",
        comment="Checks the data, looks for what knows the future, and parts what is learned from and measured on.",
    )


def evaluate(state_id: str, on_error: State) -> Task:
    return _processing(
        state_id,
        "evaluate",
        on_error,
        inputs={
            "source": "source_uri",
            "rows": "evaluate_uri",
            "candidate": "artefact_uri",
            "champion": "champion_uri",
        },
        output="evaluated",
        comment="Measures the candidate and the champion on the same rows, which neither learned from.",
    )


def train(state_id: str, on_error: State) -> Task:
    return _job(
        state_id,
        "arn:aws:states:::sagemaker:createTrainingJob.sync",
        {
            "TrainingJobName.$": "$.answer.run.train_name",
            "RoleArn": ROLE,
            "AlgorithmSpecification": {
                "TrainingImage": IMAGE,
                "TrainingInputMode": "File",
                "MetricDefinitions": [_metric(name) for name in MEASURED],
            },
            "HyperParameters.$": "$.answer.run.hyperparameters",
            "InputDataConfig": [_channel("train", "learn_uri"), _channel("code", "source_uri")],
            "OutputDataConfig": {"S3OutputPath.$": "$.answer.run.model_uri", "KmsKeyId": KEY},
            "CheckpointConfig": {"S3Uri.$": "$.answer.run.checkpoint_uri"},
            "ResourceConfig": _machine(),
            "EnableManagedSpotTraining.$": "$.answer.run.spot",
            "StoppingCondition.$": "$.answer.run.stopping",
            "EnableNetworkIsolation": True,
            # The container installs the script with pip, which would fetch build tools unless told not to: with 0.
            "Environment": {"PIP_NO_BUILD_ISOLATION": "0"},
        },
        TRAINING_TIMEOUT,
        on_error,
        comment="Learns from the older rows; what interrupts it costs no more than the rounds since a checkpoint.",
    )


def _processing(
    state_id: str, script: str, on_error: State, *, inputs: dict[str, str], output: str, comment: str
) -> Task:
    """A processing job that runs a script of the source archive; `inputs` are fields of the run by their names."""
    unpack = "mkdir -p code && tar -xzf input/source/source.tar.gz -C code && cd code"
    command = f'cd /opt/ml/processing && {unpack} && exec python3 -m {script} .. "$@"'
    return _job(
        state_id,
        "arn:aws:states:::sagemaker:createProcessingJob.sync",
        {
            "ProcessingJobName.$": f"$.answer.run.{script}_name",
            "RoleArn": ROLE,
            "AppSpecification": {
                "ImageUri": IMAGE,
                "ContainerEntrypoint": ["bash", "-c", command, script],
                "ContainerArguments.$": f"$.answer.run.{script}_arguments",
            },
            "ProcessingInputs": [_input(name, field) for name, field in inputs.items()],
            "ProcessingOutputConfig": {"Outputs": [_output(output)], "KmsKeyId": KEY},
            "ProcessingResources": {"ClusterConfig": _machine()},
            "StoppingCondition": {"MaxRuntimeInSeconds.$": "$.answer.run.run_seconds"},
            "NetworkConfig": {"EnableNetworkIsolation": True},
        },
        PROCESSING_TIMEOUT,
        on_error,
        comment=comment,
    )


def _job(
    state_id: str, resource: str, parameters: dict[str, Any], timeout: int, on_error: State, *, comment: str
) -> Task:
    return Task(
        state_id,
        resource=resource,
        parameters=parameters,
        result_path=None,
        timeout=timeout,
        retries=JOB_RETRIES,
        on_error=on_error,
        comment=comment,
    )


def _machine() -> dict[str, Any]:
    return {
        "InstanceCount": 1,
        "InstanceType.$": "$.answer.run.instance_type",
        "VolumeSizeInGB": DISK_GIB,
        "VolumeKmsKeyId": KEY,
    }


def _metric(name: str) -> dict[str, str]:
    return {"Name": f"validation:{name}", "Regex": f"validation:{name}=([0-9.]+)"}


def _channel(name: str, field: str) -> dict[str, Any]:
    return {"ChannelName": name, "DataSource": {"S3DataSource": _prefix(field)}}


def _prefix(field: str) -> dict[str, str]:
    return {
        "S3DataType": "S3Prefix",
        "S3Uri.$": f"$.answer.run.{field}",
        "S3DataDistributionType": "FullyReplicated",
    }


def _input(name: str, field: str) -> dict[str, Any]:
    return {"InputName": name, "S3Input": _prefix(field) | {"LocalPath": f"{INPUT}/{name}", "S3InputMode": "File"}}


def _output(name: str) -> dict[str, Any]:
    written = {"S3Uri.$": f"$.answer.run.{name}_uri", "LocalPath": "/opt/ml/processing/output"}
    return {"OutputName": name, "S3Output": written | {"S3UploadMode": "EndOfJob"}}
