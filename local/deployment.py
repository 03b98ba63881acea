"""Deploys the template through the stand-in's CloudFormation, so that any client finds the stack where it looks."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import template
from local.functions import code_archive
from local.gateway import Gateway, service

_ASSETS = "local-deployment-assets"
_POLL_SECONDS = 0.05


class DeploymentFailed(Exception):
    """The stack could not be created."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """The stack's outputs, and the resources this machine cannot have."""

    outputs: dict[str, str]
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be deployed: the template, what the stack is called, and values of the template's parameters."""

    template: Path
    stack_name: str
    parameters: Mapping[str, str]


def deploy(gateway: Gateway, request: Request) -> Deployed:
    """Create the stack.

    Raises: DeploymentFailed, with the reasons CloudFormation gives.
    """
    path = request.template
    document = template.read(path)
    code = _upload_code(gateway, path.resolve().parent, template.code_directories(document))
    deployable = set(service("cloudformation.provisioners")._RESOURCE_HANDLERS)
    try:
        translated = template.translate(document, code, deployable, gateway.region)
    except template.NotSupported as error:
        raise DeploymentFailed(str(error)) from error
    return Deployed(_create(gateway, request, translated.body), translated.left_out)


def client(gateway: Gateway, name: Any) -> Any:
    """A boto3 client of the gateway."""
    import boto3

    return boto3.client(
        name,
        endpoint_url=gateway.url,
        region_name=gateway.region,
        aws_access_key_id="local",
        aws_secret_access_key="local",  # noqa: S106 - the gateway checks no signature
    )


def _upload_code(gateway: Gateway, root: Path, directories: set[str]) -> dict[str, str]:
    s3 = client(gateway, "s3")
    s3.create_bucket(Bucket=_ASSETS, **_location(gateway.region))
    addresses = {}
    for number, directory in enumerate(sorted(directories)):
        key = f"code-{number}.zip"
        s3.put_object(Bucket=_ASSETS, Key=key, Body=code_archive(root / directory))
        addresses[directory] = f"s3://{_ASSETS}/{key}"
    return addresses


def _location(region: str) -> dict[str, Any]:
    return {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}


def _create(gateway: Gateway, request: Request, body: str) -> dict[str, str]:
    # By address: a body in the request may have 51,200 bytes, and the expanded template has more.
    s3, cloudformation = client(gateway, "s3"), client(gateway, "cloudformation")
    s3.put_object(Bucket=_ASSETS, Key="template.json", Body=body.encode())
    cloudformation.create_stack(
        StackName=request.stack_name,
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in request.parameters.items()],
        TemplateURL=f"{gateway.url}/{_ASSETS}/template.json",
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        DisableRollback=True,
    )
    while (stack := _described(cloudformation, request.stack_name))["StackStatus"] in _UNDERWAY:
        time.sleep(_POLL_SECONDS)
    if stack["StackStatus"] != "CREATE_COMPLETE":
        raise DeploymentFailed("\n".join(_failures(cloudformation, request.stack_name)) or stack["StackStatus"])
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", ())}


def _described(cloudformation: Any, stack_name: str) -> dict[str, Any]:
    stack: dict[str, Any] = cloudformation.describe_stacks(StackName=stack_name)["Stacks"][0]
    return stack


_UNDERWAY = {"CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS"}


def _failures(cloudformation: Any, stack_name: str) -> list[str]:
    events = cloudformation.describe_stack_events(StackName=stack_name)["StackEvents"]
    return [
        f"{event['LogicalResourceId']} ({event['ResourceType']}): {event.get('ResourceStatusReason', '')}"
        for event in events
        if event["ResourceStatus"].endswith("_FAILED")
    ]
