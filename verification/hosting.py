"""A model, and endpoints that serve it and capture what they are asked, as the project's do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fraud import job_source
from fraud.aws.endpoints import VARIANT, volume_key
from fraud.aws.registry import ENVIRONMENT
from verification import container, template
from verification.errors import StageFailed
from verification.probe import Stage, Term
from verification.sandbox import Sandbox
from verification.stages import BUCKET, INSTANCE, KEY, PASS, ROLE_CALLS, make_role, put

ENDPOINT_MINUTES = 20
CAPTURE = "capture"


@dataclass(frozen=True, slots=True)
class Hosted:
    """An endpoint and what it is made of, all of one name but for the endpoint's config."""

    endpoint: str
    model: str
    config: Mapping[str, Any]


def _make_endpoint_role(sandbox: Sandbox) -> str:
    """The statements of the template's own role."""
    bucket, name = sandbox.uses(BUCKET), sandbox.name("")
    values = {
        "ArchiveBucket.Arn": f"arn:aws:s3:::{bucket}",
        "DataKey.Arn": sandbox.uses(KEY),
        "AWS::AccountId": sandbox.account,
        "AWS::Partition": "aws",
        "AWS::Region": sandbox.aws.region,
        "AWS::StackName": name,
    }
    statements = template.statements("SageMakerExecutionRole", values)
    return make_role(sandbox, "endpoint-role", {"Service": "sagemaker.amazonaws.com"}, statements)


ENDPOINT_ROLE = Stage("a role of endpoints, as in the template", _make_endpoint_role, ROLE_CALLS, needs=(BUCKET, KEY))


def _make_model(sandbox: Sandbox) -> str:
    name, sagemaker = sandbox.name("model"), sandbox.client("sagemaker")
    script = Path(container.__file__).with_name("inference.py").read_bytes()
    artefact = put(sandbox, "models/model.tar.gz", job_source.pack({"code/inference.py": script}))
    primary = {"Image": template.xgboost(sandbox.aws.region), "ModelDataUrl": artefact, "Environment": ENVIRONMENT}
    role = sandbox.uses(ENDPOINT_ROLE)
    sandbox.make_with_new(
        "model",
        name,
        lambda: sagemaker.create_model(
            ModelName=name, PrimaryContainer=primary, ExecutionRoleArn=role, Tags=sandbox.tags
        ),
    )
    return name


MODEL = Stage("a model", _make_model, ("s3.put_object", "sagemaker.create_model", *PASS), 2, needs=(ENDPOINT_ROLE,))


def variant(model: str, name: str = VARIANT) -> dict[str, Any]:
    return {
        "VariantName": name,
        "ModelName": model,
        "InstanceType": INSTANCE,
        "InitialInstanceCount": 1,
        "InitialVariantWeight": 1.0,
    }


def captured(sandbox: Sandbox) -> dict[str, Any]:
    """As the project's endpoints capture."""
    return {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": f"s3://{sandbox.uses(BUCKET)}/{CAPTURE}",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"], "JsonContentTypes": ["application/json"]},
        "KmsKeyId": sandbox.uses(KEY),
    }


def make_config(sandbox: Sandbox, what: str, content: Mapping[str, Any]) -> str:
    """An endpoint configuration; its name."""
    name, sagemaker = sandbox.name(what), sandbox.client("sagemaker")
    sandbox.make(
        "endpoint_config",
        name,
        lambda: sagemaker.create_endpoint_config(EndpointConfigName=name, Tags=sandbox.tags, **content),
    )
    return name


def make_endpoint(sandbox: Sandbox, what: str, config: str) -> str:
    """An endpoint in service; its name.

    Raises:
        StageFailed: SageMaker gave up.
        TookTooLong: it is not in service.
    """
    name, sagemaker = sandbox.name(what), sandbox.client("sagemaker")
    sandbox.ledger_logs(f"/aws/sagemaker/Endpoints/{name}")
    sandbox.make_with_new(
        "endpoint",
        name,
        lambda: sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config, Tags=sandbox.tags),
    )
    settled(sandbox, name)
    return name


def settled(sandbox: Sandbox, endpoint: str) -> None:
    """Wait until an endpoint is in service. Raises: StageFailed, TookTooLong."""

    def look() -> Mapping[str, Any] | None:
        about = sandbox.client("sagemaker").describe_endpoint(EndpointName=endpoint)
        return None if about["EndpointStatus"] in ("Creating", "Updating", "SystemUpdating", "RollingBack") else about

    about = sandbox.until(f"endpoint {endpoint} comes into service", look, ENDPOINT_MINUTES)
    if about["EndpointStatus"] != "InService":
        raise StageFailed(f"{endpoint} is {about['EndpointStatus']}: {about.get('FailureReason', '')}")


def _make_hosted(sandbox: Sandbox) -> Hosted:
    model = sandbox.uses(MODEL)
    content = {
        "ProductionVariants": [variant(model)],
        "DataCaptureConfig": captured(sandbox),
        "KmsKeyId": volume_key(INSTANCE, sandbox.uses(KEY)),
    }
    return Hosted(make_endpoint(sandbox, "endpoint", make_config(sandbox, "config", content)), model, content)


HOSTING_CALLS = ("sagemaker.create_endpoint_config", "sagemaker.create_endpoint", "sagemaker.describe_endpoint")
HOSTED = Stage(
    "an endpoint that captures",
    _make_hosted,
    HOSTING_CALLS,
    ENDPOINT_MINUTES,
    (Term("hosting_ml.m5.large", 1, hourly=True),),
    needs=(MODEL,),
)


def invoke(sandbox: Sandbox, endpoint: str, body: bytes = b"1.5,2\n3,4", **more: str) -> Mapping[str, Any]:
    """Ask as the project's scoring does."""
    answer: Mapping[str, Any] = sandbox.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=endpoint, ContentType="text/csv", Accept="application/json", Body=body, **more
    )
    return answer
