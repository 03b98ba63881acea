"""Names of errors that Step Functions makes of SageMaker's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from verification import template
from verification.probe import Answer, Place, Probe, Term, differs, inconclusive, judged
from verification.sandbox import Sandbox
from verification.stages import PASS, ROLE_CALLS, allow, make_role

OPTIMISED = "SageMaker.AmazonSageMakerException"
"""What jobs of the machines are retried after."""
UNDER_WAY = "RUNNING"


def _definition(job: str, image: str, role: str, absent: str) -> str:
    """A machine that asks for what must be refused: by the integration for jobs, or by the SDK's."""
    job_parameters = {
        "ProcessingJobName": job,
        "RoleArn": role,
        "AppSpecification": {"ImageUri": image, "ContainerEntrypoint": ["true"]},
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    }
    described = "arn:aws:states:::aws-sdk:sagemaker:describeEndpoint"
    created = "arn:aws:states:::sagemaker:createProcessingJob"
    return json.dumps(
        {
            "StartAt": "Which",
            "States": {
                "Which": {
                    "Type": "Choice",
                    "Choices": [{"Variable": "$.of", "StringEquals": "job", "Next": "Job"}],
                    "Default": "Sdk",
                },
                "Job": {
                    "Type": "Task",
                    "Resource": created,
                    "TimeoutSeconds": 60,
                    "Parameters": job_parameters,
                    "End": True,
                },
                "Sdk": {
                    "Type": "Task",
                    "Resource": described,
                    "TimeoutSeconds": 60,
                    "Parameters": {"EndpointName": absent},
                    "End": True,
                },
            },
        }
    )


def _make_machine(sandbox: Sandbox) -> str:
    name, job, absent = sandbox.name("machine"), sandbox.name("refused"), sandbox.name("absent")
    own_role = sandbox.arn("iam", f"role/{sandbox.name('machine-role')}", region=False)
    actions = ["sagemaker:CreateProcessingJob", "sagemaker:AddTags", "sagemaker:DescribeEndpoint"]
    statements = [allow(actions), allow(["iam:PassRole"], own_role)]
    # SageMaker cannot assume it, and so refuses a job under it.
    role = make_role(sandbox, "machine-role", {"Service": "states.amazonaws.com"}, statements)
    arn = sandbox.arn("states", f"stateMachine:{name}")
    definition = _definition(job, template.xgboost(sandbox.aws.region), role, absent)
    tags = [{"key": each["Key"], "value": each["Value"]} for each in sandbox.tags]
    sandbox.make_with_new(
        "machine",
        arn,
        lambda: sandbox.client("stepfunctions").create_state_machine(
            name=name, definition=definition, roleArn=role, tags=tags
        ),
    )
    return arn


def _ended(sandbox: Sandbox, machine: str, of: str) -> Mapping[str, Any]:
    """How an execution ended."""
    states = sandbox.client("stepfunctions")
    started = states.start_execution(stateMachineArn=machine, input=json.dumps({"of": of}))

    def look() -> Mapping[str, Any] | None:
        about: Mapping[str, Any] = states.describe_execution(executionArn=started["executionArn"])
        return about if about["status"] != UNDER_WAY else None

    return sandbox.until(f"the execution of {of} ends", look, 3)


def _ask(sandbox: Sandbox) -> Answer:
    machine = _make_machine(sandbox)
    # If it is taken after all, it must not be lost.
    job = sandbox.make("processing_job", sandbox.name("refused"), lambda: _ended(sandbox, machine, "job"))
    sdk = _ended(sandbox, machine, "sdk")
    seen = "; ".join(f"{of}: {_told(each)}" for of, each in (("optimised", job), ("SDK", sdk)))
    if job["status"] != "FAILED":
        return differs(seen)
    if "error" not in sdk or "AccessDenied" in f"{job['error']} {job.get('cause', '')}":
        return inconclusive(seen)
    return judged(job["error"] == OPTIMISED and sdk["error"].startswith("SageMaker."), seen)


def _told(execution: Mapping[str, Any]) -> str:
    return f"{execution.get('error', execution['status'])} ({execution.get('cause', '')[:160]})"


PROBES = (
    Probe(
        "g",
        "What does Step Functions call the errors of SageMaker, for jobs and for calls of the SDK?",
        "SageMaker.AmazonSageMakerException for jobs, so that throttled ones are tried again; else SageMaker. and "
        "a name. A quota's error is not provoked.",
        (Place("state_machines/jobs.py", OPTIMISED),),
        _ask,
        (
            "stepfunctions.create_state_machine",
            "stepfunctions.start_execution",
            "stepfunctions.describe_execution",
            *ROLE_CALLS,
            *PASS,
        ),
        minutes=8,
        terms=(Term("states_transition", 6),),
    ),
)
