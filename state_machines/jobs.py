"""What machines have others do: queries of Athena's, and jobs of SageMaker's.

All that differs between runs stands in `$.answer.run`. The SDK's own steps for jobs are not used: they drop the network
isolation, the environment and the checkpoints without a word, and take no path for most of the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from stepfunctions.steps.states import State

from state_machines import phases
from state_machines.phases import HOUR, explain, pause, until
from state_machines.steps import LAMBDA_ERRORS, Phase, Retry, Task, answers, question, retry, sequence

INSPECT = "${InspectJobArn}"
ANSWER = ("next", "sentence", "wait_seconds", "run")
"""What the functions of a machine with jobs answer; see `fraud.machine_task`."""

# Above what the job or the query allows itself, so that its own limit ends it and says so. See the plans.
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


def caller(moved: str) -> Callable[..., Task]:
    """What calls the functions of a machine with jobs; see `phases.call`.

    Args:
        moved: error of who lost a race for the run's record, which is retried.
    """
    passing = retry(*LAMBDA_ERRORS, "StoreUnavailable", "DeploymentInterrupted", moved)
    return partial(phases.call, keep=ANSWER, retries=(passing,))


def query(state_id: str, on_error: State, *, comment: str) -> Task:
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
        comment=comment,
    )


def process(
    state_id: str, script: str, on_error: State, *, role: str, inputs: dict[str, str], output: str, comment: str
) -> Task:
    """A processing job that runs a script of the source archive.

    Args:
        state_id: name of the state.
        script: its module; the run names the job and its arguments after it.
        on_error: where it leads when nothing helps.
        role: ARN of what the job runs under.
        inputs: what it reads: fields of the run that hold the addresses, by the inputs' names.
        output: what it writes; the run holds `<output>_uri`.
        comment: of the state.
    """
    unpack = "mkdir -p code && tar -xzf input/source/source.tar.gz -C code && cd code"
    command = f'cd /opt/ml/processing && {unpack} && exec python3 -m {script} .. "$@"'
    return _job(
        state_id,
        "arn:aws:states:::sagemaker:createProcessingJob.sync",
        {
            "ProcessingJobName.$": f"$.answer.run.{script}_name",
            "RoleArn": role,
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


def train(state_id: str, on_error: State, *, role: str, comment: str) -> Task:
    """A training job of the run."""
    return _job(
        state_id,
        "arn:aws:states:::sagemaker:createTrainingJob.sync",
        {
            "TrainingJobName.$": "$.answer.run.train_name",
            "RoleArn": role,
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
        comment=comment,
    )


def ask(
    call: Callable[..., Task], job: str, noun: str, *, failure: Phase, close: Phase, done: State, **others: State
) -> State:
    """What an error of a job leads to; returns the first state.

    The error may be about the answer rather than the job: a start whose answer was lost, or a second one of the same
    name. The job itself knows; one that runs, or is done, is adopted.

    Args:
        call: of the machine's functions.
        job: as the function knows it.
        noun: for people.
        failure: where it leads when the job cannot be asked.
        close: where a job leads that failed.
        done: where one leads that is done.
        others: where other answers lead, by their words.
    """
    note = explain(
        f"Note the error of the {noun}",
        "look",
        comment="Turns the error into an answer, and keeps the run.",
        **{"run.$": "$.answer.run"},
    )
    look = call(
        f"See what became of the {noun}",
        INSPECT,
        "look",
        failure,
        needs=("run",),
        also={"job": job, "error.$": "$.answer.sentence"},
        comment="Asks the job itself: one that runs, or is done, is adopted.",
    )
    is_done = question(f"Is the {noun} done?", otherwise=close.entry)
    answers(is_done, done=done, **others)
    return sequence(note, until(look, is_done, pause(f"Wait for the {noun}", "The job runs, and is asked again.")))


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
