"""Deploys the template through the stand-in's CloudFormation, so that any client finds the stack where it looks."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any

from local import template
from local.functions import code_archive, revision
from local.gateway import Gateway, service

_ASSETS = "local-deployment-assets"
_DEPLOYABLE = "deployable.json"
_POLL_SECONDS = 0.05
_LONGEST_SECONDS = 300.0
_UNDERWAY = "_IN_PROGRESS"
_SUCCEEDED = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
_NOTHING_TO_DO = "No updates are to be performed"


class DeploymentFailed(Exception):
    """The stack could not be created or updated."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """The stack's outputs, the resources this machine cannot have, and whether anything was done."""

    outputs: dict[str, str]
    left_out: tuple[str, ...]
    changed: bool = True


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be deployed: the template, what the stack is called, and values of the template's parameters."""

    template: Path
    stack_name: str
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Place:
    """Where it is deployed: how clients of its services are made, its URL, and its region."""

    client: Callable[[str], Any]
    url: str
    region: str


def deploy(gateway: Gateway, request: Request) -> Deployed:
    """Create the first stack of a gateway, from the process that serves it.

    Raises: DeploymentFailed, with the reasons CloudFormation gives.
    """
    place = Place(partial(client, gateway), gateway.url, gateway.region)
    deployable = sorted(service("cloudformation.provisioners")._RESOURCE_HANDLERS)
    s3 = place.client("s3")
    s3.create_bucket(Bucket=_ASSETS, **_location(gateway.region))
    s3.put_object(Bucket=_ASSETS, Key=_DEPLOYABLE, Body=json.dumps(deployable).encode())
    return _put(place, request, set(deployable))


def redeploy(place: Place, request: Request) -> Deployed:
    """Update the stack, or create it if it was deleted, from any process; parameters that are not given stay.

    Raises: DeploymentFailed, with the reasons CloudFormation gives, or because no gateway of ours is there.
    """
    s3 = place.client("s3")
    try:
        deployable = json.loads(s3.get_object(Bucket=_ASSETS, Key=_DEPLOYABLE)["Body"].read())
    except (s3.exceptions.NoSuchKey, s3.exceptions.NoSuchBucket) as error:
        message = f"What answers at {place.url} was not started by `fraud up`: it cannot say what it can deploy."
        raise DeploymentFailed(message) from error
    return _put(place, request, set(deployable))


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


def _put(place: Place, request: Request, deployable: set[str]) -> Deployed:
    path = request.template
    document = template.read(path)
    declared = set(document.get("Parameters", ()))
    if unknown := sorted(request.parameters.keys() - declared):
        raise DeploymentFailed(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    cloudformation = place.client("cloudformation")
    stack = _described(cloudformation, request.stack_name)
    kept = _kept(stack or {}, declared - request.parameters.keys())
    code = _upload_code(place, path.resolve().parent, template.code_directories(document))
    try:
        translated = template.translate(document, code, deployable, place.region, {**kept, **request.parameters})
    except template.NotSupported as error:
        raise DeploymentFailed(str(error)) from error
    # By address: a body in the request may have 51,200 bytes, and the expanded template has more.
    place.client("s3").put_object(Bucket=_ASSETS, Key="template.json", Body=translated.body.encode())
    assets = f"{place.url}/{_ASSETS}"
    if _submit(cloudformation, request, stack, sorted(kept), assets):
        return Deployed(_finished(cloudformation, request.stack_name), translated.left_out)
    # Its status is of the operation before; where that failed, it was told then.
    return Deployed(_outputs(stack or {}), translated.left_out, changed=False)


def _kept(stack: Mapping[str, Any], names: AbstractSet[str]) -> dict[str, str]:
    """Values of those parameters that the stack has already."""
    values = {each["ParameterKey"]: each["ParameterValue"] for each in stack.get("Parameters", ())}
    return {name: values[name] for name in values.keys() & names}


def _upload_code(place: Place, root: Path, directories: set[str]) -> dict[str, str]:
    """Addresses by directory; they name the content, as `sam package` does, so that what changed is deployed."""
    s3, addresses = place.client("s3"), {}
    for directory in sorted(directories):
        key = f"code-{revision(root / directory)}.zip"
        s3.put_object(Bucket=_ASSETS, Key=key, Body=code_archive(root / directory))
        addresses[directory] = f"s3://{_ASSETS}/{key}"
    return addresses


def _location(region: str) -> dict[str, Any]:
    return {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}


def _submit(
    cloudformation: Any, request: Request, stack: Mapping[str, Any] | None, kept: Sequence[str], assets: str
) -> bool:
    """Begin the stack's creation or its update; False if there is nothing to update."""
    from botocore.exceptions import ClientError

    submit = cloudformation.create_stack if stack is None else cloudformation.update_stack
    given = [{"ParameterKey": key, "ParameterValue": value} for key, value in request.parameters.items()]
    previous = [{"ParameterKey": key, "UsePreviousValue": True} for key in kept]
    try:
        submit(
            StackName=request.stack_name,
            Parameters=[*given, *previous],
            TemplateURL=f"{assets}/template.json",
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            **({"DisableRollback": True} if stack is None else {}),
        )
    except ClientError as error:
        if _NOTHING_TO_DO in str(error):
            return False
        raise DeploymentFailed(error.response["Error"]["Message"]) from error
    return True


def _finished(cloudformation: Any, stack_name: str) -> dict[str, str]:
    """The stack's outputs when it has got there. Raises: DeploymentFailed."""
    deadline = time.monotonic() + _LONGEST_SECONDS
    while (stack := _described(cloudformation, stack_name) or {}).get("StackStatus", "").endswith(_UNDERWAY):
        if time.monotonic() > deadline:
            raise DeploymentFailed(f"{stack_name} is {stack['StackStatus']} for {_LONGEST_SECONDS:.0f} seconds.")
        time.sleep(_POLL_SECONDS)
    if stack.get("StackStatus") not in _SUCCEEDED:
        raise DeploymentFailed("\n".join(_failures(cloudformation, stack_name)) or str(stack.get("StackStatus")))
    return _outputs(stack)


def _outputs(stack: Mapping[str, Any]) -> dict[str, str]:
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", ())}


def _described(cloudformation: Any, stack_name: str) -> dict[str, Any] | None:
    from botocore.exceptions import ClientError

    try:
        stack: dict[str, Any] = cloudformation.describe_stacks(StackName=stack_name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    return stack


def _failures(cloudformation: Any, stack_name: str) -> list[str]:
    """What failed since the operation began; events come newest first."""
    events = cloudformation.describe_stack_events(StackName=stack_name)["StackEvents"]
    return [
        f"{event['LogicalResourceId']} ({event['ResourceType']}): {event.get('ResourceStatusReason', '')}"
        for event in takewhile(lambda event: event.get("ResourceStatusReason") != "User Initiated", events)
        if event["ResourceStatus"].endswith("_FAILED")
    ]
